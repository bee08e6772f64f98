import type { Clock } from '../../ports/clock.js';
import type { Log, LogLevel } from '../../ports/log.js';

/** A kind of line is written once in this time; further ones are counted and told with the next. */
export const QUIET_MS = 10_000;

interface Quiet {
  until: number;
  unsaid: number;
}

/**
 * A log for what clients cause, so that no client can fill it. Lines are throttled by their key; keys are fixed words of the
 * caller, never something that a client chose, so that the table stays small.
 */
export class ThrottledLog {
  private readonly quiet = new Map<string, Quiet>();

  constructor(
    private readonly log: Log,
    private readonly clock: Clock,
    private readonly quietMs: number = QUIET_MS,
  ) {}

  /** Writes the line at once, or counts it when one of the same key was written less than `quietMs` ago. */
  write(key: string, level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>): void {
    const now = this.clock.monotonic();
    const before = this.quiet.get(key);
    if (before !== undefined && now < before.until) {
      before.unsaid += 1;
      return;
    }
    const unsaid = before?.unsaid ?? 0;
    this.quiet.set(key, { until: now + this.quietMs, unsaid: 0 });
    const tail = unsaid > 0 ? ` (and ${unsaid} more of this kind since the last such line)` : '';
    this.log.write(level, message + tail, unsaid > 0 ? { ...fields, unsaid } : fields);
  }

  /** For what no client can cause often. */
  always(level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>): void {
    this.log.write(level, message, fields);
  }
}
