import { fileURLToPath } from 'node:url';
import { createSpawner } from '../../../src/adapters/child-process.js';
import type { Child } from '../../../src/ports/process.js';
import { FakeLog } from '../../unit/support/fake-log.js';

const MODULE = fileURLToPath(new URL('./echo-child.mjs', import.meta.url));

class Heard {
  readonly messages: unknown[] = [];
  closed: string | null = null;
  waiting: (() => void)[] = [];

  constructor(readonly child: Child<unknown, unknown>) {
    child.handle({
      message: (message) => this.changed(() => this.messages.push(message)),
      closed: (reason) => this.changed(() => (this.closed = reason)),
    });
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  private changed(action: () => void): void {
    expect(this.closed).toBeNull();
    action();
    for (const wake of this.waiting.splice(0)) wake();
  }
}

describe('a child process', () => {
  let log: FakeLog;
  const start = (module = MODULE, read = (value: unknown): unknown => value): Heard => new Heard(createSpawner({ name: 'echo', module, args: ['x'], output: 'log', log, read }).start());

  beforeEach(() => {
    log = new FakeLog();
  });

  it('is ended when it says what cannot be understood, and nothing of that is heard', async () => {
    const heard = start(MODULE, (value) => {
      if (typeof value === 'object' && value !== null && 'echo' in value) throw new Error('message.kind is missing');
      return value;
    });
    heard.child.send('hello');
    await heard.until(() => heard.closed !== null);
    expect(heard.closed).toBe('was ended by SIGKILL');
    expect(heard.messages).toEqual([{ ready: 'x' }]);
    expect(log.from('error').join()).toMatch(/the echo said something that cannot be understood: message.kind is missing; it is ended/);
  });

  it('carries messages both ways, bytes among them, in order', async () => {
    const heard = start();
    expect(heard.child.pid).toBeGreaterThan(0);
    for (let i = 0; i < 50; i += 1) heard.child.send({ i, bytes: new Uint8Array([i]) });
    await heard.until(() => heard.messages.length === 51);
    expect(heard.messages[0]).toEqual({ ready: 'x' });
    expect((heard.messages as { echo?: { i: number } }[]).slice(1).map((message) => message.echo?.i)).toEqual(Array.from({ length: 50 }, (_, i) => i));
    heard.child.kill();
    await heard.until(() => heard.closed !== null);
    expect(heard.closed).toBe('was ended by SIGKILL');
    heard.child.send('too late');
    heard.child.kill();
    expect(log.from('info')).toContain('echo: hello from the child');
  });

  it('that ends by itself is told once, with its code, after its last words', async () => {
    const heard = start();
    heard.child.send('last words');
    await heard.until(() => heard.closed !== null);
    expect(heard.messages.at(-1)).toEqual({ fatal: true });
    expect(heard.closed).toBe('exited with code 4');
  });

  it('that cannot start is told as ended', async () => {
    const heard = start('/no/such/module.js');
    await heard.until(() => heard.closed !== null);
    expect(heard.closed).toBe('exited with code 1');
  });

  it('that takes nothing does not fill our memory, and can be killed', async () => {
    const heard = start();
    await heard.until(() => heard.messages.length === 1);
    process.kill(heard.child.pid, 'SIGSTOP');
    const big = new Uint8Array(100_000);
    for (let i = 0; i < 2000; i += 1) heard.child.send(big);
    expect(log.from('warn').filter((line) => line.includes('takes no messages'))).toHaveLength(1);
    heard.child.kill();
    await heard.until(() => heard.closed !== null);
    expect(heard.closed).toBe('was ended by SIGKILL');
  });
});
