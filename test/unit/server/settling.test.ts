import type { Disk, Done } from '../../../src/ports/disk.js';
import { RelaxableDisk } from '../../../src/server/relaxable-disk.js';
import { write } from '../../../src/server/disk-io.js';
import { DiskImage } from '../../simulation/disk-image.js';
import { SimulatedDisk } from '../../simulation/disk.js';
import { FakeClock } from '../support/fake-clock.js';
import { leaveSession, snapshots, syncedPair, type Host, type World } from './brokers.js';

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

/** … and two snapshots, on the older of which the log rests by now. */
async function shortenedPair(): Promise<Pair> {
  const pair = await unsyncedPair({ snapshotEveryRecords: 20 });
  const isShort = (host: Host): boolean => snapshots(host).length === 2 && !host.image.has('journal/0000000000000000.segment') && !host.image.has('journal/0000000000000001.segment');
  for (let i = 0; i < 8 && !(isShort(pair.one) && isShort(pair.two)); i += 1) {
    await publish(pair, pair.one, 30);
    await pair.world.run(500);
  }
  expect([isShort(pair.one), isShort(pair.two)]).toEqual([true, true]);
  return pair;
}

let clients = 0;

async function publish({ world }: Pair, host: Host, count: number, topic = 't'): Promise<void> {
  const client = host.client();
  clients += 1;
  client.connect(`client ${clients}`);
  for (let i = 0; i < count; i += 1) client.publish(topic, 'x'.repeat(100));
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

  test.each(roles)('%s that is left alone says so when all of it is on its disk', async (_, left) => {
    for (let i = 0; i < TRIES; i += 1) {
      const pair = await shortenedPair();
      const host = left(pair);
      host.idle(true, 2);
      expect(host.status).toMatchObject({ fencedThrough: 2, onDisk: false, trouble: 'what this server has confirmed is being written to its disk' });
      await pair.world.until(() => host.status.onDisk, 'it is on the disk');
      expect(host.image.paths().filter((path) => /segment$|snap$/.test(path) && !host.image.isSynced(path))).toEqual([]);
      expect(await outlivesPower(host)).toBe(true);
    }
  });

  test.each(roles)('%s that serves alone syncs what it acknowledges', async (_, left) => {
    for (let i = 0; i < TRIES; i += 1) {
      const pair = await unsyncedPair();
      const host = left(pair);
      host.idle(true, 2);
      await pair.world.until(() => host.status.onDisk, 'it is on the disk');
      host.serve(3);
      await publish(pair, host, 20);
      expect(host.status.onDisk).toBe(true);
      expect(await outlivesPower(host)).toBe(true);
    }
  });

  test('serves nobody alone before all of it is on the disk', async () => {
    const { world, one, two } = await unsyncedPair();
    two.kill();
    one.become({ kind: 'serve', term: 3 as never, inSync: [one.member], requirePeer: false, soloUntil: null, peer: null, drain: false }, 2);
    expect(one.status).toMatchObject({ role: 'idle', onDisk: false });
    await world.until(() => one.status.role === 'serve', 'it serves');
    expect(one.status.onDisk).toBe(true);
  });

  test('serves on at once where both count: a switchover does not wait for the disk', async () => {
    const { one, two } = await unsyncedPair();
    one.idle(true, 2);
    two.idle(false, 2);
    two.serve(3, { inSync: [one.member, two.member], peer: { server: 'one' as never, brokerRun: one.run } });
    expect(two.status).toMatchObject({ role: 'serve', term: 3, onDisk: false });
  });

  test('owes what it confirms to a new leader, whatever is being synced for the fence before', async () => {
    const { world, one, two } = await unsyncedPair();
    two.idle(false, 2);
    one.serve(3, { peer: { server: 'two' as never, brokerRun: two.run } });
    two.follow(one, 3);
    await world.until(() => one.status.replication?.phase === 'in-step', 'in step');
    await publish({ world, one, two }, one, 30);
    expect(two.status.onDisk).toBe(false);
    two.idle(false, 3);
    await world.until(() => two.status.onDisk, 'it is on the disk');
    expect(await outlivesPower(two)).toBe(true);
  });

  test.each(['EIO', 'ENOSPC'])('a segment whose sync says %s is damage, and known to the next process', async (code) => {
    const { world, one, two } = await unsyncedPair();
    one.kill();
    two.image.failNext('sync', code, 1, 'journal/');
    two.idle(false, 2);
    await world.until(() => two.status.journal.damage !== null, 'it is damaged');
    expect(two.status.journal.damage).toContain('could not be made durable');
    await world.run(50);
    two.kill();
    await two.start();
    expect(two.status.journal.damage).toContain('could not be made durable');
  });

  test.each(['sync', 'open'] as const)('a snapshot that cannot be synced (%s) is put aside, and the copy lives on where another stands for it', async (operation) => {
    const { world, one, two } = await shortenedPair();
    one.kill();
    const before = snapshots(two);
    two.image.failNext(operation, 'EIO', 1, 'snapshots/');
    two.idle(false, 2);
    await world.until(() => two.status.onDisk, 'it is on the disk');
    expect(snapshots(two)).toEqual([before[1]]);
    expect(two.image.has(`${before[0] ?? ''}.unsynced`)).toBe(true);
    expect(await outlivesPower(two)).toBe(true);
  });

  test.each([
    ['', 0],
    [', and the last is put aside only at a second try,', 1],
  ])('without any snapshot that its log builds on%s the copy is damaged, and known to be by the next process', async (_, times) => {
    const { world, one, two } = await shortenedPair();
    one.kill();
    two.image.failNext('sync', 'EIO', 2, 'snapshots/');
    two.image.failNext('rename', 'EIO', times, snapshots(two)[1]);
    // Nor is a new one written.
    two.image.failNext('open', 'EACCES', 1_000, '.snap.tmp');
    two.idle(false, 2);
    await world.until(() => two.status.journal.damage !== null, 'it is damaged');
    await world.run(50);
    two.kill();
    await two.start();
    expect(two.status.journal.damage).toContain('no snapshot that it builds on could be made durable');
  });

  test('a snapshot that has its name and does not come to be used, since the name is not made durable, is put aside', async () => {
    const pair = await shortenedPair();
    const { world, one, two } = pair;
    const before = snapshots(two);
    const orphans = (): string[] => snapshots(two).filter((path) => !before.includes(path));
    two.image.failNext('syncFolder', 'EMFILE', 1_000, 'snapshots');
    for (let i = 0; i < 20 && orphans().length === 0; i += 1) await publish(pair, one, 10);
    await world.run(50);
    const [orphan = ''] = orphans();
    expect(two.image.isSynced(orphan)).toBe(false);
    two.image.forgetFailures('syncFolder');
    one.kill();
    two.idle(false, 2);
    await world.until(() => two.status.onDisk, 'it is on the disk');
    expect(snapshots(two)).toEqual(before);
    expect(two.image.has(`${orphan}.unsynced`)).toBe(true);
    expect(await outlivesPower(two)).toBe(true);
  });

  test('a file among the snapshots that is none of this copy hinders nothing', async () => {
    const { world, one, two } = await shortenedPair();
    one.kill();
    two.image.put('snapshots/other.snap', new Uint8Array(10));
    two.image.failNext('open', 'EACCES', 1_000, 'other.snap');
    two.idle(false, 2);
    await world.until(() => two.status.onDisk, 'it is on the disk');
    expect(two.image.has('snapshots/other.snap')).toBe(true);
  });

  test('a copy that counts as damaged, since the disk does not give some of it just now, is neither called settled nor marked, and its process stays', async () => {
    const pair = await unsyncedPair({ snapshotEveryRecords: 100_000, payloadCacheBytes: 1_000 });
    const { world, one } = pair;
    leaveSession(one);
    await publish(pair, one, 30, 'q');
    one.image.failNext('read', 'EIO', 1_000, '.segment');
    const away = one.client();
    away.connect('away');
    await world.run(50);
    for (const { message } of away.of('deliver')) one.edge?.loadPayload(message, () => undefined);
    await world.until(() => one.status.journal.damage !== null, 'it is damaged');
    one.idle(false, 2);
    one.image.failNext('open', 'EACCES', 1_000, '.segment');
    await world.run(20_000);
    expect([one.status.onDisk, one.exited, one.fatal]).toEqual([false, null, []]);
    one.image.forgetFailures('open');
    one.image.forgetFailures('read');
    const { head } = one;
    one.kill();
    await one.start();
    expect(one.status).toMatchObject({ onDisk: true, journal: { position: head, damage: null } });
  });

  test('a snapshot that cannot be synced when it is found is put aside: the next process does not find it either', async () => {
    const { two } = await shortenedPair();
    const before = snapshots(two);
    two.kill();
    two.image.failNext('sync', 'EIO', 1, 'snapshots/');
    await two.start();
    two.kill();
    await two.start();
    expect(snapshots(two)).not.toContain(before[0]);
  });

  test('a snapshot that cannot be read when it is found is synced all the same: another process may read it', async () => {
    const { two } = await shortenedPair();
    const [, last = ''] = snapshots(two);
    two.kill();
    expect(two.image.isSynced(last)).toBe(false);
    two.image.failNext('read', 'EIO', 1_000, last);
    await two.start();
    expect(two.image.isSynced(last)).toBe(true);
    two.image.forgetFailures('read');
    expect(await outlivesPower(two)).toBe(true);
    expect(snapshots(two)).toContain(last);
  });

  test('the end of a log that cannot be synced when it is found, for want of room too, is damage for the next process', async () => {
    const { two } = await unsyncedPair();
    two.kill();
    const last = two.image.paths().filter((path) => path.endsWith('.segment')).sort().at(-1);
    two.image.failNext('sync', 'ENOSPC', 1, last);
    await two.start();
    two.kill();
    await two.start();
    expect(two.status.journal.damage).toContain('could not be made durable');
  });

  test('a segment that cannot be synced when it is found is known to the next process, also where this one comes no further', async () => {
    const { two } = await unsyncedPair();
    two.kill();
    two.image.failNext('sync', 'EIO', 1, 'journal/');
    two.image.failNext('remove', 'EACCES', 1, 'spare');
    await two.start();
    expect(two.fatal.splice(0)).toEqual([expect.stringContaining('EACCES')]);
    two.kill();
    await two.start();
    expect(two.status.journal.damage).toContain('could not be made durable');
  });

  test('what the host only has not to give now is tried again, and said', async () => {
    const { world, one, two } = await unsyncedPair();
    one.kill();
    two.image.fileShortage = 1;
    two.idle(false, 2);
    await world.run(2_500);
    expect(two.status).toMatchObject({ onDisk: false, trouble: expect.stringContaining('not everything that was confirmed is on the disk: EMFILE') as unknown, journal: { damage: null } });
    two.image.fileShortage = 0;
    await world.until(() => two.status.onDisk, 'it is on the disk');
    expect(two.status.trouble).toBeNull();
    expect(two.log.from('info').slice(-2)).toEqual([expect.stringContaining('This server cannot go on alone yet: not everything that was confirmed is on the disk: EMFILE'), "All that was confirmed is on this server's disk now"]);
  });

  test('where it comes to nothing for long the process ends: the next one syncs at its opening', async () => {
    const { world, one, two } = await unsyncedPair();
    one.kill();
    two.image.fileShortage = 1;
    two.idle(false, 2);
    await world.until(() => two.exited !== null, 'it has ended');
    expect([two.exited, two.fatal]).toEqual([1, [expect.stringMatching(/^LOCKSTEP_JOURNAL_UNREADABLE: .*EMFILE/)]]);
    two.image.fileShortage = 0;
    two.kill();
    two.fatal.length = 0;
    await two.start();
    expect(two.status).toMatchObject({ onDisk: true, journal: { damage: null } });
    expect(await outlivesPower(two)).toBe(true);
  });

  test('a stop meanwhile is no trouble', async () => {
    const { world, one, two } = await unsyncedPair();
    one.kill();
    two.idle(false, 2);
    two.shutDown();
    await world.until(() => two.exited !== null, 'it has stopped');
    expect([two.exited, two.log.from('warn').filter((line) => line.includes('go on alone'))]).toEqual([0, []]);
  });

  test('what goes to quarantine is on the disk', async () => {
    const pair = await unsyncedPair();
    const { world, one, two } = pair;
    // The follower is given another log in place of its own.
    two.follow(one, 2, { resync: true });
    await world.until(() => two.image.paths().some((path) => path.includes('quarantine/') && path.endsWith('.segment')) && one.status.replication?.phase === 'in-step', 'copied anew');
    expect(two.image.paths().filter((path) => path.includes('quarantine/') && !two.image.isSynced(path))).toEqual([]);
  });

  test('a server that never went without syncing has all of it on its disk at once', async () => {
    const { two } = await syncedPair();
    two.idle(false, 2);
    expect(two.status).toMatchObject({ fencedThrough: 2, onDisk: true });
  });
});

test('a file that is closed while a write of the relaxed disk is under way is not synced any more: the write ends with an error', async () => {
  let end: Done = () => undefined;
  const file = {
    write: (_: readonly Uint8Array[], __: number, done: Done) => (end = done),
    sync: () => {
      throw new Error('it is closed');
    },
    close: () => Promise.resolve(),
  };
  const disk = new RelaxableDisk({ open: () => Promise.resolve(file) } as unknown as Disk);
  const opened = await disk.open('file', 'write');
  disk.relax();
  let failure: Error | null = null;
  opened.writeSynced([], 0, (error) => (failure = error));
  disk.insist();
  await opened.close();
  end(null);
  expect(failure).toMatchObject({ message: 'the file was closed meanwhile' });
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
