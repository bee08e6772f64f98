import type { Clock } from '../../ports/clock.js';
import type { Log, LogLevel } from '../../ports/log.js';

/** A kind of line is written once in this time; further ones are counted and told with the next. */
export const QUIET_MS = 10_000;
/** So many whom a kind of line is about are told apart at one time; further ones share a line. */
export const APART_MAX = 20;
const WHO_CHARS_MAX = 200;

interface Quiet {
  until: number;
  unsaid: number;
}

interface Kind {
  /** For lines about nobody in particular, and about those beyond `APART_MAX`. */
  readonly shared: Quiet;
  readonly apart: Map<string, Quiet>;
}

/**
 * A log for what clients cause, so that no client can fill it. Lines are throttled by their key, and where it is said by whom they are about; keys are
 * fixed words of the caller, never something that a client chose, so that the table stays small.
 */
export class ThrottledLog {
  private readonly kinds = new Map<string, Kind>();

  constructor(
    private readonly log: Log,
    private readonly clock: Clock,
    private readonly quietMs: number = QUIET_MS,
  ) {}

  /**
   * Writes the line at once, or counts it when one of the same key was written less than `quietMs` ago. With `who` (what a client chose may be in it),
   * lines about one do not keep those about another from being written: up to `APART_MAX` of them in that time, and one for all others.
   */
  write(key: string, level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>, who: string | null = null): void {
    const now = this.clock.monotonic();
    const quiet = this.quietOf(key, who, now);
    if (now < quiet.until) {
      quiet.unsaid += 1;
      return;
    }
    const { unsaid } = quiet;
    quiet.until = now + this.quietMs;
    quiet.unsaid = 0;
    const tail = unsaid > 0 ? ` (and ${unsaid} more of this kind since the last such line)` : '';
    this.log.write(level, message + tail, unsaid > 0 ? { ...fields, unsaid } : fields);
  }

  /** For what no client can cause often. */
  always(level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>): void {
    this.log.write(level, message, fields);
  }

  private quietOf(key: string, who: string | null, now: number): Quiet {
    let kind = this.kinds.get(key);
    if (kind === undefined) this.kinds.set(key, (kind = { shared: fresh(), apart: new Map() }));
    if (who === null) return kind.shared;
    const name = who.slice(0, WHO_CHARS_MAX);
    const there = kind.apart.get(name);
    if (there !== undefined) return there;
    if (kind.apart.size >= APART_MAX) forgetEnded(kind, now);
    if (kind.apart.size >= APART_MAX) return kind.shared;
    const quiet = fresh();
    kind.apart.set(name, quiet);
    return quiet;
  }
}

function fresh(): Quiet {
  return { until: -Infinity, unsaid: 0 };
}

/** What was counted of them is told with the next line about others. */
function forgetEnded({ shared, apart }: Kind, now: number): void {
  for (const [name, { until, unsaid }] of apart) {
    if (now < until) continue;
    shared.unsaid += unsaid;
    apart.delete(name);
  }
}
