import { lstat } from 'node:fs';
import { LockstepError } from '../../core/errors.js';
import type { Cancel, Clock } from '../../ports/clock.js';
import type { FileSystem } from './file-system.js';

/**
 * Nothing tells how far the system is with a sync. The most that is synced at once, 256 MiB, takes a disk of one megabyte a second so long, and somewhat less: a limit
 * that a slow disk does not keep would end each try. Of several the system may do all at the same time, and beside them what others have written: so long as one ends, it works.
 */
export const HANG_MS = 300_000;
/** The time is counted in looks: one that comes late, because this process stood still, counts once. */
const LOOKS = 10;

export interface HangParts {
  readonly clock: Clock;
  /** @param error LOCKSTEP_REPOSITORY_HUNG */
  readonly hung: (error: LockstepError) => void;
}

interface Call {
  readonly what: string;
  /** Whether the system still does something there; what it answers is no matter. */
  readonly probe: ((answered: () => void) => void) | null;
  isProbed: boolean;
  looks: number;
}

/**
 * A file system whose calls that end by and by are watched: one that has not ended in five minutes, in which no sync has ended either, hangs. Calls that this process itself hangs in are noticed by who
 * waits for its word. A removal of a large tree takes as long as it takes: it hangs where the system does not even tell what stands there.
 */
export function watchedFiles(fs: FileSystem, parts: HangParts): FileSystem {
  const watch = new HangWatch(parts);
  return {
    ...fs,
    fsync: ((fd: number, done: (error: NodeJS.ErrnoException | null) => void) => fs.fsync(fd, watch.sync(done))) as FileSystem['fsync'],
    fdatasync: ((fd: number, done: (error: NodeJS.ErrnoException | null) => void) => fs.fdatasync(fd, watch.sync(done))) as FileSystem['fdatasync'],
    removeTree: (path) => fs.removeTree(path).finally(watch.begin(`the removal of ${path}`, (answered) => lstat(path, answered))),
  };
}

class HangWatch {
  private readonly calls = new Set<Call>();
  private looking: Cancel | null = null;

  constructor(private readonly parts: HangParts) {}

  /** @returns what says that it has ended */
  begin(what: string, probe: Call['probe'] = null): () => void {
    const call: Call = { what, probe, isProbed: false, looks: 0 };
    this.calls.add(call);
    this.looking ??= this.lookLater();
    return () => {
      this.calls.delete(call);
      if (this.calls.size > 0) return;
      this.looking?.();
      this.looking = null;
    };
  }

  /** @returns what the system is to call when the sync has ended: a disk that has made something durable does not hang. */
  sync(done: (error: NodeJS.ErrnoException | null) => void): (error: NodeJS.ErrnoException | null) => void {
    const end = this.begin('a sync to the disk');
    return (error) => {
      end();
      for (const call of this.calls) call.looks = 0;
      done(error);
    };
  }

  private lookLater(): Cancel {
    return this.parts.clock.after(HANG_MS / LOOKS, () => {
      this.looking = this.lookLater();
      for (const call of this.calls) this.look(call);
    });
  }

  private look(call: Call): void {
    call.looks += 1;
    // The first look can come right after its beginning. Said once.
    if (call.looks === LOOKS + 1) return this.parts.hung(new LockstepError('LOCKSTEP_REPOSITORY_HUNG', `${call.what} has not ended in ${HANG_MS / 60_000} minutes`, 'See the disk or the mount on which the repository lies, and the system log; the syncs go on by themselves when it answers.'));
    if (call.probe === null || call.isProbed) return;
    call.isProbed = true;
    call.probe(() => {
      call.isProbed = false;
      call.looks = 0;
    });
  }
}
