import {
  chmodSync, chownSync, closeSync, copyFileSync, existsSync, fchmodSync, fdatasync, fstatSync, fsync, fsyncSync, futimesSync, linkSync, lstatSync, mkdirSync, openSync, readFileSync, readSync,
  readdirSync, readlinkSync, realpathSync, renameSync, rmSync, rmdirSync, statSync, statfsSync, symlinkSync, unlinkSync, utimesSync, writeFileSync, writeSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { mountsBelow } from '../mount-options.js';

const CALLS = {
  chmodSync, chownSync, closeSync, copyFileSync, existsSync, fchmodSync, fdatasync, fstatSync, fsync, fsyncSync, futimesSync, linkSync, lstatSync, mkdirSync, openSync, readFileSync, readSync,
  readdirSync, readlinkSync, realpathSync, renameSync, rmSync, rmdirSync, statSync, symlinkSync, unlinkSync, utimesSync, writeFileSync, writeSync,
};

/**
 * What a repository asks of the system that it lies in. Everything goes through here, so that the simulator can put another in its place that ends at any
 * call, or loses what was not synced; a contract suite holds the two to the same.
 */
export type FileSystem = typeof CALLS & {
  /** Removes a whole tree, in turns; what is not there is removed already. */
  removeTree(path: string): Promise<void>;
  /** Mount points below a folder, as far as the system tells. */
  mountsBelow(folder: string): readonly string[];
  /** Bytes of the file system that `folder` lies on: those that we may still take, and all of them. `null`: the system does not tell. */
  roomOf(folder: string): { readonly free: number; readonly total: number } | null;
  /** Wall time, as it stands in the times of files; milliseconds since 1970. */
  now(): number;
  /** A clock for short stretches, in milliseconds. */
  ticks(): number;
  /** Others have a turn. */
  turn(): Promise<void>;
};

/** The system's own. */
export const NODE_FILES: FileSystem = {
  ...CALLS,
  removeTree: (path) => rm(path, { recursive: true, force: true }),
  mountsBelow,
  roomOf,
  now: () => Date.now(),
  ticks: () => performance.now(),
  turn: () => new Promise((resolve) => setImmediate(resolve)),
};

/** Some systems (of the network, of programs) tell nothing, or that they have no bytes at all. */
function roomOf(folder: string): { readonly free: number; readonly total: number } | null {
  try {
    const { bavail, blocks, bsize } = statfsSync(folder);
    return blocks > 0 ? { free: bavail * bsize, total: blocks * bsize } : null;
  } catch {
    return null;
  }
}
