import { uptime } from 'node:os';
import { hrtime } from 'node:process';
import type { Monotonic } from '../core/identity.js';
import type { Cancel, Clock } from '../ports/clock.js';

/** Node's timers hold no more; longer delays are made of several. */
const TIMER_MS_MAX = 2 ** 31 - 1;

function monotonic(): Monotonic {
  // CLOCK_MONOTONIC itself and not a count from the start of this process: the processes of one host compare it.
  const [seconds, nanoseconds] = hrtime();
  return (seconds * 1000 + nanoseconds / 1e6) as Monotonic;
}

/** The host's clocks. `sinceBoot` has a resolution of 10 ms on Linux. */
export function createClock(): Clock {
  return {
    monotonic,
    sinceBoot: () => uptime() * 1000,
    wall: () => Date.now(),
    after,
    soon: (action) => void setImmediate(action),
    next: queueMicrotask,
  };
}

function after(delayMs: number, action: () => void): Cancel {
  const due = monotonic() + delayMs;
  let timer: NodeJS.Timeout;
  const arm = (): void => {
    timer = setTimeout(fire, Math.min(Math.ceil(Math.max(due - monotonic(), 0)), TIMER_MS_MAX));
  };
  const fire = (): void => {
    // Node counts from the loop's last look at the clock, so a timer can fire up to a millisecond early.
    if (monotonic() < due) arm();
    else action();
  };
  arm();
  return () => clearTimeout(timer);
}
