/**
 * A server's own disk, one folder of it: every path is relative to that folder, with `/`, and never leaves it.
 * Failures reject, or are passed, as an Error with the system's `code` (ENOSPC, EIO, ENOENT …); ENOMEM where there is no memory for what shall be read.
 * After a failed `sync` nothing written to that file since its last good sync may be counted on.
 */
export interface Disk {
  /** Names in a folder, in no order; empty when the folder is not there. */
  list(folder: string): Promise<string[]>;
  /** The whole file. For small files. */
  readFile(path: string): Promise<Uint8Array>;
  /** Replaces a small file durably: temporary file, fsync, rename, fsync of the folder. */
  replaceFile(path: string, bytes: Uint8Array): Promise<void>;
  /** Creates the folder and those above it, durably; also where a process that was killed has made some of them. */
  makeFolder(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Removes a folder in which nothing is left (else ENOTEMPTY). */
  removeFolder(path: string): Promise<void>;
  /** Makes entries of the folder (created, renamed, removed) durable. */
  syncFolder(path: string): Promise<void>;
  /** `create`: must not exist. `write`: must exist. */
  open(path: string, mode: 'create' | 'write' | 'read'): Promise<DiskFile>;
  /** Where that is on this machine, for messages: an absolute path. Of any text; never throws. */
  place(path: string): string;
  /** Bytes that can still be written, as the file system says. */
  freeBytes(): Promise<number>;
}

export type Done = (error: Error | null) => void;

export interface DiskFile {
  size(): Promise<number>;
  /** Up to `length` bytes from `offset`; fewer at the end of the file. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Writes all of `parts`, one after the other, at `offset`. The parts are not changed until `done`. */
  write(parts: readonly Uint8Array[], offset: number, done: Done): void;
  /** fdatasync. */
  sync(done: Done): void;
  /**
   * Writes as `write` does, and makes these bytes durable: one operation where the system has it. What was written elsewhere in the file before and
   * never synced may still be lost. After an error it is not known which of the bytes are there, and none of them are durable; they may be
   * written again when the disk was full (ENOSPC, EDQUOT), and after another error nothing of the file may be counted on, as after a failed `sync`.
   */
  writeSynced(parts: readonly Uint8Array[], offset: number, done: Done): void;
  truncate(length: number): Promise<void>;
  close(): Promise<void>;
}
