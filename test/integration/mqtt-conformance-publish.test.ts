import { MqttStack } from './support/mqtt-stack.js';
import { RawClient, publish, seen, texts } from './support/raw-client.js';
import type { Qos } from './support/raw-client.js';
import { packet, u16 } from './support/raw-packets.js';

/* MQTT 3.1.1, sections 3.3 to 3.7, 4.3, 4.5 and 4.6, from outside. Names begin with the numbers of the statements (appendix B). */

const ALL: readonly Qos[] = [0, 1, 2];
const PAIRS = ALL.flatMap((published) => ALL.map((granted) => [published, granted] as const));

let stack: MqttStack;
let publisher: RawClient;
let subscriber: RawClient;
/** Another for each test: nothing of one is seen by another. */
let topic = '';
let count = 0;
const open: RawClient[] = [];

beforeAll(async () => {
  stack = await MqttStack.start();
});
afterAll(() => stack.stop());
beforeEach(async () => {
  topic = `t${++count}`;
  publisher = await client();
  subscriber = await client();
});
afterEach(() => {
  for (const one of open.splice(0)) one.vanish();
});

async function client(options: Parameters<typeof RawClient.connect>[1] = {}): Promise<RawClient> {
  const one = await RawClient.connect(stack.port, options);
  open.push(one);
  return one;
}

/** What somebody who subscribes now is sent because of it. */
async function retained(filter = topic, qos: Qos = 2): Promise<{ text: string; qos: number; retain: boolean; dup: boolean; topic: string }[]> {
  const late = await client();
  await late.subscribe([filter, qos]);
  return (await late.before()).flatMap((one) => (one.cmd === 'publish' ? [seen(one)] : []));
}

describe('a PUBLISH that is none ends the connection, and reaches nobody', () => {
  test.each([
    ['MQTT-3.3.1-4: QoS 3', (name: string) => packet(0x36, name, u16(1), Buffer.from('x'))],
    ['MQTT-3.3.1-4: QoS 3, DUP and RETAIN', (name: string) => packet(0x3f, name, u16(1), Buffer.from('x'))],
    ['MQTT-3.3.1-2: DUP with QoS 0', (name: string) => packet(0x38, name, Buffer.from('x'))],
    ['MQTT-3.3.2-1: no topic name', () => packet(0x30)],
    ['MQTT-3.3.2-1: a topic name longer than the packet', () => packet(0x30, u16(10), Buffer.from('t'))],
    ['MQTT-3.3.2-1: no packet id', (name: string) => packet(0x32, name)],
    ['MQTT-3.3.2-2, MQTT-4.7.1-1: +', (name: string) => packet(0x32, `${name}/+`, u16(1), Buffer.from('x'))],
    ['MQTT-3.3.2-2, MQTT-4.7.1-1: + within a level', (name: string) => packet(0x30, `${name}/a+b`, Buffer.from('x'))],
    ['MQTT-3.3.2-2, MQTT-4.7.1-1: #', (name: string) => packet(0x34, `${name}/#`, u16(1), Buffer.from('x'))],
    ['MQTT-3.3.2-2, MQTT-4.7.1-1: # within a level', (name: string) => packet(0x31, `${name}#`, Buffer.from('x'))],
    ['MQTT-4.7.3-1: an empty topic name', () => packet(0x32, '', u16(1), Buffer.from('x'))],
    ['MQTT-2.3.1-1: packet id 0', (name: string) => packet(0x32, name, u16(0), Buffer.from('x'))],
    ['MQTT-3.3.5-2 (§4.7.2): a topic of the server, QoS 0', () => packet(0x30, '$SYS/mine', Buffer.from('x'))],
    ['MQTT-3.3.5-2 (§4.7.2): a topic of the server, QoS 1', () => packet(0x32, '$mine', u16(1), Buffer.from('x'))],
  ] as const)('%s', async (_, bytes) => {
    await subscriber.subscribe('#', '$SYS/#', '$mine');
    publisher.send(bytes(topic));
    expect(await publisher.closed()).toEqual([]);
    expect(await subscriber.before()).toEqual([]);
    expect(await retained('#')).toEqual([]);
  });
});

describe('from publisher to subscriber', () => {
  test.each(PAIRS)('MQTT-3.8.4-6, MQTT-3.3.5-1, MQTT-4.5.0-1, MQTT-3.3.2-3: published with QoS %i, granted QoS %i: delivered once with the lower', async (published, granted) => {
    expect(await subscriber.subscribe([topic, granted])).toEqual([granted]);
    await publisher.publish(topic, 'x', published);
    expect(await subscriber.message()).toEqual({ topic, text: 'x', qos: Math.min(published, granted), retain: false, dup: false });
    expect(await subscriber.before()).toEqual([]);
  });

  test.each([
    [0, []],
    [1, ['puback']],
    [2, ['pubrec']],
  ] as const)('MQTT-3.3.4-1, MQTT-2.3.1-6: QoS %i is answered with %j and its packet id', async (qos, answers) => {
    publisher.send(publish(topic, 'x', qos, qos === 0 ? undefined : 0xabcd));
    expect((await publisher.before()).map(({ cmd, messageId }) => [cmd, messageId])).toEqual(answers.map((cmd) => [cmd, 0xabcd]));
  });

  test.each([1, 2] as const)('MQTT-3.3.1-3, MQTT-4.3.1-1, MQTT-4.3.2-1, MQTT-4.3.3-1: DUP of a publisher (QoS %i) is not passed on', async (qos) => {
    await subscriber.subscribe([topic, 0], [`${topic}/#`, 2]);
    publisher.send(publish(topic, 'x', qos, 7, { dup: true }));
    await publisher.next();
    expect(await subscriber.message()).toMatchObject({ text: 'x', dup: false, qos });
  });

  test.each(ALL)('an empty payload without RETAIN is a message like another (QoS %i)', async (qos) => {
    await subscriber.subscribe(topic);
    await publisher.publish(topic, '', qos);
    expect(await subscriber.message()).toEqual({ topic, text: '', qos, retain: false, dup: false });
  });

  test('MQTT-4.3.2-1, MQTT-2.3.1-4, MQTT-2.3.1-2: messages that are not acknowledged have packet ids of their own', async () => {
    await subscriber.subscribe(topic);
    for (let i = 0; i < 40; i++) await publisher.publish(topic, `${i}`, i % 2 === 0 ? 1 : 2);
    const ids = (await subscriber.before()).map(({ messageId }) => messageId ?? 0);
    expect([new Set(ids).size, ids.filter((id) => id < 1 || id > 65_535)]).toEqual([40, []]);
  });

  test('a publisher gets its own message, when it subscribed', async () => {
    await publisher.subscribe(topic);
    publisher.send(publish(topic, 'x', 1, 1));
    expect(await publisher.message()).toMatchObject({ text: 'x' });
  });

  test('MQTT-4.3.2-2: after PUBACK the same packet id is a new message, DUP or not', async () => {
    await subscriber.subscribe(topic);
    for (const dup of [false, true, true]) {
      publisher.send(publish(topic, `${dup}`, 1, 5, { dup }));
      await publisher.of('puback', 5);
    }
    expect(texts(await subscriber.before())).toEqual(['false', 'true', 'true']);
  });
});

describe('QoS 2 from a publisher', () => {
  test('MQTT-4.3.3-2: until PUBREL the same packet id is the same message, is answered with PUBREC each time, and is delivered once', async () => {
    await subscriber.subscribe(topic);
    for (const dup of [false, true, false]) {
      publisher.send(publish(topic, 'once', 2, 9, { dup }));
      await publisher.of('pubrec', 9);
    }
    publisher.send({ cmd: 'pubrel', messageId: 9 });
    await publisher.of('pubcomp', 9);
    expect(texts(await subscriber.before())).toEqual(['once']);
  });

  test('MQTT-4.3.3-2: after PUBCOMP the same packet id is a new message, DUP or not', async () => {
    await subscriber.subscribe(topic);
    for (const dup of [false, true]) {
      publisher.send(publish(topic, `${dup}`, 2, 9, { dup }));
      await publisher.release(9);
    }
    expect(texts(await subscriber.before())).toEqual(['false', 'true']);
  });

  test('MQTT-4.3.3-2: several at once, released in another order', async () => {
    await subscriber.subscribe(topic);
    for (const id of [1, 2, 3]) publisher.send(publish(topic, `${id}`, 2, id));
    for (const id of [1, 2, 3]) await publisher.of('pubrec', id);
    for (const id of [3, 1, 2]) publisher.send({ cmd: 'pubrel', messageId: id });
    expect((await publisher.before()).map(({ cmd, messageId }) => `${cmd} ${messageId}`)).toEqual(['pubcomp 3', 'pubcomp 1', 'pubcomp 2']);
    expect(texts(await subscriber.before())).toEqual(['1', '2', '3']);
  });

  test('MQTT-4.3.3-2: PUBREL for an id that is not known is answered with PUBCOMP', async () => {
    publisher.send({ cmd: 'pubrel', messageId: 4_711 });
    expect(await publisher.next()).toMatchObject({ cmd: 'pubcomp', messageId: 4_711 });
  });

  test('packet ids of the two directions have nothing to do with each other', async () => {
    await publisher.subscribe(topic);
    publisher.send(publish(topic, 'a', 2, 1));
    await publisher.of('pubrec', 1);
    const own = await publisher.of('publish');
    expect(own.messageId).toBe(1);
    publisher.send({ cmd: 'pubrec', messageId: 1 });
    await publisher.of('pubrel', 1);
    publisher.send({ cmd: 'pubrel', messageId: 1 }, { cmd: 'pubcomp', messageId: 1 });
    await publisher.of('pubcomp', 1);
    expect(await publisher.before()).toEqual([]);
  });
});

describe('QoS 1 and 2 to a subscriber', () => {
  beforeEach(() => subscriber.subscribe(topic));

  test('MQTT-4.3.3-1: PUBLISH, PUBREC, PUBREL, PUBCOMP with one packet id; PUBREC again is answered with PUBREL again', async () => {
    await publisher.publish(topic, 'x', 2);
    const { messageId = 0 } = await subscriber.of('publish');
    for (let i = 0; i < 2; i++) {
      subscriber.send({ cmd: 'pubrec', messageId });
      expect(await subscriber.next()).toMatchObject({ cmd: 'pubrel', messageId });
    }
    subscriber.send({ cmd: 'pubcomp', messageId });
    expect(await subscriber.before()).toEqual([]);
  });

  test('MQTT-4.3.3-1: PUBREC for an id that is not known is answered with PUBREL: its end was lost', async () => {
    subscriber.send({ cmd: 'pubrec', messageId: 4_711 });
    expect(await subscriber.next()).toMatchObject({ cmd: 'pubrel', messageId: 4_711 });
  });

  test.each([
    ['PUBACK for an id that is not known', { cmd: 'puback', messageId: 4_711 } as const, 1],
    ['PUBCOMP for an id that is not known', { cmd: 'pubcomp', messageId: 4_711 } as const, 1],
    ['PUBACK for a message of QoS 2', { cmd: 'puback', messageId: 1 } as const, 2],
    ['PUBCOMP before PUBREC', { cmd: 'pubcomp', messageId: 1 } as const, 2],
    ['PUBCOMP for a message of QoS 1', { cmd: 'pubcomp', messageId: 1 } as const, 1],
  ])('%s changes nothing: the message goes on', async (_, answer, qos) => {
    const persistent = await client({ clientId: topic, clean: false });
    await persistent.subscribe(`${topic}/odd`);
    await publisher.publish(`${topic}/odd`, 'x', qos as Qos);
    expect(await persistent.of('publish')).toMatchObject({ messageId: 1 });
    persistent.send(answer);
    expect(await persistent.before()).toEqual([]);
    await persistent.disconnect();
    const again = await client({ clientId: topic, clean: false });
    expect(await again.message()).toMatchObject({ text: 'x', dup: true });
  });

  test('more than the in-flight window (100): the rest follows as acknowledgements come, each message once, in order', async () => {
    for (let i = 0; i < 250; i++) publisher.send(publish(topic, `${i}`, 1, i + 1));
    await publisher.of('puback', 250);
    const first = await subscriber.before();
    expect(texts(first)).toEqual(numbers(100));
    for (const { messageId } of first.slice(0, 30)) if (messageId !== undefined) subscriber.send({ cmd: 'puback', messageId });
    const second = await subscriber.before();
    expect(texts(second)).toEqual(numbers(30, 100));
    for (const { messageId } of [...first.slice(30), ...second]) if (messageId !== undefined) subscriber.send({ cmd: 'puback', messageId });
    expect((await subscriber.messages(120)).map(({ text }) => text)).toEqual(numbers(120, 130));
    expect(await subscriber.before()).toEqual([]);
  });

  test('MQTT-2.3.1-3, MQTT-2.3.1-4: acknowledged in any order, no id is given twice', async () => {
    for (let i = 0; i < 6; i++) await publisher.publish(topic, `${i}`, i % 2 === 0 ? 1 : 2);
    const all = (await subscriber.before()).flatMap((one) => (one.cmd === 'publish' ? [one] : []));
    for (const at of [5, 2, 0, 4]) await subscriber.acknowledge(all[at] as (typeof all)[number]);
    await publisher.publish(topic, 'next', 1);
    const next = await subscriber.of('publish');
    expect([all[1]?.messageId, all[3]?.messageId]).not.toContain(next.messageId);
  });
});

describe('order', () => {
  test.each(PAIRS)('MQTT-4.6.0-5, MQTT-4.6.0-6: published with QoS %i, granted QoS %i: in the order of publishing', async (published, granted) => {
    await subscriber.subscribe([topic, granted]);
    const arrived = subscriber.messages(200);
    publisher.send(...Array.from({ length: 200 }, (_, i) => publish(topic, `${i}`, published, published === 0 ? undefined : i + 1)));
    if (published === 2) for (let id = 1; id <= 200; id++) await publisher.release(id);
    expect((await arrived).map(({ text }) => text)).toEqual(numbers(200));
  });

  test('MQTT-4.6.0-6: with several publishers, topics and QoS: each by itself in order, at every subscriber', async () => {
    const second = await client();
    await Promise.all([subscriber.subscribe(`${topic}/#`), second.subscribe(`${topic}/+`)]);
    const others = [await client(), await client(), await client()];
    const arrived = Promise.all([subscriber.messages(180), second.messages(180)]);
    await Promise.all(others.map(async (one, at) => {
      for (let i = 0; i < 60; i++) await one.publish(`${topic}/${i % 2}`, `${at} ${i % 2} ${(i % 3)} ${i}`, (i % 3) as Qos);
    }));
    for (const all of await arrived) {
      const lanes = new Map<string, number[]>();
      for (const { text } of all) {
        const [at, name, qos, number] = text.split(' ');
        const lane = `${at} ${name} ${qos}`;
        lanes.set(lane, [...(lanes.get(lane) ?? []), Number(number)]);
      }
      expect(lanes.size).toBe(18);
      for (const lane of lanes.values()) expect(lane).toEqual([...lane].sort((left, right) => left - right));
    }
  });

  test('MQTT-4.6.0-6: PUBREL follows in the order of PUBREC', async () => {
    await subscriber.subscribe(topic);
    for (let i = 0; i < 5; i++) await publisher.publish(topic, `${i}`, 2);
    const ids = (await subscriber.before()).map(({ messageId }) => messageId ?? 0);
    subscriber.send(...ids.map((messageId) => ({ cmd: 'pubrec', messageId }) as const));
    expect((await subscriber.before()).map(({ cmd, messageId }) => [cmd, messageId])).toEqual(ids.map((id) => ['pubrel', id]));
  });
});

describe('retained messages', () => {
  afterEach(() => publisher.isClosed || publisher.publish(topic, '', 1, true));

  test.each(PAIRS)('MQTT-3.3.1-5, MQTT-3.3.1-6, MQTT-3.3.1-8: kept with its QoS (%i), sent to a later subscriber (QoS %i) with RETAIN', async (published, granted) => {
    await publisher.publish(topic, 'kept', published, true);
    expect(await retained(topic, granted)).toEqual([{ topic, text: 'kept', qos: Math.min(published, granted), retain: true, dup: false }]);
  });

  test.each(ALL)('MQTT-3.3.1-9: an established subscription gets it without RETAIN (QoS %i)', async (qos) => {
    await subscriber.subscribe(topic);
    await publisher.publish(topic, 'kept', qos, true);
    expect(await subscriber.message()).toEqual({ topic, text: 'kept', qos, retain: false, dup: false });
  });

  test('MQTT-3.3.1-6: only the last one of each topic', async () => {
    for (let i = 0; i < 4; i++) await publisher.publish(topic, `${i}`, (i % 3) as Qos, true);
    expect(await retained()).toMatchObject([{ text: '3', qos: 0 }]);
  });

  test('MQTT-3.3.1-7: one of QoS 0 takes the place of the one before, and is kept', async () => {
    await publisher.publish(topic, 'old', 2, true);
    await publisher.publish(topic, 'new', 0, true);
    expect(await retained()).toMatchObject([{ text: 'new', qos: 0, retain: true }]);
  });

  test.each(ALL)('MQTT-3.3.1-10, MQTT-3.3.1-11: an empty one (QoS %i) is delivered, removes the one before, and is not kept itself', async (qos) => {
    await publisher.publish(topic, 'old', 1, true);
    await subscriber.subscribe(`${topic}/#`);
    expect(await subscriber.message()).toMatchObject({ text: 'old', retain: true });
    await publisher.publish(topic, '', qos, true);
    expect(await subscriber.message()).toEqual({ topic, text: '', qos, retain: false, dup: false });
    expect(await retained()).toEqual([]);
  });

  test.each(ALL)('MQTT-3.3.1-12: a message without RETAIN (QoS %i) is not kept, and neither replaces nor removes one', async (qos) => {
    await publisher.publish(`${topic}/other`, 'x', qos);
    expect(await retained(`${topic}/other`)).toEqual([]);
    await publisher.publish(topic, 'kept', 1, true);
    await publisher.publish(topic, 'passing', qos);
    await publisher.publish(topic, '', qos);
    expect(await retained()).toMatchObject([{ text: 'kept' }]);
  });

  test('MQTT-3.1.2.7: they stay when the publisher and its session have gone', async () => {
    const other = await client({ clientId: `${topic}-gone` });
    await other.publish(topic, 'kept', 1, true);
    await other.disconnect();
    const back = await client({ clientId: `${topic}-gone`, clean: true });
    await back.disconnect();
    expect(await retained()).toMatchObject([{ text: 'kept' }]);
  });

  test('MQTT-3.3.1-6: a filter with wildcards brings all that match, in the order in which they were kept', async () => {
    const names = ['b', 'a/x', 'a', 'c/d/e', ''].map((name) => `${topic}/${name}`);
    for (const name of names) await publisher.publish(name, name, 1, true);
    expect((await retained(`${topic}/#`)).map(({ text }) => text)).toEqual(names);
    expect((await retained(`${topic}/+`)).map(({ text }) => text)).toEqual([`${topic}/b`, `${topic}/a`, `${topic}/`]);
    expect(await retained(`${topic}x/#`)).toEqual([]);
    for (const name of names) await publisher.publish(name, '', 1, true);
  });

  test('a retained message that waits keeps its flag until it is acknowledged', async () => {
    await publisher.publish(topic, 'kept', 1, true);
    const persistent = await client({ clientId: `${topic}-p`, clean: false });
    await persistent.subscribe(topic);
    expect(await persistent.of('publish')).toMatchObject({ retain: true, dup: false });
    persistent.vanish();
    const again = await client({ clientId: `${topic}-p`, clean: false });
    expect(await again.message()).toMatchObject({ text: 'kept', retain: true, dup: true });
    expect(await again.before()).toEqual([]);
  });
});

describe('long ones', () => {
  test.each(ALL)('a topic name of 65,535 bytes (QoS %i), MQTT-4.7.3-3', async (qos) => {
    const long = `${topic}/`.padEnd(65_535, 'x');
    await subscriber.subscribe(long);
    await publisher.publish(long, 'x', qos);
    expect(await subscriber.message()).toEqual({ topic: long, text: 'x', qos, retain: false, dup: false });
  });

  test('MQTT-4.7.3-3: 65,535 bytes in characters of three bytes; and one of its first level', async () => {
    const long = '語'.repeat(21_845);
    await subscriber.subscribe(long, `${'語'.repeat(21_844)}/+`);
    await publisher.publish(long, 'x', 1);
    await publisher.publish(`${'語'.repeat(21_844)}/y`, 'y', 1);
    expect((await subscriber.messages(2)).map(({ text }) => text)).toEqual(['x', 'y']);
  });

  test('200 levels are the most; a name or filter with more ends the connection', async () => {
    const most = '/'.repeat(199);
    await subscriber.subscribe(most);
    await publisher.publish(most, 'x', 1);
    expect(await subscriber.message()).toMatchObject({ topic: most });
    publisher.send(publish('/'.repeat(200), 'x', 1, 1));
    expect(await publisher.closed()).toEqual([]);
    subscriber.send(packet(0x82, u16(1), '/'.repeat(200), 0));
    expect(await subscriber.closed()).toEqual([]);
  });

  test.each([0, 1, 2] as const)('a packet of exactly packetBytesMax (4 MiB) with QoS %i goes through, one byte more ends the connection', async (qos) => {
    await subscriber.subscribe(topic);
    const head = 1 + 4 + 2 + topic.length + (qos === 0 ? 0 : 2);
    const payload = Buffer.alloc(4 * 1024 * 1024 - head);
    for (let at = 0; at < payload.length; at += 4_096) payload.writeUInt32BE(at, at);
    await publisher.publish(topic, payload, qos);
    const one = await subscriber.of('publish');
    expect((one.payload as Buffer).equals(payload)).toBe(true);
    await subscriber.acknowledge(one);
    publisher.send(publish(topic, Buffer.alloc(payload.length + 1), qos, qos === 0 ? undefined : 9));
    expect(await publisher.closed()).toEqual([]);
    expect(await subscriber.before()).toEqual([]);
  });

  test('a header that announces the largest packet of all (256 MB) is refused before anything of it is awaited', async () => {
    publisher.send(Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f]));
    expect(await publisher.closed()).toEqual([]);
  });
});

describe('publishing at a limit of the broker (MQTT-3.3.5-2, MQTT-4.8.0-2: the publisher is disconnected, unacknowledged)', () => {
  let small: MqttStack;

  beforeAll(async () => {
    small = await MqttStack.start({ limits: { inflightMessagesMax: 2, queuedMessagesPerSessionMax: 3, retainedMessagesMax: 1, storedBytesMax: 10_000 } });
  });
  afterAll(() => small.stop());

  async function at(options: Parameters<typeof RawClient.connect>[1] = {}): Promise<RawClient> {
    const one = await RawClient.connect(small.port, options);
    open.push(one);
    return one;
  }

  test('queuedMessagesPerSessionMax: the message that would be one too many; when there is room again it is taken', async () => {
    const reader = await at({ clientId: 'slow', clean: false });
    await reader.subscribe('full');
    await reader.disconnect();
    const one = await at({ clientId: 'writer', clean: false });
    for (let i = 0; i < 3; i++) await one.publish('full', `${i}`, 1);
    one.send(publish('full', 'too many', 1, 50));
    expect(await one.closed()).toEqual([]);
    const again = await at({ clientId: 'writer', clean: false });
    await again.publish('full', 'QoS 0 is for the connected only', 0);
    const back = await at({ clientId: 'slow', clean: false });
    const [first] = await back.messages(1);
    expect(first).toMatchObject({ text: '0' });
    again.send(publish('full', 'too many', 1, 50, { dup: true }));
    await again.of('puback', 50);
    expect((await back.messages(3)).map(({ text }) => text)).toEqual(['1', '2', 'too many']);
  });

  test('retainedMessagesMax: a second topic; the first may be replaced, and removed', async () => {
    const one = await at();
    await one.publish('kept/1', 'x', 1, true);
    await one.publish('kept/1', 'y', 1, true);
    one.send(publish('kept/2', 'x', 1, 50, { retain: true }));
    expect(await one.closed()).toEqual([]);
    const again = await at();
    await again.publish('kept/1', '', 1, true);
    await again.publish('kept/2', 'x', 1, true);
    await again.publish('kept/2', '', 1, true);
  });

  test('storedBytesMax: what would be held beyond it; QoS 0 passes', async () => {
    const reader = await at({ clientId: 'bytes', clean: false });
    await reader.subscribe('bytes');
    await reader.disconnect();
    const one = await at();
    await one.publish('bytes', Buffer.alloc(9_000), 1);
    one.send(publish('bytes', Buffer.alloc(2_000), 1, 50));
    expect(await one.closed()).toEqual([]);
    const again = await at({ clientId: 'bytes', clean: false });
    expect((await again.message()).text.length).toBe(9_000);
  });
});

function numbers(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, i) => `${from + i}`);
}
