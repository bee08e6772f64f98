import { isServing, NO_POSITION } from '../core/identity.js';
import type { BrokerStatus } from '../core/control/broker.js';
import { reachOf } from '../core/terms/watermark.js';
import type { HaState } from '../core/ha/state.js';
import { missingOwnMembership } from '../core/ha/rights.js';
import { peerConnected, peerServes, type Situation } from '../core/ha/situation.js';

/**
 * What an operator could do now; `null` when nothing is called for. One sentence.
 * @param refused why this server refuses who calls in the peer's place, or is refused itself; `null` when neither. The peer need not be running: another cluster's server may have called, or this one have reached itself
 */
export function adviceFor(ha: HaState, s: Situation, refused: string | null): string | null {
  const peer = bringBack(s, refused);
  if (ha.state === 'STANDALONE') return `only this server holds the data now: ${peer}`;
  const without = withoutShare(ha, s);
  if (without !== null) return `the share is not usable here (${s.share.detail ?? 'not looked at yet'}): ${without}`;
  const waiting = ha.state === 'WAITING' && s.broker !== null ? whileWaiting(s, s.broker, peer, refused) : null;
  return waiting ?? nobodyServes(ha, s);
}

function whileWaiting(s: Situation, broker: BrokerStatus, peer: string, refused: string | null): string | null {
  if (broker.journal.damage !== null) return `this server's copy is damaged and needs the peer's: ${peer}`;
  if (!s.peerSilent) return null;
  if (s.share.replaced) return promotion('the share was replaced', s, peer);
  if (s.kept !== null && !s.gatewayAnswers && s.peerHadItsWait) return `the gateway does not answer, and without it this server does not serve alone: look at that machine and at the way to it, or ${peer}`;
  if (s.kept === null) return s.peerHadItsWait || refused !== null ? `a new pair starts with both servers: ${peer}` : null;
  const missing = missingOwnMembership(s, s.kept);
  return missing === null ? null : promotion(missing, s, peer);
}

/** For a server of a pair in sync, which needs the share only for a change of roles: what goes on without it, what does not, and what to do. `null`: it is usable, or the pair is not whole. */
export function withoutShare({ state, task }: HaState, s: Situation): string | null {
  if (s.share.usable || (state !== 'ACTIVE' && state !== 'PASSIVE') || task?.kind === 'alone' || !peerConnected(s)) return null;
  const fails = state === 'ACTIVE' ? `this server cannot go on alone when the ${s.peerServer} server is lost, nor hand over to it` : `this server cannot take over when the ${s.peerServer} server is lost`;
  return `clients are served, and both copies stay in sync, but without it ${fails}; see to its mount here and to the machine that hosts it`;
}

/** For a server that may not serve without the share while, as far as it knows, nobody does. `null`: somebody serves, or may be about to. */
export function nobodyServes(ha: HaState, s: Situation): string | null {
  const isHeldUp = ha.state === 'WAITING' ? s.settled : ha.task?.kind === 'alone' && ha.task.heldUp;
  if (!isHeldUp || isStandstillOver(ha, s) || s.share.replaced || s.wishes.stop) return null;
  const fails = peerConnected(s) ? 'nobody serves: this server cannot take over' : 'this server cannot serve';
  return `${fails} without the share (${s.share.detail ?? 'not looked at yet'}); see to its mount here and to the machine that hosts it`;
}

/** Somebody serves, or the share can be used: when `nobodyServes` has something to say again, it is news. */
export function isStandstillOver({ state, task }: HaState, s: Situation): boolean {
  return s.share.usable || peerServes(s) || (isServing(state) && task?.kind !== 'alone');
}

function bringBack(s: Situation, refused: string | null): string {
  if (refused === null) return `start the ${s.peerServer} server`;
  return `mend what keeps the ${s.peerServer} server and this one apart (${refused})`;
}

/** States what a promotion may lose (R8, R9). */
function promotion(why: string, s: Situation, peer: string): string {
  const kept = s.kept;
  const sole = kept !== null && kept.forced === undefined && kept.inSync.length === 1 && kept.inSync[0]?.server === s.server && kept.inSync[0]?.journal === s.broker?.journal.id;
  if (sole && (s.broker?.journal.durable ?? NO_POSITION) < reachOf(kept, s.share.watermark)) return `${why}; "lockstep promote --accept-data-loss" makes this copy serve, and what it lacks is lost`;
  if (sole) return `${why}; ${peer}, or run "lockstep promote --accept-data-loss": nothing is lost by it, this server was the last to serve alone`;
  return `${why}; ${peer}. If the ${s.peerServer} server is gone for good, "lockstep promote --accept-data-loss" makes this copy serve, and what was acknowledged after it fell behind is lost`;
}
