import type { BigIntStats } from 'node:fs';
import { unlessAbsent } from './file-errors.js';
import type { FileSystem } from './file-system.js';
import { Places } from './places.js';
import { FILLING_MODE } from './writing.js';

/** So many names are looked at between two turns of the event loop. */
const NAMES_PER_TURN = 500;

export interface Pruned {
  files: number;
  bytes: number;
  /** The first of them. */
  readonly paths: string[];
}

/**
 * Removes from an old tree what is in the live one as well: the very same file (a hard link), an equal link, a folder that is empty then. What is left is
 * what was replaced or removed. May be begun again wherever it was interrupted.
 */
export async function prune(fs: FileSystem, old: string, live: string, pathsMax: number): Promise<Pruned> {
  const pruned: Pruned = { files: 0, bytes: 0, paths: [] };
  let looked = 0;
  const walk = async (folder: string, isInLive: boolean): Promise<boolean> => {
    const place = folder === '' ? old : Places.at(old, folder);
    fs.chmodSync(place, fs.lstatSync(place).mode | FILLING_MODE);
    let left = 0;
    for (const name of fs.readdirSync(place).sort()) {
      looked += 1;
      if (looked % NAMES_PER_TURN === 0) await fs.turn();
      const path = folder === '' ? name : `${folder}/${name}`;
      const stats = fs.lstatSync(Places.at(old, path), { bigint: true });
      const twin = isInLive ? unlessAbsent(() => fs.lstatSync(Places.at(live, path), { bigint: true })) : null;
      if (stats.isDirectory()) {
        const isThere = twin?.isDirectory() ?? false;
        const isEmpty = await walk(path, isThere);
        if (isEmpty && isThere) fs.rmdirSync(Places.at(old, path));
        else left += 1;
      } else if (twin !== null && isTwin(fs, stats, twin, Places.at(old, path), Places.at(live, path))) fs.unlinkSync(Places.at(old, path));
      else {
        left += 1;
        pruned.files += 1;
        pruned.bytes += Number(stats.size);
        if (pruned.paths.length < pathsMax) pruned.paths.push(path);
      }
    }
    return left === 0;
  };
  await walk('', true);
  return pruned;
}

function isTwin(fs: FileSystem, old: BigIntStats, live: BigIntStats, oldPlace: string, livePlace: string): boolean {
  if (old.isSymbolicLink()) return live.isSymbolicLink() && fs.readlinkSync(oldPlace) === fs.readlinkSync(livePlace);
  return old.ino === live.ino && old.dev === live.dev;
}
