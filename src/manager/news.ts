import type { BrokerStatus } from '../core/control/broker.js';
import type { KeeperStatus, LockStatus } from '../core/control/keeper.js';
import type { Situation } from '../core/ha/situation.js';
import { sameBut } from '../core/same-value.js';

/*
 * Both children repeat their status at least at every pulse, and most say what they said before. A status is no news only where a cycle at once
 * would decide nothing that the cycle of the next tick does not: a mistake here costs a tick (pingInterval / 2), and no right.
 */

const NO_NEWS_OF_BROKER = ['orderSeq'] as const;
/** The lock is compared by itself. */
const NO_NEWS_OF_KEEPER = ['orderSeq', 'lookedAt', 'lock'] as const;

/** `roleSeq`: answers to orders before this one do not count, so that the first one from there on is news whatever it says. */
export function isBrokerNews(before: BrokerStatus | null, now: BrokerStatus, roleSeq: number): boolean {
  if (before === null || (before.orderSeq < roleSeq && now.orderSeq >= roleSeq)) return true;
  return !sameBut(before, now, NO_NEWS_OF_BROKER);
}

/** `situation`: as it was judged last, by the clock of that moment: a look or a deadline that was out of date then may be good again. */
export function isKeeperNews(before: KeeperStatus | null, now: KeeperStatus, situation: Situation | null): boolean {
  if (before === null || situation === null) return true;
  if (situation.lock.held !== now.lock.held || situation.share.usable !== (now.condition === 'ok')) return true;
  if (!saysTheSameOfLock(before.lock, now.lock)) return true;
  return !sameBut(before, now, NO_NEWS_OF_KEEPER);
}

/** While another holds the lock, the detail counts the milliseconds of its silence. */
function saysTheSameOfLock(before: LockStatus, now: LockStatus): boolean {
  if (before.held !== now.held || before.holder !== now.holder) return false;
  return before.detail === now.detail || (now.holder !== null && before.detail !== null && now.detail !== null);
}
