import type { Disk } from '../ports/disk.js';
import type { Log } from '../ports/log.js';
import { COMING_SUFFIX } from './coming-snapshot.js';
import type { Journal } from './journal/api.js';
import { samePoint, SNAPSHOT_FOLDER, SNAPSHOT_SUFFIX, UNSYNCED_SUFFIX, type ShelvedSnapshot, type SnapshotShelf } from './snapshot-shelf.js';

/*
 * Snapshots that do not belong to the log beside them, at a start.
 *
 * Invariant: one that may be all that is left of what this server had stays on the disk, under a name that nobody reads, until an operator removes it.
 */

/** Behind the name of a snapshot whose log is not there. */
const AHEAD = '.ahead';

/**
 * Takes from the shelf what does not belong to the log. A snapshot of a point beyond the log's end may be of this very log, which has lost its end; it is put aside. Others are of
 * a log that has made way for the one that is here, and the process ended before they were removed: that is done now.
 */
export async function takeForeign(disk: Disk, log: Log, journal: Journal, shelf: SnapshotShelf): Promise<void> {
  for (const snapshot of shelf.all.slice()) {
    const { point } = snapshot.head;
    if (samePoint(point, await journal.pointAt(point.position))) continue;
    if (point.position > journal.head.position) {
      await putAside(disk, log, journal, shelf, snapshot);
      continue;
    }
    log.write('warn', `Snapshot ${disk.place(snapshot.path)} does not belong to this log and is removed`);
    await shelf.discard(snapshot);
  }
}

async function putAside(disk: Disk, log: Log, journal: Journal, shelf: SnapshotShelf, { path, head }: ShelvedSnapshot): Promise<void> {
  const taken = new Set(await disk.list(SNAPSHOT_FOLDER));
  let aside = path + AHEAD;
  for (let count = 2; taken.has(aside.slice(SNAPSHOT_FOLDER.length + 1)); count += 1) aside = `${path}${AHEAD}-${count}`;
  shelf.forget(path);
  await disk.rename(path, aside);
  await disk.syncFolder(SNAPSHOT_FOLDER);
  const [from, to] = [disk.place(path), disk.place(aside)];
  log.write('warn', `Snapshot ${from} speaks of record ${head.point.position}, and this log ends at record ${journal.head.position}: it is put aside as ${to}`, { file: to, position: head.point.position });
}

/**
 * Moves all snapshots to another folder, durably: before the log goes that they belong to. Whoever finds them without it takes them for another log's.
 * Rejects where one cannot be moved.
 */
export async function moveSnapshots(disk: Disk, to: string): Promise<void> {
  const ofLog = [SNAPSHOT_SUFFIX, SNAPSHOT_SUFFIX + UNSYNCED_SUFFIX, SNAPSHOT_SUFFIX + COMING_SUFFIX];
  const names = (await disk.list(SNAPSHOT_FOLDER)).filter((name) => ofLog.some((suffix) => name.endsWith(suffix)));
  if (names.length === 0) return;
  for (const name of names) await disk.rename(`${SNAPSHOT_FOLDER}/${name}`, `${to}/${name}`);
  await disk.syncFolder(to);
  await disk.syncFolder(SNAPSHOT_FOLDER);
}
