import type { Clock } from '../ports/clock.js';

/** What may leave at once after a rest. */
const BURST_MS = 250;

/** At most so many bytes a second. What is spent on top of what there is, is waited for. */
export class Throttle {
  private tokens: number;
  private at: number;

  /** @param bytesPerSecond `null`: no limit */
  constructor(
    private readonly bytesPerSecond: number | null,
    private readonly clock: Clock,
  ) {
    this.tokens = this.most;
    this.at = clock.monotonic();
  }

  get isLimited(): boolean {
    return this.bytesPerSecond !== null;
  }

  /** Bytes that may leave now; 0 or less: none. */
  allowance(): number {
    if (this.bytesPerSecond === null) return Number.POSITIVE_INFINITY;
    const now = this.clock.monotonic();
    this.tokens = Math.min(this.most, this.tokens + ((now - this.at) * this.bytesPerSecond) / 1000);
    this.at = now;
    return this.tokens;
  }

  spend(bytes: number): void {
    if (this.bytesPerSecond !== null) this.tokens = this.allowance() - bytes;
  }

  private get most(): number {
    return ((this.bytesPerSecond ?? 0) * BURST_MS) / 1000;
  }
}
