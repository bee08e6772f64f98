import type { LogRecord } from '../core/journal/envelope.js';
import type { Monotonic } from '../core/identity.js';
import { isOfOneMessage } from '../core/broker/records.js';
import type { ReplicationFrame } from '../core/replication/frames.js';
import type { Clock } from '../ports/clock.js';
import { TURN_MS } from './rebuild.js';

/*
 * What the leader sends, taken in frame by frame: records that take long to apply in turns with everything else that this process does.
 *
 * Invariants
 * - In the order in which it came: while records wait for their turn, what comes behind them waits, too. That is little: the stream is
 *   paused, and only what came in one piece with them is here already.
 * - Records are appended and applied in the same turn, so that the state stands at the head of the log between any two, and nothing
 *   is on its way to the disk, or said to be durable, that is not applied.
 * - After `end` nothing more is taken in: what waits is as if it had not come.
 */
export interface IntakeListener {
  /** The frame's turn. Its records are given to `records`. */
  frame(frame: ReplicationFrame): void;
  /** Takes records until `more` says no: at least one. @returns how many bytes they were */
  records(bytes: Uint8Array, more: (record: LogRecord) => boolean): number;
  /** With false nothing more shall be read, with true it may be again. */
  pace(go: boolean): void;
}

/** Records of a message are looked at after so many, and with each frame: looking costs a tenth of what most of them do. */
const RECORDS_PER_LOOK = 4;

export class Intake {
  private over = false;
  /** The stream is paused for the others' turns. */
  private paused = false;
  /** The others have their turn now. */
  private yielded = false;
  private workedMs = 0;
  /** Up to here time is counted, or was not ours. */
  private lookedAt: Monotonic;
  private unlooked = 0;
  /** Of the frame under way, in memory of its own. */
  private rest: Uint8Array | null = null;
  private waiting: ReplicationFrame[] = [];

  constructor(
    private readonly clock: Clock,
    private readonly listener: IntakeListener,
  ) {
    this.lookedAt = clock.monotonic();
  }

  /** @param now when it came */
  take(frame: ReplicationFrame, now: Monotonic): void {
    if (this.paused) {
      this.waiting.push(kept(frame));
      return;
    }
    this.lookedAt = now;
    this.listener.frame(frame);
  }

  /** Of the frame whose turn it is. */
  records(bytes: Uint8Array): void {
    const taken = this.listener.records(bytes, this.more);
    if (this.over) return;
    if (taken < bytes.length) this.rest = bytes.slice(taken);
    else if (!this.isLong()) return;
    this.yield();
  }

  end(): void {
    this.over = true;
    this.rest = null;
    this.waiting = [];
  }

  private readonly more = (record: LogRecord): boolean => {
    this.unlooked += 1;
    return (this.unlooked < RECORDS_PER_LOOK && isOfOneMessage(record.type)) || !this.isLong();
  };

  /** Whether the others should have their turn. */
  private isLong(): boolean {
    const now = this.clock.monotonic();
    this.workedMs += now - this.lookedAt;
    this.lookedAt = now;
    this.unlooked = 0;
    return this.workedMs >= TURN_MS;
  }

  private yield(): void {
    if (!this.paused) this.listener.pace(false);
    this.paused = true;
    this.yielded = true;
    this.clock.soon(() => this.goOn());
  }

  private goOn(): void {
    if (this.over) return;
    this.yielded = false;
    this.workedMs = 0;
    this.lookedAt = this.clock.monotonic();
    const { rest } = this;
    this.rest = null;
    if (rest !== null) this.records(rest);
    while (this.goesOn && this.waiting.length > 0) this.listener.frame(this.waiting.shift() as ReplicationFrame);
    if (!this.goesOn) return;
    this.paused = false;
    this.listener.pace(true);
  }

  private get goesOn(): boolean {
    return !this.over && !this.yielded;
  }
}

/** What came is a view that others may write to. */
function kept(frame: ReplicationFrame): ReplicationFrame {
  return frame.kind === 'records' || frame.kind === 'chunk' ? { ...frame, bytes: frame.bytes.slice() } : frame;
}
