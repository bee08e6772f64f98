import { createRequire } from 'node:module';
import type { FileSystem } from './file-system.js';
import { microseconds, type Stamp } from './stamps.js';

/** What stands under a name, as far as a scan must know. */
export interface Looked extends Stamp {
  readonly kind: 'file' | 'folder' | 'link' | 'other';
  /** Permission bits. */
  readonly mode: number;
}

/**
 * The permissions that a repository carries. Of files neither set-user-ID nor set-group-ID: owners are not carried, and such a program of one user would
 * become one of the user that Lockstep runs as.
 */
export function carriedMode(mode: number): number {
  return mode & ((mode & 0o170000) === 0o100000 ? 0o1777 : 0o7777);
}

/** Looks at a name, not through a link. `null`: nothing is there. Throws an Error with the system's `code`. */
export type Look = (place: string) => Looked | null;

/** By the calls of Node.js. */
export function lookBy(fs: FileSystem): Look {
  return (place) => {
    const stats = fs.lstatSync(place, { throwIfNoEntry: false });
    if (stats === undefined) return null;
    const kind = stats.isFile() ? 'file' : stats.isDirectory() ? 'folder' : stats.isSymbolicLink() ? 'link' : 'other';
    return { kind, mode: carriedMode(stats.mode), size: stats.size, mtimeUs: microseconds(stats.mtimeMs), ctimeUs: microseconds(stats.ctimeMs), inode: stats.ino };
  };
}

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const STATX_BASIC_STATS = 0x7ff;
const STATX_BYTES = 256;
/** Of `struct statx`, the same on every processor: words of 32 bits. */
const WORD = { mode: 7, inode: 8, size: 10, ctime: 24, mtime: 28 } as const;
const KINDS: Readonly<Record<number, Looked['kind']>> = { 0o100000: 'file', 0o040000: 'folder', 0o120000: 'link' };
const WORD_VALUES = 2 ** 32;

interface Foreign {
  load(library: string): { func(prototype: string): (...values: unknown[]) => number };
}

/**
 * By `statx` of Linux itself, which takes less than half the time of Node's `lstat` with its four dates: most of a sync in which nothing has changed is
 * looking at names. What it sees is the very same, which `looking.test.ts` holds. Without `koffi`, or elsewhere, Node's.
 */
export function createLook(fs: FileSystem): Look {
  const slow = lookBy(fs);
  if (process.platform !== 'linux') return slow;
  try {
    const koffi = createRequire(import.meta.url)('koffi') as Foreign;
    const statx = koffi.load('libc.so.6').func('int statx(int folder, const char *path, int flags, unsigned int mask, void *into)');
    const bytes = Buffer.alloc(STATX_BYTES);
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, STATX_BYTES / 4);
    const look: Look = (place) => {
      // What went wrong is told by the other.
      if (statx(AT_FDCWD, place, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, bytes) !== 0) return slow(place);
      const mode = (words[WORD.mode] ?? 0) & 0xffff;
      return { kind: KINDS[mode & 0o170000] ?? 'other', mode: carriedMode(mode), size: wide(words, WORD.size), mtimeUs: time(words, WORD.mtime), ctimeUs: time(words, WORD.ctime), inode: wide(words, WORD.inode) };
    };
    look('/');
    return isLittleEndian(words) ? look : slow;
  } catch {
    return slow; // An optional dependency that is not there, or a C library without the call.
  }
}

function isLittleEndian(words: Uint32Array): boolean {
  return new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 && words.byteOffset % 4 === 0;
}

function wide(words: Uint32Array, at: number): number {
  return (words[at + 1] ?? 0) * WORD_VALUES + (words[at] ?? 0);
}

/** As Node.js gives times: milliseconds, of which microseconds are made. Signed seconds, and nanoseconds. */
function time(words: Uint32Array, at: number): number {
  const seconds = ((words[at + 1] ?? 0) | 0) * WORD_VALUES + (words[at] ?? 0);
  return microseconds(seconds * 1000 + (words[at + 2] ?? 0) / 1_000_000);
}
