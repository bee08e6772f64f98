import type { BigIntStats } from 'node:fs';
import { syncFolders } from './durable.js';
import { codeOf, unlessAbsent, unlessForbidden } from './file-errors.js';
import type { FileSystem } from './file-system.js';
import type { Selection } from './patterns.js';
import { Places } from './places.js';
import { mayBeRaw, rawAt, rawNames } from './raw-names.js';
import { microseconds, seconds } from './stamps.js';
import { FILLING_MODE } from './writing.js';

/** So many names are looked at between two turns of the event loop. */
const NAMES_PER_TURN = 500;

/** Each byte is a character: the target of a link may be no UTF-8. */
const BYTES = 'latin1';

export interface Pruned {
  files: number;
  bytes: number;
  /** The first of them. */
  readonly paths: string[];
}

/**
 * Removes from an old tree what is in the live one as well: the very same file (a hard link), an equal link, a folder that is empty then. What is left is
 * what was replaced or removed. What `selection` does not take, and came or changed while the new tree was made, goes back to where it was. May be
 * begun again wherever it was interrupted.
 * @param isLate the new tree has stood there for a while: what has come into a file's place since is newer, whatever its time says
 */
export async function prune(fs: FileSystem, old: string, live: string, pathsMax: number, selection: Selection, isLate = false): Promise<Pruned> {
  const pruned: Pruned = { files: 0, bytes: 0, paths: [] };
  /** Folders to which something goes back, with their times: that is no change of the folder that the other server has. */
  const returned = new Map<string, number>();
  const liveAt = (folder: string): string => (folder === '' ? live : Places.at(live, folder));
  const goesBack = (folder: string, from: string | Buffer, to: string | Buffer): boolean => {
    const { mtimeMs } = fs.lstatSync(liveAt(folder));
    if (!hasMoved(fs, from, to)) return false;
    if (!returned.has(folder)) returned.set(folder, microseconds(mtimeMs));
    return true;
  };
  let looked = 0;
  const walk = async (folder: string, isInLive: boolean, isBelowForeign: boolean): Promise<boolean> => {
    const place = folder === '' ? old : Places.at(old, folder);
    if (!unlessForbidden(() => fs.chmodSync(place, fs.lstatSync(place).mode | FILLING_MODE))) return false;
    let left = 0;
    let hasRaw = false;
    for (const name of fs.readdirSync(place).sort()) {
      looked += 1;
      if (looked % NAMES_PER_TURN === 0) await fs.turn();
      const path = folder === '' ? name : `${folder}/${name}`;
      const stats = fs.lstatSync(Places.at(old, path), { bigint: true, throwIfNoEntry: false });
      hasRaw ||= mayBeRaw(name);
      if (stats === undefined) continue;
      const twin = isInLive ? unlessAbsent(() => fs.lstatSync(Places.at(live, path), { bigint: true })) : null;
      const isForeign = isBelowForeign || !(stats.isDirectory() ? selection.takesFolder(path) : selection.takesFile(path) && (stats.isFile() || stats.isSymbolicLink()));
      if (isForeign && isInLive && (twin === null || (!isLate && isNewerFile(stats, twin))) && goesBack(folder, Places.at(old, path), Places.at(live, path))) continue;
      if (stats.isDirectory()) {
        const isThere = twin?.isDirectory() ?? false;
        const isEmpty = await walk(path, isThere, isForeign);
        if (!isEmpty || !isThere || !unlessForbidden(() => fs.rmdirSync(Places.at(old, path)))) left += 1;
      } else if (twin === null || !isTwin(fs, stats, twin, Places.at(old, path), Places.at(live, path)) || !unlessForbidden(() => fs.unlinkSync(Places.at(old, path)))) {
        left += 1;
        pruned.files += 1;
        pruned.bytes += Number(stats.size);
        if (pruned.paths.length < pathsMax) pruned.paths.push(path);
      }
    }
    for (const name of hasRaw ? rawNames(fs, place) : []) {
      // What is no UTF-8 belongs to no repository, and goes back unless something has come into its place.
      const to = rawAt(liveAt(folder), name);
      if (!isInLive || fs.lstatSync(to, { throwIfNoEntry: false }) !== undefined || !goesBack(folder, rawAt(place, name), to)) left += 1;
    }
    return left === 0;
  };
  await walk('', true, false);
  for (const [folder, mtimeUs] of returned) unlessForbidden(() => fs.utimesSync(liveAt(folder), seconds(mtimeUs), seconds(mtimeUs)));
  await syncFolders(fs, [...returned.keys()].map(liveAt));
  return pruned;
}

/** False: the system does not let us, or it is another file system. */
function hasMoved(fs: FileSystem, from: string | Buffer, to: string | Buffer): boolean {
  try {
    return unlessForbidden(() => fs.renameSync(from, to));
  } catch (error) {
    if (codeOf(error) === 'EXDEV') return false;
    throw error;
  }
}

function isNewerFile(old: BigIntStats, live: BigIntStats): boolean {
  return !old.isDirectory() && !live.isDirectory() && old.ino !== live.ino && old.mtimeNs > live.mtimeNs;
}

function isTwin(fs: FileSystem, old: BigIntStats, live: BigIntStats, oldPlace: string, livePlace: string): boolean {
  if (old.isSymbolicLink()) return live.isSymbolicLink() && fs.readlinkSync(oldPlace, BYTES) === fs.readlinkSync(livePlace, BYTES);
  return old.ino === live.ino && old.dev === live.dev;
}
