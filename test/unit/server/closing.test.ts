import { EMPTY_LOG } from '../../../src/core/journal/envelope.js';
import type { Copy } from '../../../src/server/copy.js';
import { INCOMING } from '../../../src/server/incoming-snapshot.js';
import { Cancelled } from '../../../src/server/rebuild.js';
import { Host, World, leaveSession, peerOf, startedPair } from './brokers.js';

const copyOf = (host: Host): Copy => (host.server as unknown as { parts: { copy: Copy } }).parts.copy;

/** After so long a broker that does not end is killed. */
const STOP_MS = 15_000;

async function stops(world: World, host: Host, withinMs: number): Promise<void> {
  expect(withinMs).toBeLessThan(STOP_MS);
  host.shutDown();
  await world.until(() => host.exited !== null, 'the broker has ended', withinMs);
  host.order = { ...host.order, shutdown: false };
}

test('a stop does not wait for a log that the full disk does not take, while its end is to be cut off', async () => {
  const world = new World();
  const one = new Host(world, 'one');
  await one.start();
  one.serve(1);
  const client = one.client();
  client.connect('a');
  await world.run(100);
  const { head, journal: id } = one;
  one.image.capacityBytes = one.image.usedBytes;
  for (let i = 0; i < 60; i++) client.publish('q', 'x'.repeat(1_000));
  await world.run(500);
  expect(one.status.trouble).toContain('no room');
  const outcome = copyOf(one).rewind(EMPTY_LOG).catch((error: unknown) => error);
  await world.run(200);
  expect(copyOf(one).changing).toBe(true);
  await stops(world, one, 1_000);
  expect(await outcome).toBeInstanceOf(Cancelled);
  // Nothing was changed: what was durable is there.
  one.kill();
  one.fatal.length = 0;
  one.image.capacityBytes = Infinity;
  await one.start();
  expect(one.status.journal).toMatchObject({ id, damage: null });
  expect(one.head).toBeGreaterThanOrEqual(head);
});

test('a stop does not wait until a large snapshot that came is read', async () => {
  const { world, one, two } = await startedPair({ snapshotEveryRecords: 100, snapshotEveryBytes: 1024 * 1024 * 1024 });
  two.kill();
  one.serve(1, { peer: null });
  leaveSession(one);
  const client = one.client();
  client.connect('a');
  for (let i = 0; i < 500; i++) {
    client.publish('q', 'x'.repeat(6_000));
    if (i % 5 === 4) await world.run(15);
  }
  await world.until(() => one.image.paths().filter((path) => path.endsWith('.snap')).length === 2, 'two snapshots');
  await world.run(500);
  await two.start();
  const { head } = two;
  one.serve(1, { peer: peerOf(two) });
  two.follow(one, 1);
  await world.until(() => copyOf(two).changing, 'it is installed');
  const { image } = two;
  image.slownessMs = 100;
  await world.run(250);
  const read = image.read.bind(image);
  let reads = 0;
  image.read = (path, ...rest) => {
    if (path === INCOMING) reads += 1;
    return read(path, ...rest);
  };
  await stops(world, two, 5_000);
  image.read = read;
  expect(reads).toBeLessThan(3);
  expect(two.exited).toBe(0);
  two.kill();
  two.image.slownessMs = 0;
  await two.start();
  expect(two.status.journal).toMatchObject({ position: head, damage: null });
  expect(two.log.from('error')).toEqual([]);
  one.serve(1, { peer: peerOf(two) });
  two.follow(one, 1);
  await world.until(() => one.status.replication?.phase === 'in-step', 'in step');
  expect(two.head).toBe(one.head);
});
