import { isServing, type ConfiguredRole, type Monotonic, type ServerId, type Term } from '../identity.js';
import type { BrokerStatus, Endpoint } from '../control/broker.js';
import type { ClaimOutcome } from '../control/keeper.js';
import type { PeerStatus } from '../control/peer.js';
import type { TermRecord } from '../terms/record.js';
import type { Watermark } from '../terms/watermark.js';

/**
 * Everything that a decision rests on, with time already turned into yes and no. Made whole for every decision: a lost
 * event costs a cycle, never a right.
 */
export interface Situation {
  readonly server: ServerId;
  readonly role: ConfiguredRole;
  readonly peerServer: ServerId;
  /** Where the peer's broker listens for ours, as this server's profile says. */
  readonly peerReplication: Endpoint;

  /** `null`: not running, not ready, or past its answer limit. */
  readonly broker: BrokerStatus | null;
  /** The replication link gives no progress within the stall limit (serving, and the peer is required). */
  readonly stalled: boolean;
  /** This server's disk has made nothing durable for the stall limit although records wait for it: it hangs, or is full. */
  readonly diskStalled: boolean;
  /** The same for half of it. */
  readonly diskPauses: boolean;
  /** This server could not serve now, for what it has itself: its disk stands still or takes no term record, or its client port cannot be opened. */
  readonly unfit: boolean;
  /** This server's disk has taken a term record since the task under way began. */
  readonly takesRecords: boolean;

  /** Latest status of the peer's present run; `null` before the first one. */
  readonly peer: PeerStatus | null;
  /** Nothing heard of the peer within missLimit × pingInterval, or never. */
  readonly peerSilent: boolean;
  /** The peer's latest status shows that it heard us within the same limit. */
  readonly peerHearsUs: boolean;

  /** The highest record that this server keeps on its own disk. What is not kept is not known. */
  readonly kept: TermRecord | null;
  readonly share: {
    /** Looked at whole and found well, by the present keeper. */
    readonly usable: boolean;
    /** Looked at whole: another share, or one that lost records that we have kept. */
    readonly replaced: boolean;
    /** Replaced, and nothing is there that would make it a share of ours: `id` is that of the one before. */
    readonly bare: boolean;
    /** Looked at whole: no record there. */
    readonly empty: boolean;
    readonly id: string | null;
    /** Highest term number on the share, usable or not. */
    readonly highestTerm: Term;
    /** As it stood at the last whole look. */
    readonly watermark: Watermark | null;
    readonly detail: string | null;
    /** In WAITING, not usable for `peerWait` and not replaced: this server cannot be the one that claims. */
    readonly givenUp: boolean;
  };
  readonly lock: { readonly held: boolean; readonly until: Monotonic | null; readonly detail: string | null };
  /** Outcome of the claim that the keeper was last ordered. `won` only when the record is kept. */
  readonly claim: ClaimOutcome | null;
  readonly gatewayAnswers: boolean;

  /** In WAITING: the peer had `peerWait` to come, counted from the move to WAITING and from when it last took part (`peerTakesPart`). */
  readonly peerHadItsWait: boolean;
  /** The stall limit has passed since the last move. */
  readonly settled: boolean;
  /** Five stall limits have passed since the last move. */
  readonly steady: boolean;
  /**
   * Nothing of the repositories holds up the admission of the peer (any more): its copies are in sync, or failed with a reason, or had
   * `repositoryWait`. It can delay R6's claim, and nothing else rests on it.
   */
  readonly repositoriesSettled: boolean;
  /** The task under way is older than its limit. */
  readonly taskOverdue: boolean;
  /** The last claim was made long enough ago for another try. */
  readonly mayTryAgain: boolean;
  /** The task to serve alone has been held up for as long as it may be. */
  readonly patienceEnded: boolean;

  readonly wishes: {
    /** An operator asks that the peer serves. */
    readonly switchover: boolean;
    /** An operator asks this server to stop. */
    readonly stop: boolean;
    /** An operator accepts loss and wants this server to serve. */
    readonly promote: boolean;
  };
  /** For a claim made in this decision: a nonce never used before, and the wall time. */
  readonly fresh: { readonly nonce: string; readonly at: string };
}

/** The peer is there in both directions. */
export function peerConnected(s: Situation): boolean {
  return s.peer !== null && !s.peerSilent && s.peerHearsUs;
}

/**
 * The peer is there in both directions, and there is something to be agreed with it. One without a broker can neither serve nor follow; one that sees another share than this server, whose copy alone counts,
 * will not claim there. Such a peer, unless it knows of more than this server, is waited for as one that does not come (R8): it shall not keep the copy that counts from serving.
 */
export function peerTakesPart(s: Situation): boolean {
  const { peer } = s;
  if (!peerConnected(s) || peer === null) return false;
  if (isServing(peer.state) || peer.state === 'PASSIVE') return true;
  if (knowsMore(s, peer)) return true;
  if (peer.brokerDown || peer.broker === null) return false;
  return !(seesAnotherShare(s, peer) && countsAlone(s));
}

function seesAnotherShare({ share }: Situation, peer: PeerStatus): boolean {
  return share.usable && !share.replaced && (peer.shareReplaced || peer.shareId !== share.id);
}

/** Of a term that this server does not know, or may come to: on another share it may have been served in. */
function knowsMore({ kept }: Situation, { record, inDoubt }: PeerStatus): boolean {
  if (inDoubt !== null) return true;
  return record !== null && (kept === null || record.term > kept.term || (record.term === kept.term && record.nonce !== kept.nonce));
}

function countsAlone({ kept, server }: Situation): boolean {
  return kept !== null && kept.inSync.length === 1 && kept.inSync[0]?.server === server;
}

/** The peer is there in both directions, and serves. */
export function peerServes(s: Situation): boolean {
  return peerConnected(s) && s.peer !== null && isServing(s.peer.state);
}

/** Why there is no broker that the state could rest on. */
export function whyBrokerIsGone(s: Situation): string {
  return s.wishes.stop ? 'stopping' : 'own broker died';
}

/** The same of the peer's, as its last status says. */
export function whyPeersBrokerIsGone(s: Situation): string {
  return s.peer?.stopping === true ? 'the peer stops' : "the peer's broker died";
}
