import { Host, World, peerOf, syncedPair, type TestClient } from './brokers.js';

/** A snapshot is due for the bytes of log that have come, never for the records. */
const BY_BYTES = { snapshotEveryRecords: 1_000_000, snapshotEveryBytes: 20_000 };

const snapshots = (host: Host): string[] => host.image.paths().filter((path) => path.endsWith('.snap'));

async function publish(world: World, client: TestClient, count: number): Promise<void> {
  for (let i = 0; i < count; i++) client.publish('q', 'x'.repeat(200));
  await world.run(100);
}

test.each([
  ['open', 'EMFILE'],
  ['write', 'ENOSPC'],
  ['sync', 'EIO'],
  ['rename', 'EIO'],
] as const)('a snapshot that could not be written (%s: %s) is due again after a while, also when hardly any log has come since', async (operation, code) => {
  const world = new World();
  const one = new Host(world, 'one', BY_BYTES);
  await one.start();
  one.serve(1);
  const client = one.client();
  client.connect('a');
  one.image.failNext(operation, code, 1, 'snapshots/');
  await publish(world, client, 120);
  expect(one.image.awaitsFailure(operation)).toBe(false);
  expect(one.log.from('warn').join()).toContain('No snapshot was written');
  expect(one.image.paths().filter((path) => path.startsWith('snapshots/'))).toEqual([]);
  await publish(world, client, 1);
  expect(snapshots(one)).toEqual([]);
  await world.run(12_000);
  await publish(world, client, 1);
  expect(snapshots(one)).toHaveLength(1);
  // And is not due again at once when it is there.
  await world.run(12_000);
  await publish(world, client, 1);
  expect(snapshots(one)).toHaveLength(1);
});

test('a state that has no room a second time, and is too large to be captured at once, is not written down before there is room', async () => {
  const world = new World();
  const one = new Host(world, 'one', { ...BY_BYTES, snapshotCapturedItemsMax: 1, snapshotCrowdedItemsMax: 5 });
  one.memory = { used: 50, limit: 100 };
  await one.start();
  one.serve(1);
  const reader = one.client();
  reader.connect('r');
  reader.subscribe('q');
  const client = one.client();
  client.connect('a');
  await publish(world, client, 120);
  expect(one.log.from('warn').join()).toContain('No snapshot was written: the state has ');
  expect(snapshots(one)).toEqual([]);
  one.memory = { used: 30, limit: 100 };
  await world.run(12_000);
  await publish(world, client, 1);
  await world.until(() => snapshots(one).length === 1, 'a snapshot is there');
});

test('a snapshot that was cancelled by a change of the log is due as it was', async () => {
  const { world, one, two } = await syncedPair(BY_BYTES);
  const client = one.client();
  client.connect('a');
  one.image.slownessMs = 100;
  for (let i = 0; i < 120; i++) client.publish('q', 'x'.repeat(200));
  await world.until(() => one.image.paths().some((path) => path.endsWith('.snap.tmp')), 'a snapshot is being written');
  one.idle(false);
  two.serve(3, { peer: peerOf(one) });
  await world.run(20);
  one.follow(two, 3);
  await world.until(() => two.status.replication?.phase === 'in-step', 'in step');
  expect(snapshots(one)).toEqual([]);
  one.image.slownessMs = 0;
  const other = two.client();
  other.connect('b');
  await publish(world, other, 1);
  await world.run(1_000);
  expect(snapshots(one)).toHaveLength(1);
});

test('log that came before the broker was started anew counts, too', async () => {
  const world = new World();
  const one = new Host(world, 'one', BY_BYTES);
  await one.start();
  one.serve(1);
  const client = one.client();
  client.connect('a');
  await publish(world, client, 60);
  expect(snapshots(one)).toEqual([]);
  one.kill();
  await one.start();
  one.serve(2);
  const other = one.client();
  other.connect('b');
  await publish(world, other, 60);
  expect(snapshots(one)).toHaveLength(1);
});

test('a snapshot that is written is said to be, also where the old segments cannot be removed; the next one removes them', async () => {
  const world = new World();
  const one = new Host(world, 'one', BY_BYTES);
  await one.start();
  one.serve(1);
  const client = one.client();
  client.connect('a');
  const written = (): number => one.log.from('info').filter((line) => line.startsWith('Snapshot written')).length;
  const named: string[] = [];
  one.image.named = (path) => path.endsWith('.snap') && named.push(path);
  one.image.failNext('remove', 'EIO', 1, '.segment');
  const first = 'journal/0000000000000001.segment';
  for (let i = 0; i < 10 && one.image.awaitsFailure('remove'); i++) await publish(world, client, 60);
  expect(one.image.has(first)).toBe(true);
  expect(one.log.from('warn')).toEqual([`Old segments stay for now: EIO: remove ${first}`]);
  expect(written()).toBe(named.length);
  for (let i = 0; i < 10 && one.image.has(first); i++) await publish(world, client, 60);
  expect(one.image.has(first)).toBe(false);
  expect(one.log.from('warn')).toHaveLength(1);
});
