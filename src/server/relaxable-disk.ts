import type { Disk, DiskFile, Done } from '../ports/disk.js';

/**
 * The disk of a profile that says `bothWithoutDiskSync`. While it is relaxed, what is written counts as synced; else it is synced indeed, and so is,
 * before it counts, what was under way when that began. Names and folders are durable at all times, so that what is there after a loss of power can still be understood.
 *
 * A write beyond the room of the disk is as ever: it waits, and is made again. A *sync* of a file that holds what counted without one is another matter, whatever its failure says, also
 * that there is no room: the system may have let go of all of that, and a second sync can succeed without having done anything. Such a failure is a `LostUnsynced`.
 */
export class RelaxableDisk implements Disk {
  private relaxed = false;
  private strict = 0;
  /** Grows when the disk is relaxed. */
  private round = 0;
  /** The last round of which all that counted is synced. */
  private settledThrough = 0;

  constructor(private readonly disk: Disk) {}

  /** Something may have counted as synced that is not, and nobody has synced it since. */
  get owes(): boolean {
    return this.round > this.settledThrough;
  }

  /** From now on nothing is synced. */
  relax(): void {
    if (this.relaxed) return;
    this.relaxed = true;
    this.round += 1;
  }

  /** From now on everything is. What counted before is the caller's to sync. @returns what to say by `settle` when that is done */
  insist(): number {
    this.relaxed = false;
    return this.round;
  }

  /** All that had counted when `insist` gave this answer is synced. */
  settle(round: number): void {
    this.settledThrough = Math.max(this.settledThrough, round);
  }

  /** Until `work` has ended everything is synced, whatever was asked for. */
  async strictly<T>(work: () => Promise<T>): Promise<T> {
    this.strict += 1;
    try {
      return await work();
    } finally {
      this.strict -= 1;
    }
  }

  private get isRelaxed(): boolean {
    return this.relaxed && this.strict === 0;
  }

  list(folder: string): Promise<string[]> {
    return this.disk.list(folder);
  }
  readFile(path: string): Promise<Uint8Array> {
    return this.disk.readFile(path);
  }
  replaceFile(path: string, bytes: Uint8Array): Promise<void> {
    return this.disk.replaceFile(path, bytes);
  }
  makeFolder(path: string): Promise<void> {
    return this.disk.makeFolder(path);
  }
  rename(from: string, to: string): Promise<void> {
    return this.disk.rename(from, to);
  }
  remove(path: string): Promise<void> {
    return this.disk.remove(path);
  }
  removeFolder(path: string): Promise<void> {
    return this.disk.removeFolder(path);
  }
  syncFolder(path: string): Promise<void> {
    return this.disk.syncFolder(path);
  }
  place(path: string): string {
    return this.disk.place(path);
  }
  freeBytes(): Promise<number> {
    return this.disk.freeBytes();
  }

  async open(path: string, mode: 'create' | 'write' | 'read'): Promise<DiskFile> {
    const file = await this.disk.open(path, mode);
    let closed = false;
    // Who changes the past of the log strictly has synced it before.
    let skippedIn = mode === 'write' && this.strict === 0 ? this.round : 0;
    let skips = 0;
    /** Something in this file may have counted without a sync. */
    const owed = (): boolean => skippedIn > this.settledThrough;
    const skipped = (done: Done): void => {
      skippedIn = this.round;
      skips += 1;
      done(null);
    };
    const toldBy = (done: Done): Done => {
      const [owedBefore, skipsBefore] = [owed(), skips];
      return (error) => {
        if (error === null && skips === skipsBefore) skippedIn = 0;
        done(error !== null && (owedBefore || owed()) ? new LostUnsynced(error) : error);
      };
    };
    const syncNow = (done: Done): void => file.sync(toldBy(done));
    const orSynced = (done: Done): Done => (error) => {
      if (error !== null) done(error);
      else if (this.isRelaxed) skipped(done);
      else if (closed) done(new Error('the file was closed meanwhile'));
      else syncNow(done);
    };
    return {
      size: () => file.size(),
      read: (offset, length) => file.read(offset, length),
      write: (parts, offset, done) => file.write(parts, offset, done),
      // After the write before it: an empty write waits for its turn as a sync would.
      sync: (done) => (this.isRelaxed ? file.write([], 0, orSynced(done)) : syncNow(done)),
      // In two steps while a sync could tell of more than these bytes: so it is known which of both has failed.
      writeSynced: (parts, offset, done) => (this.isRelaxed || owed() ? file.write(parts, offset, orSynced(done)) : file.writeSynced(parts, offset, done)),
      truncate: (length) => file.truncate(length),
      close: () => {
        closed = true;
        return file.close();
      },
    };
  }
}

/** The disk may have let go of what counted without being synced. It has no code of the system: nothing that is done about one helps. `cause`: what the system said. */
export class LostUnsynced extends Error {
  constructor(override readonly cause: Error) {
    super(`what counted before it was synced may be lost: ${cause.message}`);
  }
}
