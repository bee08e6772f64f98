import { constants } from 'node:fs';
import type { Digest, Entry } from '../../core/repository/entry.js';
import type { FileSystem } from './file-system.js';
import { microseconds, seconds, stampOf, type Stamp } from './stamps.js';

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
/** Only what is not there yet, and never through a link. */
const NEW_FILE = O_WRONLY | O_CREAT | O_EXCL | (O_NOFOLLOW ?? 0);
/** Of folders that are being filled: their own permissions may not let us. */
export const FILLING_MODE = 0o700;

/** Runs what changes a repository's folder, or what stands beside it, when all that was begun before has ended. */
export type InTurn = <Value>(work: () => Promise<Value>) => Promise<Value>;

/** A file that was written, and what tells that it is unchanged. */
export interface Written {
  readonly path: string;
  readonly stamp: Stamp;
  /** `null`: nobody has read it. */
  readonly digest: Digest | null;
}

export function openNew(fs: FileSystem, place: string, mode: number): number {
  return fs.openSync(place, NEW_FILE, mode);
}

/** Writes all of `bytes`; the system may take fewer at once. */
export function writeAll(fs: FileSystem, fd: number, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length; ) done += fs.writeSync(fd, bytes, done, bytes.length - done, at + done);
}

/** Gives an open file its time and permissions. */
export function dress(fs: FileSystem, fd: number, entry: Entry): Stamp {
  const time = seconds(entry.mtimeUs);
  fs.futimesSync(fd, time, time);
  const stats = fs.fstatSync(fd);
  if ((stats.mode & 0o7777) === entry.mode || process.platform === 'win32') return stampOf(stats);
  fs.fchmodSync(fd, entry.mode);
  return stampOf(fs.fstatSync(fd));
}

/** A whole new file of a known content. */
export function writeFile(fs: FileSystem, place: string, entry: Entry, content: Uint8Array): Stamp {
  const fd = openNew(fs, place, entry.mode);
  try {
    writeAll(fs, fd, content, 0);
    return dress(fs, fd, entry);
  } finally {
    fs.closeSync(fd);
  }
}

/** Permissions and time of a folder, when nothing more is put into it. */
export function dressFolder(fs: FileSystem, place: string, mode: number, mtimeUs: number): void {
  const stats = fs.lstatSync(place);
  if ((stats.mode & 0o7777) !== mode && process.platform !== 'win32') fs.chmodSync(place, mode);
  if (microseconds(stats.mtimeMs) !== mtimeUs) fs.utimesSync(place, seconds(mtimeUs), seconds(mtimeUs));
}
