import * as files from 'node:fs';
import { dirname, resolve } from 'node:path';

type Calls = Pick<typeof files, 'existsSync' | 'statSync'> & { mkdirSync(path: string, options: { readonly mode: number }): unknown };

export interface FolderOptions {
  /** Of the folder itself when it is made here; those above it are made as the system makes them. A folder that is there keeps its own. */
  readonly mode?: number;
  /** Default: the system's. */
  readonly fs?: Calls;
}

/** Of folders and files that hold messages, or what tells of them: for the user of this server alone. */
export const PRIVATE_FOLDER = 0o700;
export const PRIVATE_FILE = 0o600;
const USUAL_MODE = 0o777;

/**
 * Makes a folder, and those above it that are missing, one by one: `mkdir` with `recursive` never returns in Node.js 20 where the system answers ENOENT
 * below a folder that is there, as it does under /proc.
 * @throws an Error with the system's `code`, which names the folder that could not be made
 */
export function makeFolders(path: string, { mode = USUAL_MODE, fs = files }: FolderOptions = {}): void {
  const wanted = resolve(path);
  for (const folder of missingFolders(wanted, fs)) makeOne(folder, folder === wanted ? mode : USUAL_MODE, fs);
  if (!fs.statSync(wanted).isDirectory()) throw notMade('EEXIST', wanted, 'a file has that name');
}

/** The folder, and those above it, as far as they are not there: the uppermost first. `path` is absolute. */
export function missingFolders(path: string, fs: Pick<Calls, 'existsSync'>): string[] {
  const missing: string[] = [];
  for (let folder = path; !fs.existsSync(folder) && dirname(folder) !== folder; folder = dirname(folder)) missing.unshift(folder);
  return missing;
}

function makeOne(folder: string, mode: number, fs: Calls): void {
  try {
    fs.mkdirSync(folder, { mode });
  } catch (error) {
    const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : '';
    if (code === 'EEXIST' && fs.existsSync(folder)) return; // Another process was quicker.
    if (code === 'ENOENT') throw notMade(code, folder, `${dirname(folder)} takes no new folders`);
    throw error;
  }
}

function notMade(code: string, folder: string, why: string): Error {
  return Object.assign(new Error(`${code}: the folder ${folder} cannot be made: ${why}`), { code });
}
