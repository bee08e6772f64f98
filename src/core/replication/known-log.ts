import type { LogPoint } from '../journal/envelope.js';
import type { Position, Term } from '../identity.js';

/** Where a term begins in a log. */
export interface LogEpoch {
  readonly term: Term;
  readonly first: Position;
}

/** What one side of a negotiation knows of a log: which term stands at which position, from the first epoch to the head. */
export interface KnownLog {
  /** Oldest first; terms grow, positions grow. The first one may begin at the log's base, a point without a record. */
  readonly epochs: readonly LogEpoch[];
  readonly head: Position;
}

/** At most this many epochs are sent; older ones are left out, and a log shared only before them is copied by snapshot. */
export const EPOCHS_MAX = 2048;

/**
 * The known log of a journal: its base counts as a point of the term of the record that stood there, so that two empty
 * logs share position 0, and a log that ends exactly at the other's base shares that.
 */
export function knownLog(base: LogPoint, head: LogPoint, epochs: readonly LogEpoch[]): KnownLog {
  const first = epochs[0];
  const all =
    first !== undefined && first.term === base.term
      ? [{ term: base.term, first: base.position }, ...epochs.slice(1)]
      : [{ term: base.term, first: base.position }, ...epochs];
  return { epochs: all.slice(-EPOCHS_MAX), head: head.position };
}

/**
 * The last position at which both logs have a record of the same term, or `null` when there is none among the known.
 *
 * One server at most writes in a term, and each log's terms only grow; so equal terms at one position mean equal logs up to
 * it. That is a claim about honest disks: the chain at that position must still be compared (arbitration R7).
 */
export function lastSharedPosition(one: KnownLog, other: KnownLog): Position | null {
  let i = one.epochs.length - 1;
  let j = other.epochs.length - 1;
  while (i >= 0 && j >= 0) {
    const a = one.epochs[i] as LogEpoch;
    const b = other.epochs[j] as LogEpoch;
    if (a.term === b.term) {
      const last = Math.min(endOf(one, i), endOf(other, j));
      if (last >= Math.max(a.first, b.first)) return last as Position;
      i -= 1;
      j -= 1;
    } else if (a.term > b.term) i -= 1;
    else j -= 1;
  }
  return null;
}

function endOf(log: KnownLog, index: number): number {
  const next = log.epochs[index + 1];
  return next === undefined ? log.head : next.first - 1;
}
