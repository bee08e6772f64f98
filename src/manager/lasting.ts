import type { Monotonic } from '../core/identity.js';

/** Tells what lasts from what passes: a condition counts once it has held for a while, and is over as soon as it does not hold. */
export class Lasting {
  private since: Monotonic | null = null;
  private counts = false;

  /** @param forMs so long it has to hold. Milliseconds */
  constructor(
    private readonly now: () => Monotonic,
    private readonly forMs: number,
  ) {}

  /** It counts: `look` said that it has begun, and not yet that it is over. */
  get on(): boolean {
    return this.counts;
  }

  /** @returns what has changed by this look; `null`: nothing */
  look(holds: boolean): 'begun' | 'over' | null {
    if (!holds) {
      this.since = null;
      if (!this.counts) return null;
      this.counts = false;
      return 'over';
    }
    this.since ??= this.now();
    if (this.counts || this.now() - this.since < this.forMs) return null;
    this.counts = true;
    return 'begun';
  }
}
