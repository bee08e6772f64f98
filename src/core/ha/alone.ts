import { assert } from '../errors.js';
import type { TermRecord } from '../terms/record.js';
import { newClaim, outcomeOf, ownMember } from './claims.js';
import { move, moveToWaiting, stay } from './moves.js';
import { missingRight, nextTerm, ownDurable, whoComesFirst, type Missing } from './rights.js';
import { peerConnected, whyBrokerIsGone, type Situation } from './situation.js';
import type { AloneTask, HaState } from './state.js';
import { isServing, NO_TERM, type Term } from '../identity.js';

/*
 * R4, one way for every claim of {me, [me]}. In this order, each step only when the one before is confirmed:
 *   1. the lock is held (and, for a takeover, the gateway answers)
 *   2. the broker has ended the replication session, accepts nothing from the terms before, has all of its copy on its disk, and has bound the client port; and the disk has
 *      taken a term record since the task began: one that is won and cannot be kept is of no use here, and bars the peer
 *   3. the claim is sent
 *   4. won, and the lock is still held: serve. Lost: WAITING
 * Steps 2 and 3 are never swapped: a claim that is won while our broker still answers the old leader would let
 * that leader acknowledge what we then do not have to show.
 *
 * A server that had every operation (PASSIVE, ACTIVE) and whose peer is lost stays where it is when a step fails or waits: the way back from WAITING
 * takes `peerWait`, and one lost answer of the share is no reason for that. It acknowledges nothing meanwhile that the peer does not have, and behind
 * the fence nothing at all. A number in doubt is claimed again, never left out: the one after it could not meet the peer's claim.
 */

/** Goes one step on, as far as the situation allows. */
export function pursueAlone(ha: HaState, s: Situation, task: AloneTask): HaState {
  if (s.broker === null || s.broker.run !== ha.brokerRun) return moveOut(ha, whyBrokerIsGone(s));
  if (task.claim !== null) return settleClaim(ha, s, task, task.claim);
  // It would serve nobody in that term, and bar a peer that has every operation, too.
  if (s.wishes.stop) return moveOut(ha, 'stopping');
  const missing = missingForTask(s, task);
  if (missing !== null) return isPassing(s, task) ? holdUp(ha, s, task, missing) : moveOut(ha, missing);
  if (task.fresh && !task.forced && !isOneShare(s)) return awaitPeersLook(ha, s);
  if (!s.lock.held) return withoutLock(ha, s, task);
  // A record that appeared since both agreed (a promotion) is not to be overtaken: once it is kept, it has its part in who comes first.
  if (task.fresh && s.share.highestTerm > (s.kept?.term ?? NO_TERM)) return stay(ha, `waiting until the record of term ${s.share.highestTerm} is kept`);
  const term = nextTerm(s, task.fresh, ha.fence);
  const fence = Math.max(ha.fence, term - 1) as Term;
  if (fence > ha.fence) return { ...ha, fence };
  if (s.broker.clientPort === 'failed') return withoutPort(ha, s.broker.clientPortError);
  if (s.broker.fencedThrough < fence || s.broker.clientPort === 'closed' || s.broker.role !== 'idle') return ha;
  if (!s.broker.onDisk) return awaitDisk(ha, s, task, 'waiting until what this server has confirmed is on its disk');
  if (!s.takesRecords) return s.unfit || s.taskOverdue ? awaitDisk(ha, s, task, "waiting until this server's disk takes a term record") : ha;
  const me = ownMember(s);
  assert(me !== null, 'a claim needs a broker');
  const claim = newClaim(s, { term, server: s.server, inSync: [me], position: ownDurable(s), cause: task.cause, forced: task.forced });
  return { ...ha, task: { ...task, claim } };
}

/** Let go after a while, in which whose disk is so slow, or fails, bars a peer that could serve: sooner where the peer is there, later where nobody is. */
function awaitDisk(ha: HaState, s: Situation, task: AloneTask, reason: string): HaState {
  if (!s.taskOverdue) return stay(ha, reason);
  return s.peerSilent ? holdUp(ha, s, task, reason, '') : moveOut(ha, reason);
}

/**
 * R9: that both find nothing does not make it one share. Where the mounts are gone, each looks at a folder of its own disk; and what is acknowledged on the strength of a
 * term in that folder, the other one overtakes as soon as it has the share again. So the peer must see the very lockfile that was made here.
 */
function isOneShare(s: Situation): boolean {
  return s.peer !== null && !s.share.bare && !s.peer.shareBare && s.share.id !== null && s.peer.shareId === s.share.id;
}

/** Let go after a while: then both say that they see different shares, and the operator may promote. */
function awaitPeersLook(ha: HaState, s: Situation): HaState {
  const reason = `waiting until the ${s.peerServer} server sees the lockfile that was made here; both must have the same share mounted`;
  return s.taskOverdue ? moveOut(ha, reason) : stay(ha, reason);
}

/** Without patience, or when it has ended, the task is given up. What was sent stays in doubt then, and its number is claimed again from WAITING. */
function holdUp(ha: HaState, s: Situation, task: AloneTask, why: string, andThen = '; it is tried again'): HaState {
  if (s.patienceEnded || !isPatient(ha, s)) return moveOut(ha, why);
  return stay(task.heldUp ? ha : { ...ha, task: { ...task, heldUp: true } }, `${why}${andThen}`);
}

/**
 * Whether a task that is held up goes on. An ACTIVE server has clients, which must not wait here while the peer may serve them: it lets go at once where the peer is
 * there in both directions and waits to hear that this one does not serve, and where the peer can take over unseen, with neither lock nor share here.
 */
export function isPatient(ha: HaState, s: Situation): boolean {
  if (s.wishes.stop) return false;
  return ha.state === 'PASSIVE' || (ha.state === 'ACTIVE' && !peerConnected(s) && (s.lock.held || s.share.usable));
}

/** What is missing is an answer of the share, which the next look may bring. */
function isPassing(s: Situation, task: AloneTask): boolean {
  return task.to === 'STANDALONE' && !s.share.usable && !s.share.replaced && s.gatewayAnswers;
}

/** A PASSIVE or WAITING server has nothing to give up, and waits for as long as the other holds it. */
function withoutLock(ha: HaState, s: Situation, task: AloneTask): HaState {
  const why = `waiting for the lock (${s.lock.detail ?? 'asked for'})`;
  return isServing(ha.state) ? holdUp(ha, s, task, `the peer is lost, ${why}`) : stay(ha, why);
}

/**
 * The broker goes on trying. In WAITING the task stands meanwhile: dropped, it would be begun again at once, for ever. A PASSIVE server lets it go,
 * so that a peer that comes back can serve.
 */
function withoutPort(ha: HaState, error: string | null): HaState {
  const reason = `the client port cannot be opened (${error ?? 'no reason given'})`;
  return ha.state === 'WAITING' ? stay(ha, reason) : moveOut(ha, reason);
}

/** True while the task can still be dropped as if it had never been: nothing was fenced for it. */
export function isUntouched(ha: HaState): boolean {
  return ha.task?.kind === 'alone' && ha.task.claim === null && ha.fence < ha.term;
}

/** Begins the task; from now on the state rests on the broker's present run. */
export function beginAlone(
  ha: HaState,
  s: Situation,
  to: AloneTask['to'],
  cause: AloneTask['cause'],
  options: { reason: string; forced?: boolean; fresh?: boolean },
): HaState {
  const task: AloneTask = { kind: 'alone', to, cause, forced: options.forced ?? false, fresh: options.fresh ?? false, claim: null, heldUp: false };
  return { ...ha, task, reason: options.reason, brokerRun: ha.brokerRun ?? s.broker?.run ?? null };
}

function missingForTask(s: Situation, task: AloneTask): Missing {
  if (!task.forced && task.to === 'ACTIVE_SYNC') {
    // Both servers agreed on who comes first; the agreement must last until the claim is sent (R9 asks that both be connected).
    if (!peerConnected(s)) return 'the peer went away before the first claim';
    const first = whoComesFirst(s, task.fresh);
    if (first.who !== 'me' || first.fresh !== task.fresh) return first.who === 'nobody' ? first.why : 'the peer comes first';
  } else if (!task.forced) {
    const missing = missingRight(s);
    if (missing !== null) return missing;
  }
  if (task.forced && s.broker?.journal.damage) return `this copy is damaged (${s.broker.journal.damage}): export what is readable instead`;
  // The gateway has a veto on everything that is done without the peer; a first start of both is not.
  if (task.to === 'STANDALONE' && !s.gatewayAnswers) return 'the gateway does not answer';
  return null;
}

function settleClaim(ha: HaState, s: Situation, task: AloneTask, claim: TermRecord): HaState {
  const outcome = outcomeOf(s, claim);
  switch (outcome.kind) {
    case 'pending':
      return isServing(ha.state) && !s.lock.held ? holdUp(ha, s, task, `the claim of term ${claim.term} has no answer, and the lock is not held`) : ha;
    case 'won':
      // The term is ours and of no use: an attempt that was dropped had raised the fence higher, or the lock went while the claim was in doubt.
      return claim.term <= ha.fence || !s.lock.held ? claimNext(ha, task, claim) : become(ha, s, task, claim);
    case 'lost':
      if (isOwnAttempt(s, claim.term, outcome.record)) return claimNext(ha, task, outcome.record);
      if (isOwnEarlierAdmission(ha, s, outcome.record)) return { ...ha, record: outcome.record, term: outcome.record.term, task: { ...task, claim: null } };
      return moveOut(ha, `the claim of term ${claim.term} was lost to ${outcome.record.server}`);
    case 'in-doubt':
      // Once the record is kept it stands, and the keeper is about to say so.
      if (mayClaimAgain(ha, s) && s.lock.held && s.share.usable && s.kept?.nonce !== claim.nonce) return claimAgain(ha, task);
      // Not one of R9, which goes by the share as it is: kept, it could come to mean a share that was exchanged meanwhile.
      if (ha.state === 'WAITING' && !task.fresh && !s.mayTryAgain) return stay(ha, `the claim of term ${claim.term} got no answer (${outcome.detail})`);
      return holdUp(ha, s, task, `the claim of term ${claim.term} got no answer (${outcome.detail})`);
    case 'failed': {
      const why = `the claim of term ${claim.term} could not be made (${outcome.detail})`;
      if (mayClaimAgain(ha, s)) return claimAgain(ha, task);
      // Given up now, it would be begun again at once.
      return ha.state === 'WAITING' && !s.mayTryAgain ? stay(ha, why) : holdUp(ha, s, task, why);
    }
  }
}

function mayClaimAgain(ha: HaState, s: Situation): boolean {
  return s.mayTryAgain && !s.patienceEnded && isPatient(ha, s);
}

/** The same number, with a new nonce: whichever of the two comes to stand, it is for this copy. */
function claimAgain(ha: HaState, task: AloneTask): HaState {
  return { ...ha, task: { ...task, claim: null, heldUp: true } };
}

/** `stands` is for this copy alone, and it is not served in: the number after it is claimed. The fence holds over it, so that the task is not taken for untouched. */
function claimNext(ha: HaState, task: AloneTask, stands: TermRecord): HaState {
  const next = { ...ha, fence: Math.max(ha.fence, stands.term) as Term, task: { ...task, claim: null } };
  return isServing(ha.state) ? { ...next, record: stands, term: stands.term } : next;
}

/** An earlier attempt of this task, which got no answer and had landed. */
export function isOwnAttempt(s: Situation, term: Term, found: TermRecord): boolean {
  return found.server === s.server && found.term === term && found.inSync.length === 1;
}

/**
 * A doubtful admission of this very run had landed after all: it is our own term, in which the peer counts. Nothing was
 * acknowledged without the peer since, so the next number may be claimed on it.
 */
function isOwnEarlierAdmission(ha: HaState, s: Situation, found: TermRecord): boolean {
  return ha.record !== null && ha.record.server === s.server && found.server === s.server && found.cause === 'admission' && found.term === ha.record.term + 1;
}

function become(ha: HaState, s: Situation, task: AloneTask, record: TermRecord): HaState {
  assert(s.broker !== null && s.broker.fencedThrough >= record.term - 1, 'a solo term begins only behind a confirmed fence');
  const words: Record<AloneTask['cause'], string> = {
    start: 'both were waiting and this server comes first',
    takeover: 'the peer is lost',
    alone: peerConnected(s) ? 'the peer is there and takes no part' : 'the peer did not come',
    'peer-lost': 'the peer is lost',
    admission: '',
    switchover: '',
    promotion: 'promoted by the operator, accepting loss',
  };
  const peerBroker = task.to === 'ACTIVE_SYNC' ? (s.peer?.broker ?? null) : null;
  const partner = peerBroker === null ? null : { server: s.peerServer, brokerRun: peerBroker.run };
  const ready = { term: record.term, record, leader: null, partner, brokerRun: s.broker.run };
  if (ha.state === task.to) return { ...ha, ...ready, task: null, reason: words[task.cause] };
  return move(ha, task.to, words[task.cause], ready);
}

function moveOut(ha: HaState, reason: string): HaState {
  if (ha.state !== 'WAITING') return moveToWaiting(ha, reason);
  return stay({ ...ha, task: null, term: NO_TERM, record: null, leader: null, partner: null, brokerRun: null }, reason);
}
