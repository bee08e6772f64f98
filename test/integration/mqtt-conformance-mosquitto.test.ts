import { spawn, spawnSync } from 'node:child_process';
import { MqttStack } from './support/mqtt-stack.js';
import { RawClient, seen, texts } from './support/raw-client.js';
import { until } from './support/until.js';

/* Stock clients of another make. Everything here is covered with the raw client too: where they are missing, nothing is left untested. */

const installed = ['mosquitto_pub', 'mosquitto_sub'].every((command) => spawnSync(command, ['--help']).error === undefined);
const withClients = installed ? test : test.skip;
const ABSENT = installed ? '' : ' (skipped: mosquitto_pub and mosquitto_sub are not installed; Debian: mosquitto-clients)';

let stack: MqttStack;
let watcher: RawClient;
let topic = '';
let count = 0;

beforeAll(async () => {
  stack = await MqttStack.start();
});
afterAll(() => stack.stop());
beforeEach(async () => {
  topic = `m${++count}`;
  watcher = await RawClient.connect(stack.port);
  await watcher.subscribe(`${topic}/#`);
});
afterEach(() => watcher.vanish());

class Run {
  out = '';
  err = '';
  code: number | NodeJS.Signals | null = null;
  private readonly child;

  constructor(command: string, args: readonly string[], input = '') {
    this.child = spawn(command, ['-h', '127.0.0.1', '-p', `${stack.port}`, ...args]);
    this.child.stdout.on('data', (bytes: Buffer) => (this.out += bytes.toString()));
    this.child.stderr.on('data', (bytes: Buffer) => (this.err += bytes.toString()));
    this.child.once('close', (code, signal) => (this.code = signal ?? code));
    this.child.stdin.end(input);
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }

  async ends(code: number | NodeJS.Signals = 0): Promise<string> {
    const { err } = await until('the client has ended', () => (this.code === null ? null : this), 10_000);
    expect([this.code, code === 0 ? err : '']).toEqual([code, '']);
    return this.out;
  }
}

const pub = (args: readonly string[], input?: string): Run => new Run('mosquitto_pub', args, input);
const sub = (args: readonly string[]): Run => new Run('mosquitto_sub', args);

describe(`mosquitto_pub and mosquitto_sub${ABSENT}`, () => {
  withClients.each([0, 1, 2])('mosquitto_pub -q %i: one message', async (qos) => {
    await pub(['-q', `${qos}`, '-t', topic, '-m', 'hello']).ends();
    expect(await watcher.message()).toEqual({ topic, text: 'hello', qos, retain: false, dup: false });
  });

  withClients.each([1, 2])('mosquitto_pub -l -q %i: 200 lines, in order', async (qos) => {
    const lines = Array.from({ length: 200 }, (_, i) => `line ${i}`);
    const arrived = watcher.messages(200);
    await pub(['-q', `${qos}`, '-t', topic, '-l'], `${lines.join('\n')}\n`).ends();
    expect((await arrived).map(({ text }) => text)).toEqual(lines);
  });

  withClients.each([0, 1, 2])('mosquitto_sub -c -q %i: what came while it was away, QoS 1 and 2', async (qos) => {
    const session = ['-i', `${topic}-sub`, '-c', '-q', `${qos}`, '-t', topic];
    await sub([...session, '-E']).ends();
    const sent = ([0, 1, 2, 1, 2] as const).map((each, i) => [each, `QoS ${each}, ${i}`] as const);
    for (const [each, text] of sent) await watcher.publish(topic, text, each);
    // That client shows a QoS 2 message when its handshake is over: each QoS has an order of its own (§4.6).
    if (qos > 0) expect((await sub([...session, '-C', '4', '-W', '8']).ends()).trim().split('\n').sort()).toEqual(['QoS 1, 1', 'QoS 1, 3', 'QoS 2, 2', 'QoS 2, 4']);
    else expect(await sub([...session, '-W', '1']).ends(27)).toBe('');
  });

  withClients.each([0, 1, 2])('mosquitto_sub -q %i: a retained message, then those that come', async (qos) => {
    await pub(['-r', '-q', `${qos}`, '-t', topic, '-m', 'kept']).ends();
    const run = sub(['-q', `${qos}`, '-t', topic, '-C', '4', '-W', '8', '-F', '%p %q %r']);
    // The first shows that the subscription stands.
    await until('the retained message has come', () => run.out !== '', 10_000);
    for (const each of [0, 1, 2] as const) await watcher.publish(topic, 'live', each);
    expect(await run.ends()).toBe([`kept ${qos} 1`, ...[0, 1, 2].map((each) => `live ${Math.min(each, qos)} 0`), ''].join('\n'));
  });

  withClients('mosquitto_pub -r -n removes a retained message', async () => {
    await watcher.publish(topic, 'kept', 1, true);
    await pub(['-r', '-n', '-q', '1', '-t', topic]).ends();
    expect((await watcher.messages(2)).map(({ text }) => text)).toEqual(['kept', '']);
    const late = await RawClient.connect(stack.port);
    await late.subscribe(topic);
    expect(await late.before()).toEqual([]);
    late.vanish();
  });

  withClients.each([0, 1, 2])('--will-topic, --will-qos %i, --will-retain: published when the client is killed, not when it ends', async (qos) => {
    await watcher.publish(`${topic}/kept`, 'kept', 1, true);
    await watcher.message();
    const args = ['-t', `${topic}/kept`, '--will-topic', `${topic}/will`, '--will-payload', 'gone', '--will-qos', `${qos}`, '--will-retain'];
    await sub([...args, '-C', '1', '-W', '8']).ends();
    expect(await watcher.before()).toEqual([]);
    const run = sub([...args, '-W', '20']);
    await until('it is connected', () => run.out !== '', 10_000);
    run.kill();
    expect(await watcher.message()).toEqual({ topic: `${topic}/will`, text: 'gone', qos, retain: false, dup: false });
    const late = await RawClient.connect(stack.port);
    await late.subscribe(`${topic}/will`);
    expect((await late.before()).map((one) => (one.cmd === 'publish' ? seen(one) : one.cmd))).toMatchObject([{ text: 'gone', qos, retain: true }]);
    late.vanish();
  });

  withClients('mosquitto_sub -U: a persistent session gives up a filter', async () => {
    const session = ['-i', `${topic}-sub`, '-c', '-q', '1'];
    await sub([...session, '-t', `${topic}/a`, '-t', `${topic}/b`, '-E']).ends();
    await sub([...session, '-U', `${topic}/a`, '-t', `${topic}/b`, '-E']).ends();
    for (const name of ['a', 'b']) await watcher.publish(`${topic}/${name}`, name, 1);
    expect(await sub([...session, '-t', `${topic}/b`, '-C', '1', '-W', '8']).ends()).toBe('b\n');
    expect(texts(await watcher.before())).toEqual(['a', 'b']);
  });

  withClients('-V 5 is refused with a clear word; -V 31 is served', async () => {
    const refused = pub(['-V', '5', '-t', topic, '-m', 'x']);
    await until('it has ended', () => refused.code !== null, 10_000);
    expect(refused.code).not.toBe(0);
    expect(refused.err).toMatch(/version|refused/i);
    await pub(['-V', '31', '-q', '2', '-t', topic, '-m', 'old']).ends();
    expect((await watcher.message()).text).toBe('old');
  });
});
