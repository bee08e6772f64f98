import type { Monotonic } from '../../../src/core/identity.js';
import type { Cancel, Clock } from '../../../src/ports/clock.js';

interface Due {
  readonly at: number;
  readonly sequence: number;
  readonly action: () => void;
}

/**
 * Time that moves only when a test says so. Timers and `soon` run ordered by (time, sequence of asking); what one of them asks for
 * runs in the same `advance` when it falls into it. Actions run with the clock at their own time.
 */
export class FakeClock implements Clock {
  /** A turn that asks for another turn for ever is a bug: so many at one `advance` and no more. */
  static readonly ACTIONS_MAX = 1_000_000;

  private now: number;
  private suspendedMs = 0;
  private wallOffset: number;
  private sequence = 0;
  private readonly queue: Due[] = [];

  /** @param start the first value of `monotonic`; not 0, so that a forgotten offset shows */
  constructor(start = 1_000, wall = Date.UTC(2026, 0, 1)) {
    this.now = start;
    this.wallOffset = wall - start;
  }

  monotonic(): Monotonic {
    return this.now as Monotonic;
  }

  sinceBoot(): number {
    return this.now + this.suspendedMs;
  }

  wall(): number {
    return this.now + this.suspendedMs + this.wallOffset;
  }

  after(delayMs: number, action: () => void): Cancel {
    const due: Due = { at: this.now + Math.max(0, delayMs), sequence: this.sequence++, action };
    this.insert(due);
    return () => {
      const at = this.queue.indexOf(due);
      if (at >= 0) this.queue.splice(at, 1);
    };
  }

  soon(action: () => void): void {
    this.after(0, action);
  }

  next(action: () => void): void {
    this.after(0, action);
  }

  /** Timers and turns that wait. */
  get pending(): number {
    return this.queue.length;
  }

  /** When the next action is due, in milliseconds from now; `null` when nothing waits. */
  get nextInMs(): number | null {
    const next = this.queue[0];
    return next === undefined ? null : next.at - this.now;
  }

  /** Moves time on by `ms` and runs everything that falls due, in order. */
  advance(ms: number): void {
    const until = this.now + ms;
    let ran = 0;
    for (let next = this.queue[0]; next !== undefined && next.at <= until; next = this.queue[0]) {
      this.queue.shift();
      this.now = Math.max(this.now, next.at);
      if (++ran > FakeClock.ACTIONS_MAX) throw new Error(`more than ${FakeClock.ACTIONS_MAX} actions within ${ms} ms of virtual time`);
      next.action();
    }
    this.now = Math.max(this.now, until);
  }

  /** What runs now takes so long: time goes on, and nothing else has its turn. */
  work(ms: number): void {
    this.now += ms;
  }

  /** Runs what is due now, `soon` above all; time stands still. */
  turn(): void {
    this.advance(0);
  }

  /** As `advance`, letting promises settle before and after each action. */
  async advanceAsync(ms: number): Promise<void> {
    const until = this.now + ms;
    await settle();
    for (let next = this.queue[0]; next !== undefined && next.at <= until; next = this.queue[0]) {
      this.advance(Math.max(0, next.at - this.now));
      await settle();
    }
    this.now = Math.max(this.now, until);
  }

  /** The host sleeps: time since boot and wall time go on, monotonic time does not. */
  suspend(ms: number): void {
    this.suspendedMs += ms;
  }

  /** Somebody sets the host's clock. */
  jumpWall(ms: number): void {
    this.wallOffset += ms;
  }

  private insert(due: Due): void {
    let at = this.queue.length;
    while (at > 0 && (this.queue[at - 1] as Due).at > due.at) at -= 1;
    this.queue.splice(at, 0, due);
  }
}

/** Lets every promise that can go on without time or I/O go on. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
