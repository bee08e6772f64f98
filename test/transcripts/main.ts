import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { play } from './play.js';

/*
 * `npm run transcripts`: plays every transcript and writes what comes of it now; the difference is for the reviewer. With names, those alone.
 */
const FOLDER = 'test/transcripts';

const names = process.argv.slice(2);
for (const file of (await readdir(FOLDER)).filter((entry) => entry.endsWith('.txt')).sort()) {
  if (names.length > 0 && !names.some((name) => file === name || file === `${name}.txt`)) continue;
  const path = join(FOLDER, file);
  const before = await readFile(path, 'utf8');
  try {
    const after = await play(before);
    if (after !== before) await writeFile(path, after);
    process.stdout.write(`${after === before ? 'same   ' : 'WRITTEN'} ${path}\n`);
  } catch (error) {
    process.stdout.write(`FAILED  ${path}: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
