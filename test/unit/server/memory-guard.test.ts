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
