import { LockstepError } from '../errors.js';
import type { Term } from '../identity.js';
import type { PublishMethod } from './record.js';

/** What the journal and the replication link hold, 32 bits: at one role change a second, 136 years. */
export const TERM_MAX = 4_294_967_295;

const NAME = /^([0-9]{10})(\.json)?$/;

/** `0000000042.json` for a share with hard links, the folder name `0000000042` for one without. @throws LOCKSTEP_TERM_OUT_OF_RANGE */
export function termFileName(term: Term, method: PublishMethod): string {
  if (!Number.isSafeInteger(term) || term < 1 || term > TERM_MAX) {
    throw new LockstepError('LOCKSTEP_TERM_OUT_OF_RANGE', `term ${term} cannot be: 1 to ${TERM_MAX} are allowed`, 'No pair comes so far by itself: a record on the share, or one that a server has kept, was not written by this pair. Put the term records back from a backup, and keep the data folders of both servers.');
  }
  const digits = String(term).padStart(10, '0');
  return method === 'link' ? `${digits}.json` : digits;
}

/** The term whose record has this name, in either form; `null` for any other name, also of a number that no term can have. */
export function termOfName(name: string): Term | null {
  const digits = NAME.exec(name)?.[1];
  const term = Number(digits);
  return digits !== undefined && term > 0 && term <= TERM_MAX ? (term as Term) : null;
}
