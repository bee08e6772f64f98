import type { HistoryHeader } from './events.js';

/** When something happened, and by whose clock. */
export interface Moment {
  readonly at: number;
  readonly clock: HistoryHeader;
}

/**
 * Whether the first happened before the second, whatever the two clocks may be off by. Within one clock its readings decide; equal
 * readings leave it open.
 */
export function surelyBefore(first: Moment, second: Moment): boolean {
  if (first.clock.clock === second.clock.clock) return first.at < second.at;
  return first.at + first.clock.uncertaintyMs + second.clock.uncertaintyMs < second.at;
}
