import { TURN_WORK_BYTES } from '../../../src/server/turn-work.js';
import { startedPair, syncedPair, type Host, type TestClient } from './brokers.js';

const SUBSCRIBERS = 50;
/** `unadmittedBytesMax` of these brokers, and what an effect counts. */
const UNADMITTED_BYTES_MAX = 64 * 1024;
const EFFECT_BYTES = 64;

function subscribers(host: Host): TestClient[] {
  return Array.from({ length: SUBSCRIBERS }, (_, i) => {
    const client = host.client();
    client.connect(`subscriber ${i}`);
    client.subscribe('t', 0);
    return client;
  });
}

test('what waits for admission is bounded by what comes of the records too: a short one may go to many subscribers', async () => {
  const { world, one, two } = await syncedPair();
  const watchers = subscribers(one);
  const publisher = one.client();
  publisher.connect('publisher');
  await world.run(50);
  world.net.cutBoth('one', 'two');
  let sent = 0;
  while (!publisher.edge.congested && sent < 1_000) {
    publisher.publish('t', 'x');
    sent += 1;
  }
  expect(sent).toBeGreaterThan(10);
  expect((sent - 1) * (SUBSCRIBERS + 1) * EFFECT_BYTES).toBeLessThanOrEqual(UNADMITTED_BYTES_MAX);
  await world.run(300);
  expect(publisher.resumed).toBe(0);
  world.net.healBoth('one', 'two');
  await world.until(() => publisher.acknowledged === sent, 'all acknowledged');
  expect(publisher.resumed).toBe(1);
  for (const watcher of watchers) expect(watcher.of('deliver')).toHaveLength(sent);
  expect(two.head).toBe(one.head);
});

test('a message that only goes into the queues of sessions that are away weighs as one that is sent', async () => {
  const { world, one } = await syncedPair();
  for (let at = 0; at < SUBSCRIBERS; at++) {
    const client = one.client();
    client.connect(`away ${at}`);
    client.subscribe('t');
    client.edge.submit({ kind: 'disconnect', connection: client.connection, publishWill: false }, 1);
  }
  const publisher = one.client();
  publisher.connect('publisher');
  await world.run(200);
  world.net.cutBoth('one', 'two');
  let sent = 0;
  for (; !publisher.edge.congested && sent < 1_000; sent++) publisher.publish('t', 'x');
  expect(sent).toBeGreaterThan(10);
  expect((sent - 1) * SUBSCRIBERS * EFFECT_BYTES).toBeLessThanOrEqual(UNADMITTED_BYTES_MAX);
  world.net.healBoth('one', 'two');
  await world.until(() => publisher.acknowledged === sent, 'all acknowledged');
  expect(publisher.edge.congested).toBe(false);
});

test('what waits for admission is bounded by the work that it was, too: the peer has to do the same', async () => {
  const { world, one, two } = await syncedPair();
  const client = one.client();
  client.connect('client');
  for (let number = 0; number < 500; number += 1) client.publish(`device ${number}`, 'x', true);
  await world.until(() => two.head === one.head, 'both have them');
  world.net.cutBoth('one', 'two');
  let sent = 0;
  while (!client.edge.congested && sent < 1_000) {
    client.subscribe(`+/nothing ${sent}`);
    sent += 1;
  }
  // Of 50 bytes each, they would be more than a thousand.
  expect(sent).toBeLessThan(100);
  world.net.healBoth('one', 'two');
  await world.until(() => client.of('suback').length === sent, 'all answered');
  expect(two.head).toBe(one.head);
});

test('what was looked at for an operation that is refused weighs as for one that is taken, until others had their turn', async () => {
  const { world, one } = await startedPair();
  const [client, other] = [one.client(), one.client()];
  client.connect('client');
  for (let number = 0; number < 500; number += 1) client.publish(`device ${number}`, 'x', true);
  await world.run(500);
  expect(client.edge.congested).toBe(false);
  const [before, head] = [other.resumed, one.head];
  const filters = [...Array.from({ length: 30 }, (_, number) => `+/nothing ${number}`), ...Array.from({ length: 25 }, () => '#')];
  expect(client.subscribeAll(filters)).toMatchObject({ kind: 'refused', reason: 'limit' });
  expect(one.head).toBe(head);
  expect(client.edge.congested).toBe(true);
  await world.run(1);
  expect(client.edge.congested).toBe(false);
  expect(other.resumed).toBe(before + 1);
});

test('what was looked at for QoS 0 messages that nobody gets weighs, too; for a topic that was asked for before nothing is looked at', async () => {
  const { world, one } = await startedPair();
  const [client, publisher] = [one.client(), one.client()];
  client.connect('client');
  client.subscribe(`${'+/'.repeat(150)}end`);
  publisher.connect('publisher');
  await world.run(100);
  const { edge } = publisher;
  const send = (name: string): unknown => edge.submitVolatile(`${'level/'.repeat(150)}${name}`, new Uint8Array(1), publisher.connection);
  for (let number = 0; number < 500; number += 1) send('one');
  expect(edge.congested).toBe(false);
  let sent = 0;
  while (!edge.congested && sent < 1_000) send(`${(sent += 1)}`);
  expect(sent).toBeGreaterThan(10);
  expect(sent).toBeLessThan(100);
  await world.run(1);
  expect(edge.congested).toBe(false);
});

test('what is admitted together is said in several turns where it is very much, in its order', async () => {
  const { world, one } = await syncedPair({ unadmittedBytesMax: 64 * 1024 * 1024 });
  const watchers = subscribers(one);
  const publisher = one.client();
  publisher.connect('publisher');
  await world.run(50);
  world.net.cutBoth('one', 'two');
  publisher.publish('t', 'first');
  const messages = Math.ceil((1.5 * TURN_WORK_BYTES) / EFFECT_BYTES / SUBSCRIBERS);
  for (let at = 0; at < messages; at++) publisher.edge.submitVolatile('t', Uint8Array.of(at >> 8, at & 255), publisher.connection);
  // What the first of them hears in each turn: the others hear as much.
  const turns: number[] = [];
  const [first] = watchers as [TestClient];
  let heard = 0;
  first.effect = (effect) => {
    first.effects.push(effect);
    if (heard++ > 0) return;
    world.clock.soon(() => {
      turns.push(heard);
      heard = 0;
    });
  };
  world.net.healBoth('one', 'two');
  await world.until(() => watchers.every((watcher) => watcher.of('deliver').length === messages + 1), 'all is said');
  expect(turns.length).toBeGreaterThan(1);
  expect((Math.max(...turns) - 1) * SUBSCRIBERS).toBeLessThanOrEqual(TURN_WORK_BYTES / EFFECT_BYTES);
  for (const watcher of watchers) expect(watcher.of('deliver').slice(1).map(({ message }) => ((message.payload?.[0] ?? 0) << 8) | (message.payload?.[1] ?? 0))).toEqual(Array.from({ length: messages }, (_, at) => at));
  expect(publisher.acknowledged).toBe(1);
  expect(publisher.edge.congested).toBe(false);
});
