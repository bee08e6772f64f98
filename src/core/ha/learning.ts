import { isServing } from '../identity.js';
import type { PeerStatus } from '../control/peer.js';
import type { TermRecord } from '../terms/record.js';
import type { HaState } from './state.js';

/**
 * The record that this server shall keep because the peer has told of it; `null` when there is none. What is kept counts only when it is
 * higher than what is known (see `Keeping`).
 *
 * Of a peer whose share is the same. When that peer says that the share has lost the record (an old backup was put back), its
 * word is all that is left of it, and whoever serves nobody takes it: then both see the share as replaced and go by R9, instead of one
 * of them claiming anew the numbers that were used. Whoever serves on such a share goes on: R9 must not choose between
 * two histories, of which each was acknowledged to somebody; that is the operator's.
 */
export function recordToKeep(ha: HaState, peer: PeerStatus, shareId: string | null): TermRecord | null {
  if (peer.record === null || shareId === null || peer.shareId !== shareId) return null;
  return peer.shareReplaced && isServing(ha.state) ? null : peer.record;
}
