import { counted, sizeText } from '../core/counted.js';
import type { Clock } from '../ports/clock.js';

/** So long after the last one an operator is told of them. Milliseconds. */
export const REPLACED_SAID_MS = 24 * 3_600_000;

/**
 * The logs in whose place a snapshot of the leader's came, since this process began, for no other reason than that this server had fallen too far behind. Each is kept: the leader has
 * not got the records any more by which the two could be compared. Nothing rests for it: that is the other server's log, and not a fault, that decides how often it happens.
 */
export class ReplacedLogs {
  private times = 0;
  private bytes = 0;
  private place = '';
  private lastAt = -Infinity;

  constructor(private readonly clock: Clock) {}

  /** One with so many bytes of records went to quarantine, which is at `place`. */
  add(bytes: number, place: string): void {
    const now = this.clock.monotonic();
    if (now - this.lastAt >= REPLACED_SAID_MS) this.times = this.bytes = 0;
    this.times += 1;
    this.bytes += bytes;
    this.place = place;
    this.lastAt = now;
  }

  /** What grows; `null` where there was none for a day. */
  get notice(): string | null {
    if (this.clock.monotonic() - this.lastAt >= REPLACED_SAID_MS) return null;
    return `this server had fallen too far behind and took a whole copy: what it had before (${counted(this.times, 'log')}, ${sizeText(this.bytes)} of records) stays in ${this.place} until it is removed by hand`;
  }
}
