import type { Monotonic } from '../identity.js';

/*
 * Judging another server's life without trusting its clock, or any file's time (arbitration.md, section 4).
 *
 * What counts as silence: this server read the same heartbeat again and again for the whole staleness period of its own
 * monotonic clock. A stretch without reads is not silence: we were paused, or the share hung, and then the holder's renewals
 * could not land either. It starts the period anew.
 */

/** One successful reading of the lock and its heartbeat. */
export interface Sight {
  /** Everything that would differ if the holder had renewed, or if another had taken the lock. */
  readonly seen: string;
  /** When the reading was asked for, and when it was answered. What it shows was true at some time between the two. */
  readonly began: Monotonic;
  readonly ended: Monotonic;
  /** Boot time less monotonic time: grows while the host sleeps. Milliseconds. */
  readonly bootAheadMs: number;
}

export interface HolderView {
  readonly seen: string;
  /** Since when the same was seen at every reading. */
  readonly since: Monotonic;
  /** The last reading. */
  readonly last: Sight;
}

export interface StalenessRules {
  /** PassiveLockAcquisitionInterval: how long a holder must be silent before its lock counts as abandoned. */
  readonly stalenessMs: number;
  /** Two readings further apart than this leave a gap, which is no silence. */
  readonly gapMs: number;
  /** How far boot time and monotonic time may part before the host counts as having slept. */
  readonly bootToleranceMs: number;
}

/** The view after one more reading. */
export function observe(view: HolderView | null, sight: Sight, rules: StalenessRules): HolderView {
  const goesOn =
    view !== null &&
    view.seen === sight.seen &&
    sight.began - view.last.ended <= rules.gapMs &&
    sight.ended - sight.began <= rules.gapMs &&
    !hostSlept(view.last.bootAheadMs, sight.bootAheadMs, rules.bootToleranceMs);
  // A new sight was there at the latest when its reading ended; an old one was surely still there when the reading began.
  return { seen: sight.seen, since: goesOn ? view.since : sight.ended, last: sight };
}

/** For how long the holder has surely been silent. Milliseconds. */
export function silentMs(view: HolderView): number {
  return Math.max(0, view.last.began - view.since);
}

/** Whether the holder counts as gone, asked at `now`: an old view proves nothing about the present, and it is as old as the question that it answers. */
export function isStale(view: HolderView, now: Monotonic, rules: StalenessRules): boolean {
  return silentMs(view) >= rules.stalenessMs && now - view.last.began <= rules.gapMs;
}

/** Whether the host was asleep between two comparisons of boot time with monotonic time. */
export function hostSlept(bootAheadThenMs: number, bootAheadNowMs: number, toleranceMs: number): boolean {
  return Math.abs(bootAheadNowMs - bootAheadThenMs) > toleranceMs;
}
