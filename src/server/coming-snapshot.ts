import type { Checksum, LogPoint } from '../core/journal/envelope.js';
import type { Disk, DiskFile } from '../ports/disk.js';
import type { Log } from '../ports/log.js';
import { isPassing } from './journal/files.js';
import { unreadable } from './journal/troubles.js';
import { readSnapshotHead } from './snapshot-file.js';
import { samePoint, SNAPSHOT_FOLDER, SNAPSHOT_SUFFIX } from './snapshot-shelf.js';

/*
 * The other server's snapshot while the log makes way for it. It has a name that nobody builds on until the log begins where it stands: until then the other server
 * has it still, and nothing here rests on it; from then on it is what this log begins with.
 */

/** Behind the name that it will have. */
export const COMING_SUFFIX = '.coming';

/** Before the log makes way: a whole, synced file gets the name of one that comes, durably. */
export async function announceSnapshot(disk: Disk, file: string, path: string): Promise<void> {
  await disk.rename(file, path + COMING_SUFFIX);
  await disk.syncFolder(SNAPSHOT_FOLDER);
}

/** The log stays as it is. */
export async function withdrawSnapshot(disk: Disk, path: string): Promise<void> {
  await disk.remove(path + COMING_SUFFIX);
}

/** The log begins there now: it gets its own name, durably. */
export async function nameSnapshot(disk: Disk, path: string): Promise<void> {
  await disk.rename(path + COMING_SUFFIX, path);
  await disk.syncFolder(SNAPSHOT_FOLDER);
}

/**
 * At a start, before anybody looks at snapshots: the one with which the log begins gets its own name, what else was to come is removed.
 * @param base where the log begins, when a change of it that was decided has been carried out
 * @param names of what stands in their folder
 * @returns the names of what stands there then
 * @throws LockstepError LOCKSTEP_JOURNAL_UNREADABLE when the host did not let one be read (rejects)
 */
export async function settleComing(disk: Disk, checksum: Checksum, log: Log, base: LogPoint, names: readonly string[]): Promise<string[]> {
  const settled = new Set(names);
  for (const name of names) {
    if (!name.endsWith(SNAPSHOT_SUFFIX + COMING_SUFFIX)) continue;
    settled.delete(name);
    const path = `${SNAPSHOT_FOLDER}/${name.slice(0, -COMING_SUFFIX.length)}`;
    if (samePoint(base, await pointOf(disk, checksum, path + COMING_SUFFIX))) {
      await nameSnapshot(disk, path);
      settled.add(name.slice(0, -COMING_SUFFIX.length));
      continue;
    }
    log.write('info', `Snapshot ${disk.place(path + COMING_SUFFIX)} of the other server's came for a log that was not begun, and is removed`);
    await withdrawSnapshot(disk, path);
  }
  return [...settled];
}

/** `null` where it does not say, and never will. */
async function pointOf(disk: Disk, checksum: Checksum, path: string): Promise<LogPoint | null> {
  let file: DiskFile | null = null;
  try {
    file = await disk.open(path, 'read');
    return (await readSnapshotHead(file, disk.place(path), checksum)).point;
  } catch (error) {
    if (isPassing(error)) throw unreadable(disk.place(path), error);
    return null;
  } finally {
    if (file !== null) await file.close();
  }
}
