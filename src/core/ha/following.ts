import { isServing, NO_TERM } from '../identity.js';
import type { TermRecord } from '../terms/record.js';
import { beginAlone, isUntouched, pursueAlone } from './alone.js';
import { move, moveToWaiting, stay } from './moves.js';
import { missingMembership, missingOwnMembership, peerServesBehindUs, whoComesFirst } from './rights.js';
import { peerConnected, whyBrokerIsGone, whyPeersBrokerIsGone, type Situation } from './situation.js';
import type { AcceptTask, HaState } from './state.js';
import { leaderOf, whyNotBehindUs } from './waiting.js';

/** PASSIVE_SYNC: copies what it lacks. Has no right to serve, whatever happens. */
export function decidePassiveSync(ha: HaState, s: Situation): HaState {
  if (s.broker === null || s.broker.run !== ha.brokerRun) return moveToWaiting(ha, whyBrokerIsGone(s));
  if (!peerConnected(s) || s.peer === null) return moveToWaiting(ha, 'the peer is lost');
  if (s.peer.brokerDown) return moveToWaiting(ha, whyPeersBrokerIsGone(s));
  const leader = leaderOf(s);
  if (!isServing(s.peer.state)) {
    if (ha.leader !== null) return moveToWaiting(ha, 'the peer stopped serving');
    // Both were waiting; the one that comes first is about to claim.
    const first = whoComesFirst(s);
    if (first.who === 'me') return moveToWaiting(ha, 'this server comes first after all');
    // Not for ever: the operator must be told what is missing, and may promote only a server that is WAITING.
    if (first.who === 'nobody' && s.settled) return moveToWaiting(ha, first.why);
    return stay(ha, 'waiting for the peer to serve');
  }
  if (leader === null) return stay(ha, "the peer's broker is not ready");
  if (ha.leader === null && peerServesBehindUs(s)) return moveToWaiting(ha, whyNotBehindUs(s));
  if (s.peer.term <= ha.fence) return moveToWaiting(ha, `the peer serves in term ${s.peer.term}, which this server has fenced`);
  if (isAdmitted(s)) {
    return move(ha, 'PASSIVE', 'this copy is in sync', { term: s.peer.term, leader });
  }
  if (leader.brokerRun !== ha.leader?.brokerRun || s.peer.term !== ha.term) return { ...ha, leader, term: s.peer.term };
  return ha;
}

/** The serving server has made us a member, with the journal that we have now, and we stand in its term. */
function isAdmitted(s: Situation): boolean {
  const { kept, broker, peer } = s;
  if (kept === null || broker === null || peer === null) return false;
  if (kept.server !== s.peerServer || peer.term !== kept.term || kept.inSync.length !== 2) return false;
  if (broker.diverged !== null || broker.replication?.phase !== 'in-step') return false;
  return missingOwnMembership(s, kept) === null;
}

/** PASSIVE: has every acknowledged operation, and takes over when the peer is lost. */
export function decidePassive(ha: HaState, s: Situation): HaState {
  if (s.broker === null || s.broker.run !== ha.brokerRun) return moveToWaiting(ha, whyBrokerIsGone(s));
  if (ha.task?.kind === 'accept') return pursueAccept(ha, s, ha.task);
  if (ha.task?.kind === 'alone' && (ha.task.claim !== null || !isUntouched(ha))) return pursueAlone(ha, s, ha.task);
  if (s.kept !== null && s.kept.term > ha.term) return atNewerTerm(ha, s, s.kept);
  const lost = whyPeerIsLost(ha, s);
  if (lost === null) return ha.task === null ? ha : { ...ha, task: null, reason: 'the peer is back' };
  if (!s.gatewayAnswers) return moveToWaiting(ha, `${lost}, and the gateway does not answer`);
  const begun = ha.task === null ? beginAlone(ha, s, 'STANDALONE', 'takeover', { reason: lost }) : ha;
  return begun.task?.kind === 'alone' ? pursueAlone(begun, s, begun.task) : begun;
}

function atNewerTerm(ha: HaState, s: Situation, kept: TermRecord): HaState {
  const mine = missingOwnMembership(s, kept);
  if (kept.server === s.server && kept.cause === 'switchover' && kept.term === ha.term + 1 && mine === null && s.broker?.diverged === null) {
    return { ...ha, task: { kind: 'accept', record: kept }, reason: 'the peer hands over' };
  }
  if (isNotYetDurable(ha, s, kept)) return stay(ha, "the peer hands over; this copy's last records are being confirmed");
  const needsCopy = s.broker?.diverged !== null || s.broker.journal.damage !== null;
  if (needsCopy && peerConnected(s) && s.peer !== null && isServing(s.peer.state) && s.peer.term === kept.term) {
    return move(ha, 'PASSIVE_SYNC', `own copy must be made anew (${s.broker?.diverged ?? s.broker?.journal.damage ?? ''})`, { term: kept.term, leader: leaderOf(s) });
  }
  return moveToWaiting(ha, kept.server === s.server ? 'a term of ours that this run did not accept' : `the peer now serves in term ${kept.term} without this server`);
}

/**
 * The peer drained until it knew our last record to be durable, and its word was quicker than our own broker's. Bounded by the peer: it
 * claims the next number when we do not serve within the stall limit, and its silence ends the wait, too.
 */
function isNotYetDurable(ha: HaState, s: Situation, kept: TermRecord): boolean {
  const { broker, peer } = s;
  if (kept.server !== s.server || kept.cause !== 'switchover' || kept.term !== ha.term + 1) return false;
  if (broker === null || broker.diverged !== null || peer === null || s.peerSilent) return false;
  const { journal } = broker;
  const asItWillBe = { ...journal, server: s.server, journal: journal.id, logTerm: journal.term, durable: kept.position };
  return journal.durable < kept.position && missingMembership(kept, asItWillBe, null) === null;
}

/** R10, the accepting side. The fence and the port come first; then the term is ours, once. */
function pursueAccept(ha: HaState, s: Situation, task: AcceptTask): HaState {
  const { broker } = s;
  if (broker === null) return moveToWaiting(ha, whyBrokerIsGone(s));
  if (s.kept !== null && s.kept.term > task.record.term) return moveToWaiting(ha, `term ${s.kept.term} overtook the switchover`);
  if (broker.clientPort === 'failed') return moveToWaiting(ha, `the client port cannot be opened (${broker.clientPortError ?? 'no reason given'})`);
  if (ha.fence < ha.term) return { ...ha, fence: ha.term };
  if (broker.fencedThrough < ha.fence || broker.clientPort === 'closed' || broker.role !== 'idle') return ha;
  const partner = s.peer?.broker ? { server: s.peerServer, brokerRun: s.peer.broker.run } : null;
  return move(ha, 'ACTIVE', 'switchover: the peer handed over', { term: task.record.term, record: task.record, leader: null, partner });
}

/** Why the serving peer counts as lost, or `null`. */
function whyPeerIsLost(ha: HaState, s: Situation): string | null {
  const { peer } = s;
  if (isHandedOver(ha, s)) return null;
  if (peer === null || s.peerSilent) return 'the peer is silent';
  if (peer.brokerDown) return whyPeersBrokerIsGone(s);
  if (peer.broker?.run !== ha.leader?.brokerRun) return "the peer's broker was restarted";
  if (isServing(peer.state)) return null;
  // After a switchover the peer needs a moment to begin.
  if (peer.state === 'PASSIVE' && !s.settled) return null;
  return `the peer serves no more (${peer.state}: ${peer.reason})`;
}

/**
 * R10: the peer has said that this server serves from now on, and the record is on its way to our own disk (the manager keeps it from
 * the same message). To take over meanwhile would be to claim the very number that is ours already, and to lose it to ourselves.
 * That the peer stops right after its handover, or is lost, changes nothing: until that record is kept, no other claim can be won either.
 */
function isHandedOver(ha: HaState, s: Situation): boolean {
  const { peer } = s;
  const record = peer?.record ?? null;
  if (peer === null || record === null || record.server !== s.server || record.cause !== 'switchover') return false;
  if (record.term !== ha.term + 1 || record.term <= (s.kept?.term ?? NO_TERM)) return false;
  return peer.shareId !== null && peer.shareId === s.share.id && !peer.shareReplaced;
}
