import type { Monotonic } from '../../core/identity.js';
import type { Cancel, Clock } from '../../ports/clock.js';
import type { Turns } from './turns.js';

/** How often connections are looked at. A time limit of a connection is noticed at most so much too late. Milliseconds. */
export const ROUND_MS = 500;

/** Something with time limits. */
export interface Watched {
  /** Called every `ROUND_MS`, also when nothing has happened. `stoodStillMs`: so long this process had no turn since the last call, and nobody else is to blame; mostly 0. */
  check(now: Monotonic, stoodStillMs: number): void;
}

/**
 * One timer for the time limits of all connections, and one turn's end for all that have something to send. A round over 5,000 idle
 * connections is 5,000 comparisons; no packet ever sets a timer.
 *
 * A round looks when what had come by then has been heard: after a standstill of this process much waits to be read.
 */
export class Rounds {
  private readonly watched = new Set<Watched>();
  private cancel: Cancel | null = null;
  private dueAt = 0;
  private endOfTurn: (() => void)[] = [];

  constructor(
    private readonly clock: Clock,
    private readonly turns: Turns,
  ) {}

  get size(): number {
    return this.watched.size;
  }

  add(one: Watched): void {
    this.watched.add(one);
    if (this.cancel === null) this.arm();
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
      this.turns.work(() => {
        for (const each of actions) each();
      });
    });
  }

  private arm(): void {
    this.dueAt = this.clock.monotonic() + ROUND_MS;
    this.cancel = this.clock.after(ROUND_MS, () => this.round());
  }

  private round(): void {
    const lateMs = this.clock.monotonic() - this.dueAt;
    this.arm();
    this.clock.soon(() => this.look(lateMs > ROUND_MS ? lateMs : 0));
  }

  private look(stoodStillMs: number): void {
    const now = this.clock.monotonic();
    for (const one of this.watched) one.check(now, stoodStillMs);
  }
}
