import type { Monotonic, Position } from '../core/identity.js';
import type { Clock } from '../ports/clock.js';
import type { Log } from '../ports/log.js';
import { ThrottledLog } from './clients/throttled-log.js';

/** A disk that makes nothing durable for so long is told of. Milliseconds. */
export const DISK_PAUSE_MS = 500;

/**
 * Notices when the disk makes nothing durable although records wait for it. Disks that many machines share do that for up to a second now and then;
 * clients see a pause that nothing else explains. A disk that is slow and goes on is not meant.
 */
export class DiskPause {
  private lookedAt: Monotonic | null = null;
  private durable: Position | null = null;
  private since: Monotonic | null = null;
  private stalled = 0;
  private isPaused = false;
  private readonly log: ThrottledLog;

  /** @param tickMs how often it looks */
  constructor(
    private readonly clock: Clock,
    log: Log,
    private readonly tickMs: number,
  ) {
    this.log = new ThrottledLog(log, clock);
  }

  /** What is wrong, for the status; `null` while the disk goes on. */
  get trouble(): string | null {
    return this.isPaused ? `the disk has made nothing durable for more than ${DISK_PAUSE_MS} ms` : null;
  }

  /**
   * How long, as far as the look before the last one, records had waited without one more getting durable. Milliseconds; 0 while none waits or the disk goes on.
   * @param durable the last position that is durable by now: more than at the last look, and the disk goes on
   */
  stalledMs(durable: Position): number {
    return durable === this.durable ? this.stalled : 0;
  }

  /**
   * To be called at every tick.
   * @param durable the last position that the disk has made durable; `null` when none is to be expected (the copy is damaged)
   * @param isToldOf what holds the disk up has its own words (it is full)
   */
  look(head: Position, durable: Position | null, isToldOf: boolean): void {
    const now = this.clock.monotonic();
    const before = this.lookedAt;
    this.lookedAt = now;
    if (durable === null || durable === head || durable !== this.durable || before === null || this.since === null) {
      if (this.isPaused && this.since !== null) this.end(now - this.since);
      this.durable = durable;
      this.since = durable === null || durable === head ? null : now;
      this.stalled = 0;
      return;
    }
    // A look that comes late: this process itself was held up, and what the disk has done meanwhile is still to be read. The next look tells.
    this.stalled = before - this.since;
    if (now - before > this.tickMs + DISK_PAUSE_MS || this.isPaused || isToldOf || now - this.since < DISK_PAUSE_MS) return;
    this.isPaused = true;
    this.log.write('begin', 'warn', `The disk has made nothing durable for ${Math.round(now - this.since)} ms; nothing is acknowledged until it does`, { position: durable });
  }

  private end(ms: number): void {
    this.isPaused = false;
    this.log.write('end', 'info', `The disk goes on; it had made nothing durable for ${Math.round(ms)} ms`, { ms: Math.round(ms) });
  }
}
