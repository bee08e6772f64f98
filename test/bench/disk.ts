import { closeSync, fdatasyncSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import path from 'node:path';
import { Latencies, round, type Spread } from './latencies.js';

export interface DiskProbe {
  readonly bytes: number;
  readonly syncsPerSecond: number;
  readonly ms: Spread;
}

/** By the number that Linux gives each kind of file system (statfs(2)). */
const KINDS: ReadonlyMap<number, string> = new Map([
  [0xef53, 'ext4'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0x2fc12fc1, 'zfs'],
  [0x794c7630, 'overlay'],
  [0x6969, 'nfs'],
  [0x01021994, 'tmpfs'],
  [0x858458f6, 'ramfs'],
]);
const IN_MEMORY: readonly string[] = ['tmpfs', 'ramfs'];

/**
 * The kind of file system that a folder is on; its number where this program has no name for it.
 * @throws Error on one in memory: there a sync is no sync
 */
export function fileSystemOf(folder: string): string {
  const { type } = statfsSync(folder);
  const kind = KINDS.get(type) ?? `0x${type.toString(16)}`;
  if (IN_MEMORY.includes(kind)) throw new Error(`${folder} is on ${kind}, in memory: a sync costs nothing there, and what is measured means nothing. Name a folder on a disk with --folder.`);
  return kind;
}

/** Appends `bytes` and syncs, one after the other, for `seconds`: what the disk itself takes. */
export function probeDisk(folder: string, bytes: number, seconds: number): DiskProbe {
  const place = path.join(folder, `probe-${bytes}`);
  const file = openSync(place, 'w');
  const piece = Buffer.alloc(bytes, 0x2e);
  const latencies = new Latencies();
  const begun = performance.now();
  let now = begun;
  try {
    while (now - begun < seconds * 1_000) {
      const at = now;
      writeSync(file, piece);
      fdatasyncSync(file);
      now = performance.now();
      latencies.add(now - at);
    }
  } finally {
    closeSync(file);
    rmSync(place);
  }
  const ms = latencies.spread();
  return { bytes, syncsPerSecond: round((ms.count * 1_000) / (now - begun)), ms };
}
