import { RelaxableDisk } from '../../../src/server/relaxable-disk.js';
import { write } from '../../../src/server/disk-io.js';
import { DiskImage } from '../../simulation/disk-image.js';
import { SimulatedDisk } from '../../simulation/disk.js';
import { FakeClock } from '../support/fake-clock.js';
import { snapshots, syncedPair, type Host, type World } from './brokers.js';

const TRIES = 12;

interface Pair {
  readonly world: World;
  readonly one: Host;
  readonly two: Host;
}

/** Both count, neither syncs, and more than one segment was written since; it may be that there is a snapshot, too. */
async function unsyncedPair(tuning = {}): Promise<Pair> {
  const { world, one, two } = await syncedPair({ journal: { segmentBytes: 4 * 1024, groupBytes: 1024, hurryBytes: 256, preallocate: false }, ...tuning }, 'bothWithoutDiskSync');
  await publish({ world, one, two }, one, 60);
  return { world, one, two };
}

async function publish({ world }: Pair, host: Host, count: number): Promise<void> {
  const client = host.client();
  client.connect(`client ${count}`);
  for (let i = 0; i < count; i += 1) client.publish('t', 'x'.repeat(100));
  await world.until(() => client.acknowledged === count, 'all is acknowledged');
}

/** Whether what it has now is all there when the machine has lost power and is back. */
async function outlivesPower(host: Host): Promise<boolean> {
  const { head } = host;
  host.losePower();
  await host.start();
  return host.status.journal.damage === null && host.head === head;
}

const roles: readonly [string, (pair: Pair) => Host][] = [
  ['the follower', ({ one, two }) => {
    one.kill();
    return two;
  }],
  ['the leader', ({ one, two }) => {
    two.kill();
    return one;
  }],
];

describe('a pair that does not sync', () => {
  test('may lose with the power of a server what both have confirmed, while both count', async () => {
    let lost = 0;
    for (let i = 0; i < TRIES; i += 1) if (!(await outlivesPower((await unsyncedPair()).two))) lost += 1;
    expect(lost).toBeGreaterThan(0);
  });

  test.each(roles)('%s that is left alone has all of it on its disk before it says that it is fenced', async (_, left) => {
    for (let i = 0; i < TRIES; i += 1) {
      const pair = await unsyncedPair({ snapshotEveryRecords: 20 });
      const host = left(pair);
      await pair.world.until(() => snapshots(host).length > 0, 'a snapshot is written');
      host.idle(true, 2);
      expect(host.status.fencedThrough).toBeLessThan(2);
      await pair.world.until(() => host.status.fencedThrough === 2, 'it is fenced');
      expect(await outlivesPower(host)).toBe(true);
    }
  });

  test.each(roles)('%s that serves alone syncs what it acknowledges', async (_, left) => {
    for (let i = 0; i < TRIES; i += 1) {
      const pair = await unsyncedPair();
      const host = left(pair);
      host.idle(true, 2);
      await pair.world.until(() => host.status.fencedThrough === 2, 'it is fenced');
      host.serve(3);
      await publish(pair, host, 20);
      expect(await outlivesPower(host)).toBe(true);
    }
  });

  test('serves nobody alone before all of it is on the disk', async () => {
    const { world, one, two } = await unsyncedPair();
    two.kill();
    one.become({ kind: 'serve', term: 3 as never, inSync: [one.member], requirePeer: false, soloUntil: null, peer: null, drain: false }, 2);
    expect(one.status).toMatchObject({ role: 'idle', trouble: 'what this server has confirmed is being written to its disk' });
    await world.until(() => one.status.role === 'serve', 'it serves');
    expect(one.status.fencedThrough).toBe(2);
  });

  test('owes what it confirms to a new leader, whatever was synced for the fence before', async () => {
    const { world, one, two } = await unsyncedPair();
    two.idle(false, 2);
    one.serve(3, { peer: { server: 'two' as never, brokerRun: two.run } });
    two.follow(one, 3);
    await world.until(() => one.status.replication?.phase === 'in-step', 'in step');
    await publish({ world, one, two }, one, 30);
    two.idle(false, 3);
    expect(two.status.fencedThrough).toBeLessThan(3);
    await world.until(() => two.status.fencedThrough === 3, 'it is fenced');
    expect(await outlivesPower(two)).toBe(true);
  });

  test.each(['journal/', 'snapshots/'])('a file in %s that cannot be synced is damage, and known to the next process', async (folder) => {
    const { world, one, two } = await unsyncedPair({ snapshotEveryRecords: 20 });
    await world.until(() => snapshots(two).length > 0, 'a snapshot is written');
    one.kill();
    two.image.failNext('sync', 'EIO', 1, folder);
    two.idle(false, 2);
    await world.until(() => two.status.journal.damage !== null, 'it is damaged');
    expect(two.status.journal.damage).toContain('could not be made durable');
    await world.run(50);
    two.kill();
    await two.start();
    expect(two.status.journal.damage).toContain('could not be made durable');
  });

  test('what only has no room now is tried again', async () => {
    const { world, one, two } = await unsyncedPair();
    one.kill();
    two.image.failNext('sync', 'ENOSPC', 2, 'journal/');
    two.idle(false, 2);
    await world.run(1_500);
    expect(two.status).toMatchObject({ fencedThrough: 0, trouble: expect.stringContaining('not everything that was confirmed is on the disk: ENOSPC') as unknown, journal: { damage: null } });
    await world.until(() => two.status.fencedThrough === 2, 'it is fenced');
    expect(two.status.trouble).toBeNull();
    expect(two.log.from('info').slice(-2)).toEqual(['This server cannot take over yet: not everything that was confirmed is on the disk: ENOSPC: sync journal/0000000000000001.segment', "All that was confirmed is on this server's disk now"]);
  });

  test('a server that never went without syncing says its fence at once', async () => {
    const { two } = await syncedPair();
    two.idle(false, 2);
    expect(two.status.fencedThrough).toBe(2);
  });
});

test.each(['sync', 'writeSynced'] as const)('a %s under way when syncing begins again counts when it is on the disk', async (how) => {
  for (let seed = 1; seed <= TRIES; seed += 1) {
    const clock = new FakeClock();
    const image = new DiskImage();
    let draw = seed;
    const random = (): number => (draw = (draw * 16_807) % 2_147_483_647) / 2_147_483_647;
    const disk = new RelaxableDisk(new SimulatedDisk({ image, schedule: (delayMs, action) => void clock.after(delayMs, action), random }));
    const made = disk.makeFolder('folder').then(() => disk.open('folder/file', 'create'));
    await clock.advanceAsync(100);
    const file = await made;
    const named = disk.syncFolder('folder');
    await clock.advanceAsync(100);
    await named;
    disk.relax();
    const bytes = new Uint8Array(5_000).fill(7);
    let done = false;
    const end = (): void => {
      done = true;
      image.losePower(random);
    };
    if (how === 'writeSynced') file.writeSynced([bytes], 0, end);
    else {
      const written = write(file, [bytes], 0);
      await clock.advanceAsync(100);
      await written;
      file.sync(end);
    }
    disk.insist();
    await clock.advanceAsync(100);
    expect([done, image.content('folder/file').length, image.content('folder/file').every((byte) => byte === 7)]).toEqual([true, 5_000, true]);
  }
});
