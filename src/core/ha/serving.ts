import { assert } from '../errors.js';
import { NO_TERM, type Position, type Term } from '../identity.js';
import type { TermRecord } from '../terms/record.js';
import { beginAlone, isOwnAttempt, isPatient, isUntouched, pursueAlone } from './alone.js';
import { newClaim, outcomeOf, ownMember } from './claims.js';
import { move, moveToWaiting } from './moves.js';
import { missingRight, nextTerm, ownDurable } from './rights.js';
import { peerConnected, whyBrokerIsGone, whyPeersBrokerIsGone, type Situation } from './situation.js';
import type { AdmitTask, HaState, HandoverTask } from './state.js';

/** What ends any serving state at once; `null` when nothing does. */
function whyStop(ha: HaState, s: Situation): string | null {
  if (s.broker === null || s.broker.run !== ha.brokerRun) return whyBrokerIsGone(s);
  if (s.broker.journal.damage !== null) return `own copy is damaged (${s.broker.journal.damage})`;
  if (s.share.replaced) return 'the share was replaced: it lacks records that this server has kept';
  const higher = s.kept !== null && ha.record !== null && s.kept.term > ha.record.term ? s.kept : null;
  // A claim of our own that was won and kept is on its way to us as the task's outcome.
  if (higher !== null && higher.nonce !== claimUnderWay(ha)?.nonce && !isOwnInDoubt(ha, s, higher)) return `term ${higher.term} was claimed by ${higher.server}`;
  return null;
}

/** A doubtful claim of our own that had landed: found while the same number was claimed again. */
function isOwnInDoubt(ha: HaState, s: Situation, found: TermRecord): boolean {
  const next = ((ha.record?.term ?? 0) + 1) as Term;
  if (ha.task?.kind !== 'alone' || found.server !== s.server || found.term !== next) return false;
  return found.cause === 'admission' || (!isUntouched(ha) && isOwnAttempt(s, next, found));
}

function claimUnderWay(ha: HaState): TermRecord | null {
  return ha.task !== null && ha.task.kind !== 'accept' ? ha.task.claim : null;
}

/** STANDALONE: only this copy counts, and only while the lock is held. */
export function decideStandalone(ha: HaState, s: Situation): HaState {
  const stop = whyStop(ha, s);
  if (stop !== null) return moveToWaiting(ha, stop);
  if (!s.lock.held) return moveToWaiting(ha, `the lock was lost while alone (${s.lock.detail ?? 'its deadline passed'})`);
  if (ha.task?.kind === 'alone') return pursueAlone(ha, s, ha.task);
  if (s.wishes.stop || !mayAdmit(s)) return ha;
  if (knowsBetter(ha, s)) {
    // It does not follow us. After a promotion it shall: the operator has decided already whose data counts.
    return ha.record?.forced === true && s.gatewayAnswers && s.share.usable ? beginAlone(ha, s, 'STANDALONE', 'promotion', { reason: 'the peer needs a newer term', forced: true }) : ha;
  }
  // A peer that once fenced this term (a promotion that came to nothing) follows only a newer one.
  const fenced = (s.peer?.broker?.fencedThrough ?? 0) >= ha.term;
  // Without the right to a newer one it goes on in the term that it has: to begin and fail would end it.
  if (fenced) return s.gatewayAnswers && missingRight(s) === null ? beginAlone(ha, s, 'STANDALONE', 'peer-lost', { reason: 'the peer needs a newer term' }) : ha;
  return move(ha, 'ACTIVE_SYNC', 'the peer is back', { partner: partnerOf(s) });
}

/** The peer has kept a record that the share has lost, of this term or a later one. The very record that this server serves by is none: the peer heard of it before it looked at the share. */
function knowsBetter(ha: HaState, s: Situation): boolean {
  const { peer } = s;
  return peer !== null && peer.shareReplaced && (peer.record?.term ?? NO_TERM) >= ha.term && peer.record?.nonce !== ha.record?.nonce;
}

function mayAdmit(s: Situation): boolean {
  const { peer } = s;
  if (!peerConnected(s) || peer === null || peer.brokerDown || peer.broker === null) return false;
  if (peer.state !== 'WAITING' && peer.state !== 'PASSIVE_SYNC') return false;
  return peer.shareId !== null && peer.shareId === s.share.id && !peer.stopping;
}

function partnerOf(s: Situation): HaState['partner'] {
  return s.peer?.broker ? { server: s.peerServer, brokerRun: s.peer.broker.run } : null;
}

/** ACTIVE_SYNC: serves on its own copy and gives the peer what it lacks; then makes it a member (R6). */
export function decideActiveSync(ha: HaState, s: Situation): HaState {
  if (ha.task?.kind === 'alone') {
    const stop = whyStopSolo(ha, s);
    return stop !== null ? moveToWaiting(ha, stop) : pursueAlone(ha, s, ha.task);
  }
  const stop = whyStop(ha, s) ?? (s.lock.held ? null : `the lock was lost (${s.lock.detail ?? 'its deadline passed'})`);
  if (stop !== null) return moveToWaiting(ha, stop);
  const task: AdmitTask = ha.task?.kind === 'admit' ? ha.task : { kind: 'admit', requirePeer: false, claim: null };
  if (task.claim !== null) return settleAdmission(ha, s, task, task.claim);
  const lost = whyPartnerIsLost(ha, s);
  // No admission was ever sent: the term {me, [me]} still stands, and with it the right to serve alone.
  if (lost !== null) return move(ha, 'STANDALONE', lost, { partner: null });
  return admit(ha, s, task);
}

function whyStopSolo(ha: HaState, s: Situation): string | null {
  return s.lock.held ? whyStop(ha, s) : `the peer is lost and so is the lock (${s.lock.detail ?? 'its deadline passed'})`;
}

function admit(ha: HaState, s: Situation, task: AdmitTask): HaState {
  const broker = s.broker;
  const link = broker?.replication ?? null;
  const inStep = link !== null && link.phase === 'in-step' && link.peerRun === ha.partner?.brokerRun && link.term === ha.term;
  // A peer that stands still before it was claimed for is not waited for: nothing rests on it yet.
  if (!inStep || s.stalled || broker === null) return task.requirePeer ? { ...ha, task: { ...task, requirePeer: false } } : keepTask(ha, task);
  if (s.wishes.stop) return keepTask(ha, task);
  if (!task.requirePeer) return s.repositoriesSettled ? { ...ha, task: { ...task, requirePeer: true } } : awaitRepositories(ha, task);
  const me = ownMember(s);
  if (broker.peerRequiredFrom === null || link.peerJournal === null || me === null) return ha;
  // What was acknowledged without the peer ends here; the peer must have all of it before it counts.
  const position = (broker.peerRequiredFrom - 1) as Position;
  if (link.peerDurable < position || broker.journal.durable < position) return ha;
  const peer = { server: s.peerServer, journal: link.peerJournal };
  const claim = newClaim(s, { term: nextTerm(s, false), server: s.server, inSync: [me, peer], position, cause: 'admission' });
  return { ...ha, task: { ...task, claim } };
}

/** Before the peer is required: until it is admitted, what is acknowledged rests on this copy alone, and a peer that is slow with its folders delays nobody. */
function awaitRepositories(ha: HaState, task: AdmitTask): HaState {
  const kept = keepTask(ha, task);
  return kept.reason === AWAITING_REPOSITORIES ? kept : { ...kept, reason: AWAITING_REPOSITORIES };
}

const AWAITING_REPOSITORIES = 'the messages are in step; the repositories of the peer are not yet in sync';

function keepTask(ha: HaState, task: AdmitTask): HaState {
  return ha.task === task ? ha : { ...ha, task };
}

/** From the moment that it was sent the peer counts, whatever the answer is or is not. */
function settleAdmission(ha: HaState, s: Situation, task: AdmitTask, claim: TermRecord): HaState {
  const outcome = outcomeOf(s, claim);
  if (outcome.kind === 'won') return move(ha, 'ACTIVE', 'both copies are in sync', { term: claim.term, record: claim });
  if (outcome.kind === 'lost') return moveToWaiting(ha, `the admission of the peer was lost to ${outcome.record.server}, term ${outcome.record.term}`);
  const lost = whyPartnerIsLost(ha, s);
  if (outcome.kind === 'failed') return s.mayTryAgain || lost !== null ? { ...ha, task: { ...task, claim: null } } : ha;
  // In doubt, or no answer yet: the same number is claimed again for {me, [me]}, behind a fence, which settles it.
  if (lost !== null) return beginAlone(ha, s, 'STANDALONE', 'peer-lost', { reason: `${lost}, while the admission had no answer` });
  if (outcome.kind === 'in-doubt' && s.taskOverdue && s.share.usable) {
    return beginAlone(ha, s, 'STANDALONE', 'peer-lost', { reason: 'the admission got no answer; settling it' });
  }
  return ha;
}

/** ACTIVE: every acknowledgement is on both copies; the lock may come and go while the peer is there (R11). */
export function decideActive(ha: HaState, s: Situation): HaState {
  const stop = whyStop(ha, s);
  if (stop !== null) return moveToWaiting(ha, stop);
  if (ha.task?.kind === 'alone') {
    // Nothing is fenced yet: the same run of the peer resumes in the same term (R5).
    const isBack = isUntouched(ha) && whyPartnerIsLost(ha, s) === null;
    return isBack ? { ...ha, task: null, reason: 'the peer is back' } : pursueAlone(ha, s, ha.task);
  }
  if (ha.task?.kind === 'handover' && ha.task.claim !== null) return settleHandover(ha, s, ha.task, ha.task.claim);
  const lost = whyPartnerIsLost(ha, s);
  if (lost !== null) {
    // Right after a switchover, for one, the lost peer may still have held it: then it can be had when that lock is stale.
    if (!s.lock.held && !isPatient(ha, s)) return moveToWaiting(ha, `${lost}, and the lock is not held (${s.lock.detail ?? 'its deadline passed'})`);
    if (!s.gatewayAnswers) return moveToWaiting(ha, `${lost}, and the gateway does not answer`);
    return beginAlone(ha, s, 'STANDALONE', 'peer-lost', { reason: lost });
  }
  const whyNot = whyGiveWay(s);
  if (whyNot !== null) return moveToWaiting(ha, whyNot);
  if (s.wishes.switchover || s.wishes.stop || ha.task?.kind === 'handover') return handOver(ha, s);
  return ha;
}

/**
 * Nothing can be acknowledged here, and the peer, which has every operation, can serve: it takes over from a server that serves no more (R12). A switchover would wait for this
 * server's disk. That the peer's disk goes on is shown by what it has made durable and this one has not. Not before it has served for a while: two slow disks shall not send the clients to and fro.
 */
function whyGiveWay({ diskStalled, steady, peer, share, broker }: Situation): string | null {
  if (!diskStalled || !steady || !share.usable || broker === null || broker.replication === null) return null;
  if (peer?.state !== 'PASSIVE' || peer.stopping || peer.hindrance !== null || peer.unfit !== false || !peer.gatewayAnswers) return null;
  const { journal, replication } = broker;
  if (replication.phase !== 'in-step' || replication.peerDurable <= journal.durable) return null;
  return `nothing has got durable here for ${Math.round(journal.stalledMs)} ms; the peer can serve`;
}

function handOver(ha: HaState, s: Situation): HaState {
  const wanted = s.wishes.switchover || s.wishes.stop;
  // A broker that has stopped by itself begins again only without a handover.
  const canDrain = s.broker?.role === 'serve';
  if (!wanted || !canDrain || s.taskOverdue || s.peer?.state !== 'PASSIVE' || s.peer.stopping || !s.lock.held || !s.share.usable) {
    return ha.task === null ? ha : { ...ha, task: null };
  }
  const task: HandoverTask = ha.task?.kind === 'handover' ? ha.task : { kind: 'handover', claim: null };
  if (s.broker === null || !s.broker.drained || ha.record === null) return ha.task === task ? ha : { ...ha, task };
  const claim = newClaim(s, { term: nextTerm(s, false), server: s.peerServer, inSync: ha.record.inSync, position: ownDurable(s), cause: 'switchover' });
  return { ...ha, task: { ...task, claim } };
}

/** From the moment that it was sent the term may be the peer's: no operation is taken any more. */
function settleHandover(ha: HaState, s: Situation, task: HandoverTask, claim: TermRecord): HaState {
  const outcome = outcomeOf(s, claim);
  switch (outcome.kind) {
    case 'pending':
      // Won, for one, and this server's disk does not take the record: the peer waits for this lock then.
      return s.taskOverdue ? moveToWaiting(ha, 'the switchover did not come to its end in time; neither server serves until that is settled') : ha;
    case 'failed':
      return s.mayTryAgain || whyPartnerIsLost(ha, s) !== null ? { ...ha, task: { ...task, claim: null } } : ha;
    case 'lost':
      return moveToWaiting(ha, `the switchover was lost to ${outcome.record.server}, term ${outcome.record.term}`);
    case 'in-doubt':
      return moveToWaiting(ha, `the switchover got no answer (${outcome.detail}); neither server serves until that is settled`);
    case 'won':
      assert(ha.partner !== null && s.peer?.broker !== undefined, 'a switchover has a partner');
      return becomeFollower(ha, s, claim);
  }
}

function becomeFollower(ha: HaState, s: Situation, claim: TermRecord): HaState {
  const broker = s.peer?.broker;
  if (!broker) return moveToWaiting(ha, 'the peer was lost during the switchover');
  const leader = { server: s.peerServer, brokerRun: broker.run, endpoint: s.peerReplication };
  return move(ha, 'PASSIVE', 'switchover: handed over to the peer', { term: claim.term, record: null, partner: null, leader });
}

/** Why the passive peer counts as lost, or `null`. */
function whyPartnerIsLost(ha: HaState, s: Situation): string | null {
  const { peer } = s;
  if (peer === null || s.peerSilent) return 'the peer is silent';
  if (!s.peerHearsUs) return 'the peer does not hear this server';
  if (peer.brokerDown || peer.broker === null) return whyPeersBrokerIsGone(s);
  if (peer.broker.run !== ha.partner?.brokerRun) return "the peer's broker was restarted";
  if (ha.state === 'ACTIVE_SYNC' && knowsBetter(ha, s)) return `the peer knows of term ${peer.record?.term ?? 0} from a share that is gone`;
  // Such a peer follows only a newer term, which a server that is STANDALONE claims for it.
  if (peer.broker.fencedThrough >= ha.term) return `the peer has fenced term ${ha.term}`;
  if (ha.state === 'ACTIVE_SYNC') return peer.state === 'WAITING' || peer.state === 'PASSIVE_SYNC' || peer.state === 'PASSIVE' ? null : `the peer is ${peer.state}`;
  if (peer.broker.damage !== null) return `the peer's copy is damaged (${peer.broker.damage})`;
  if (peer.broker.diverged !== null) return `the peer's copy differs (${peer.broker.diverged})`;
  // Its copy was made anew after the claim had named the one before: nothing that it confirms counts in this term.
  const counted = ha.record?.inSync.find((member) => member.server === s.peerServer);
  if (counted !== undefined && counted.journal !== peer.broker.journal) return `the peer's copy is another than the one that counts in term ${ha.term}`;
  // Where the own disk stands still as well, nothing is gained without the peer, and who goes on first is not known.
  if (s.stalled && !s.diskPauses) return 'the replication link gives no progress';
  return isFollowing(s) ? null : `the peer is ${peer.state} (${peer.reason})`;
}

/** Also right after a switchover, when the peer's last word is still that it is ACTIVE in the term before. */
function isFollowing(s: Situation): boolean {
  const state = s.peer?.state;
  if (state === 'PASSIVE' || state === 'PASSIVE_SYNC') return true;
  return state === 'ACTIVE' && !s.settled;
}
