import { MqttStack } from './support/mqtt-stack.js';
import { RawClient, publish, seen, texts } from './support/raw-client.js';
import type { Qos, Seen } from './support/raw-client.js';
import { packet } from './support/raw-packets.js';

/* MQTT 3.1.1, sections 3.1.2.4 to 3.1.2.10, 3.14, 4.1 and 4.4, from outside. Names begin with the numbers of the statements (appendix B). */

const ALL: readonly Qos[] = [0, 1, 2];

let stack: MqttStack;
let other: RawClient;
/** Client id and topic of each test. */
let name = '';
let count = 0;
const open: RawClient[] = [];

beforeAll(async () => {
  stack = await MqttStack.start();
});
afterAll(() => stack.stop());
beforeEach(async () => {
  name = `s${++count}`;
  other = await client();
});
afterEach(() => {
  for (const one of open.splice(0)) one.vanish();
});

async function client(options: Parameters<typeof RawClient.connect>[1] = {}): Promise<RawClient> {
  const one = await RawClient.connect(stack.port, options);
  open.push(one);
  return one;
}

/** The client of the test, with what CONNACK said. */
async function connect(clean: boolean, options: Parameters<typeof RawClient.connect>[1] = {}): Promise<RawClient & { present: boolean }> {
  const one = await RawClient.open(stack.port);
  open.push(one);
  const { returnCode, sessionPresent } = await one.connect({ clientId: name, clean, ...options });
  expect(returnCode).toBe(0);
  return Object.assign(one, { present: sessionPresent });
}

const ENDS: readonly (readonly [string, (one: RawClient) => Promise<unknown>])[] = [
  ['DISCONNECT', (one) => one.disconnect()],
  ['a lost network', (one) => Promise.resolve(one.vanish())],
  ['a fault', (one) => {
    one.send(packet(0xf0));
    return one.closed();
  }],
  ['a take-over', () => Promise.resolve()],
];

describe('Session Present and what the session holds', () => {
  const MATRIX = ENDS.flatMap(([how, end]) => [true, false].flatMap((before) => [true, false].map((after) => [how, before, after, end] as const)));

  test.each(MATRIX)('MQTT-3.2.2-1, MQTT-3.2.2-2, MQTT-3.2.2-3, MQTT-3.1.2-4, MQTT-3.1.2-6, MQTT-3.1.4-3, MQTT-4.1.0-1: after %s, CleanSession %p and then %p', async (_, before, after, end) => {
    const kept = !before && !after;
    const first = await connect(before);
    expect(first.present).toBe(false);
    await first.subscribe(name);
    await end(first);
    const second = await connect(after);
    expect(second.present).toBe(kept);
    await other.publish(name, 'x', 1);
    expect(texts(await second.before())).toEqual(kept ? ['x'] : []);
  });

  test('MQTT-3.1.2-6: a clean session ends the one before for good, and leaves nothing itself', async () => {
    await (await connect(false)).subscribe(name);
    const clean = await connect(true);
    await clean.subscribe(name);
    await other.publish(name, 'for the clean one', 1);
    expect(texts(await clean.before())).toEqual(['for the clean one']);
    await clean.disconnect();
    const last = await connect(false);
    expect(last.present).toBe(false);
    await other.publish(name, 'y', 1);
    expect(await last.before()).toEqual([]);
    await last.disconnect();
    expect((await connect(false)).present).toBe(true);
  });

  test('MQTT-4.1.0-2: a session lasts while its connection does, also a clean one', async () => {
    const one = await connect(true);
    await one.subscribe(name);
    for (let i = 0; i < 5; i++) {
      await other.publish(name, `${i}`, 1);
      expect(await one.message()).toMatchObject({ text: `${i}` });
    }
  });

  test.each(ALL)('MQTT-3.1.2-5, MQTT-4.5.0-1: of what comes while the client is away QoS 1 and 2 wait for it; QoS 0 does not (here: subscribed with QoS %i)', async (granted) => {
    const one = await connect(false);
    await one.subscribe([name, granted]);
    await one.disconnect();
    for (let i = 0; i < 9; i++) await other.publish(name, `${i}`, (i % 3) as Qos);
    const again = await connect(false);
    const waiting = [0, 1, 2, 3, 4, 5, 6, 7, 8].filter((i) => Math.min(i % 3, granted) > 0);
    expect(await again.messages(waiting.length)).toEqual(waiting.map((i): Seen => ({ topic: name, text: `${i}`, qos: Math.min(i % 3, granted) as Qos, retain: false, dup: false })));
    expect(await again.before()).toEqual([]);
  });

  test('MQTT-3.1.2-5: a retained message that comes meanwhile waits without RETAIN; the one that was there is not sent again', async () => {
    await other.publish(`${name}/old`, 'old', 1, true);
    const one = await connect(false);
    await one.subscribe(`${name}/#`);
    expect(await one.message()).toMatchObject({ text: 'old', retain: true });
    await one.disconnect();
    await other.publish(`${name}/new`, 'new', 1, true);
    const again = await connect(false);
    expect((await again.before()).flatMap((each) => (each.cmd === 'publish' ? [seen(each)] : []))).toEqual([{ topic: `${name}/new`, text: 'new', qos: 1, retain: false, dup: false }]);
    for (const topic of [`${name}/old`, `${name}/new`]) await other.publish(topic, '', 1, true);
  });

  test('MQTT-3.1.2-5: 1,000 messages of 1 kB wait, most of them on disk only, and come in order', async () => {
    const one = await connect(false);
    await one.subscribe(name);
    await one.disconnect();
    const text = (i: number): string => `${i}`.padEnd(1_000, '.');
    other.send(...Array.from({ length: 1_000 }, (_, i) => publish(name, text(i), 1, i + 1)));
    await other.of('puback', 1_000);
    const again = await connect(false);
    expect((await again.messages(1_000)).map((each) => each.text)).toEqual(Array.from({ length: 1_000 }, (_, i) => text(i)));
  });
});

describe('take-over', () => {
  test.each([
    [true, true],
    [true, false],
    [false, true],
    [false, false],
  ])('MQTT-3.1.4-2, MQTT-3.1.2-8: the older connection is closed and its will published (CleanSession %p, then %p)', async (before, after) => {
    await other.subscribe(`wills/${name}`);
    const older = await connect(before, { will: { topic: `wills/${name}`, payload: Buffer.from('taken over'), qos: 1, retain: false } });
    const newer = await connect(after);
    expect(await older.closed()).toEqual([]);
    expect(await other.message()).toMatchObject({ text: 'taken over' });
    expect(await newer.before()).toEqual([]);
    await newer.disconnect();
    expect(await other.before()).toEqual([]);
  });

  test('MQTT-3.1.4-2: what the older connection sends afterwards is not looked at; what is under way goes to the newer', async () => {
    const older = await connect(false);
    await older.subscribe(name);
    await other.publish(name, 'under way', 1);
    await older.of('publish');
    const newer = await connect(false);
    await older.closed();
    expect(await newer.message()).toMatchObject({ text: 'under way', dup: true });
  });

  test('MQTT-3.1.4-2: ten at once for one id: one is left', async () => {
    const all = await Promise.all(Array.from({ length: 10 }, async () => {
      const one = await RawClient.open(stack.port);
      open.push(one);
      one.send({ cmd: 'connect', clientId: name, clean: false, keepalive: 0, protocolId: 'MQTT', protocolVersion: 4 });
      return one;
    }));
    const last = await connect(false);
    expect(last.present).toBe(true);
    for (const one of all) await one.closed();
    await last.subscribe(name);
    await other.publish(name, 'x', 1);
    expect(await last.message()).toMatchObject({ text: 'x' });
  });
});

describe('messages under way when the connection ends', () => {
  /** Six messages, QoS 1 and 2 in turn, all sent and none acknowledged. */
  async function six(one: RawClient): Promise<number[]> {
    await one.subscribe(name);
    for (let i = 0; i < 6; i++) await other.publish(name, `${i}`, i % 2 === 0 ? 1 : 2);
    const all = await one.before();
    expect(texts(all)).toEqual(['0', '1', '2', '3', '4', '5']);
    return all.map(({ messageId }) => messageId ?? 0);
  }

  const shown = (packets: Awaited<ReturnType<RawClient['before']>>): unknown[] =>
    packets.map((one) => (one.cmd === 'publish' ? [one.cmd, one.messageId, one.payload.toString(), one.qos, one.dup] : [one.cmd, one.messageId]));

  test.each(ENDS)('MQTT-4.4.0-1, MQTT-3.3.1-1, MQTT-4.6.0-1, MQTT-2.3.1-3, MQTT-2.3.1-4: after %s all of them again, with their packet ids, DUP, in their order', async (_, end) => {
    const one = await connect(false);
    const ids = await six(one);
    await end(one);
    const again = await connect(false);
    expect(shown(await again.before())).toEqual(ids.map((id, i) => ['publish', id, `${i}`, i % 2 === 0 ? 1 : 2, true]));
  });

  test('MQTT-4.3.2-1, MQTT-4.3.3-1, MQTT-4.4.0-1: each step of the handshakes is found again: acknowledged ones are not sent, received ones as PUBREL', async () => {
    const one = await connect(false);
    const [a, b, c, d, e, f] = (await six(one)) as [number, number, number, number, number, number];
    one.send({ cmd: 'puback', messageId: a }, { cmd: 'pubrec', messageId: b }, { cmd: 'pubrec', messageId: d });
    await one.of('pubrel', b);
    await one.of('pubrel', d);
    one.send({ cmd: 'pubcomp', messageId: d });
    await one.before();
    one.vanish();
    const again = await connect(false);
    expect(shown(await again.before())).toEqual([['pubrel', b], ['publish', c, '2', 1, true], ['publish', e, '4', 1, true], ['publish', f, '5', 2, true]]);
    again.send({ cmd: 'pubcomp', messageId: b }, { cmd: 'puback', messageId: c }, { cmd: 'puback', messageId: e }, { cmd: 'pubrec', messageId: f });
    await again.of('pubrel', f);
    again.send({ cmd: 'pubcomp', messageId: f });
    await again.before();
    again.vanish();
    const last = await connect(false);
    expect(await last.before()).toEqual([]);
  });

  test('MQTT-4.6.0-1: what waits follows behind what is under way', async () => {
    const one = await connect(false);
    await six(one);
    await one.disconnect();
    await other.publish(name, 'later 1', 1);
    await other.publish(name, 'later 2', 2);
    const again = await connect(false);
    expect((await again.messages(8)).map(({ text, dup }) => [text, dup])).toEqual([...['0', '1', '2', '3', '4', '5'].map((each) => [each, true]), ['later 1', false], ['later 2', false]]);
  });

  test('MQTT-4.4.0-1: as often as the client comes back', async () => {
    const ids = await six(await connect(false));
    for (let i = 0; i < 5; i++) expect((await (await connect(false)).before()).map(({ messageId }) => messageId)).toEqual(ids);
  });

  test('MQTT-4.4.0-1: nothing is sent again on a connection that lasts', async () => {
    const one = await connect(false);
    await six(one);
    expect(await one.before()).toEqual([]);
  });

  test('MQTT-3.1.2-6: a clean session sends nothing again', async () => {
    await six(await connect(false));
    expect(await (await connect(true)).before()).toEqual([]);
    expect(await (await connect(false)).before()).toEqual([]);
  });

  test('MQTT-4.3.3-2, MQTT-4.4.0-1: the other direction: a QoS 2 message that was not released is known on the next connection', async () => {
    await other.subscribe(name);
    const one = await connect(false);
    one.send(publish(name, 'once', 2, 11), publish(name, 'twice', 2, 12));
    await one.of('pubrec', 12);
    one.vanish();
    const again = await connect(false);
    again.send(publish(name, 'once', 2, 11, { dup: true }), { cmd: 'pubrel', messageId: 12 });
    await again.of('pubcomp', 12);
    await again.release(11);
    again.send(publish(name, 'new under 11', 2, 11));
    await again.of('pubrec', 11);
    expect(texts(await other.before())).toEqual(['once', 'twice', 'new under 11']);
  });

  test('MQTT-3.1.2-6: and unknown after a clean session: the same packet id is a new message', async () => {
    await other.subscribe(name);
    const one = await connect(false);
    one.send(publish(name, 'first', 2, 11));
    await one.of('pubrec', 11);
    const again = await connect(true);
    again.send(publish(name, 'second', 2, 11, { dup: true }));
    await again.of('pubrec', 11);
    expect(texts(await other.before())).toEqual(['first', 'second']);
  });
});

describe('wills', () => {
  const will = (qos: Qos = 1, retain = false, text = 'gone') => ({ topic: `wills/${name}`, payload: Buffer.from(text), qos, retain });

  beforeEach(() => other.subscribe('wills/#'));

  test.each(ALL.flatMap((qos) => [false, true].map((retain) => [qos, retain] as const)))('MQTT-3.1.2-8, MQTT-3.1.2-9, MQTT-3.1.2-16, MQTT-3.1.2-17: published with its QoS (%i) and retained, or not (%p)', async (qos, retain) => {
    const one = await connect(true, { will: will(qos, retain) });
    one.vanish();
    expect(await other.message()).toEqual({ topic: `wills/${name}`, text: 'gone', qos, retain: false, dup: false });
    const late = await client();
    await late.subscribe(`wills/${name}`);
    expect((await late.before()).flatMap((each) => (each.cmd === 'publish' ? [seen(each)] : []))).toEqual(retain ? [{ topic: `wills/${name}`, text: 'gone', qos, retain: true, dup: false }] : []);
    if (retain) await other.publish(`wills/${name}`, '', 1, true);
  });

  test.each(ENDS.filter(([how]) => how !== 'DISCONNECT'))('MQTT-3.1.2-8: published after %s', async (_, end) => {
    const one = await connect(false, { will: will() });
    await end(one);
    if (!one.isClosed) await connect(false);
    expect(await other.message()).toMatchObject({ text: 'gone' });
  });

  test('MQTT-3.1.2-8: published when the client closes without DISCONNECT, and the socket in good order', async () => {
    const one = await connect(true, { will: will() });
    one.vanish();
    expect(await other.message()).toMatchObject({ text: 'gone' });
  });

  test('MQTT-3.14.4-3, MQTT-3.1.2-10: DISCONNECT discards it, and the server closes', async () => {
    const one = await connect(true, { will: will() });
    one.send({ cmd: 'disconnect' });
    expect(await one.closed()).toEqual([]);
    expect(await other.before()).toEqual([]);
  });

  test('MQTT-3.14.4-3, MQTT-3.14.4-2: also for a session that stays; what a client sends behind DISCONNECT is not looked at', async () => {
    const one = await connect(false, { will: will() });
    one.send({ cmd: 'disconnect' }, publish(`wills/${name}`, 'behind', 1, 1), { cmd: 'pingreq' });
    expect(await one.closed()).toEqual([]);
    expect((await connect(false)).present).toBe(true);
    expect(await other.before()).toEqual([]);
  });

  test('MQTT-3.14.4-1: a client that sends DISCONNECT and resets at once has disconnected', async () => {
    const one = await connect(true, { will: will() });
    one.send({ cmd: 'disconnect' });
    one.vanish();
    // The id is free, or taken over: either way the end of that connection lies behind.
    await connect(true);
    expect(await other.before()).toEqual([]);
  });

  test('MQTT-3.1.2-10: published once: it is not there for the next connection of the session', async () => {
    (await connect(false, { will: will() })).vanish();
    expect(await other.message()).toMatchObject({ text: 'gone' });
    (await connect(false)).vanish();
    await (await connect(false)).disconnect();
    expect(await other.before()).toEqual([]);
  });

  test('MQTT-3.1.2-12: without Will Flag nothing is published', async () => {
    const one = await connect(true);
    one.send(packet(0xf0));
    await one.closed();
    expect(await other.before()).toEqual([]);
  });

  test('each connection has its own will: the second one counts', async () => {
    await (await connect(false, { will: will(1, false, 'first') })).disconnect();
    (await connect(false, { will: will(1, false, 'second') })).vanish();
    expect(await other.message()).toMatchObject({ text: 'second' });
    expect(await other.before()).toEqual([]);
  });

  test('an empty will is published; an empty retained one removes what was kept', async () => {
    await other.publish(`wills/${name}`, 'kept', 1, true);
    expect(await other.message()).toMatchObject({ text: 'kept' });
    (await connect(true, { will: will(1, true, '') })).vanish();
    expect(await other.message()).toMatchObject({ text: '', retain: false });
    const late = await client();
    await late.subscribe(`wills/${name}`);
    expect(await late.before()).toEqual([]);
  });

  test('a will waits for the sessions that are away, its own session too', async () => {
    const one = await connect(false, { will: will(2) });
    await one.subscribe([`wills/${name}`, 1]);
    one.vanish();
    await other.message();
    const again = await connect(false);
    expect(await again.message()).toMatchObject({ text: 'gone', qos: 1 });
  });

  test('a will of 65,535 bytes', async () => {
    (await connect(true, { will: will(1, false, 'w'.repeat(65_535)) })).vanish();
    expect((await other.message()).text.length).toBe(65_535);
  });
});

describe('all at once', () => {
  test('CONNECT, a message and DISCONNECT in one write: the message is published, the will is not', async () => {
    await other.subscribe(`${name}/#`);
    for (const qos of ALL) {
      const one = await RawClient.open(stack.port);
      open.push(one);
      const will = { topic: `${name}/will`, payload: Buffer.from('gone'), qos: 1 as const, retain: false };
      one.send({ cmd: 'connect', clientId: name, clean: true, keepalive: 0, protocolId: 'MQTT', protocolVersion: 4, will }, publish(`${name}/${qos}`, 'x', qos, qos === 0 ? undefined : 1), { cmd: 'disconnect' });
      await one.closed();
    }
    expect((await other.messages(3)).map(({ topic }) => topic)).toEqual(ALL.map((qos) => `${name}/${qos}`));
    expect(await other.before()).toEqual([]);
  });
});

describe('keep-alive', () => {
  test('MQTT-3.1.2-24: one and a half times the keep-alive without a packet: disconnected as if the network had failed; MQTT-3.1.2-23: any packet counts; 0 means never', async () => {
    await other.subscribe(`wills/${name}/#`);
    const begun = performance.now();
    const silent = async (seconds: number): Promise<number> => {
      const one = await client({ clientId: `${name}-${seconds}`, keepalive: seconds, will: { topic: `wills/${name}/${seconds}`, payload: Buffer.from('silent'), qos: 1, retain: false } });
      await one.closed();
      return performance.now() - begun;
    };
    const forever = await client({ keepalive: 0 });
    const pinging = await client({ keepalive: 1 });
    const publishing = await client({ keepalive: 1 });
    const halves = await client({ keepalive: 1 });
    const beats = setInterval(() => {
      pinging.send({ cmd: 'pingreq' });
      publishing.send(publish(`${name}/noise`, 'x', 0));
    }, 500);
    // Not a packet: half a PINGREQ, and no more of it.
    halves.send(Uint8Array.of(0xc0));
    try {
      const [one, two] = await Promise.all([silent(1), silent(2)]);
      // How long after, a busy machine decides: test/unit/protocols/mqtt/time.test.ts has it in virtual time.
      expect(one).toBeGreaterThan(1_500);
      expect(two).toBeGreaterThan(3_000);
      expect((await other.messages(2)).map(({ topic }) => topic)).toEqual([`wills/${name}/1`, `wills/${name}/2`]);
      expect(halves.isClosed).toBe(true);
      expect([pinging.isClosed, publishing.isClosed, forever.isClosed]).toEqual([false, false, false]);
      expect(await forever.before()).toEqual([]);
    } finally {
      clearInterval(beats);
    }
  });

  test('MQTT-3.1.2-24: bytes that never become a packet do not keep a connection', async () => {
    const one = await client({ keepalive: 1 });
    one.send(Buffer.from([0x30, 0x7f, 0, 1]));
    const drip = setInterval(() => one.send(Uint8Array.of(0x61)), 300);
    try {
      await one.closed();
    } finally {
      clearInterval(drip);
    }
  });

  test('a large message on a slow line keeps its connection while it comes', async () => {
    const one = await client({ keepalive: 1 });
    const bytes = packet(0x32, name, Uint8Array.of(0, 1), Buffer.alloc(8 * 1_024));
    let at = 0;
    const drip = setInterval(() => {
      one.send(bytes.subarray(at, (at += 1_100)));
      if (at >= bytes.length) clearInterval(drip);
    }, 400);
    try {
      await one.of('puback', 1);
    } finally {
      clearInterval(drip);
    }
  });

  test('a connection that never sends its CONNECT is closed (connectTimeoutMs)', async () => {
    const hasty = await MqttStack.start({ mqtt: { connectTimeoutMs: 300 } });
    try {
      const [nothing, half] = [await RawClient.open(hasty.port), await RawClient.open(hasty.port)];
      half.send(Buffer.from([0x10, 20, 0, 4]));
      expect([await nothing.closed(), await half.closed()]).toEqual([[], []]);
    } finally {
      await hasty.stop();
    }
  });
});
