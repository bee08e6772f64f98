import { isServing } from '../identity.js';
import { beginAlone, pursueAlone } from './alone.js';
import { move, stay } from './moves.js';
import { missingRight, peerServesBehindUs, whoComesFirst } from './rights.js';
import { peerConnected, peerServes, peerTakesPart, type Situation } from './situation.js';
import type { AloneTask, HaState, Leader } from './state.js';

/** WAITING: serves nobody, follows nobody. */
export function decideWaiting(ha: HaState, s: Situation): HaState {
  if (s.broker === null) return stay(ha.task === null ? ha : { ...ha, task: null, brokerRun: null }, s.wishes.stop ? 'stopping' : 'the broker is not running yet');
  if (ha.task?.kind === 'alone') {
    const over = ha.task.claim === null ? whyOver(ha.task, s) : null;
    return over !== null ? stay({ ...ha, task: null, brokerRun: null }, over) : pursueAlone(ha, s, ha.task);
  }
  if (s.wishes.stop) return stay(ha, 'stopping');
  if (peerTakesPart(s)) return withPeer(ha, s);
  if (s.wishes.promote) return promote(ha, s);
  return withoutPeer(ha, s);
}

/** Why an attempt to serve alone for which nothing was claimed yet is dropped. A promotion is not kept beyond its wish: what the operator decided on may have changed. */
function whyOver(task: AloneTask, s: Situation): string | null {
  if (task.to !== 'STANDALONE') return null;
  if (task.forced) return s.wishes.promote && !peerServes(s) ? null : 'the promotion was given up: it did not come true in time, or the peer serves again';
  if (peerTakesPart(s)) return 'the peer has come';
  // It came while a claim got no answer, and is gone again: R8 counts anew.
  return s.peerHadItsWait ? null : 'the peer had come, and is waited for once more';
}

function withPeer(ha: HaState, s: Situation): HaState {
  const peer = s.peer;
  if (peer === null) return ha;
  if (isServing(peer.state)) return followServing(ha, s);
  if (s.wishes.promote) return promote(ha, s);
  const first = whoComesFirst(s);
  if (first.who === 'nobody') return stay(ha, first.why);
  if (first.who === 'peer') return move(ha, 'PASSIVE_SYNC', 'both were waiting and the peer comes first', { brokerRun: s.broker?.run ?? null });
  return beginAlone(ha, s, 'ACTIVE_SYNC', 'start', { reason: 'both are waiting and this server comes first', fresh: first.fresh });
}

function followServing(ha: HaState, s: Situation): HaState {
  const peer = s.peer;
  const leader = leaderOf(s);
  if (peer === null || leader === null) return stay(ha, "the peer serves; its broker's address is not known yet");
  if (peer.state === 'ACTIVE') return stay(ha, 'the peer serves and must first see that this server was away');
  if (s.share.id !== null && peer.shareId !== null && s.share.id !== peer.shareId) {
    return stay(ha, `the servers see different shares (${s.share.id} here, ${peer.shareId} at the peer); mount the same one`);
  }
  if (peerServesBehindUs(s)) return stay(ha, whyNotBehindUs(s));
  if (peer.term <= ha.fence) return stay(ha, `the peer serves in term ${peer.term}, which this server has fenced; it needs a newer one`);
  const state = peer.state === 'STANDALONE' ? 'serves alone' : 'has begun to serve';
  return move(ha, 'PASSIVE_SYNC', `the peer ${state}`, { term: peer.term, leader, brokerRun: s.broker?.run ?? null });
}

export function whyNotBehindUs(s: Situation): string {
  const served = `the peer serves in term ${s.peer?.term ?? 0}, and this server knows of term ${s.kept?.term ?? 0}, which that one does not rest on`;
  return `${served}: the share was put back or replaced; decide whose data counts`;
}

/** R8 */
function withoutPeer(ha: HaState, s: Situation): HaState {
  const why = whyWithoutPeer(s);
  if (!s.peerHadItsWait) return stay(ha, why);
  const how = peerConnected(s) ? `without the peer (${why})` : 'alone';
  const missing = missingRight(s);
  if (missing !== null) return stay(ha, `${how}, and may not serve: ${missing}`);
  if (!s.gatewayAnswers) return stay(ha, `${how}, and the gateway does not answer`);
  return beginAlone(ha, s, 'STANDALONE', 'alone', { reason: `${how}, and this server has the newest data` });
}

function whyWithoutPeer(s: Situation): string {
  if (s.peer === null || s.peerSilent) return 'waiting for the peer to connect';
  if (!s.peerHearsUs) return 'the peer does not hear this server';
  const first = whoComesFirst(s);
  return first.who === 'nobody' ? first.why : 'the peer takes no part';
}

function promote(ha: HaState, s: Situation): HaState {
  const fresh = s.share.replaced || s.kept === null;
  return beginAlone(ha, s, 'STANDALONE', 'promotion', { reason: 'the operator promotes this server', forced: true, fresh });
}

/** The peer's broker as one to copy from; `null` while its status does not say enough. */
export function leaderOf(s: Situation): Leader | null {
  const broker = s.peer?.broker;
  if (broker === null || broker === undefined || s.peer?.brokerDown === true) return null;
  return { server: s.peerServer, brokerRun: broker.run, endpoint: s.peerReplication };
}
