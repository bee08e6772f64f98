import { execFileSync } from 'node:child_process';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { describe } from '../../src/server/disk-io.js';
import { parseTally, TallyRefused, type LongTally } from './long-tally.js';

/** What the simulator is made of, from the top of the repository: a change of anything else changes no run. */
const MADE_OF = [':/src', ':/test', ':/package.json', ':/package-lock.json'];

/** `null` when the file does not stand. @throws TallyRefused when it is no tally */
export function readTally(file: string): LongTally | null {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return null;
    throw new TallyRefused(`${file} cannot be read: ${describe(error)}`, 'Name a file that can be read and written.');
  }
  return parseTally(text, file);
}

/** In one step: whoever looks, or is left after a crash, has the old or the new tally. */
export function writeTally(file: string, tally: LongTally): void {
  const beside = `${file}.new`;
  const opened = openSync(beside, 'w');
  try {
    writeFileSync(opened, `${JSON.stringify(tally, null, 2)}\n`);
    fsyncSync(opened);
  } finally {
    closeSync(opened);
  }
  renameSync(beside, file);
}

/** Which commit stands in the folder, and which files of the simulator differ from it. */
export function treeOf(folder: string): { readonly commit: string; readonly changed: readonly string[] } {
  const git = (...args: string[]): string => execFileSync('git', args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  try {
    const changed = git('status', '--porcelain', '--', ...MADE_OF).split('\n').filter((line) => line !== '');
    // Two letters and a space stand before each name.
    return { commit: git('rev-parse', 'HEAD').trim(), changed: changed.map((line) => line.slice(3)) };
  } catch (error) {
    throw new TallyRefused(`git does not say which commit this is: ${describe(error)}`, 'Run it in a clone of the repository: a tally is of one commit.');
  }
}
