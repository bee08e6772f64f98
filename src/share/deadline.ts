import type { Clock } from '../ports/clock.js';
import type { LockPrimitive, ShareFiles } from '../ports/share.js';

/** What the keeper hears about operations that take too long. They cannot be cancelled, only reported. */
export interface Lateness {
  late(operation: string): void;
  /** A late operation was answered after all. */
  back(operation: string): void;
}

/**
 * A timer that fires later than due by more than this part of the limit: this process stood still. The answer may lie there unread, so that the
 * operation has the whole time once more.
 */
const STOOD_STILL_FRACTION = 0.5;

/** Watches operations: each is reported once it is past `limitMs`. */
export class Deadline {
  constructor(
    private readonly clock: Clock,
    private readonly limitMs: number,
    private readonly lateness: Lateness,
  ) {}

  async watch<T>(operation: string, run: () => Promise<T>): Promise<T> {
    let late = false;
    let cancel = (): void => undefined;
    const arm = (): void => {
      const due = this.clock.monotonic() + this.limitMs;
      cancel = this.clock.after(this.limitMs, () => {
        if (this.clock.monotonic() - due > this.limitMs * STOOD_STILL_FRACTION) return arm();
        late = true;
        this.lateness.late(operation);
      });
    };
    arm();
    try {
      return await run();
    } finally {
      cancel();
      if (late) this.lateness.back(operation);
    }
  }
}

/** The same files, every operation under the deadline. */
export function timedFiles(files: ShareFiles, deadline: Deadline): ShareFiles {
  return {
    read: (path) => deadline.watch(`read ${path}`, () => files.read(path)),
    list: (folder) => deadline.watch(`list ${folder}`, () => files.list(folder)),
    createSynced: (path, bytes) => deadline.watch(`create ${path}`, () => files.createSynced(path, bytes)),
    rewriteInPlace: (path, bytes) => deadline.watch(`rewrite ${path}`, () => files.rewriteInPlace(path, bytes)),
    link: (from, to) => deadline.watch(`link ${to}`, () => files.link(from, to)),
    rename: (from, to) => deadline.watch(`rename ${to}`, () => files.rename(from, to)),
    makeFolder: (path) => deadline.watch(`make folder ${path}`, () => files.makeFolder(path)),
    removeFile: (path) => deadline.watch(`remove ${path}`, () => files.removeFile(path)),
    removeFolder: (path) => deadline.watch(`remove folder ${path}`, () => files.removeFolder(path)),
    syncFolder: (path) => deadline.watch(`sync folder ${path}`, () => files.syncFolder(path)),
    checkWritable: (path) => deadline.watch(`open ${path} for writing`, () => files.checkWritable(path)),
    identity: (path) => deadline.watch(`look at ${path}`, () => files.identity(path)),
  };
}

export function timedLock(lock: LockPrimitive, deadline: Deadline): LockPrimitive {
  return {
    standing: () => deadline.watch('look at the lock', () => lock.standing()),
    acquire: (mayTakeOver) => deadline.watch('acquire the lock', () => lock.acquire(mayTakeOver)),
    stillOurs: () => deadline.watch('verify the lock', () => lock.stillOurs()),
    release: () => deadline.watch('release the lock', () => lock.release()),
  };
}
