/** When acknowledgements came, by the address that gave them, of all publishers of a load together. `performance.now()` milliseconds. */
export class AckClock {
  private last = 0;
  private eventAt = Number.POSITIVE_INFINITY;
  private readonly lastOf = new Map<number, number>();
  private firstAfter = new Map<number, number>();
  private longest = 0;

  note(address: number, now: number): void {
    // The gap may have begun before the event.
    if (now > this.eventAt) this.longest = Math.max(this.longest, now - this.last);
    this.last = now;
    this.lastOf.set(address, now);
    if (now > this.eventAt && !this.firstAfter.has(address)) this.firstAfter.set(address, now);
  }

  /** Something is done to the pair now. */
  event(now: number): void {
    this.eventAt = now;
    this.longest = 0;
    this.firstAfter = new Map();
  }

  /** The longest time without any acknowledgement that ended after the event. */
  get longestGapMs(): number {
    return this.longest;
  }

  /** From the event to an address' first acknowledgement after it; `null` before that. */
  firstAckMs(address: number): number | null {
    const at = this.firstAfter.get(address);
    return at === undefined ? null : at - this.eventAt;
  }

  /** From the last acknowledgement of one address to the first of the other after the event; `null` before that. */
  handoverMs(from: number, to: number): number | null {
    const first = this.firstAfter.get(to);
    return first === undefined ? null : first - (this.lastOf.get(from) ?? this.eventAt);
  }
}
