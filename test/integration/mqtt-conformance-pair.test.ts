import { Pair } from './support/pair.js';
import type { TestServer } from './support/server.js';
import { RawClient, publish, seen, texts } from './support/raw-client.js';
import type { Got } from './support/raw-client.js';

/*
 * What MQTT 3.1.1 says of a session, on two servers: everything that was answered on one is found again on the other, after a server was killed
 * and after a switchover. Clients are prepared to a point in the middle of something; then the other server serves.
 */

import.meta.jest.setTimeout(90_000);

/** Long enough for the clients of a test to come back, short enough to wait for its end. */
const GRACE_MS = 3_000;

/** Something that has been begun on one server, and is ended on the other. */
interface Case {
  readonly name: string;
  /** Resolves when the first server has answered all that shall be found again, with what is to be found. */
  begin(at: Round): Promise<(on: Round) => Promise<void>>;
}

/** One change of servers, and names that belong to it alone. */
class Round {
  constructor(
    readonly port: number,
    readonly prefix: string,
    private readonly open: RawClient[],
  ) {}

  id(name: string): string {
    return `${this.prefix}-${name}`;
  }

  async session(name: string, clean = false, options: Parameters<typeof RawClient.connect>[1] = {}): Promise<RawClient> {
    const one = await RawClient.connect(this.port, { clientId: this.id(name), clean, ...options });
    this.open.push(one);
    return one;
  }

  /** The same with what CONNACK said. */
  async back(name: string): Promise<{ one: RawClient; present: boolean }> {
    const one = await RawClient.open(this.port);
    this.open.push(one);
    const { sessionPresent, returnCode } = await one.connect({ clientId: this.id(name), clean: false });
    expect(returnCode).toBe(0);
    return { one, present: sessionPresent };
  }

  async publish(topic: string, text: string, qos: 0 | 1 | 2, retain = false): Promise<void> {
    const one = await RawClient.connect(this.port);
    await one.publish(topic, text, qos, retain);
    await one.disconnect();
  }
}

function steps(all: readonly Got[]): unknown[] {
  return all.map((one) => (one.cmd === 'publish' ? [one.cmd, one.messageId, one.payload.toString(), one.qos, one.dup] : [one.cmd, one.messageId]));
}

const CASES: readonly Case[] = [
  // First: who comes back must do so within the grace.
  {
    name: 'MQTT-3.1.2-8: a will: of a client that comes back in time it is not published; of one that does not it is, when the grace is over',
    async begin(at) {
      const topic = at.id('wills');
      const watcher = await at.session('wills-watcher');
      await watcher.subscribe(`${topic}/#`);
      const will = (name: string) => ({ will: { topic: `${topic}/${name}`, payload: Buffer.from(name), qos: 1 as const, retain: false } });
      await at.session('wills-back', false, will('back'));
      await at.session('wills-away', false, will('away'));
      await at.session('wills-clean', true, will('clean'));
      await (await at.session('wills-left', false, will('left'))).disconnect();
      return async (on) => {
        const { one: back } = await on.back('wills-back');
        const { one } = await on.back('wills-watcher');
        expect((await one.messages(2)).map(({ text }) => text).sort()).toEqual(['away', 'clean']);
        await back.disconnect();
        expect(texts(await one.before())).toEqual([]);
        const { present } = await on.back('wills-clean');
        expect(present).toBe(false);
      };
    },
  },
  {
    name: 'MQTT-3.1.2-4, MQTT-3.2.2-2: the session and its subscriptions, each with its QoS; a filter that was removed stays removed',
    async begin(at) {
      const topic = at.id('subscriptions');
      const one = await at.session('subscriptions');
      await one.subscribe([`${topic}/a`, 0], [`${topic}/b`, 1], [`${topic}/+/c`, 2], `${topic}/gone`);
      await one.unsubscribe(`${topic}/gone`);
      return async (on) => {
        const { one: again, present } = await on.back('subscriptions');
        expect(present).toBe(true);
        for (const name of ['a', 'b', 'x/c', 'gone']) await on.publish(`${topic}/${name}`, name, 2);
        expect((await again.messages(3)).map(({ text, qos }) => [text, qos])).toEqual([['a', 0], ['b', 1], ['x/c', 2]]);
        expect(await again.before()).toEqual([]);
      };
    },
  },
  {
    name: 'MQTT-3.1.2-5, MQTT-4.6.0-6: what was queued while the client was away, in its order, without DUP',
    async begin(at) {
      const topic = at.id('queued');
      const one = await at.session('queued');
      await one.subscribe(topic);
      await one.disconnect();
      const writer = await at.session('queued-writer', true);
      for (let i = 0; i < 60; i++) await writer.publish(topic, `${i}`, i % 3 === 0 ? 2 : 1);
      return async (on) => {
        const { one: again } = await on.back('queued');
        expect((await again.messages(60)).map(({ text, qos, dup }) => [text, qos, dup])).toEqual(Array.from({ length: 60 }, (_, i) => [`${i}`, i % 3 === 0 ? 2 : 1, false]));
        expect(await again.before()).toEqual([]);
      };
    },
  },
  {
    name: 'MQTT-4.4.0-1, MQTT-3.3.1-1, MQTT-4.6.0-1, MQTT-4.3.2-1, MQTT-4.3.3-1: to a subscriber: each step of each handshake, with its packet id; what follows has ids of its own',
    async begin(at) {
      const topic = at.id('inflight');
      const one = await at.session('inflight');
      await one.subscribe(topic);
      for (let i = 0; i < 7; i++) await at.publish(topic, `${i}`, i % 2 === 0 ? 1 : 2);
      const ids = (await one.before()).map(({ messageId }) => messageId ?? 0);
      const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0] = ids;
      // 0 done, 1 received, 2 under way, 3 done, 4 under way, 5 under way, 6 done.
      one.send({ cmd: 'puback', messageId: a }, { cmd: 'pubrec', messageId: b }, { cmd: 'pubrec', messageId: d }, { cmd: 'puback', messageId: g });
      await one.of('pubrel', d);
      one.send({ cmd: 'pubcomp', messageId: d });
      await one.before();
      return async (on) => {
        const { one: again } = await on.back('inflight');
        expect(steps(await again.before())).toEqual([['pubrel', b], ['publish', c, '2', 1, true], ['publish', e, '4', 1, true], ['publish', f, '5', 2, true]]);
        await on.publish(topic, 'next', 1);
        const next = await again.of('publish');
        expect(ids.filter((id) => [b, c, e, f].includes(id))).not.toContain(next.messageId);
        again.send({ cmd: 'pubcomp', messageId: b }, { cmd: 'puback', messageId: c }, { cmd: 'puback', messageId: e }, { cmd: 'puback', messageId: next.messageId ?? 0 }, { cmd: 'pubrec', messageId: f });
        await again.of('pubrel', f);
        again.send({ cmd: 'pubcomp', messageId: f });
        expect(await again.before()).toEqual([]);
        const { one: last } = await on.back('inflight');
        expect(await last.before()).toEqual([]);
      };
    },
  },
  {
    name: 'MQTT-4.3.3-2: from a publisher: PUBREC was said: the same PUBLISH again is the same message; PUBREL ends it; the id is new after PUBCOMP',
    async begin(at) {
      const topic = at.id('publisher');
      const watcher = await at.session('publisher-watcher');
      await watcher.subscribe(topic);
      await watcher.disconnect();
      const one = await at.session('publisher');
      one.send(publish(topic, 'received', 2, 21), publish(topic, 'released', 2, 22), publish(topic, 'completed', 2, 23));
      for (const id of [21, 22, 23]) await one.of('pubrec', id);
      one.send({ cmd: 'pubrel', messageId: 23 });
      await one.of('pubcomp', 23);
      return async (on) => {
        const { one: again, present } = await on.back('publisher');
        expect(present).toBe(true);
        again.send(publish(topic, 'received', 2, 21, { dup: true }), { cmd: 'pubrel', messageId: 22 }, { cmd: 'pubrel', messageId: 23 });
        await again.of('pubcomp', 22);
        await again.of('pubcomp', 23);
        await again.release(21);
        again.send(publish(topic, 'new', 2, 23));
        await again.release(23);
        const { one: reader } = await on.back('publisher-watcher');
        expect((await reader.messages(4)).map(({ text }) => text)).toEqual(['received', 'released', 'completed', 'new']);
        expect(await reader.before()).toEqual([]);
      };
    },
  },
  {
    name: 'MQTT-3.3.1-5, MQTT-3.3.1-6, MQTT-3.3.1-10: retained messages, each with its QoS; one that was replaced, one that was removed',
    async begin(at) {
      const topic = at.id('retained');
      for (const qos of [0, 1, 2] as const) await at.publish(`${topic}/${qos}`, `QoS ${qos}`, qos, true);
      await at.publish(`${topic}/replaced`, 'old', 1, true);
      await at.publish(`${topic}/replaced`, 'new', 0, true);
      await at.publish(`${topic}/removed`, 'old', 1, true);
      await at.publish(`${topic}/removed`, '', 1, true);
      return async (on) => {
        const one = await on.session('retained', true);
        await one.subscribe(`${topic}/#`);
        const all = (await one.before()).flatMap((each) => (each.cmd === 'publish' ? [seen(each)] : []));
        expect(all.map(({ text, qos, retain }) => [text, qos, retain])).toEqual([['QoS 0', 0, true], ['QoS 1', 1, true], ['QoS 2', 2, true], ['new', 0, true]]);
      };
    },
  },
];

let pair: Pair;
let active: TestServer;
let passive: TestServer;
const open: RawClient[] = [];

beforeAll(async () => {
  const changes = { mqtt: { failoverGrace: GRACE_MS } };
  pair = await Pair.make({ primary: changes, secondary: changes });
  ({ active, passive } = await pair.start());
}, 60_000);

afterAll(async () => {
  for (const one of open.splice(0)) one.vanish();
  await pair.clear();
}, 60_000);

describe.each([
  ['a failover: the serving server is killed', async () => {
    await active.killWhole();
    await passive.reaches('STANDALONE, accepting', ({ state, broker }) => state === 'STANDALONE' && broker?.clientPort === 'accepting');
  }],
  ['a switchover, back to the server that was killed', async () => {
    passive.start();
    ({ active, passive } = await pair.inStep());
  }],
] as const)('%s', (name, change) => {
  const failover = name.startsWith('a failover');
  const ends = new Map<string, (on: Round) => Promise<void>>();
  let after: Round;

  beforeAll(async () => {
    if (!failover) await change();
    const before = new Round(active.ports.mqtt, failover ? 'f' : 's', open);
    for (const each of CASES) ends.set(each.name, await each.begin(before));
    if (failover) await change();
    else await pair.switchOver(active);
    [active, passive] = [passive, active];
    await active.reaches('clients are accepted', ({ broker }) => broker?.clientPort === 'accepting');
    after = new Round(active.ports.mqtt, before.prefix, open);
  }, 60_000);

  test.each(CASES.map(({ name: each }) => each))('%s', async (each) => {
    await ends.get(each)?.(after);
    expect(ends.has(each)).toBe(true);
  });

  test('the server that does not serve takes no client: it finds the other one at once', async () => {
    await expect(RawClient.open(passive.ports.mqtt)).rejects.toThrow('ECONNREFUSED');
  });
});
