import { counted, sizeText } from '../core/counted.js';
import type { Clock } from '../ports/clock.js';
import type { Log } from '../ports/log.js';

/** So many times in a row a copy is taken anew, and goes on at once. */
export const RETAKES_AT_ONCE = 3;
/** The rest behind the next one; that behind each further one is twice as long. Milliseconds. */
export const RETAKE_REST_MS = 10 * 60_000;
/** No rest is longer. A copy that lasts for so long ends the row. Milliseconds. */
export const RETAKE_REST_MS_MAX = 24 * 3_600_000;

/**
 * The copies that this server has taken anew in a row, each because the one before was damaged, or differed from the leader's. What each one replaced is in quarantine, and
 * nothing of it is ever removed here: which of two states that differ is the right one nobody knows, and a damaged log can hold what it does not show. So that a
 * copy that fails again and again does not fill the disk, a server follows nobody for a while when it has taken its copy anew several times. The copy
 * itself is taken at once: while it rests, none that is known to be wrong lies there, and the one that does holds no records that could go to quarantine.
 */
export class Retakes {
  private times = 0;
  private bytes = 0;
  /** The folder that grows. */
  private place = '';
  /** The end of the last rest; where there was none, when the copy was taken. */
  private restsUntil = -Infinity;
  /** … by the host's clock. */
  private restsUntilWall = 0;

  constructor(
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /** A copy was taken anew, and a log with so many bytes of records went to quarantine, which is at `place`. */
  add(bytes: number, place: string): void {
    const now = this.clock.monotonic();
    if (this.isOver(now)) this.times = this.bytes = 0;
    this.times += 1;
    this.bytes += bytes;
    this.place = place;
    const restMs = this.times <= RETAKES_AT_ONCE ? 0 : Math.min(RETAKE_REST_MS_MAX, RETAKE_REST_MS * 2 ** (this.times - RETAKES_AT_ONCE - 1));
    this.restsUntil = Math.max(now, this.restsUntil + restMs);
    this.restsUntilWall = this.clock.wall() + this.restsUntil - now;
    const { notice } = this;
    if (notice !== null) this.log.write('warn', notice.charAt(0).toUpperCase() + notice.slice(1), { times: this.times, bytes: this.bytes, folder: place });
  }

  /** Why nobody is followed now; `null`: there is nothing against it. */
  get rest(): string | null {
    if (this.clock.monotonic() >= this.restsUntil) return null;
    return `this copy was taken anew ${this.times} times in a row, and rests until ${new Date(this.restsUntilWall).toISOString()}; this server, started anew, does not wait for that`;
  }

  /** What an operator should look at, and what grows; `null` while nothing repeats itself. */
  get notice(): string | null {
    if (this.times < 2 || this.isOver(this.clock.monotonic())) return null;
    return `this copy was taken anew ${this.times} times in a row: look for the cause. What was replaced (${counted(this.times, 'log')}, ${sizeText(this.bytes)} of records) stays in ${this.place} until it is removed by hand`;
  }

  private isOver(now: number): boolean {
    return now - this.restsUntil >= RETAKE_REST_MS_MAX;
  }
}
