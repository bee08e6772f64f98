import type { Monotonic } from '../core/identity.js';

/** Undoes a timer. Calling it twice, or after the timer ran, does nothing. */
export type Cancel = () => void;

/** Time and timers of one host. Monotonic time decides; wall time is for people. */
export interface Clock {
  /** Milliseconds with fractions; stops while the host is suspended (Linux CLOCK_MONOTONIC). */
  monotonic(): Monotonic;
  /** Milliseconds since boot, suspend included. When it parts from `monotonic`, the host was asleep. */
  sinceBoot(): number;
  /** Milliseconds since 1970. May jump in either direction. */
  wall(): number;
  /** Runs `action` once, `delayMs` or more from now. */
  after(delayMs: number, action: () => void): Cancel;
  /** Runs `action` as soon as what is under way has ended (a turn of the event loop): all that arrived together was heard by then. */
  soon(action: () => void): void;
  /** Runs `action` when the present piece of it (one event) has been dealt with, before the next is heard. For what others can work on meanwhile. */
  next(action: () => void): void;
}
