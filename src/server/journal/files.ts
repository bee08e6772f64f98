import type { Disk, DiskFile } from '../../ports/disk.js';

/** `DiskFile.write` for where a promise costs nothing that matters. */
export function writeFully(file: DiskFile, parts: readonly Uint8Array[], offset: number): Promise<void> {
  return new Promise((resolve, reject) => {
    file.write(parts, offset, (error) => (error === null ? resolve() : reject(error)));
  });
}

/** `DiskFile.writeSynced` likewise. */
export function writeSyncedFully(file: DiskFile, parts: readonly Uint8Array[], offset: number): Promise<void> {
  return new Promise((resolve, reject) => {
    file.writeSynced(parts, offset, (error) => (error === null ? resolve() : reject(error)));
  });
}

export function syncFile(file: DiskFile): Promise<void> {
  return new Promise((resolve, reject) => {
    file.sync((error) => (error === null ? resolve() : reject(error)));
  });
}

/** Reads exactly `length` bytes, or as many as there are. */
export async function readFully(file: DiskFile, offset: number, length: number): Promise<Uint8Array> {
  const first = await file.read(offset, length);
  if (first.length === length || first.length === 0) return first;
  const all = new Uint8Array(length);
  all.set(first, 0);
  let at = first.length;
  while (at < length) {
    const more = await file.read(offset + at, length - at);
    if (more.length === 0) break;
    all.set(more, at);
    at += more.length;
  }
  return all.subarray(0, at);
}

/** The whole of a large file. */
export async function readWhole(disk: Disk, path: string): Promise<Uint8Array> {
  const file = await disk.open(path, 'read');
  try {
    return await readFully(file, 0, await file.size());
  } finally {
    await file.close();
  }
}

/** Creates a file, durably but for its folder entry. A file of that name is replaced. One that cannot be written whole is removed. */
export async function createSynced(disk: Disk, path: string, parts: readonly Uint8Array[]): Promise<DiskFile> {
  await removeIfThere(disk, path);
  const file = await disk.open(path, 'create');
  try {
    await writeFully(file, parts, 0);
    await syncFile(file);
    return file;
  } catch (error) {
    await file.close().catch(() => undefined);
    await removeIfThere(disk, path).catch(() => undefined);
    throw error;
  }
}

export async function removeIfThere(disk: Disk, path: string): Promise<void> {
  try {
    await disk.remove(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

/** The system's code of a failure, such as ENOSPC; empty when it has none. */
export function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

const PASSING: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EACCES', 'EPERM', 'EAGAIN', 'EBUSY', 'EINTR']);

/** A failure of reading that is the host's, or of rights, and says nothing of what lies on the disk. */
export function isPassing(error: unknown): boolean {
  return PASSING.has(codeOf(error)) || isNoMemory(error);
}

/** There is no memory for what was read. The language tells so without a code; a disk says ENOMEM. */
function isNoMemory(error: unknown): boolean {
  return error instanceof RangeError && error.message === 'Array buffer allocation failed';
}

const SHORTAGES: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOMEM']);

/** The host has no file, or no memory, to give just now. */
export function isShortage(error: unknown): boolean {
  return SHORTAGES.has(codeOf(error));
}

/** The disk, or this user's share of it, is used up: the one failure of a write that passes by itself. */
export function isNoRoom(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/** What lies behind a failure that another one has put into its own words. */
export function originOf(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? error.cause : error;
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
