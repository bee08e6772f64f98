import type { BrokerStatus } from '../../../../src/core/control/broker.js';
import type { PeerStatus } from '../../../../src/core/control/peer.js';
import type { Situation } from '../../../../src/core/ha/situation.js';
import { INITIAL_STATE, type HaState } from '../../../../src/core/ha/state.js';
import type { JournalId, Monotonic, Position, RunId, ServerId, Term } from '../../../../src/core/identity.js';
import type { Member, TermRecord } from '../../../../src/core/terms/record.js';

/** Situations of the primary, whose peer is the secondary; each test changes what it is about. */
export const ME = 'primary' as ServerId;
export const PEER = 'secondary' as ServerId;
export const MINE: Member = { server: ME, journal: 'jp' as JournalId };
export const THEIRS: Member = { server: PEER, journal: 'js' as JournalId };
export const ENDPOINT = { host: '127.0.0.1', port: 2102 };
export const MY_RUN = 'broker-p' as RunId;
export const PEER_RUN = 'broker-s' as RunId;

export function record(term: number, changes: Partial<TermRecord> = {}): TermRecord {
  return { schema: 1, term: term as Term, server: ME, inSync: [MINE, THEIRS], position: 5 as Position, cause: 'admission', at: '2026-01-01T00:00:00.000Z', nonce: `n${term}`, ...changes };
}

export function broker(changes: Partial<BrokerStatus> = {}): BrokerStatus {
  return {
    run: MY_RUN, orderSeq: 1, fencedThrough: 0 as Term, onDisk: true, clientPort: 'closed', clientPortError: null, certificateUntil: null, users: null, role: 'idle', term: 0 as Term, peerRequiredFrom: null, admitted: null, drained: false,
    journal: { id: MINE.journal, term: 2 as Term, position: 9 as Position, durable: 9 as Position, stalledMs: 0, damage: null },
    replication: null, diverged: null, trouble: null, notice: null, clients: 0, sessions: 0, queued: 0, ...changes,
  };
}

type PeerBroker = NonNullable<PeerStatus['broker']>;

export function peerBroker(changes: Partial<PeerBroker> = {}): PeerBroker {
  return {
    run: PEER_RUN, journal: THEIRS.journal, logTerm: 2 as Term, position: 9 as Position, durable: 9 as Position, damage: null, diverged: null, fencedThrough: 0 as Term, replicationPhase: null, users: null, ...changes,
  };
}

export function peer(changes: Partial<PeerStatus> = {}): PeerStatus {
  return {
    server: PEER, run: 'manager-s' as RunId, seq: 9, wallTime: 0, heard: null, state: 'WAITING', previous: 'WAITING', moves: 0, reason: '', term: 0 as Term, record: record(2), inDoubt: null,
    shareId: 'share', shareEmpty: false, shareReplaced: false, shareBare: false, shareGivenUp: false, brokerDown: false, broker: peerBroker(),
    holdsLock: false, releasedLock: false, gatewayAnswers: true, wantsSwitchover: false, stopping: false, unfit: false, hindrance: null, clientEndpoints: [], repositories: null, ...changes,
  };
}

/** Connected, both WAITING, both members of term 2, equal logs, the lock held. */
export function situation(changes: Partial<Situation> = {}): Situation {
  return {
    server: ME, role: 'primary', peerServer: PEER, peerReplication: ENDPOINT, broker: broker(), stalled: false, diskStalled: false, diskPauses: false, unfit: false, takesRecords: true, peer: peer(), peerSilent: false, peerHearsUs: true, kept: record(2),
    share: { usable: true, replaced: false, bare: false, empty: false, id: 'share', highestTerm: 2 as Term, watermark: null, detail: null, givenUp: false },
    lock: { held: true, until: 10_000 as Monotonic, detail: null }, claim: null, gatewayAnswers: true, peerHadItsWait: false, settled: true, steady: true, repositoriesSettled: true, taskOverdue: false, mayTryAgain: false, patienceEnded: false,
    wishes: { switchover: false, stop: false, promote: false }, fresh: { nonce: 'fresh', at: '2026-01-01T00:00:01.000Z' }, ...changes,
  };
}

/** Nothing is heard of the peer, for as long as it takes. */
export const ALONE = { peerSilent: true, peerHearsUs: false, peerHadItsWait: true } as const;

export function waiting(changes: Partial<HaState> = {}): HaState {
  return { ...INITIAL_STATE, ...changes };
}

export function standalone(term: number, changes: Partial<HaState> = {}): HaState {
  return { ...INITIAL_STATE, state: 'STANDALONE', term: term as Term, record: record(term, { inSync: [MINE], cause: 'alone' }), fence: (term - 1) as Term, brokerRun: MY_RUN, ...changes };
}

export function activeSync(term: number, changes: Partial<HaState> = {}): HaState {
  return { ...standalone(term), state: 'ACTIVE_SYNC', partner: { server: PEER, brokerRun: PEER_RUN }, ...changes };
}

export function active(term: number, changes: Partial<HaState> = {}): HaState {
  return { ...activeSync(term), state: 'ACTIVE', record: record(term), ...changes };
}

export function passiveSync(term: number, changes: Partial<HaState> = {}): HaState {
  return { ...INITIAL_STATE, state: 'PASSIVE_SYNC', term: term as Term, leader: { server: PEER, brokerRun: PEER_RUN, endpoint: ENDPOINT }, brokerRun: MY_RUN, ...changes };
}

export function passive(term: number, changes: Partial<HaState> = {}): HaState {
  return { ...passiveSync(term), state: 'PASSIVE', ...changes };
}
