import type { Stats } from 'node:fs';

/** What tells that a file is the one it was. */
export interface Stamp {
  readonly size: number;
  readonly mtimeUs: number;
  readonly ctimeUs: number;
  readonly inode: number;
}

/** A time that is not older than this when a file is looked at may belong to a change that is still going on: file systems tick in milliseconds. */
export const SETTLED_MS = 20;

/** From January 2038 on the doubles in which Node.js sets and tells times are too coarse for a microsecond to come back as it was. */
const FINE_US_MAX = 2 ** 31 * 1_000_000;
/** Before that, two doubles of seconds are never further apart. */
const STEP_S = 2 ** -22;
/** Later times, of the year 2255 and after, count as this one: what is left of the whole numbers of JavaScript. */
const LATEST_US = Math.floor(Number.MAX_SAFE_INTEGER / 1000) * 1000;

/**
 * Microseconds, as near as a double of milliseconds tells. Not cut but rounded: a time that was set to whole microseconds must come
 * back as it was, and a double is a little less than it about half of the time.
 */
export function microseconds(ms: number): number {
  const us = Math.max(0, Math.round(ms * 1000));
  return us < FINE_US_MAX ? us : Math.min(LATEST_US, Math.round(ms) * 1000);
}

/**
 * For `utimes`: the seconds that come back as `us`. Node.js 20 cuts them to the microsecond, so they must not be a little less, as the nearest double is half of the
 * time; later ones keep the nanoseconds, so they must be more by less than what is rounded away.
 */
export function seconds(us: number): number {
  const nearest = us / 1_000_000;
  const whole = Math.floor(nearest);
  return (nearest - whole) * 1_000_000 < us - whole * 1_000_000 ? nearest + STEP_S : nearest;
}

export function stampOf(stats: Stats): Stamp {
  return { size: stats.size, mtimeUs: microseconds(stats.mtimeMs), ctimeUs: microseconds(stats.ctimeMs), inode: stats.ino };
}

export function sameStamp(a: Stamp, b: Stamp): boolean {
  return a.size === b.size && a.mtimeUs === b.mtimeUs && a.ctimeUs === b.ctimeUs && a.inode === b.inode;
}

/** Nothing has happened to it lately, as of `nowMs` since 1970. */
export function isSettled(stamp: Stamp, nowMs: number): boolean {
  return Math.max(stamp.mtimeUs, stamp.ctimeUs) < (nowMs - SETTLED_MS) * 1000;
}
