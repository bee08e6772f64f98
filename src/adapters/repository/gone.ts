import { join } from 'node:path';
import type { DigestRecord } from './digest-record.js';
import { codeOf, unlessAbsent, unlessForbidden } from './file-errors.js';
import type { FileSystem } from './file-system.js';
import { Places } from './places.js';
import { mayBeRaw } from './raw-names.js';
import { SLICE_MS } from './scan.js';
import { stampOf } from './stamps.js';
import { FILLING_MODE } from './writing.js';

/** In the names of what is being removed beside the folder. */
const GONE = '.gone-';

/** Out of the way at once, whatever it holds: a removal takes its time. What is not there is out of the way. */
export function putOutOfTheWay(fs: FileSystem, place: string): void {
  if (!fs.existsSync(place)) return;
  let count = 1;
  while (fs.existsSync(`${place}${GONE}${count}`)) count += 1;
  fs.renameSync(place, `${place}${GONE}${count}`);
}

/**
 * Removes, in turns, what was put out of the way, as far as the system lets us. A live file of which it was another name is what it was, though the system counts
 * the loss of a name as a change: the record goes on to know it.
 */
export async function removeGone(places: Places, record: DigestRecord | null): Promise<void> {
  const { beside, fs } = places;
  for (const name of unlessAbsent(() => fs.readdirSync(beside)) ?? []) {
    if (!name.includes(GONE)) continue;
    const place = join(beside, name);
    if (record !== null && unlessForbidden(() => openFolders(fs, place))) await new Names(places, record).drop(place, '');
    await removeAllowed(fs, place);
  }
}

/** What the system does not let us remove stays: that must not fail the syncs. */
export async function removeAllowed(fs: FileSystem, place: string): Promise<void> {
  try {
    await fs.removeTree(place);
  } catch (error) {
    if (!isForbidden(error)) throw error;
    if (!unlessForbidden(() => openFolders(fs, place))) return;
    await fs.removeTree(place).catch(() => undefined);
  }
}

/** A folder that had its final permissions may not let its files be taken. */
export function openFolders(fs: FileSystem, folder: string): void {
  fs.chmodSync(folder, FILLING_MODE);
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) if (entry.isDirectory() && !isRaw(fs, folder, entry.name)) openFolders(fs, join(folder, entry.name));
}

/** It cannot be asked for; to remove it, it need not be. */
function isRaw(fs: FileSystem, folder: string, name: string): boolean {
  return mayBeRaw(name) && fs.lstatSync(join(folder, name), { throwIfNoEntry: false }) === undefined;
}

function isForbidden(error: unknown): boolean {
  return codeOf(error) === 'EACCES' || codeOf(error) === 'EPERM';
}

class Names {
  private until: number;

  constructor(
    private readonly places: Places,
    private readonly record: DigestRecord,
  ) {
    this.until = places.fs.ticks() + SLICE_MS;
  }

  async drop(folder: string, path: string): Promise<void> {
    const { fs } = this.places;
    for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
      const [place, inner] = [join(folder, entry.name), path === '' ? entry.name : `${path}/${entry.name}`];
      if (isRaw(fs, folder, entry.name)) continue;
      if (entry.isDirectory()) await this.drop(place, inner);
      else this.dropName(place, inner);
      if (fs.ticks() < this.until) continue;
      await fs.turn();
      this.until = fs.ticks() + SLICE_MS;
    }
  }

  private dropName(place: string, path: string): void {
    const { fs, live } = this.places;
    const stats = fs.lstatSync(place);
    const digest = stats.isFile() && stats.nlink > 1 ? this.record.find(path, stampOf(stats)) : null;
    if (digest === null) return;
    fs.unlinkSync(place);
    const left = fs.lstatSync(Places.at(live, path), { throwIfNoEntry: false });
    if (left !== undefined) this.record.renew(path, stampOf(left), digest);
  }
}
