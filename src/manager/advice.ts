import { isServing, NO_POSITION } from '../core/identity.js';
import type { BrokerStatus } from '../core/control/broker.js';
import { reachOf } from '../core/terms/watermark.js';
import type { HaState } from '../core/ha/state.js';
import { missingMembership, missingOwnMembership, peerServesBehindUs } from '../core/ha/rights.js';
import { peerConnected, peerServes, type Situation } from '../core/ha/situation.js';

/**
 * What an operator could do now; `null` when nothing is called for. One sentence.
 * @param refused why this server refuses who calls in the peer's place, or is refused itself; `null` when neither. The peer need not be running: another cluster's server may have called, or this one have reached itself
 */
export function adviceFor(ha: HaState, s: Situation, refused: string | null): string | null {
  const peer = bringBack(s, refused);
  const both = bothServe(ha, s);
  if (both !== null) return both;
  if (ha.state === 'STANDALONE') return `only this server holds the data now: ${notAdmitted(s) ?? peer}`;
  const without = withoutShare(ha, s);
  if (without !== null) return `the share is not usable here (${s.share.detail ?? 'not looked at yet'}): ${without}`;
  const waiting = ha.state === 'WAITING' && s.broker !== null ? whileWaiting(s, s.broker, peer, refused) : null;
  return withoutGateway(ha, s) ?? waiting ?? nobodyServes(ha, s) ?? keptOut(ha, s) ?? withoutPort(ha, s) ?? withoutPeer(ha, s);
}

/** Each serves for itself, and hears the other do so: after a promotion beside a server that served, for one. `null`: not so. */
export function bothServe(ha: HaState, s: Situation): string | null {
  if (ha.state !== 'STANDALONE' || s.peer === null || s.peerSilent || s.peer.state !== 'STANDALONE') return null;
  return `both servers serve, each for itself (term ${ha.term} here, term ${s.peer.term} at the ${s.peerServer} server), and neither has what the other acknowledges: see that both have the same share mounted, and decide whose data counts. "lockstep stop" the other server, move its data.folder away, keep it for what is only there, and start it again: it copies from this one`;
}

/** The other server is there and hears this one, and is no second copy yet. `null`: it is not there. */
function notAdmitted(s: Situation): string | null {
  if (!peerConnected(s) || s.peer === null || s.peer.state === 'STANDALONE') return null;
  return `the ${s.peerServer} server is there and is not admitted yet (it is ${s.peer.state}: ${s.peer.hindrance ?? s.peer.reason})`;
}

/** For a server that serves: what keeps the other one from being admitted, or from taking over. */
function withoutPeer({ state }: HaState, s: Situation): string | null {
  const hindrance = peerConnected(s) ? (s.peer?.hindrance ?? null) : null;
  if (hindrance === null) return null;
  if (state === 'ACTIVE_SYNC') return `the ${s.peerServer} server is not admitted yet: ${hindrance}`;
  return state === 'ACTIVE' ? `the ${s.peerServer} server could not take over: ${hindrance}` : null;
}

function whileWaiting(s: Situation, broker: BrokerStatus, peer: string, refused: string | null): string | null {
  if (isShareOfBoth(s) && peerServes(s) && peerServesBehindUs(s)) return whoseDataCounts(s);
  const neither = neitherCounts(s, broker);
  if (neither !== null) return neither;
  if (broker.journal.damage !== null) return `this server's copy is damaged and needs the peer's: ${peer}`;
  if (!s.peerSilent) return besideNoBroker(s);
  if (s.share.replaced) return promotion('another share stands here than the one that this server knows (see first that it is mounted)', s, peer);
  if (s.kept !== null && !s.gatewayAnswers && s.peerHadItsWait) return `the gateway does not answer, and without it this server does not serve alone: look at that machine and at the way to it, or ${peer}`;
  if (s.kept === null) return s.peerHadItsWait || refused !== null ? `a new pair starts with both servers: ${peer}` : null;
  const missing = missingOwnMembership(s, s.kept);
  if (missing === null) return null;
  // Who is cut off from everybody is the last one to be promoted.
  return s.gatewayAnswers ? promotion(missing, s, peer) : `this server hears neither the ${s.peerServer} server nor the gateway: look at its own network first. Otherwise: ${promotion(missing, s, peer)}`;
}

/** The other server is there, can neither serve nor follow, and this one may not serve without it. `null`: not so, or only for a moment. */
function besideNoBroker(s: Situation): string | null {
  const { kept, peer } = s;
  if (!peerConnected(s) || peer === null || (!peer.brokerDown && peer.broker !== null) || peer.stopping || !s.peerHadItsWait) return null;
  if (kept !== null && missingOwnMembership(s, kept) === null) return null;
  return `the broker of the ${s.peerServer} server does not run, and this server may not serve without it: see the log of that server, which says why, and mend it`;
}

/** This server sees the share that it knows, or in its place the one that the other server uses. */
function isShareOfBoth({ share, peer }: Situation): boolean {
  return share.usable || (share.replaced && share.id !== null && share.id === peer?.shareId);
}

/** The other server serves in a term that does not rest on the newest one that this server knows of: each may have what the other lacks. */
function whoseDataCounts(s: Situation): string {
  const aside = 'move its data.folder away, keep it for what is only there, and start it again: it copies from the other one';
  return `decide whose data counts. If that of the ${s.peerServer} server: "lockstep stop" this one, ${aside}. If that of this one: stop the ${s.peerServer} server, "lockstep promote --accept-data-loss" here, and with the ${s.peerServer} server ${aside}`;
}

/** Both servers are there, and no copy is one that the newest record counts on (a disk put back from a backup, for one): which of them to promote. `null`: one counts, or that is not known. */
function neitherCounts(s: Situation, { journal }: BrokerStatus): string | null {
  const { kept, peer, share } = s;
  const theirs = peer?.broker ?? null;
  if (kept === null || peer === null || theirs === null || !peerConnected(s) || peer.state !== 'WAITING') return null;
  if (!share.usable || share.replaced || peer.shareReplaced || peer.shareGivenUp || peer.record?.nonce !== kept.nonce) return null;
  const copy = { ...theirs, server: s.peerServer };
  if (missingOwnMembership(s, kept) === null || missingMembership(kept, copy, share.watermark) === null) return null;
  if (journal.damage !== null && theirs.damage !== null) return null;
  const promoted = '"lockstep promote --accept-data-loss"';
  const lost = 'what neither has is lost';
  if (journal.damage !== null) return `neither copy may serve, and this one is damaged; ${promoted} on the ${s.peerServer} server makes its copy serve; ${lost}`;
  if (theirs.damage !== null) return `neither copy may serve, and that of the ${s.peerServer} server is damaged; ${promoted} makes this one serve; ${lost}`;
  const ahead = journal.term - theirs.logTerm || journal.durable - theirs.durable;
  const logs = `the log here ends at ${journal.durable} (term ${journal.term}), that of the ${s.peerServer} server at ${theirs.durable} (term ${theirs.logTerm})`;
  const where = ahead === 0 ? 'on either of them' : ahead > 0 ? 'here' : `on the ${s.peerServer} server`;
  return `neither copy may serve: ${logs}; ${promoted} ${where} makes that copy serve; ${lost}`;
}

/** For a server of a pair in sync, which needs the share only for a change of roles: what goes on without it, what does not, and what to do. `null`: it is usable, or the pair is not whole. */
export function withoutShare(ha: HaState, s: Situation): string | null {
  if (s.share.usable || !isInSync(ha, s)) return null;
  const { state } = ha;
  const fails = state === 'ACTIVE' ? `this server cannot go on alone when the ${s.peerServer} server is lost, nor hand over to it` : `this server cannot take over when the ${s.peerServer} server is lost`;
  return `clients are served, and both copies stay in sync, but without it ${fails}; see to its mount here and to the machine that hosts it`;
}

/** For a server of a pair in sync, which needs the gateway only when the other one is lost: the same. */
function withoutGateway(ha: HaState, s: Situation): string | null {
  if (s.gatewayAnswers || !isInSync(ha, s)) return null;
  const fails = ha.state === 'ACTIVE' ? `this server does not go on alone when the ${s.peerServer} server is lost` : `this server does not take over when the ${s.peerServer} server is lost`;
  return `the gateway does not answer: clients are served, and both copies stay in sync, but until it does ${fails}; look at that machine and at the way to it`;
}

/** For a server that follows and is not admitted for want of the share: `null` while it has not looked at it yet. */
function keptOut({ state }: HaState, { share }: Situation): string | null {
  if (state !== 'PASSIVE_SYNC' || share.usable || share.detail === null) return null;
  return `this server is not admitted as the second copy, since it cannot use the share (${share.detail}): see that ha.lockFile names the same share on both servers, and that it is mounted here`;
}

/** For a server that follows: that it could serve nobody, also when it takes over. */
function withoutPort({ state }: HaState, { broker }: Situation): string | null {
  const error = state === 'PASSIVE' || state === 'PASSIVE_SYNC' ? (broker?.clientPortError ?? null) : null;
  return error === null ? null : `this server could not take over, since clients could not connect to it: ${error}`;
}

function isInSync({ state, task }: HaState, s: Situation): boolean {
  return (state === 'ACTIVE' || state === 'PASSIVE') && task?.kind !== 'alone' && peerConnected(s);
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
  const durable = s.broker?.journal.durable ?? NO_POSITION;
  const loses = '"lockstep promote --accept-data-loss" makes this copy serve, and what it lacks is lost';
  // The other one had everything up to that position.
  if (sole && durable < kept.position) return `${why}; ${peer}, whose log may go further: "lockstep status" of both then says which one to promote. If the ${s.peerServer} server is gone for good, ${loses}`;
  if (sole && durable < reachOf(kept, s.share.watermark)) return `${why}; ${loses}`;
  if (sole) return `${why}; ${peer}, or run "lockstep promote --accept-data-loss": nothing is lost by it, this server was the last to serve alone`;
  return `${why}; ${peer}. If the ${s.peerServer} server is gone for good, "lockstep promote --accept-data-loss" makes this copy serve, and what was acknowledged after it fell behind is lost`;
}
