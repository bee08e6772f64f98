import * as fs from 'node:fs';

const NAMES_MAX = 256;
const BYTES_MAX = 64 * 1024;

/** Times of the last syncs that went well, by repository, in a file of their own. Only shown to people: what cannot be read is forgotten, what cannot be written is not kept. */
export function createSyncMemory(file: string): { load(): ReadonlyMap<string, number>; keep(times: ReadonlyMap<string, number>): void } {
  return {
    load: () => read(file),
    keep: (times) => {
      try {
        fs.writeFileSync(`${file}.new`, JSON.stringify(Object.fromEntries(times)));
        fs.renameSync(`${file}.new`, file);
      } catch {
        // A full disk has louder voices than this one.
      }
    },
  };
}

function read(file: string): ReadonlyMap<string, number> {
  try {
    if (fs.statSync(file).size > BYTES_MAX) return new Map();
    const value: unknown = JSON.parse(fs.readFileSync(file, 'utf8'));
    if (typeof value !== 'object' || value === null) return new Map();
    const entries = Object.entries(value).filter((entry): entry is [string, number] => typeof entry[1] === 'number' && Number.isFinite(entry[1]));
    return new Map(entries.slice(0, NAMES_MAX));
  } catch {
    return new Map(); // Not there yet, or torn: the times are unknown then.
  }
}
