import type { Disk, DiskFile } from '../../../src/ports/disk.js';
import { INCOMING, IncomingSnapshot } from '../../../src/server/incoming-snapshot.js';
import { SNAPSHOT_FOLDER } from '../../../src/server/snapshot-shelf.js';
import { settle } from '../support/fake-clock.js';
import { Rig } from './journal/rig.js';

/** A disk on which files open when the test says so. */
async function slowToOpen(): Promise<{ rig: Rig; disk: Disk; opens: () => void; fails: (error: Error) => void }> {
  const rig = new Rig(undefined, 1, true);
  await rig.disk.makeFolder(SNAPSHOT_FOLDER);
  let waits: { path: string; resolve: (file: Promise<DiskFile>) => void; reject: (error: Error) => void } | null = null;
  const disk = Object.assign(Object.create(rig.disk) as Disk, {
    open: (path: string) => new Promise<DiskFile>((resolve, reject) => (waits = { path, resolve, reject })),
  });
  return { rig, disk, opens: () => waits?.resolve(rig.disk.open(INCOMING, 'create')), fails: (error) => waits?.reject(error) };
}

function unexpected(reason: string): void {
  throw new Error(reason);
}

test('no bytes are asked for before the file is open', async () => {
  const { rig, disk, opens } = await slowToOpen();
  const paces: boolean[] = [];
  const opening = IncomingSnapshot.open(disk, 0, (go) => paces.push(go), unexpected);
  expect(paces).toEqual([false]);
  await settle();
  expect(paces).toEqual([false]);
  opens();
  const incoming = await opening;
  expect(paces).toEqual([false, true]);
  incoming.chunk(Uint8Array.of(1, 2, 3));
  await incoming.whole();
  expect([...(await rig.disk.readFile(INCOMING))]).toEqual([1, 2, 3]);
});

test('a file that cannot be opened is said, and nothing is asked for', async () => {
  const { disk, fails } = await slowToOpen();
  const paces: boolean[] = [];
  const opening = IncomingSnapshot.open(disk, 0, (go) => paces.push(go), unexpected);
  await settle();
  fails(new Error('EMFILE'));
  await expect(opening).rejects.toThrow('EMFILE');
  expect(paces).toEqual([false]);
});

test('a write that fails is said at once, and what comes then is not kept: no pause without an end', async () => {
  const { rig, disk, opens } = await slowToOpen();
  const paces: boolean[] = [];
  const failures: string[] = [];
  const opening = IncomingSnapshot.open(
    disk,
    0,
    (go) => paces.push(go),
    (reason) => failures.push(reason),
  );
  await settle();
  opens();
  const incoming = await opening;
  rig.image.failNext('write', 'ENOSPC');
  incoming.chunk(Uint8Array.of(1));
  await settle();
  expect(failures).toEqual([`ENOSPC: write ${INCOMING}`]);
  for (let i = 0; i < 10; i++) incoming.chunk(new Uint8Array(1024 * 1024));
  await settle();
  expect(paces).toEqual([false, true]);
  expect(failures).toHaveLength(1);
  await expect(incoming.whole()).rejects.toThrow('ENOSPC');
});
