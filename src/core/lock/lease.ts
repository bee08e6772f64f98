import type { Monotonic } from '../identity.js';

/** The part of the staleness period that the holder gives away, for clocks of two hosts that do not run equally fast and for its own last steps. */
export const LEASE_MARGIN_FRACTION = 0.1;

/**
 * Until when a holder may rely on its lock: a contender can have seen the renewal at the earliest when it was *sent*, and then
 * waits the whole staleness period. Counting from the answer would promise time that a slow share has already used up.
 */
export function leaseUntil(renewalSentAt: Monotonic, stalenessMs: number): Monotonic {
  return (renewalSentAt + stalenessMs * (1 - LEASE_MARGIN_FRACTION)) as Monotonic;
}

/**
 * How often a server tries again to acquire the lock: ActiveLockReAcquistionInterval, or the next multiple of PingInterval/2
 * where it is none (reference, ActiveLockReAcquistionInterval). Milliseconds.
 */
export function retryIntervalMs(activeLockIntervalMs: number, pingIntervalMs: number): number {
  const stepMs = pingIntervalMs / 2;
  return Math.ceil(activeLockIntervalMs / stepMs) * stepMs;
}
