/** Lines kept for a failure; older ones are forgotten. */
const LINES_KEPT_MAX = 4_000;

/**
 * What happened in one run, a line an event that a person would want to read, and a sum over everything that was executed:
 * two runs of one seed have the same sum or the simulator is not deterministic.
 */
export class Transcript {
  private readonly kept: string[] = [];
  private from = 0;
  private sum1 = 0x811c9dc5;
  private sum2 = 0x01000193;
  private count = 0;

  /** `live`: also print each line at once. `detailed`: keep also what is told by `detail`. The sum does not depend on it. */
  constructor(
    private readonly now: () => number,
    private readonly states: () => string,
    private readonly live: ((line: string) => void) | null,
    private readonly detailed: boolean,
  ) {}

  /** `who` is the process, host or client concerned. */
  line(who: string, what: string): void {
    const line = this.format(who, what);
    for (let i = 0; i < line.length; i += 1) this.mix(line.charCodeAt(i));
    this.keep(line);
  }

  /** Something that only a reader of a failure wants to see: what each client does. */
  detail(who: string, what: string): void {
    if (this.detailed) this.keep(this.format(who, what));
  }

  /** Adds a number to the sum alone: the order of events that are not worth a line. */
  mix(value: number): void {
    this.sum1 = Math.imul(this.sum1 ^ value, 0x01000193);
    this.sum2 = (Math.imul(this.sum2, 31) + value) | 0;
  }

  private format(who: string, what: string): string {
    return `${formatTime(this.now())} ${this.states()} ${who.padEnd(18)} ${what}`;
  }

  private keep(line: string): void {
    this.count += 1;
    if (this.kept.length < LINES_KEPT_MAX) this.kept.push(line);
    else {
      this.kept[this.from] = line;
      this.from = (this.from + 1) % LINES_KEPT_MAX;
    }
    this.live?.(line);
  }

  get hash(): string {
    return (this.sum1 >>> 0).toString(16).padStart(8, '0') + (this.sum2 >>> 0).toString(16).padStart(8, '0');
  }

  get lineCount(): number {
    return this.count;
  }

  lines(): string[] {
    return [...this.kept.slice(this.from), ...this.kept.slice(0, this.from)];
  }
}

/** Virtual milliseconds as `mm:ss.mmm`. */
export function formatTime(ms: number): string {
  const whole = Math.floor(ms);
  const minutes = String(Math.floor(whole / 60_000)).padStart(2, '0');
  const seconds = String(Math.floor(whole / 1000) % 60).padStart(2, '0');
  return `${minutes}:${seconds}.${String(whole % 1000).padStart(3, '0')}`;
}
