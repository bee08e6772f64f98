import { NO_TERM, type Monotonic } from '../core/identity.js';
import type { BrokerStatus } from '../core/control/broker.js';
import type { KeeperStatus } from '../core/control/keeper.js';
import type { PeerStatus } from '../core/control/peer.js';
import type { HaState } from '../core/ha/state.js';
import type { Situation } from '../core/ha/situation.js';
import type { KeptState } from '../ports/local-state.js';
import { silenceLimitMs, type ManagerConfig } from './config.js';

const STEADY_STALLS = 5;

/** What the manager knows, with the times at which it came. */
export interface Knowledge {
  readonly now: Monotonic;
  readonly startedAt: Monotonic;
  readonly broker: BrokerStatus | null;
  /** The broker's answers to orders before this one say nothing about the role it has now. */
  readonly brokerRoleSeq: number;
  readonly keeper: KeeperStatus | null;
  readonly peer: PeerStatus | null;
  readonly peerHeardAt: Monotonic | null;
  /** When we sent the status that the peer's latest status says it has heard; `null` when it heard none of this run. */
  readonly peerHeardOurs: Monotonic | null;
  /** When the peer last took part (`peerTakesPart`). */
  readonly peerTookPartAt: Monotonic | null;
  /** When the newest probe that the gateway answered was sent. */
  readonly gatewayAnsweredAt: Monotonic | null;
  readonly kept: KeptState;
  readonly movedAt: Monotonic;
  /** Since when the task is of its kind, or its claim the present one. */
  readonly taskSince: Monotonic | null;
  /** Since when a task to serve alone is under way, whatever became of its claims; `null`: none is. */
  readonly aloneSince: Monotonic | null;
  /** When this server's disk last took a term record. */
  readonly recordTakenAt: Monotonic | null;
  /** Why it takes none; `null`: it does, as far as that is known. */
  readonly recordTrouble: string | null;
  /** Since when the task is held up; `null`: it is not. */
  readonly heldUpSince: Monotonic | null;
  readonly repositoriesSettled: boolean;
  readonly wishes: Situation['wishes'];
  readonly fresh: Situation['fresh'];
}

/** Turns knowledge into yes and no. Pure. */
export function situate(config: ManagerConfig, ha: HaState, k: Knowledge): Situation {
  const within = (since: Monotonic | null, limitMs: number): boolean => since !== null && k.now - since <= limitMs;
  const silence = silenceLimitMs(config);
  const peerSilent = k.peer === null || !within(k.peerHeardAt, silence);
  const waitingSince = Math.max(k.movedAt, k.startedAt, k.peerTookPartAt ?? 0);
  const isDiskStalled = k.broker !== null && k.broker.journal.stalledMs > config.stallLimitMs;
  const isLate = ha.state === 'WAITING' && k.now - Math.max(k.movedAt, k.startedAt) >= config.peerWaitMs;
  return {
    server: config.server,
    role: config.role,
    peerServer: config.peerServer,
    peerReplication: config.peerReplication,
    broker: presentBroker(k.broker, k.brokerRoleSeq),
    stalled: k.broker?.replication != null && k.broker.replication.stalledMs > config.stallLimitMs,
    diskStalled: isDiskStalled,
    diskPauses: k.broker !== null && k.broker.journal.stalledMs > config.stallLimitMs / 2,
    unfit: isDiskStalled || k.recordTrouble !== null || (k.broker !== null && k.broker.clientPortError !== null),
    takesRecords: k.aloneSince !== null && k.recordTakenAt !== null && k.recordTakenAt >= k.aloneSince,
    peer: k.peer,
    peerSilent,
    peerHearsUs: !peerSilent && within(k.peerHeardOurs, silence + config.pingIntervalMs),
    kept: k.kept.record,
    share: shareOf(config, k, isLate),
    lock: lockOf(k),
    claim: claimOf(k),
    gatewayAnswers: within(k.gatewayAnsweredAt, silence + config.pingIntervalMs) && isNewerThanSilence(config, k, peerSilent),
    peerHadItsWait: ha.state === 'WAITING' && k.now - waitingSince >= config.peerWaitMs,
    settled: k.now - k.movedAt > config.stallLimitMs,
    steady: k.now - k.movedAt > STEADY_STALLS * config.stallLimitMs,
    repositoriesSettled: k.repositoriesSettled,
    taskOverdue: k.taskSince !== null && k.now - k.taskSince > config.taskLimitMs,
    // Not sooner: a share that refuses at once would be asked as fast as it answers.
    mayTryAgain: k.taskSince !== null && k.now - k.taskSince >= config.pingIntervalMs,
    patienceEnded: k.heldUpSince !== null && k.now - k.heldUpSince > config.patienceMs,
    wishes: k.wishes,
    fresh: k.fresh,
  };
}

/**
 * While the peer is silent, an answer of the gateway counts only if it was asked for after the first heartbeat that did not come:
 * a host that was cut off from both at once must not go by an answer from before the cut.
 */
function isNewerThanSilence(config: ManagerConfig, k: Knowledge, peerSilent: boolean): boolean {
  if (!peerSilent || k.peerHeardAt === null) return true;
  return k.gatewayAnsweredAt !== null && k.gatewayAnsweredAt >= k.peerHeardAt + config.pingIntervalMs;
}

/**
 * The broker's status, without what it says of a role that it had before. Its word that the client port is bound goes too: with
 * it go claims, and a status that is older than the order to be idle may speak of an idleness before the last role (R4).
 */
export function presentBroker(broker: BrokerStatus | null, roleSeq: number): BrokerStatus | null {
  if (broker === null || broker.orderSeq >= roleSeq) return broker;
  return { ...broker, drained: false, admitted: null, peerRequiredFrom: null, replication: null, clientPort: 'closed', onDisk: false };
}

/** `isLate`: what is neither usable nor another share by now is given up. */
function shareOf(config: ManagerConfig, k: Knowledge, isLate: boolean): Situation['share'] {
  const keeper = k.keeper;
  const looked = keeper !== null && keeper.lookedAt !== null;
  const fresh = looked && k.now - (keeper.lookedAt ?? 0) <= 2 * config.passiveLockIntervalMs + config.keeperAnswerLimitMs;
  const usable = fresh && keeper.condition === 'ok';
  const replaced = looked && keeper.condition === 'replaced';
  return {
    usable,
    replaced,
    bare: replaced && keeper.shareId === null,
    empty: usable && keeper.highest === null,
    id: keeper?.shareId ?? k.kept.shareId,
    highestTerm: keeper?.highest?.term ?? NO_TERM,
    watermark: keeper?.watermark ?? null,
    detail: keeper === null ? 'the share keeper is not running' : (keeper.detail ?? (looked && !fresh && keeper.condition === 'ok' ? 'no look at it has ended of late' : keeper.condition)),
    givenUp: isLate && !usable && !replaced,
  };
}

function lockOf(k: Knowledge): Situation['lock'] {
  const lock = k.keeper?.lock;
  if (!lock) return { held: false, until: null, detail: 'the share keeper is not running' };
  // Our own deadline, counted from when the renewal was sent, decides; not what the keeper last said.
  const held = lock.held && lock.until !== null && k.now < lock.until;
  return { held, until: held ? lock.until : null, detail: lock.held && !held ? 'its deadline passed' : lock.detail };
}

/** A claim counts as won when this server keeps its record, not before. */
function claimOf(k: Knowledge): Situation['claim'] {
  const claim = k.keeper?.claim ?? null;
  if (claim === null || (claim.kind !== 'won' && claim.kind !== 'lost')) return claim;
  const kept = k.kept.record;
  return kept !== null && kept.term >= claim.record.term ? claim : { kind: 'pending', nonce: claim.nonce };
}
