import { isServing, NO_POSITION, NO_TERM, type JournalId, type Position, type ServerId, type Term } from '../identity.js';
import type { TermRecord } from '../terms/record.js';
import { isMember } from '../terms/compare.js';
import { reachOf, type Watermark } from '../terms/watermark.js';
import type { Situation } from './situation.js';

/** A copy of the data as arbitration sees it. */
interface Copy {
  readonly server: ServerId;
  readonly journal: JournalId;
  readonly logTerm: Term;
  readonly position: Position;
  readonly durable: Position;
  readonly damage: string | null;
}

/** Why a right is missing, in words for the operator; `null` when it is there. */
export type Missing = string | null;

/**
 * R3, the part about the copy: named by the record with its present journal, whole, and reaching the record's position and the watermark.
 * @param watermark as it was read before `copy` was; `null` where none is known, or where the copy may have grown since
 */
export function missingMembership(record: TermRecord, copy: Copy, watermark: Watermark | null): Missing {
  const member = record.inSync.find((m) => m.server === copy.server);
  if (member === undefined) {
    return `the newer data is on ${holdersOf(record)} (term ${record.term})`;
  }
  if (copy.damage !== null) return `this copy is damaged (${copy.damage}); it needs the peer's`;
  if (member.journal !== copy.journal) return `the journal that term ${record.term} counts on is gone from this server; it needs the peer's`;
  if (copy.durable < record.position) return `the log ends at ${copy.durable}, before position ${record.position} that term ${record.term} counts on`;
  const reach = reachOf(record, watermark);
  if (copy.durable < reach) {
    const remedy = record.inSync.length > 1 ? "it needs the peer's" : 'no other copy has it';
    return `the log ends at ${copy.durable}, but was durable up to ${reach}: its disk has lost what it had confirmed, or was put back from a backup; ${remedy}`;
  }
  if (copy.logTerm > record.term) return `the log has records of term ${copy.logTerm}, but the highest term record is ${record.term}`;
  return null;
}

/** R3 whole, but for lock and gateway: may this server claim the term after the highest one? */
export function missingRight(s: Situation): Missing {
  if (s.broker === null) return 'the broker is not running';
  if (s.share.replaced) return 'the share was replaced: it lacks records that this server has kept; both servers must be connected, or promote';
  if (!s.share.usable) return `the share is not usable (${s.share.detail ?? 'not looked at yet'})`;
  if (s.kept === null) return 'no term record exists yet: both servers must be connected once';
  return missingOwnMembership(s, s.kept);
}

/** The same of this server's own copy. */
export function missingOwnMembership(s: Situation, record: TermRecord): Missing {
  const copy = ownCopy(s);
  return copy === null ? 'the broker is not running' : missingMembership(record, copy, watermarkForOwn(s));
}

export interface LostData {
  /** Where the log ends. */
  readonly durable: Position;
  /** Up to where this very copy was durable. */
  readonly reach: Position;
}

/** What this server's own disk has lost of what it had confirmed, as far as that is known; `null`: nothing. */
export function lostByOwnDisk(s: Situation): LostData | null {
  const { kept, broker } = s;
  if (kept === null || broker === null || broker.role !== 'idle' || broker.journal.damage !== null) return null;
  if (!isMember(kept, s.server, broker.journal.id)) return null;
  const reach = reachOf(kept, s.share.watermark);
  return broker.journal.durable < reach ? { durable: broker.journal.durable, reach } : null;
}

/** While the broker copies or serves, the watermark may be newer than its last status; at rest, what it has is what it had. */
function watermarkForOwn(s: Situation): Watermark | null {
  return s.broker?.role === 'idle' ? s.share.watermark : null;
}

function holdersOf(record: TermRecord): string {
  return record.inSync.map(({ server }) => server).join(' and ');
}

function ownCopy(s: Situation): Copy | null {
  if (s.broker === null) return null;
  const j = s.broker.journal;
  return { server: s.server, journal: j.id, logTerm: j.term, position: j.position, durable: j.durable, damage: j.damage };
}

function peerCopy(s: Situation): Copy | null {
  const b = s.peer?.broker;
  if (s.peer === null || b === null || b === undefined) return null;
  return { server: s.peerServer, journal: b.journal, logTerm: b.logTerm, position: b.position, durable: b.durable, damage: b.damage };
}

export type First =
  /** `fresh`: by R9, with a number above everything seen. */
  | { readonly who: 'me'; readonly fresh: boolean }
  | { readonly who: 'peer' }
  | { readonly who: 'nobody'; readonly why: string };

/**
 * Both servers are connected and neither serves: who comes first? Both compute it from the same two statuses and come to opposite
 * answers; where a status is behind, the answer is `nobody` for a cycle.
 * @param adopting this server has begun to take a replaced share as its own (R9): its keeper then no longer says that it was replaced
 */
export function whoComesFirst(s: Situation, adopting = false): First {
  const first = agreedFirst(s, adopting);
  // A claim of the peer's (a promotion) may still land: nothing rests on the records that are known before it is answered.
  return first.who === 'me' && s.peer?.inDoubt != null ? nobody(`the peer's claim of term ${s.peer.inDoubt} has no answer yet`) : first;
}

function agreedFirst(s: Situation, adopting: boolean): First {
  const mine = ownCopy(s);
  const theirs = peerCopy(s);
  if (s.peer === null || theirs === null || s.peer.brokerDown) return nobody("the peer's broker is not ready");
  if (mine === null) return nobody('the broker is not running');
  if (isServing(s.peer.state)) return { who: 'peer' };
  if (s.peer.state === 'PASSIVE') return nobody(s.share.usable ? 'the peer is about to take over' : `the peer takes over when it can use the share, which is not usable here (${s.share.detail ?? 'not looked at yet'})`);
  // Where nothing is there, what each remembers need not be the same: a share can be replaced twice while one of them is away.
  const isBare = (adopting || s.share.bare) && s.peer.shareBare;
  if (!isBare && (s.share.id === null || s.peer.shareId === null)) return nobody('not both servers have seen the share yet');
  if (!isBare && s.share.id !== s.peer.shareId) return nobody(`the servers see different shares (${s.share.id} here, ${s.peer.shareId} at the peer); mount the same one`);
  if (!adopting && s.share.usable && s.kept !== null && !s.peer.shareReplaced) return firstByRecord(s, s.kept, mine, theirs);
  if (!adopting && s.share.givenUp) return nobody(`the share is not usable (${s.share.detail ?? 'not looked at yet'})`);
  const freshHere = adopting || s.share.replaced || (s.share.empty && s.kept === null);
  const freshThere = s.peer.shareReplaced || (s.peer.shareEmpty && s.peer.record === null);
  if (freshHere && freshThere) return firstWithoutRecord(s, mine, theirs);
  return nobody(freshHere === freshThere ? 'the share has not been looked at yet' : 'the servers do not see the same term records yet');
}

function firstByRecord(s: Situation, kept: TermRecord, mine: Copy, theirs: Copy): First {
  if (s.peer?.record?.nonce !== kept.nonce) return nobody('the servers do not know the same highest term record yet');
  return firstAmongMembers(s, kept, mine, theirs, false);
}

function firstWithoutRecord(s: Situation, mine: Copy, theirs: Copy): First {
  const theirKept = s.peer?.record ?? null;
  // Each would take its own for the higher one. A promotion on a share that was replaced can have used a number twice.
  if (s.kept !== null && theirKept?.term === s.kept.term && theirKept.nonce !== s.kept.nonce) {
    return nobody(`the servers have kept different records of term ${s.kept.term}; promote the one whose data counts`);
  }
  const best = s.kept !== null && (theirKept === null || s.kept.term >= theirKept.term) ? s.kept : theirKept;
  if (best !== null) return firstAmongMembers(s, best, mine, theirs, true);
  if (mine.damage !== null || theirs.damage !== null) return nobody('a copy is damaged and no term record says which one counts; promote the better one');
  return byLog(s, mine, theirs, true);
}

function firstAmongMembers(s: Situation, record: TermRecord, mine: Copy, theirs: Copy, fresh: boolean): First {
  const lackMine = missingMembership(record, mine, watermarkForOwn(s));
  // A peer that cannot reach the share cannot claim either; its own answer is that nobody comes first.
  const lackTheirs = s.peer?.shareGivenUp === true ? 'its share cannot be used' : missingMembership(record, theirs, s.share.watermark);
  if (lackMine === null && lackTheirs === null) return byFitness(s, mine, theirs, fresh) ?? byLog(s, mine, theirs, fresh);
  if (lackMine === null) return { who: 'me', fresh };
  if (lackTheirs === null) return { who: 'peer' };
  return nobody(`neither copy may serve: here ${lackMine}; at the peer ${lackTheirs}`);
}

/**
 * Either copy may serve, and one server is unfit: it would acknowledge nothing, and bar the other. Nothing that is durable there may be lacking here: it can have been acknowledged. A peer that does not say
 * whether it is does not go by it.
 */
function byFitness(s: Situation, mine: Copy, theirs: Copy, fresh: boolean): First | null {
  const isPeerUnfit = s.peer?.unfit ?? null;
  if (isPeerUnfit === null || s.unfit === isPeerUnfit) return null;
  const [fit, unfit] = s.unfit ? [theirs, mine] : [mine, theirs];
  if (fit.logTerm < unfit.logTerm || fit.durable < unfit.durable) return null;
  return s.unfit ? { who: 'peer' } : { who: 'me', fresh };
}

function byLog(s: Situation, mine: Copy, theirs: Copy, fresh: boolean): First {
  const ahead = mine.logTerm - theirs.logTerm || mine.position - theirs.position || (s.role === 'primary' ? 1 : -1);
  return ahead > 0 ? { who: 'me', fresh } : { who: 'peer' };
}

function nobody(why: string): First {
  return { who: 'nobody', why };
}

/**
 * The number that a claim by R3 takes: exactly the one after the highest known, so that two claims always meet. A fresh one (R9) is above
 * everything that either server has seen, and above `fence`: a term that this server has fenced is of no use to it.
 */
export function nextTerm(s: Situation, fresh: boolean, fence: Term = NO_TERM): Term {
  const known = s.kept?.term ?? NO_TERM;
  if (!fresh) return (known + 1) as Term;
  const seen = [known, fence, s.share.highestTerm, s.broker?.journal.term ?? 0, s.peer?.record?.term ?? 0, s.peer?.broker?.logTerm ?? 0];
  return (Math.max(...seen) + 1) as Term;
}

/**
 * The peer serves in a term that is not above the highest one that this server has kept, nor is it that very one: the share was put back or
 * replaced while this server was away. To copy the peer would be to give up a history that was acknowledged, and that is the
 * operator's to decide; so is a fence of a former run, of which only the kept record is left.
 */
export function peerServesBehindUs(s: Situation): boolean {
  if (s.peer === null || s.kept === null || s.peer.term > s.kept.term) return false;
  return s.peer.term < s.kept.term || s.peer.record?.nonce !== s.kept.nonce;
}

export function ownDurable(s: Situation): Position {
  return s.broker?.journal.durable ?? NO_POSITION;
}
