import type { Monotonic } from '../../core/identity.js';
import type { Cancel, Clock } from '../../ports/clock.js';

/** How often connections are looked at. A time limit of a connection is noticed at most so much too late. Milliseconds. */
export const ROUND_MS = 500;

/** Something with time limits. */
export interface Watched {
  /** Called every `ROUND_MS`, also when nothing has happened. */
  check(now: Monotonic): void;
}

/**
 * One timer for the time limits of all connections, and one turn's end for all that have something to send. A round over 5,000 idle
 * connections is 5,000 comparisons; no packet ever sets a timer.
 */
export class Rounds {
  private readonly watched = new Set<Watched>();
  private cancel: Cancel | null = null;
  private endOfTurn: (() => void)[] = [];

  constructor(private readonly clock: Clock) {}

  get size(): number {
    return this.watched.size;
  }

  add(one: Watched): void {
    this.watched.add(one);
    this.cancel ??= this.clock.after(ROUND_MS, () => this.round());
  }

  remove(one: Watched): void {
    this.watched.delete(one);
    if (this.watched.size > 0) return;
    this.cancel?.();
    this.cancel = null;
  }

  /** Runs `action` when the present turn of the event loop has ended, with all others of the turn, in their order. */
  atEndOfTurn(action: () => void): void {
    this.endOfTurn.push(action);
    if (this.endOfTurn.length > 1) return;
    this.clock.soon(() => {
      const actions = this.endOfTurn;
      this.endOfTurn = [];
      for (const each of actions) each();
    });
  }

  private round(): void {
    this.cancel = this.clock.after(ROUND_MS, () => this.round());
    const now = this.clock.monotonic();
    for (const one of this.watched) one.check(now);
  }
}
