import type { ClaimOutcome } from '../control/keeper.js';
import type { Position, ServerId, Term } from '../identity.js';
import type { Member, TermCause, TermRecord } from '../terms/record.js';
import type { Situation } from './situation.js';

interface ClaimWords {
  readonly term: Term;
  readonly server: ServerId;
  readonly inSync: readonly Member[];
  readonly position: Position;
  readonly cause: TermCause;
  readonly forced?: boolean;
}

/** A new attempt: its nonce was never used before. */
export function newClaim(s: Situation, words: ClaimWords): TermRecord {
  const { forced, ...plain } = words;
  return { schema: 1, ...plain, ...(forced === true ? { forced: true as const } : {}), at: s.fresh.at, nonce: s.fresh.nonce };
}

/** What became of `claim`; `pending` as long as the keeper speaks of another attempt or of none. */
export function outcomeOf(s: Situation, claim: TermRecord): ClaimOutcome {
  if (s.claim !== null && s.claim.nonce === claim.nonce) return s.claim;
  return { kind: 'pending', nonce: claim.nonce };
}

/** This server's own copy, as a member. */
export function ownMember(s: Situation): Member | null {
  return s.broker === null ? null : { server: s.server, journal: s.broker.journal.id };
}
