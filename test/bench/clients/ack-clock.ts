/** `performance.now()` milliseconds. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

const NO_GAP: Span = { from: 0, to: 0 };

/** When acknowledgements came, by the address that gave them, of all publishers of a load together. `performance.now()` milliseconds. */
export class AckClock {
  private last = 0;
  private eventAt = Number.POSITIVE_INFINITY;
  private readonly lastOf = new Map<number, number>();
  private firstAfter = new Map<number, number>();
  private longest = NO_GAP;

  note(address: number, now: number): void {
    // The gap may have begun before the event.
    if (now > this.eventAt && now - this.last > this.longest.to - this.longest.from) this.longest = { from: this.last, to: now };
    this.last = now;
    this.lastOf.set(address, now);
    if (now > this.eventAt && !this.firstAfter.has(address)) this.firstAfter.set(address, now);
  }

  /** Something is done to the pair now. */
  event(now: number): void {
    this.eventAt = now;
    this.longest = NO_GAP;
    this.firstAfter = new Map();
  }

  /** The longest time without any acknowledgement that ended after the event. */
  get longestGap(): Span {
    return this.longest;
  }

  /** From the event to an address' first acknowledgement after it; `null` before that. */
  firstAckMs(address: number): number | null {
    const at = this.firstAfter.get(address);
    return at === undefined ? null : at - this.eventAt;
  }

  /** From the last acknowledgement of one address to the first of the other after the event; `null` before that. */
  handover(from: number, to: number): Span | null {
    const first = this.firstAfter.get(to);
    return first === undefined ? null : { from: this.lastOf.get(from) ?? this.eventAt, to: first };
  }
}
