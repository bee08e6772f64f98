import type { HaState } from '../core/ha/state.js';
import { missingMembership } from '../core/ha/rights.js';
import type { Situation } from '../core/ha/situation.js';

/** What an operator could do now; `null` when nothing is called for. One sentence. */
export function adviceFor(ha: HaState, s: Situation): string | null {
  if (ha.state === 'STANDALONE') return `only this server holds the data now: start the ${s.peerServer} server`;
  if (ha.state !== 'WAITING' || s.broker === null) return null;
  if (s.broker.journal.damage !== null) return `this server's copy is damaged and needs the peer's: start the ${s.peerServer} server`;
  if (!s.peerSilent) return null;
  if (s.share.replaced) return promotion('the share was replaced', s);
  if (s.kept !== null && !s.gatewayAnswers && s.peerHadItsWait) return `the gateway does not answer, and without it this server does not serve alone: look at that machine and at the way to it, or start the ${s.peerServer} server`;
  if (s.kept === null) return s.peerHadItsWait ? `a new pair starts with both servers: start the ${s.peerServer} server` : null;
  const { journal } = s.broker;
  const missing = missingMembership(s.kept, { ...journal, server: s.server, journal: journal.id, logTerm: journal.term });
  return missing === null ? null : promotion(missing, s);
}

/** States what a promotion may lose (R8, R9). */
function promotion(why: string, s: Situation): string {
  const kept = s.kept;
  const solo = kept !== null && kept.forced === undefined && kept.inSync.length === 1 && kept.inSync[0]?.server === s.server && kept.inSync[0]?.journal === s.broker?.journal.id;
  if (solo) return `${why}; start the ${s.peerServer} server, or run "lockstep promote --accept-data-loss": nothing is lost by it, this server was the last to serve alone`;
  return `${why}; start the ${s.peerServer} server. If it is gone for good, "lockstep promote --accept-data-loss" makes this copy serve, and what was acknowledged after it fell behind is lost`;
}
