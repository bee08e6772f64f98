import { assert } from '../../core/errors.js';
import type { Position } from '../../core/identity.js';
import { blockOf } from '../../core/journal/codec.js';
import type { LogPoint } from '../../core/journal/envelope.js';
import { GROUP_HEADER_BYTES, writeGroupHeader, type GroupKind } from '../../core/journal/group.js';
import type { Cancel } from '../../ports/clock.js';
import type { JournalContext } from './context.js';
import type { DiskFile } from '../../ports/disk.js';
import { isNoRoom, isShortage, originOf, reasonOf, writeSyncedFully } from './files.js';
import type { RecordRun } from './api.js';
import type { GroupQueue } from './group-queue.js';
import type { ActiveSegment } from './roller.js';
import { damaged } from './troubles.js';

/** What the committer tells its journal. */
export interface CommitEvents {
  /** Records that were appended, each once: they go to the disk now, or behind what is being written. */
  records(run: RecordRun): void;
  durable(position: Position): void;
  /** `why`: what the commit waits for; `null` when it goes on. */
  room(why: string | null): void;
  failed(reason: string): void;
  /** Makes the segment after `base`. */
  roll(base: LogPoint): Promise<ActiveSegment>;
}

/**
 * `busy`: a write, a sync or a roll is under way. `waiting`: no room, or no file to be had for a segment; tries again by a timer. `paused`: the journal is being
 * changed. `stopped`: for good.
 */
type CommitState = 'idle' | 'scheduled' | 'busy' | 'waiting' | 'paused' | 'stopped';

/**
 * Writes groups and syncs them, one commit at a time: what was appended meanwhile is the next one.
 *
 * Invariants
 * - A commit is written only after the one before is durable, so that at most one is in doubt after a crash.
 * - `durable` moves only when a sync that began after the write has ended well.
 * - No failed sync is ever tried again: the system may have forgotten what it could not write. For want of room the commit is: it writes all its bytes again. (What counted
 *   before it was synced would not be: a disk that allowed that says so by another error.)
 * - A commit begins where the durable part of the segment ends: a mark that was written since, without a sync, is written again with it.
 */
export class Committer {
  /** What the commit waits for, in words; `null`: for nothing that is missing. */
  waitsFor: string | null = null;
  private state: CommitState = 'idle';
  /** What was appended is looked at as soon as the present event has been dealt with. */
  private hurried = false;
  /** The mark behind the durable part of the segment, which no sync has taken along yet. */
  private unsynced: Uint8Array | null = null;
  private marked: Position;
  private markTimer: Cancel | null = null;
  private retryTimer: Cancel | null = null;
  private wantsPause = false;
  /** A segment that is there already while the seal of the one before could not be written yet. */
  private rolled: ActiveSegment | null = null;
  private readonly waiters: { resolve(): void; reject(error: Error): void }[] = [];

  constructor(
    private readonly context: JournalContext,
    private readonly queue: GroupQueue,
    private readonly stamp: number,
    private active: ActiveSegment,
    public durable: Position,
    /** Up to here the segments themselves say that the log is durable. */
    vouched: Position,
    private readonly events: CommitEvents,
  ) {
    this.marked = vouched;
    if (this.marked < durable) this.armMark();
  }

  get stopped(): boolean {
    return this.state === 'stopped';
  }

  /** Something was appended. */
  kick(): void {
    if (this.queue.newBytes >= this.context.options.hurryBytes) this.hurry();
    if (this.state === 'idle') this.schedule();
  }

  /** Not at once: what arrives in the same turn of the loop shares the commit. */
  private schedule(): void {
    this.state = 'scheduled';
    this.context.clock.soon(() => {
      if (this.state === 'scheduled') this.next();
    });
  }

  /** The disk, and who hears of records, work on much that came together while the rest of the turn is being heard. */
  private hurry(): void {
    if (this.hurried) return;
    this.hurried = true;
    this.context.clock.next(() => {
      this.hurried = false;
      if (this.state === 'scheduled') this.next();
      else if (this.state === 'busy') this.show();
    });
  }

  /** Tells of records that wait for the disk, and not for the next commit. */
  handOut(): void {
    if (this.state === 'busy' || this.state === 'waiting') this.show();
  }

  private show(): void {
    for (const run of this.queue.takeNew()) this.events.records(run);
  }

  /** Resolves when all that was appended is durable and nothing is under way; then nothing begins until `resume`. */
  pause(): Promise<void> {
    if (this.state === 'stopped') return Promise.reject(damaged('it has failed'));
    this.wantsPause = true;
    if (this.state === 'idle') this.state = 'paused';
    if (this.state === 'paused') return Promise.resolve();
    return new Promise((resolve, reject) => this.waiters.push({ resolve, reject }));
  }

  resume(): void {
    this.wantsPause = false;
    if (this.state !== 'paused') return;
    this.state = 'idle';
    if (!this.queue.empty) this.kick();
  }

  /** Nothing is begun any more. What the disk still does ends without being heard. */
  stop(reason: string): void {
    this.state = 'stopped';
    this.markTimer?.();
    this.retryTimer?.();
    for (const waiter of this.waiters.splice(0)) waiter.reject(damaged(reason));
  }

  /** While paused: vouches durably for everything written, and closes the segment's file. */
  async finish(): Promise<void> {
    assert(this.state === 'paused', 'a journal is closed while it commits');
    this.state = 'stopped';
    this.markTimer?.();
    const { segment, file } = this.active;
    if (this.marked < this.durable) {
      await this.writeBehind(file, segment.end, this.header('mark'));
      segment.end += GROUP_HEADER_BYTES;
    }
    await file.close();
  }

  /** Closes the file of a committer that was stopped. */
  async abandon(): Promise<void> {
    await this.rolled?.file.close().catch(() => undefined);
    await this.active.file.close().catch(() => undefined);
  }

  private next(): void {
    this.queue.seal();
    if (this.queue.sealed.length === 0) {
      this.settle();
      return;
    }
    this.state = 'busy';
    const count = this.fitting();
    if (count === 0) this.roll();
    else this.write(count);
  }

  /** How many of the waiting groups go into one commit to this segment. */
  private fitting(): number {
    const { segment } = this.active;
    const { segmentBytes, commitBytes } = this.context.options;
    // The seal must still fit behind them.
    const room = segmentBytes - GROUP_HEADER_BYTES - segment.end;
    let bytes = 0;
    let count = 0;
    for (const group of this.queue.sealed) {
      const more = bytes + group.end - group.start;
      if (more > room || (count > 0 && more > commitBytes)) break;
      bytes = more;
      count++;
    }
    return count === 0 && segment.empty ? 1 : count;
  }

  private write(count: number): void {
    this.show();
    const parts: Uint8Array[] = this.unsynced === null ? [] : [this.unsynced];
    for (const group of this.queue.sealed.slice(0, count)) {
      this.queue.finish(group, this.durable, this.stamp);
      parts.push(group.block.bytes.subarray(group.start, group.end));
    }
    const { file, segment } = this.active;
    file.writeSynced(parts, segment.end - (this.unsynced?.length ?? 0), (error) => {
      if (this.state === 'stopped') return;
      if (error === null) this.committed(count);
      else this.failedTo('write and sync', error);
    });
  }

  private committed(count: number): void {
    const { segment } = this.active;
    this.unsynced = null;
    for (const group of this.queue.sealed.slice(0, count)) segment.add(group);
    this.queue.release(count);
    this.durable = segment.last;
    if (this.waitsFor !== null) {
      this.waitsFor = null;
      this.events.room(null);
    }
    const durable = this.durable;
    // The disk works on the next commit while the answers to this one go out; for little, it waits for what else this turn of the loop brings.
    if (this.queue.pendingBytes >= this.context.options.hurryBytes || this.queue.empty || this.wantsPause) this.next();
    else this.schedule();
    this.events.durable(durable);
  }

  /** A new segment, then a seal on the old one that says so; only then records go into the new one. */
  private roll(): void {
    const { segment, file } = this.active;
    const last = this.queue.sealed[0];
    assert(last !== undefined && last.before.position === this.durable, 'a segment is begun while records before it are not durable');
    const work = async (): Promise<void> => {
      this.rolled ??= await this.events.roll(last.before);
      if (this.stopped) return this.rolled.file.close();
      await this.writeBehind(file, segment.end, this.header('seal'));
      await file.close();
      segment.end += GROUP_HEADER_BYTES;
      this.unsynced = null;
      this.active = this.rolled;
      this.rolled = null;
    };
    work().then(
      () => this.state !== 'stopped' && this.next(),
      (error: unknown) => this.state !== 'stopped' && this.failedTo('begin a segment after', error, this.rolled === null),
    );
  }

  /** Durably, with the mark before it. By the way that commits go: a failure of theirs that is over would be told once more by another. */
  private writeBehind(file: DiskFile, end: number, header: Uint8Array): Promise<void> {
    const parts = this.unsynced === null ? [header] : [this.unsynced, header];
    return writeSyncedFully(file, parts, end - (this.unsynced?.length ?? 0));
  }

  /**
   * @param untouched nothing of the log was written, so that also what the host lacks only now, as files, is waited for; and whatever a failed sync may have cost, of the log it cost nothing
   */
  private failedTo(what: string, failure: unknown, untouched = false): void {
    const error = untouched ? originOf(failure) : failure;
    if (!isNoRoom(error) && !(untouched && isShortage(error))) {
      this.fail(`could not ${what} segment ${this.active.segment.name}: ${reasonOf(error)}`);
      return;
    }
    this.state = 'waiting';
    this.retryTimer = this.context.clock.after(this.context.options.fullRetryMs, () => {
      if (this.state === 'waiting') this.next();
    });
    if (this.waitsFor !== null) return;
    this.waitsFor = isNoRoom(error) ? 'no room on the disk' : `no means to begin a segment (${reasonOf(error)})`;
    this.events.room(this.waitsFor);
  }

  private fail(reason: string): void {
    this.stop(reason);
    this.events.failed(reason);
  }

  private settle(): void {
    this.state = this.wantsPause ? 'paused' : 'idle';
    if (this.state === 'paused') for (const waiter of this.waiters.splice(0)) waiter.resolve();
    else if (this.marked < this.durable) this.armMark();
  }

  private armMark(): void {
    if (this.markTimer !== null) return;
    this.markTimer = this.context.clock.after(this.context.options.idleMarkMs, () => {
      this.markTimer = null;
      if (this.state === 'idle' && this.marked < this.durable) this.mark();
    });
  }

  /** Vouches for the last commit without a sync of its own: it survives the process, and the next sync takes it along. */
  private mark(): void {
    const { segment, file } = this.active;
    this.state = 'busy';
    const vouched = this.durable;
    const mark = this.header('mark');
    file.write([mark], segment.end, (error) => {
      if (this.state === 'stopped') return;
      if (error === null) {
        segment.end += GROUP_HEADER_BYTES;
        this.unsynced = mark;
        this.marked = vouched;
      } else if (!isNoRoom(error)) {
        this.fail(`could not write to segment ${segment.name}: ${error.message}`);
        return;
      } else {
        this.marked = vouched;
      }
      this.next();
    });
  }

  private header(kind: GroupKind): Uint8Array {
    const target = blockOf(new Uint8Array(GROUP_HEADER_BYTES));
    const first = this.queue.sealed[0];
    const before = first === undefined ? this.queue.head : first.before;
    assert(before.position === this.durable, 'a mark would vouch for what is not durable');
    writeGroupHeader(target, 0, { kind, bytes: 0, records: 0, before, durable: this.durable }, this.stamp, this.context.codec.checksum);
    return target.bytes;
  }
}
