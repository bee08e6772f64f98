import { fileURLToPath } from 'node:url';
import { createSpawner } from '../../src/adapters/child-process.js';
import type { Channel, Child, Spawner } from '../../src/ports/process.js';
import { SimSpawner } from '../simulation/channel.js';
import { SimHost } from '../simulation/host.js';
import { SimProcess } from '../simulation/process.js';
import { World } from '../simulation/world.js';
import { FakeChild } from '../unit/support/fake-child.js';
import { FakeClock } from '../unit/support/fake-clock.js';

/** The same program as a real process and as a simulated one: says that it is ready, then answers each message; ends at its last words. */
const MODULE = fileURLToPath(new URL('../integration/adapters/echo-child.mjs', import.meta.url));

function echo(process: SimProcess, parent: Channel<unknown, unknown>): void {
  parent.handle({
    message: (message) => {
      if (message === 'last words') {
        parent.send({ fatal: true });
        process.end('exit 4');
      } else parent.send({ echo: message });
    },
    closed: () => undefined,
  });
  parent.send({ ready: 'x' });
}

/** That program again, played from outside. */
class Played {
  readonly child: FakeChild<unknown, unknown>;
  private heard = 0;
  private runs = false;

  constructor(clock: FakeClock, pid: number) {
    this.child = new FakeChild(clock, pid);
  }

  turn(): void {
    const { child } = this;
    if (child.isGone) return;
    if (child.killed) return child.die('was ended by SIGKILL');
    if (!this.runs) child.tell({ ready: 'x' });
    this.runs = true;
    for (const message of child.sent.slice(this.heard)) {
      if (message !== 'last words') child.tell({ echo: message });
      else {
        child.tell({ fatal: true });
        child.die('exit 4');
      }
    }
    this.heard = child.sent.length;
  }
}

interface Ground {
  readonly spawner: Spawner<unknown, unknown>;
  until(condition: () => boolean): Promise<void>;
  /** Lets the system work for a while in which nothing is expected. */
  idle(): Promise<void>;
}

const GIVE_UP_MS = 15_000;
const QUIET_TURNS = 20;

const grounds: Readonly<Record<string, () => Ground>> = {
  'of a real machine'() {
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    return {
      spawner: createSpawner({ name: 'echo', module: MODULE, args: ['x'], output: 'log', log: { write: () => undefined }, read: (value) => value }),
      async until(condition) {
        const giveUpAt = performance.now() + GIVE_UP_MS;
        while (!condition()) {
          if (performance.now() > giveUpAt) throw new Error('it never happened');
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      },
      async idle() {
        for (let i = 0; i < QUIET_TURNS; i += 1) await turn();
      },
    };
  },
  'of a unit test'() {
    const clock = new FakeClock();
    const children: Played[] = [];
    const turn = (): void => {
      clock.turn();
      for (const child of children) child.turn();
    };
    return {
      spawner: {
        start() {
          const played = new Played(clock, children.length + 1);
          children.push(played);
          return played.child;
        },
      },
      async until(condition) {
        for (let turns = 0; !condition(); turns += 1) {
          if (turns > GIVE_UP_MS) throw new Error('it never happened');
          turn();
        }
      },
      async idle() {
        for (let i = 0; i < QUIET_TURNS; i += 1) turn();
      },
    };
  },
  ...Object.fromEntries(
    [1, 2, 3].map((seed) => [
      `simulated, seed ${seed}`,
      (): Ground => {
        const world = new World(seed);
        const host = new SimHost(world, 'primary', { rate: 1, wallOffsetMs: 0 });
        let pid = 1;
        const parent = new SimProcess(host, 'manager', pid, world.random.fork('manager'));
        return {
          spawner: new SimSpawner<unknown, unknown>(parent, 'broker', () => (pid += 1), echo, { down: (value) => value, up: (value) => value }),
          async until(condition) {
            if (!(await world.run(world.now + GIVE_UP_MS, condition)) && !condition()) throw new Error(`it never happened; violation: ${JSON.stringify(world.violation)}`);
          },
          async idle() {
            await world.run(world.now + 50);
          },
        };
      },
    ]),
  ),
};

/** What the parent hears of a child, and whether it heard it within a call of its own or after the end. */
class Ear {
  readonly heard: unknown[] = [];
  closed: string | null = null;
  wrong: string | null = null;
  private inside = false;

  constructor(readonly child: Child<unknown, unknown>) {}

  listen(): this {
    this.call(() =>
      this.child.handle({
        message: (message) => this.note(() => this.heard.push(message)),
        closed: (reason) => this.note(() => (this.closed = reason)),
      }),
    );
    return this;
  }

  call(action: () => void): void {
    this.inside = true;
    action();
    this.inside = false;
  }

  private note(action: () => void): void {
    if (this.inside) this.wrong = 'within a call';
    if (this.closed !== null) this.wrong = 'after the end';
    action();
  }
}

describe.each(Object.keys(grounds))('Child %s', (name) => {
  let ground: Ground;
  const ears: Ear[] = [];
  const started = (): Ear => {
    const ear = new Ear(ground.spawner.start());
    ears.push(ear);
    return ear;
  };
  beforeEach(() => {
    ground = (grounds[name] as () => Ground)();
  });
  afterEach(async () => {
    const mine = ears.splice(0);
    for (const { child } of mine) child.kill();
    await ground.until(() => mine.every(({ closed }) => closed !== null));
    expect(mine.map(({ wrong }) => wrong)).toEqual(mine.map(() => null));
  });

  it('carries whole messages both ways, in order, those that were sent before it ran among them', async () => {
    const ear = started().listen();
    expect(ear.child.pid).toBeGreaterThan(0);
    const sent = Array.from({ length: 60 }, (_, i) => ({ i, bytes: Uint8Array.of(i), nothing: null, list: [1, { a: 'ä' }] }));
    for (const message of sent) ear.call(() => ear.child.send(message));
    await ground.until(() => ear.heard.length === 61);
    expect(ear.heard).toEqual([{ ready: 'x' }, ...sent.map((message) => ({ echo: message }))]);
  });

  it('keeps what came before anybody listened', async () => {
    const [early, other] = [started(), started().listen()];
    await ground.until(() => other.heard.length === 1);
    await ground.idle();
    early.listen();
    await ground.until(() => early.heard.length === 1);
    expect(early.heard).toEqual([{ ready: 'x' }]);
  });

  it('that ends by itself: its last words first, then the end, once, and why', async () => {
    const ear = started().listen();
    ear.child.send('hello');
    ear.child.send('last words');
    await ground.until(() => ear.closed !== null);
    expect(ear.heard).toEqual([{ ready: 'x' }, { echo: 'hello' }, { fatal: true }]);
    expect(ear.closed).toMatch(/exit/);
    ear.call(() => {
      ear.child.send('too late');
      ear.child.kill();
    });
    await ground.idle();
    expect(ear.heard).toHaveLength(3);
  });

  it('that is killed: told once, with the signal; nothing that is said to it afterwards is answered', async () => {
    const ear = started().listen();
    await ground.until(() => ear.heard.length === 1);
    ear.call(() => {
      ear.child.kill();
      ear.child.kill();
      ear.child.send('too late');
    });
    await ground.until(() => ear.closed !== null);
    expect(ear.closed).toContain('SIGKILL');
    expect(ear.heard.length).toBeLessThanOrEqual(2);
  });

  it('that is killed before it ran is told as well', async () => {
    const ear = started().listen();
    ear.child.kill();
    await ground.until(() => ear.closed !== null);
    expect(ear.heard).toEqual([]);
  });

  it('whose end came before anybody listened: what it said, then the end', async () => {
    const [gone, other] = [started(), started().listen()];
    gone.child.send('last words');
    other.child.send('last words');
    await ground.until(() => other.closed !== null);
    await ground.idle();
    gone.listen();
    await ground.until(() => gone.closed !== null);
    expect(gone.heard).toEqual([{ ready: 'x' }, { fatal: true }]);
  });

  it('is one of several that do not hear each other', async () => {
    const [one, other] = [started().listen(), started().listen()];
    expect(one.child.pid).not.toBe(other.child.pid);
    one.child.send('for one');
    await ground.until(() => one.heard.length === 2 && other.heard.length === 1);
    one.child.kill();
    await ground.until(() => one.closed !== null);
    other.child.send('still there');
    await ground.until(() => other.heard.length === 2);
    expect(other.closed).toBeNull();
  });
});
