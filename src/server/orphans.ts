import { counted } from '../core/counted.js';
import type { Cancel, Clock } from '../ports/clock.js';
import type { Log } from '../ports/log.js';

/** Orphans of one record, … */
const ORPHANS_PER_RECORD = 500;
/** … and what their wills may bring together, if each goes to every session; one alone may bring more. */
const DELIVERIES_PER_RECORD = 50_000;
/** … and what their sessions may have that end with them, in deliveries that are dropped: some 40 ms; one alone may have more. */
const REMOVED_PER_RECORD = 400_000;
const GRACE_RETRY_MS = 500;
/** While others still wait to be let in, they have so many times their time at most. */
const GRACE_TIMES_MAX = 10;

export interface OrphansTools {
  readonly clock: Clock;
  readonly log: Log;
  readonly graceMs: number;
  /** Clients wait to be let in, and may be among them. */
  readonly loginsWait: () => boolean;
}

export interface OrphansListener {
  /** Who has not come back; `null` while nothing can be written. */
  find(): readonly string[] | null;
  /** How many sessions there are, each of which may hear of every one of them. */
  sessions(): number;
  /** How long it takes to remove what is gone with one of them, in deliveries that are dropped. */
  removedWith(clientId: string): number;
  /** Writes that they are gone. @returns false when that was not possible now, too much waits, or was done in this turn */
  bury(clientIds: readonly string[]): boolean;
}

/** The clients of the server before: they have their time to come back, and those that did not are gone then, with their wills. */
export class Orphans {
  private grace: Cancel | null = null;
  private until = Infinity;
  /** Those who did not come back and are not buried yet. */
  private lost: readonly string[] = [];

  constructor(
    private readonly tools: OrphansTools,
    private readonly listener: OrphansListener,
  ) {}

  /** Their time begins, anew. */
  begin(): void {
    this.end();
    this.until = this.tools.clock.monotonic() + this.tools.graceMs * GRACE_TIMES_MAX;
    this.grace = this.tools.clock.after(this.tools.graceMs, () => this.bury());
  }

  /** They are nobody's here any more. */
  end(): void {
    this.grace?.();
    this.grace = null;
    this.lost = [];
  }

  /** There may be room again for those for whom there was none, or another turn. */
  goOn(): void {
    if (this.lost.length === 0 || this.grace === null) return;
    this.grace();
    this.buryLost();
  }

  private bury(): void {
    this.grace = null;
    if (this.lost.length > 0) return this.buryLost();
    if (this.tools.loginsWait() && this.tools.clock.monotonic() < this.until) return this.retry();
    const orphans = this.listener.find();
    if (orphans === null) return this.retry();
    if (orphans.length === 0) return;
    this.tools.log.write('info', `Did not come back: ${counted(orphans.length, 'client')} of the term before; their wills are published`, { count: orphans.length });
    this.lost = orphans;
    this.buryLost();
  }

  private buryLost(): void {
    this.grace = null;
    const { lost } = this;
    const perRecord = Math.max(1, Math.min(ORPHANS_PER_RECORD, Math.floor(DELIVERIES_PER_RECORD / Math.max(1, this.listener.sessions()))));
    for (let at = 0, end = 0; at < lost.length; at = end) {
      end = this.endOfRecord(at, perRecord);
      if (this.listener.bury(lost.slice(at, end))) continue;
      this.lost = lost.slice(at);
      return this.retry();
    }
    this.lost = [];
  }

  /** Behind the last of those that one record tells of, from `at` on. */
  private endOfRecord(at: number, perRecord: number): number {
    const most = Math.min(this.lost.length, at + perRecord);
    let end = at;
    for (let removed = 0; end < most; end += 1) {
      removed += this.listener.removedWith(this.lost[end] as string);
      if (end > at && removed > REMOVED_PER_RECORD) break;
    }
    return end;
  }

  private retry(): void {
    this.grace = this.tools.clock.after(GRACE_RETRY_MS, () => this.bury());
  }
}
