import { counted } from '../core/counted.js';
import type { Cancel, Clock } from '../ports/clock.js';
import type { Log } from '../ports/log.js';

/** Orphans of one record. */
const ORPHANS_PER_RECORD = 500;
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
  /** Writes that they are gone. @returns false when that was not possible now */
  bury(clientIds: readonly string[]): boolean;
}

/** The clients of the server before: they have their time to come back, and those that did not are gone then, with their wills. */
export class Orphans {
  private grace: Cancel | null = null;
  private until = Infinity;

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
  }

  private bury(): void {
    this.grace = null;
    if (this.tools.loginsWait() && this.tools.clock.monotonic() < this.until) return this.retry();
    const orphans = this.listener.find();
    if (orphans === null) return this.retry();
    if (orphans.length === 0) return;
    this.tools.log.write('info', `Did not come back: ${counted(orphans.length, 'client')} of the term before; their wills are published`, { count: orphans.length });
    for (let at = 0; at < orphans.length; at += ORPHANS_PER_RECORD) {
      if (!this.listener.bury(orphans.slice(at, at + ORPHANS_PER_RECORD))) return this.retry();
    }
  }

  private retry(): void {
    this.grace = this.tools.clock.after(GRACE_RETRY_MS, () => this.bury());
  }
}
