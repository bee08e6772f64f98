import { RETAINED_FEW } from '../../../src/core/broker/growth.js';
import { hasRoomForSecond, MemoryGuard } from '../../../src/server/memory-guard.js';
import { FakeLog } from '../support/fake-log.js';
import { Host, World, type TestClient } from './brokers.js';

const SCARCE = { used: 85, limit: 100 };
const ENOUGH = { used: 20, limit: 100 };
const REFUSED = { kind: 'refused', reason: 'limit', detail: expect.stringContaining('memory') };
const ACCEPTED = { kind: 'accepted' };

test('looks at memory now and then while there is enough, each time while there is not, and says when that begins and ends', () => {
  let use = ENOUGH;
  let looks = 0;
  const log = new FakeLog();
  const guard = new MemoryGuard(() => {
    looks += 1;
    return use;
  }, log);
  const asked = (times: number): boolean[] => [...new Set(Array.from({ length: times }, () => guard.isScarce))];
  expect(asked(1_000)).toEqual([false]);
  expect(looks).toBeLessThan(20);
  use = SCARCE;
  expect(asked(100)).toEqual([false, true]);
  expect(asked(100)).toEqual([true]);
  // Not in and out of it around one figure.
  use = { used: 70, limit: 100 };
  expect(guard.isScarce).toBe(true);
  use = ENOUGH;
  expect(guard.isScarce).toBe(false);
  expect(log.lines.map(({ level }) => level)).toEqual(['error', 'info']);
  expect(hasRoomForSecond(ENOUGH)).toBe(true);
  expect(hasRoomForSecond({ used: 45, limit: 100 })).toBe(false);
});

const MIB = 1024 * 1024;

test('looks again when what came since the last look is a hundredth of the limit, and at once before an operation that takes much', () => {
  let looks = 0;
  let used = 20 * MIB;
  const guard = new MemoryGuard(() => {
    looks += 1;
    return { used, limit: 100 * MIB };
  }, new FakeLog());
  const looksFor = (action: () => unknown): number => {
    const before = looks;
    action();
    return looks - before;
  };
  const operation = (bytes: number): boolean => {
    const scarce = guard.isScarce;
    guard.grew(bytes);
    return scarce;
  };
  expect(looksFor(() => Array.from({ length: 65 }, () => operation(0)))).toBe(1);
  expect(looksFor(() => Array.from({ length: 6_400 }, () => operation(300)))).toBe(100);
  expect(looksFor(() => Array.from({ length: 20 }, () => operation(MIB / 4)))).toBe(4);
  expect(looksFor(() => guard.fits(MIB))).toBe(0);
  expect(looksFor(() => expect(guard.fits(30 * MIB)).toBe(true))).toBe(1);
  used = 60 * MIB;
  expect(guard.fits(30 * MIB)).toBe(false);
  expect(guard.isScarce).toBe(false);
  used = 85 * MIB;
  expect(guard.fits(2 * MIB)).toBe(false);
  expect(guard.isScarce).toBe(true);
});

/** Filters that share no level. */
function deepFilters(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, number) => Array.from({ length: 200 }, () => `${name} ${number}`).join('/'));
}

async function withRoom(memory: Host['memory']): Promise<{ world: World; one: Host; client: TestClient }> {
  const world = new World();
  const one = new Host(world, 'one');
  one.limits = { ...one.limits, subscriptionsPerSessionMax: 1_000 };
  await one.start();
  one.memory = memory;
  one.serve(1);
  await world.run(100);
  const client = one.client();
  client.connect('a');
  return { world, one, client };
}

test('a few operations that take much do not come between two looks at memory; many that take little cost no look more', async () => {
  const plenty = { used: 100 * MIB, limit: 1_000 * MIB };
  const { one, client } = await withRoom(plenty);
  let looks = 0;
  let use = plenty;
  Object.defineProperty(one, 'memory', { get: () => ((looks += 1), use) });
  client.subscribe('live');
  for (let number = 0; number < 128; number += 1) client.publish('live', 'x');
  expect(looks).toBeLessThanOrEqual(3);
  use = { used: 900 * MIB, limit: 1_000 * MIB };
  // Of 0.8 MiB each, as what is no large one.
  const taken = Array.from({ length: 30 }, (_, number) => client.subscribeAll(deepFilters(`s${number}`, 10))).filter(({ kind }) => kind === 'accepted');
  expect(taken.length).toBeLessThan(15);
});

test('for one SUBSCRIBE that takes much memory is looked at before, and it is taken only where it fits', async () => {
  const { world, one, client } = await withRoom({ used: 78 * MIB, limit: 100 * MIB });
  for (let number = 0; number < 100; number += 1) client.publish('nobody', 'x');
  expect(client.subscribeAll(deepFilters('large', 100))).toEqual(REFUSED);
  expect(client.subscribeAll(deepFilters('small', 2))).toEqual(ACCEPTED);
  one.memory = { used: 20 * MIB, limit: 100 * MIB };
  expect(client.subscribeAll(deepFilters('large', 100))).toEqual(ACCEPTED);
  for (let number = 0; number < 1_000; number += 1) client.publish(`retained ${number}`, 'x', true);
  await world.run(500);
  one.memory = { used: 85 * MIB, limit: 100 * MIB };
  expect(client.subscribeAll(Array.from({ length: 6 }, () => '#'))).toEqual(REFUSED);
});

interface Crowd {
  readonly world: World;
  readonly one: Host;
  readonly publisher: TestClient;
  readonly watcher: TestClient;
}

/** Somebody subscribed to `kept` and is away, somebody else is there; memory is scarce by now. */
async function scarce(): Promise<Crowd> {
  const world = new World();
  const one = new Host(world, 'one');
  await one.start();
  one.serve(1);
  await world.run(100);
  const [away, watcher, publisher] = [one.client(), one.client(), one.client()];
  away.connect('away');
  away.subscribe('kept');
  away.edge.submit({ kind: 'disconnect', connection: away.connection, publishWill: false }, 1);
  watcher.connect('watcher');
  watcher.subscribe('live');
  publisher.connect('publisher');
  publisher.publish('retained', 'x', true);
  await world.run(100);
  one.memory = SCARCE;
  for (let number = 0; number < 100; number += 1) publisher.publish('nobody', 'x');
  await world.run(100);
  return { world, one, publisher, watcher };
}

test('where memory is scarce nothing is taken that would have to be kept; what was there before goes on', async () => {
  const { world, one, publisher, watcher } = await scarce();
  expect(publisher.publish('kept', 'x')).toEqual(REFUSED);
  expect(publisher.publish('another', 'x', true)).toEqual(REFUSED);
  expect(publisher.subscribe('more')).toEqual(REFUSED);
  expect(one.client().connect('stranger')).toEqual(REFUSED);
  expect(publisher.publish('live', 'x')).toEqual(ACCEPTED);
  expect(publisher.publish('retained', 'y', true)).toEqual(ACCEPTED);
  expect(publisher.publish('retained', '', true)).toEqual(ACCEPTED);
  await world.run(100);
  expect(watcher.of('deliver')).toHaveLength(1);
  const back = one.client();
  expect(back.connect('away')).toEqual(ACCEPTED);
  expect(back.subscribe('kept')).toEqual(ACCEPTED);
  expect(publisher.publish('kept', 'x')).toEqual(ACCEPTED);
  one.memory = ENOUGH;
  expect(one.client().connect('stranger')).toEqual(ACCEPTED);
});

test('where memory is scarce a SUBSCRIBE to what was subscribed to is not taken either when it brings many retained messages, or brings some again and again', async () => {
  const world = new World();
  const one = new Host(world, 'one');
  await one.start();
  one.serve(1);
  await world.run(100);
  const [publisher, many, few] = [one.client(), one.client(), one.client()];
  publisher.connect('publisher');
  many.connect('many');
  few.connect('few');
  for (let number = 0; number < RETAINED_FEW; number += 1) publisher.publish(`${number < 40 ? 'few' : 'more'}/${number}`, 'x', true);
  publisher.publish('one', 'x', true);
  expect([many.subscribe('#'), many.subscribe('one'), few.subscribe('few/#', 0)]).toEqual([ACCEPTED, ACCEPTED, ACCEPTED]);
  for (let packetId = 1; packetId <= 2 * RETAINED_FEW; packetId += 1) many.edge.submit({ kind: 'acknowledge', connection: many.connection, packetId }, 1);
  one.memory = SCARCE;
  for (let number = 0; number < 100; number += 1) publisher.publish('nobody', 'x');
  expect(many.subscribe('#')).toEqual(REFUSED);
  expect(many.subscribe('one')).toEqual(ACCEPTED);
  // 10 of the 40 are sent at once.
  expect(Array.from({ length: 4 }, () => few.subscribe('few/#'))).toEqual([ACCEPTED, ACCEPTED, REFUSED, REFUSED]);
  one.memory = ENOUGH;
  expect([many.subscribe('#'), few.subscribe('few/#')]).toEqual([ACCEPTED, ACCEPTED]);
});

test('whoever sends QoS 0 messages hears that memory is scarce, also where nothing else is published', async () => {
  const { one, publisher } = await scarce();
  const { edge } = publisher;
  const send = (times: number): void => {
    for (let number = 0; number < times; number += 1) edge.submitVolatile('live', new Uint8Array(1));
  };
  one.memory = ENOUGH;
  send(1);
  expect(edge.scarce).toBe(false);
  one.memory = SCARCE;
  send(100);
  expect(edge.scarce).toBe(true);
});

test('where memory is scarce a QoS 2 message is not taken, as its id would stay until the publisher releases it; one that came before is answered', async () => {
  const { world, one, publisher } = await scarce();
  const publish = (packetId: number): unknown => publisher.edge.submit({ kind: 'publish', connection: publisher.connection, packetId, topic: 'nobody', qos: 2, retain: false, payload: new Uint8Array(1) }, 1);
  one.memory = ENOUGH;
  expect([publish(1), publish(2)]).toEqual([ACCEPTED, ACCEPTED]);
  one.memory = SCARCE;
  for (let number = 0; number < 100; number += 1) publisher.publish('nobody', 'x');
  expect([publish(3), publish(2)]).toEqual([REFUSED, ACCEPTED]);
  expect(publisher.edge.submit({ kind: 'release', connection: publisher.connection, packetId: 1 }, 1)).toEqual(ACCEPTED);
  expect(publish(1)).toEqual(REFUSED);
  await world.run(100);
  expect(publisher.of('pubrec').map(({ packetId }) => packetId)).toEqual([1, 2, 2]);
});

test.each([
  ['is room', ENOUGH, 'No snapshot was written'],
  ['is no room', { used: 60, limit: 100 }, 'Snapshot written'],
] as const)('a large state, where there %s for a second one: it is built from the log, or the first one is written down as it stands', async (_what, memory, said) => {
  const world = new World();
  const one = new Host(world, 'one', { snapshotEveryRecords: 50, snapshotCapturedItemsMax: 0 });
  await one.start();
  one.memory = memory;
  one.serve(1);
  const client = one.client();
  client.connect('a');
  // Who builds one reads the log.
  one.image.failNext('read', 'EIO', 100, 'journal/');
  for (let number = 0; number < 100; number += 1) client.publish('t', 'x');
  await world.run(1_000);
  expect(one.log.lines.map(({ message }) => message).join('\n')).toContain(said);
});
