import type { Monotonic } from '../core/identity.js';
import type { Clock } from '../ports/clock.js';

export interface CycleParts {
  readonly clock: Clock;
  /** Two ticks: where none asked for so long, this process stood still. */
  readonly pingIntervalMs: number;
  /** One cycle: situation, decision, orders. What asks for another under way gets it right after this one. */
  readonly cycle: () => void;
  /** This process stood still for about so long. */
  readonly stoodStill: (ms: number) => void;
}

/** The cycles of the HA manager, one at a time; none right after this process stood still. */
export class Cycles {
  private askedAt: Monotonic | null = null;
  private catchingUp = false;
  private running = false;
  private again = false;

  constructor(private readonly parts: CycleParts) {}

  run(): void {
    if (this.running) {
      this.again = true;
      return;
    }
    if (this.catchingUp || this.stoodStill()) return this.catchUp();
    this.running = true;
    do {
      this.again = false;
      this.parts.cycle();
    } while (this.again);
    this.running = false;
  }

  /** Where even ticks were missing, this process stood still. */
  private stoodStill(): boolean {
    const { clock, pingIntervalMs } = this.parts;
    const now = clock.monotonic();
    const gapMs = now - (this.askedAt ?? now);
    this.askedAt = now;
    if (gapMs <= pingIntervalMs) return false;
    this.parts.stoodStill(gapMs - pingIntervalMs / 2);
    return true;
  }

  /**
   * What came meanwhile is still to be read, since timers run before it: a turn first. Judged by what was known before, a peer that is well would
   * count as lost.
   */
  private catchUp(): void {
    if (this.catchingUp) return;
    this.catchingUp = true;
    this.parts.clock.soon(() => {
      this.catchingUp = false;
      this.askedAt = this.parts.clock.monotonic();
      this.run();
    });
  }
}
