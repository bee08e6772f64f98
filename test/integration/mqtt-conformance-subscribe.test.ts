import { RecordOrigin } from '../../src/core/journal/envelope.js';
import type { ClientHandler } from '../../src/server/edge.js';
import { MqttStack } from './support/mqtt-stack.js';
import { RawClient, publish, seen, texts } from './support/raw-client.js';
import type { Qos } from './support/raw-client.js';
import { packet, u16 } from './support/raw-packets.js';

/* MQTT 3.1.1, sections 3.8 to 3.11 and 4.7, from outside. Names begin with the numbers of the statements (appendix B). */

let stack: MqttStack;
let publisher: RawClient;
let subscriber: RawClient;
let topic = '';
let count = 0;
const open: RawClient[] = [];

beforeAll(async () => {
  stack = await MqttStack.start({ limits: { subscriptionsPerSessionMax: 20 } });
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

describe('a SUBSCRIBE or UNSUBSCRIBE that is none ends the connection, unanswered', () => {
  test.each([
    ['MQTT-3.8.3-3: no topic filter', packet(0x82, u16(1))],
    ['MQTT-3-8.3-4: QoS 3', packet(0x82, u16(1), 'a', 3)],
    ['MQTT-3-8.3-4: reserved bit 2', packet(0x82, u16(1), 'a', 4)],
    ['MQTT-3-8.3-4: reserved bit 7', packet(0x82, u16(1), 'a', 0x81)],
    ['MQTT-3-8.3-4: in the second of two', packet(0x82, u16(1), 'a', 1, 'b', 0x10)],
    ['MQTT-3.8.1-1: reserved flags', packet(0x80, u16(1), 'a', 0)],
    ['MQTT-2.3.1-1: packet id 0', packet(0x82, u16(0), 'a', 0)],
    ['no packet id', packet(0x82, 1)],
    ['a filter without its QoS', packet(0x82, u16(1), 'a')],
    ['a filter longer than the packet', packet(0x82, u16(1), u16(9), Buffer.from('a'), 0)],
    ['MQTT-4.7.3-1: an empty filter', packet(0x82, u16(1), '', 0)],
    ['MQTT-3.8.3-1: a filter that is not UTF-8', packet(0x82, u16(1), u16(1), 0xff, 0)],
    ['MQTT-4.7.1-2: # not alone in its level', packet(0x82, u16(1), 'sport/tennis#', 0)],
    ['MQTT-4.7.1-2: # not last', packet(0x82, u16(1), 'sport/tennis/#/ranking', 0)],
    ['MQTT-4.7.1-2: ##', packet(0x82, u16(1), '##', 0)],
    ['MQTT-4.7.1-3: + not alone in its level', packet(0x82, u16(1), 'sport+', 0)],
    ['MQTT-4.7.1-3: + not alone in its level, first', packet(0x82, u16(1), 'a/+b/c', 0)],
    ['MQTT-4.7.1-3: ++', packet(0x82, u16(1), '++', 0)],
    ['MQTT-3.10.3-2: UNSUBSCRIBE without a filter', packet(0xa2, u16(1))],
    ['MQTT-3.10.1-1: UNSUBSCRIBE with other flags', packet(0xa0, u16(1), 'a')],
    ['MQTT-2.3.1-1: UNSUBSCRIBE with packet id 0', packet(0xa2, u16(0), 'a')],
    ['MQTT-3.10.3-1: UNSUBSCRIBE with a filter that is not UTF-8', packet(0xa2, u16(1), u16(1), 0xff)],
    ['MQTT-3.10.3-1: UNSUBSCRIBE with a filter longer than the packet', packet(0xa2, u16(1), u16(9), Buffer.from('a'))],
    ['MQTT-4.7.3-1: UNSUBSCRIBE with an empty filter', packet(0xa2, u16(1), '')],
  ] as const)('%s', async (_, bytes) => {
    const one = await client({ clientId: `broken${count}`, clean: false });
    one.send(bytes);
    expect(await one.closed()).toEqual([]);
    // Nothing of it was done.
    const again = await client({ clientId: `broken${count}`, clean: false });
    await publisher.publish('a', 'x', 1);
    expect(await again.before()).toEqual([]);
  });
});

describe('SUBACK', () => {
  test('MQTT-3.8.4-1, MQTT-3.8.4-2, MQTT-2.3.1-7, MQTT-3.8.4-5, MQTT-3.9.3-1, MQTT-3.9.3-2: one for all, with the packet id, one code for each filter in their order', async () => {
    subscriber.send({ cmd: 'subscribe', messageId: 0xfedc, subscriptions: [2, 0, 1, 1, 0, 2].map((qos, i) => ({ topic: `${topic}/${i}`, qos: qos as Qos })) });
    expect((await subscriber.next()).bytes.toString('hex')).toBe('9008fedc020001010002');
    expect(await subscriber.before()).toEqual([]);
  });

  test('MQTT-3.9.3-2, MQTT-3.8.4-5: at subscriptionsPerSessionMax (20) the code is 0x80, for those only that go beyond', async () => {
    const filters = Array.from({ length: 19 }, (_, i) => [`${topic}/${i}`, 1] as const);
    expect(await subscriber.subscribe(...filters)).toEqual(filters.map(() => 1));
    // One that is there already needs no room.
    expect(await subscriber.subscribe([`${topic}/a`, 0], [`${topic}/b`, 0], [`${topic}/3`, 2], [`${topic}/c`, 1])).toEqual([0, 0x80, 2, 0x80]);
    await publisher.publish(`${topic}/b`, 'no', 1);
    await publisher.publish(`${topic}/3`, 'yes', 2);
    expect(texts(await subscriber.before())).toEqual(['yes']);
    await subscriber.unsubscribe(`${topic}/4`);
    expect(await subscriber.subscribe(`${topic}/b`)).toEqual([2]);
  });

  test('1,000 filters in one packet, beyond the limit each with its code', async () => {
    const granted = await subscriber.subscribe(...Array.from({ length: 1_000 }, (_, i) => [`${topic}/${i}`, 1] as const));
    expect(granted).toEqual(Array.from({ length: 1_000 }, (_, i) => (i < 20 ? 1 : 0x80)));
  });

  test('10,001 filters in one packet end the connection (the most is 10,000)', async () => {
    subscriber.send(packet(0x82, u16(1), Buffer.concat(Array.from({ length: 10_001 }, () => Buffer.from([0, 1, 0x61, 0])))));
    expect(await subscriber.closed()).toEqual([]);
  });
});

describe('subscribing again', () => {
  test.each([
    [0, 2],
    [2, 0],
    [1, 1],
  ] as const)('MQTT-3.8.4-3: the same filter replaces the subscription (QoS %i by %i): one copy, with the new QoS', async (before, after) => {
    await subscriber.subscribe([topic, before]);
    expect(await subscriber.subscribe([topic, after])).toEqual([after]);
    await publisher.publish(topic, 'x', 2);
    expect(await subscriber.messages(1)).toMatchObject([{ text: 'x', qos: after }]);
    expect(await subscriber.before()).toEqual([]);
    await subscriber.unsubscribe(topic);
    await publisher.publish(topic, 'y', 2);
    expect(await subscriber.before()).toEqual([]);
  });

  test('MQTT-3.8.4-3: retained messages are sent each time; what is under way is not disturbed', async () => {
    await publisher.publish(`${topic}/kept`, 'kept', 1, true);
    await subscriber.subscribe(`${topic}/#`);
    await publisher.publish(topic, 'flow 1', 1);
    await subscriber.subscribe(`${topic}/#`);
    await publisher.publish(topic, 'flow 2', 1);
    expect((await subscriber.messages(4)).map(({ text, retain, dup }) => [text, retain, dup])).toEqual([['kept', true, false], ['flow 1', false, false], ['kept', true, false], ['flow 2', false, false]]);
    await publisher.publish(`${topic}/kept`, '', 1, true);
  });

  test('MQTT-3.8.4-3: while messages come without pause none is lost and none comes twice', async () => {
    await subscriber.subscribe([topic, 1]);
    const arrived = subscriber.messages(300);
    publisher.send(...Array.from({ length: 300 }, (_, i) => publish(topic, `${i}`, 1, i + 1)));
    for (let i = 0; i < 20; i++) await subscriber.subscribe([topic, i % 2 === 0 ? 2 : 1]);
    expect((await arrived).map(({ text }) => Number(text))).toEqual(Array.from({ length: 300 }, (_, i) => i));
  });

  test('MQTT-3.8.4-4: several filters in one packet are as several packets: the last of two equal ones counts', async () => {
    expect(await subscriber.subscribe([topic, 2], [`${topic}/+`, 1], [topic, 0])).toEqual([2, 1, 0]);
    await publisher.publish(topic, 'x', 2);
    await publisher.publish(`${topic}/y`, 'y', 2);
    expect((await subscriber.messages(2)).map(({ text, qos }) => [text, qos])).toEqual([['x', 0], ['y', 1]]);
  });

  test('MQTT-3.8.4-4: and bring the retained messages of each, behind SUBACK', async () => {
    await publisher.publish(`${topic}/kept`, 'kept', 2, true);
    subscriber.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: `${topic}/#`, qos: 1 }, { topic: `${topic}/none`, qos: 2 }, { topic: `${topic}/+`, qos: 0 }] });
    expect(await subscriber.next()).toMatchObject({ cmd: 'suback', granted: [1, 2, 0] });
    expect((await subscriber.messages(2)).map(({ text, qos, retain }) => [text, qos, retain])).toEqual([['kept', 1, true], ['kept', 0, true]]);
    await publisher.publish(`${topic}/kept`, '', 1, true);
  });
});

describe('overlapping subscriptions', () => {
  test.each([
    [[0, 1, 2], 2],
    [[2, 0, 0], 2],
    [[1, 0, 1], 1],
    [[0, 0, 0], 0],
  ] as const)('MQTT-3.3.5-1: of QoS %j: one copy, with QoS %i', async (granted, qos) => {
    const filters = [`${topic}/#`, `${topic}/+`, `${topic}/x`];
    await subscriber.subscribe(...granted.map((each, i) => [filters[i] as string, each] as const));
    await publisher.publish(`${topic}/x`, 'x', 2);
    expect(await subscriber.messages(1)).toMatchObject([{ text: 'x', qos }]);
    expect(await subscriber.before()).toEqual([]);
  });

  test('MQTT-3.3.5-1: never more than it was published with', async () => {
    await subscriber.subscribe([`${topic}/#`, 2], [`${topic}/x`, 0]);
    await publisher.publish(`${topic}/x`, 'x', 1);
    expect(await subscriber.messages(1)).toMatchObject([{ qos: 1 }]);
  });

  test('MQTT-3.10.4-1: without one of them the others go on', async () => {
    await subscriber.subscribe([`${topic}/#`, 2], [`${topic}/x`, 1]);
    await subscriber.unsubscribe(`${topic}/#`);
    await publisher.publish(`${topic}/x`, 'x', 2);
    await publisher.publish(`${topic}/y`, 'y', 2);
    expect((await subscriber.messages(1)).map(({ text, qos }) => [text, qos])).toEqual([['x', 1]]);
    expect(await subscriber.before()).toEqual([]);
  });
});

describe('UNSUBSCRIBE', () => {
  test('MQTT-3.10.4-4, MQTT-3.10.4-5, MQTT-3.10.4-6, MQTT-2.3.1-7: one UNSUBACK with the packet id, for filters that are there and those that are not', async () => {
    await subscriber.subscribe(`${topic}/a`, `${topic}/b`, `${topic}/c`);
    subscriber.send({ cmd: 'unsubscribe', messageId: 0xba98, unsubscriptions: [`${topic}/a`, `${topic}/none`, `${topic}/c`] });
    expect((await subscriber.next()).bytes.toString('hex')).toBe('b002ba98');
    for (const name of ['a', 'b', 'c']) await publisher.publish(`${topic}/${name}`, name, 1);
    expect(texts(await subscriber.before())).toEqual(['b']);
    subscriber.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: [`${topic}/a`] });
    expect(await subscriber.next()).toMatchObject({ cmd: 'unsuback', messageId: 2 });
  });

  test.each([
    ['a wildcard that would match', (name: string) => `${name}/+`],
    ['a longer wildcard', (name: string) => `${name}/#`],
    ['another case', (name: string) => `${name}/X`],
    ['an empty level more', (name: string) => `${name}/x/`],
    ['an empty level before', (name: string) => `/${name}/x`],
  ] as const)('MQTT-3.10.4-1: only the very same filter is removed: not by %s', async (_, other) => {
    await subscriber.subscribe(`${topic}/x`);
    await subscriber.unsubscribe(other(topic));
    await publisher.publish(`${topic}/x`, 'x', 1);
    expect(texts(await subscriber.before())).toEqual(['x']);
  });

  test('MQTT-3.10.4-1: wildcards are characters like others: a filter with them is removed by itself alone', async () => {
    await subscriber.subscribe(`${topic}/#`);
    await subscriber.unsubscribe(`${topic}/x`, `${topic}/+`);
    await publisher.publish(`${topic}/x`, 'x', 1);
    expect(texts(await subscriber.before())).toEqual(['x']);
    await subscriber.unsubscribe(`${topic}/#`);
    await publisher.publish(`${topic}/x`, 'y', 1);
    expect(await subscriber.before()).toEqual([]);
  });

  test('MQTT-3.10.4-2, MQTT-3.10.4-3: nothing new is added; what was begun is delivered to its end, also by another connection', async () => {
    const persistent = await client({ clientId: topic, clean: false });
    await persistent.subscribe(topic);
    await publisher.publish(topic, 'begun 1', 1);
    await publisher.publish(topic, 'begun 2', 2);
    expect(texts(await persistent.before())).toEqual(['begun 1', 'begun 2']);
    await persistent.unsubscribe(topic);
    await publisher.publish(topic, 'new', 1);
    expect(await persistent.before()).toEqual([]);
    persistent.vanish();
    const again = await client({ clientId: topic, clean: false });
    expect((await again.messages(2)).map(({ text, dup, qos }) => [text, dup, qos])).toEqual([['begun 1', true, 1], ['begun 2', true, 2]]);
    expect(await again.before()).toEqual([]);
  });
});

describe('section 4.7: which filter matches which name', () => {
  /** The examples of the standard, and the corners between them. */
  const TABLE: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ['sport/tennis/player1/#', ['sport/tennis/player1', 'sport/tennis/player1/ranking', 'sport/tennis/player1/score/wimbledon', 'sport/tennis/player1/'], ['sport/tennis/player2', 'sport/tennis', 'sport/tennis/player11']],
    ['sport/#', ['sport', 'sport/', 'sport/tennis', 'sport//x'], ['sports', '/sport', 'Sport']],
    ['#', ['sport', '/', '/finance', 'a/b/c/d', ' '], []],
    ['/#', ['/', '/finance', '/a/b'], ['a', 'a/b']],
    ['sport/tennis/+', ['sport/tennis/player1', 'sport/tennis/player2', 'sport/tennis/'], ['sport/tennis/player1/ranking', 'sport/tennis']],
    ['sport/+', ['sport/', 'sport/x'], ['sport', 'sport/x/', 'sport//']],
    ['+', ['finance', ' '], ['/finance', 'finance/', '/']],
    ['+/+', ['/finance', 'a/b', '/'], ['finance', 'a/b/c']],
    ['/+', ['/finance', '/'], ['finance', '//finance']],
    ['+/tennis/#', ['sport/tennis', '/tennis', 'sport/tennis/player1'], ['tennis', 'sport/x/tennis']],
    ['sport/+/player1', ['sport/tennis/player1', 'sport//player1'], ['sport/player1', 'sport/a/b/player1']],
    ['+/+/+', ['//', 'a/b/c', '/b/'], ['a/b', 'a/b/c/']],
    ['a/+/#', ['a/b', 'a/', 'a/b/c/d'], ['a']],
    ['ACCOUNTS', ['ACCOUNTS'], ['Accounts', 'accounts', 'ACCOUNTS ']],
    ['Accounts payable', ['Accounts payable'], ['Accounts  payable', 'Accountspayable', 'Accounts%20payable']],
    ['a//b', ['a//b'], ['a/b', 'a///b', '/a//b']],
    ['/', ['/'], ['//', ' /']],
    ['a$b/$c', ['a$b/$c'], ['a$b/c']],
    ['é', ['é'], ['e\u0301', 'É', 'e']],
    ['\ufeff', ['\ufeff'], ['\ufffe', '\ufeff\ufeff']],
    ['a*/b?', ['a*/b?'], ['ax/by']],
    ['a/./../b', ['a/./../b'], ['b', 'a/b']],
  ];

  test.each(TABLE)('MQTT-4.7.1-1, MQTT-4.7.1-2, MQTT-4.7.1-3, MQTT-4.7.3-4, MQTT-3.8.3-2, MQTT-3.3.2-3: %j matches %j, not %j', async (filter, matching, others) => {
    expect(await subscriber.subscribe([filter, 1])).toEqual([1]);
    for (const name of [...matching, ...others]) await publisher.publish(name, name, 1);
    expect((await subscriber.before()).flatMap((one) => (one.cmd === 'publish' ? [seen(one).topic] : []))).toEqual(matching);
  });

  test.each(TABLE)('MQTT-3.3.1-6: the same for retained messages: %j matches %j, not %j', async (filter, matching, others) => {
    for (const name of [...matching, ...others]) await publisher.publish(name, name, 1, true);
    expect(await subscriber.subscribe([filter, 1])).toEqual([1]);
    expect(texts(await subscriber.before())).toEqual(matching);
    for (const name of [...matching, ...others]) await publisher.publish(name, '', 1, true);
  });

  test('MQTT-4.7.2-1: a filter that begins with a wildcard does not match a name that begins with $, neither a passing nor a retained message', async () => {
    // No client may publish to such a name: the server itself does, through the same door.
    const silent: ClientHandler = { effect: () => undefined, close: () => undefined, resume: () => undefined };
    const connection = stack.edge.register(silent);
    const submit = (...operation: Parameters<typeof stack.edge.submit>): void => expect(stack.edge.submit(...operation)).toEqual({ kind: 'accepted' });
    submit({ kind: 'connect', connection, clientId: 'the server itself', clean: true, will: null, user: null }, RecordOrigin.lockstep);
    const say = (packetId: number, name: string, text: string, retain: boolean): void => submit({ kind: 'publish', connection, packetId, topic: name, qos: 1, retain, payload: Buffer.from(text) }, RecordOrigin.lockstep);

    const exact = await client();
    const filters = ['$SYS/#', '$SYS/+', '$SYS/monitor/Clients'];
    await exact.subscribe(...filters);
    await subscriber.subscribe('#', '+/monitor/Clients', '+/#', '+/+/+');
    say(1, '$SYS/monitor/Clients', 'passing', false);
    say(2, '$SYS/x', 'kept', true);
    stack.edge.submitVolatile('$SYS/monitor/Clients', Buffer.from('volatile'));
    expect(texts(await exact.before())).toEqual(['passing', 'kept', 'volatile']);
    expect(await subscriber.before()).toEqual([]);

    const [late, lateExact] = [await client(), await client()];
    await late.subscribe('#', '+/x', '+/#');
    await lateExact.subscribe('$SYS/+');
    expect(await late.before()).toEqual([]);
    expect(texts(await lateExact.before())).toEqual(['kept']);
    say(3, '$SYS/x', '', true);
    submit({ kind: 'disconnect', connection, publishWill: false }, RecordOrigin.lockstep);
    stack.edge.unregister(connection);
  });

  test('MQTT-4.7.2-1: a $ elsewhere than at the beginning is a character like others', async () => {
    await subscriber.subscribe('#');
    await publisher.publish('a/$SYS', 'x', 1);
    await publisher.publish(' $SYS', 'y', 1);
    expect(texts(await subscriber.before())).toEqual(['x', 'y']);
  });
});
