import { decodeJson, Fields, textElement } from '../../core/wire/fields.js';
import { ENTRIES_MAX, PATH_BYTES_MAX } from '../../core/repository/names.js';
import { syncAll } from './durable.js';
import { codeOf, unlessAbsent } from './file-errors.js';
import { Places } from './places.js';

/*
 * Which folders and files are being changed one by one. Written before the first change, and removed when all are durable: a process that ends in between
 * leaves changes that everybody sees and no disk holds, and the next one, which sees that both servers are equal, would call that in sync. The note itself is not
 * synced: what loses it, a loss of power, loses the changes as well or keeps them.
 */

export function noteChanging(places: Places, paths: readonly string[]): void {
  places.fs.writeFileSync(places.changing, JSON.stringify({ paths }), { mode: 0o600 });
}

/** Makes durable what was noted, and forgets it. Resolves to false when nothing was. */
export async function settleChanging(places: Places): Promise<boolean> {
  const { fs } = places;
  const bytes = unlessAbsent(() => fs.readFileSync(places.changing));
  if (bytes === null) return false;
  await syncAll(fs, noted(bytes).map((path) => (path === '' ? places.live : Places.at(places.live, path))).filter((place) => isHere(places, place)));
  fs.rmSync(places.changing, { force: true });
  return true;
}

/** One that a loss of power cut says nothing: then its changes were lost with it, or are durable. */
function noted(bytes: Uint8Array): readonly string[] {
  try {
    return Fields.of('note of changes', decodeJson('note of changes', bytes)).list('paths', 0, ENTRIES_MAX, textElement(PATH_BYTES_MAX));
  } catch {
    return [];
  }
}

/** As what can be synced: a link has no content of its own. */
function isHere({ fs }: Places, place: string): boolean {
  try {
    const stats = fs.lstatSync(place);
    return stats.isFile() || (stats.isDirectory() && process.platform !== 'win32');
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return false;
    throw error;
  }
}
