/**
 * The raw operations on the shared folder that the keeper needs. Paths are relative to the folder of the lockfile. Any call may take minutes
 * or never answer; a call that failed or did not answer may have taken effect all the same. Failures reject with an Error
 * that carries the system's `code`.
 */
export interface ShareFiles {
  /** Whole content by open + read + close: never from a cached handle. */
  read(path: string): Promise<Uint8Array>;
  /** Names in a folder. The answer may be stale. */
  list(folder: string): Promise<string[]>;
  /** Creates a file that must not exist, writes it and fsyncs it. */
  createSynced(path: string, bytes: Uint8Array): Promise<void>;
  /** Rewrites an existing file of the same length in place, and fsyncs it. Creates it when absent. */
  rewriteInPlace(path: string, bytes: Uint8Array): Promise<void>;
  /** Hard link. EEXIST when `to` is there. */
  link(from: string, to: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  makeFolder(path: string): Promise<void>;
  removeFile(path: string): Promise<void>;
  removeFolder(path: string): Promise<void>;
  syncFolder(path: string): Promise<void>;
  /** Rejects as writing would: where a file that stands there cannot be opened for it, or a folder would take no new name from this process. Changes nothing. */
  checkWritable(path: string): Promise<void>;
  /** What tells one folder or file from a later one of the same name (device and inode number and birth time, as text). Rejects with ENOENT when absent. */
  identity(path: string): Promise<string>;
}

export type LockAnswer = 'taken' | 'left' | 'held';

/** The kernel of the lock: somebody holds a name, or nobody does. Production: proper-lockfile. */
export interface LockPrimitive {
  /** What stands there now, as text that differs from that of every earlier and later lock; `null` when the lock is free. */
  standing(): Promise<string | null>;
  /**
   * Takes the lock if it is free, or if `mayTakeOver` (asked at the last moment, with what `standing` would say) says that its
   * holder is gone. Whatever else stands there by then is not touched.
   * `taken`: ours. `left`: ours, and it stood there already, from an earlier try that got no answer, or one that has not been given up since. `held`: somebody else has it.
   * Rejects when the share failed; then it may be ours all the same, and the next try finds out.
   */
  acquire(mayTakeOver: (standing: string) => boolean): Promise<LockAnswer>;
  /** Whether the lock we took is still the one that stands there. */
  stillOurs(): Promise<boolean>;
  /** Gives it up if it is still ours; never removes another's. */
  release(): Promise<void>;
}
