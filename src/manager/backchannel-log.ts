import type { Clock } from '../ports/clock.js';
import type { Log, LogLevel } from '../ports/log.js';

/** The same line is not said again within this time; the next one says how often it was left out. */
export const REPEAT_MS = 30_000;
const LINES_MAX = 64;
const LINE_CHARS_MAX = 1000;

/** A log that a stranger on the network cannot fill: text from outside is cut and cleaned, repeated lines are left out. */
export class QuietLog {
  private readonly said = new Map<string, { at: number; leftOut: number }>();

  constructor(
    private readonly log: Log,
    private readonly clock: Clock,
  ) {}

  /** `topic`: what makes two lines the same, whatever their details. */
  write(level: LogLevel, topic: string, message: string, fields?: Readonly<Record<string, unknown>>): void {
    const now = this.clock.monotonic();
    const known = this.said.get(topic);
    if (known !== undefined && now - known.at < REPEAT_MS) {
      known.leftOut += 1;
      return;
    }
    if (this.said.size >= LINES_MAX) this.said.clear();
    this.said.set(topic, { at: now, leftOut: 0 });
    const leftOut = known === undefined || known.leftOut === 0 ? '' : ` (${known.leftOut} more since the last such line)`;
    this.log.write(level, `${printable(message)}${leftOut}`, fields);
  }

  /** The next line of this topic is said at once: what it is about has changed. */
  forget(topic: string): void {
    this.said.delete(topic);
  }

  /** The same, and it says how many were left out before. */
  due(topic: string): void {
    const known = this.said.get(topic);
    if (known !== undefined) known.at = -Infinity;
  }
}

/** One line without control characters, of bounded length. */
export function printable(text: string): string {
  const line = text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ');
  return line.length <= LINE_CHARS_MAX ? line : `${line.slice(0, LINE_CHARS_MAX)}…`;
}
