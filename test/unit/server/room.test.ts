import type { Disk } from '../../../src/ports/disk.js';
import { INCOMING } from '../../../src/server/incoming-snapshot.js';
import { demandRoom } from '../../../src/server/room.js';
import { Host, World, leaveSession, peerOf, snapshots, startedPair } from './brokers.js';

const BY_RECORDS = { snapshotEveryRecords: 100, snapshotEveryBytes: 1024 * 1024 * 1024 };

const disk = (freeBytes: () => Promise<number>): Disk => ({ place: (path: string) => `/data/${path}`, freeBytes }) as Disk;

const MIB = 1024 * 1024;

test('what the disk says has no room is not begun; a disk that does not say is tried, and so is what is small', async () => {
  await expect(demandRoom(disk(() => Promise.resolve(2 * MIB - 1)), 3 * MIB, 'a thing')).rejects.toMatchObject({ code: 'LOCKSTEP_DISK_FULL', message: 'no room on the disk of /data/. for a thing: 3.0 MiB are needed, and 2.0 MiB are free' });
  for (const free of [() => Promise.resolve(3 * MIB), () => Promise.resolve(0), () => Promise.resolve(NaN), () => Promise.reject(new Error('ENOSYS'))]) await demandRoom(disk(free), 3 * MIB, 'a thing');
  await demandRoom(disk(() => Promise.resolve(1)), MIB - 1, 'a thing');
});

async function publish(world: World, host: Host, count: number, bytes: number): Promise<void> {
  const client = host.client();
  client.connect('a');
  for (let i = 0; i < count; i++) {
    client.publish('q', 'x'.repeat(bytes));
    if (i % Math.ceil(7_500 / bytes) === 0) await world.run(15);
  }
  await world.run(200);
}

/** Names that files get from now on. */
function namesOf(host: Host): string[] {
  const names: string[] = [];
  host.image.named = (path) => names.push(path);
  return names;
}

test('a snapshot that surely has no room is not begun, and takes nothing from the log; one of a state that has become small is written', async () => {
  const world = new World();
  const one = new Host(world, 'one', { ...BY_RECORDS, snapshotEveryRecords: 130 });
  await one.start();
  one.serve(1);
  leaveSession(one);
  await publish(world, one, 100, 15_000);
  // The log goes on, and a snapshot of 2 MB does not fit beside it.
  one.image.capacityBytes = one.image.usedBytes + 1_800_000;
  const names = namesOf(one);
  await publish(world, one, 40, 15_000);
  expect(one.log.from('warn').join()).toMatch(/No snapshot was written: no room on the disk of \/\. for a snapshot: \d\.\d MiB are needed, and \d\.\d MiB are free/);
  expect(names.filter((name) => name.includes('.snap'))).toEqual([]);
  expect(one.status.trouble).toBeNull();
  const away = one.client();
  away.connect('away', true);
  await world.run(11_000);
  await world.until(() => snapshots(one).length === 1, 'a snapshot');
});

test('a snapshot that comes and has no room is refused before a byte of it is written, and taken when there is room', async () => {
  const { world, one, two } = await startedPair(BY_RECORDS);
  two.kill();
  one.serve(1, { peer: null });
  leaveSession(one);
  for (let round = 0; round < 5; round++) await publish(world, one, 110, 4_500);
  await world.until(() => snapshots(one).length === 2, 'two snapshots');
  await two.start();
  const snapshotBytes = Math.max(...snapshots(one).map((path) => one.image.content(path).length));
  expect(snapshotBytes).toBeGreaterThan(MIB);
  // Room for the snapshot, and not for two segments beside it.
  two.image.capacityBytes = two.image.usedBytes + snapshotBytes + 50_000;
  const used = two.image.usedBytes;
  const names = namesOf(two);
  one.serve(1, { peer: peerOf(two) });
  two.follow(one, 1);
  await world.run(3_000);
  expect(two.log.from('warn').join()).toContain('the snapshot cannot be kept: no room on the disk of /. for a snapshot that comes from the other server');
  expect(names).not.toContain(INCOMING);
  expect(two.image.usedBytes).toBeLessThan(used + 100);
  expect(two.status.trouble).toContain('no room on the disk');
  two.image.capacityBytes = Infinity;
  await world.until(() => one.status.replication?.phase === 'in-step', 'in step');
  expect(two.head).toBe(one.head);
});
