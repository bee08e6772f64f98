import { join } from 'node:path';
import { unlessAbsent } from './file-errors.js';
import type { FileSystem } from './file-system.js';
import type { Places } from './places.js';

/** In the names of what is being removed beside the folder. */
const GONE = '.gone-';

/** Out of the way at once, whatever it holds: a removal takes its time. What is not there is out of the way. */
export function putOutOfTheWay(fs: FileSystem, place: string): void {
  if (!fs.existsSync(place)) return;
  let count = 1;
  while (fs.existsSync(`${place}${GONE}${count}`)) count += 1;
  fs.renameSync(place, `${place}${GONE}${count}`);
}

/** Removes, in turns, what was put out of the way. */
export async function removeGone({ beside, fs }: Places): Promise<void> {
  for (const name of unlessAbsent(() => fs.readdirSync(beside)) ?? []) if (name.includes(GONE)) await fs.removeTree(join(beside, name));
}
