import { decide } from '../../../../src/core/ha/decide.js';
import { INITIAL_STATE, type HaState } from '../../../../src/core/ha/state.js';
import type { Situation } from '../../../../src/core/ha/situation.js';
import type { BrokerStatus } from '../../../../src/core/control/broker.js';
import type { PeerStatus } from '../../../../src/core/control/peer.js';
import type { JournalId, Monotonic, Position, RunId, ServerId, Term } from '../../../../src/core/identity.js';
import type { TermRecord } from '../../../../src/core/terms/record.js';

const PRIMARY = 'primary' as ServerId;
const SECONDARY = 'secondary' as ServerId;
const BOTH = [
  { server: PRIMARY, journal: 'jp' as JournalId },
  { server: SECONDARY, journal: 'js' as JournalId },
];

function record(term: number, server: ServerId, cause: TermRecord['cause']): TermRecord {
  return { schema: 1, term: term as Term, server, inSync: BOTH, position: 5 as Position, cause, at: '2026-01-01T00:00:00.000Z', nonce: `n${term}` };
}

const SERVED = record(2, PRIMARY, 'admission');
const HANDED_OVER = record(3, SECONDARY, 'switchover');

const broker: BrokerStatus = {
  run: 'broker-s' as RunId, orderSeq: 1, fencedThrough: 0 as Term, onDisk: true, clientPort: 'closed', clientPortError: null, certificateUntil: null, users: null, role: 'follow', term: 2 as Term, peerRequiredFrom: null, admitted: null, drained: false,
  journal: { id: 'js' as JournalId, term: 2 as Term, position: 5 as Position, durable: 5 as Position, stalledMs: 0, damage: null },
  replication: null, diverged: null, trouble: null, notice: null, clients: 0, sessions: 0, queued: 0,
};

const peer: PeerStatus = {
  server: PRIMARY, run: 'manager-p' as RunId, seq: 9, wallTime: 0, heard: null, state: 'ACTIVE', previous: 'ACTIVE_SYNC', moves: 2, reason: '', term: 2 as Term, record: SERVED, inDoubt: null,
  shareId: 'share', shareEmpty: false, shareReplaced: false, shareBare: false, shareGivenUp: false, brokerDown: false,
  broker: { run: 'broker-p' as RunId, journal: 'jp' as JournalId, logTerm: 2 as Term, position: 5 as Position, durable: 5 as Position, damage: null, diverged: null, fencedThrough: 0 as Term, replicationPhase: 'in-step', users: null },
  holdsLock: true, releasedLock: false, gatewayAnswers: true, wantsSwitchover: false, stopping: true, unfit: false, hindrance: null, clientEndpoints: [], repositories: null,
};

const situation: Situation = {
  server: SECONDARY, role: 'secondary', peerServer: PRIMARY, peerReplication: { host: '127.0.0.1', port: 1 }, broker, stalled: false, diskStalled: false, diskPauses: false, unfit: false, takesRecords: true, peer, peerSilent: false, peerHearsUs: true, kept: SERVED,
  share: { usable: true, replaced: false, bare: false, empty: false, id: 'share', highestTerm: 2 as Term, watermark: null, detail: null, givenUp: false },
  lock: { held: false, until: null as Monotonic | null, detail: null }, claim: null, gatewayAnswers: true, peerHadItsWait: false, settled: true, steady: true, repositoriesSettled: true, taskOverdue: false, mayTryAgain: false, patienceEnded: false,
  wishes: { switchover: false, stop: false, promote: false }, fresh: { nonce: 'fresh', at: '2026-01-01T00:00:01.000Z' },
};

const PASSIVE: HaState = {
  ...INITIAL_STATE, state: 'PASSIVE', previous: 'PASSIVE_SYNC', moves: 2, reason: 'this copy is in sync', term: 2 as Term,
  leader: { server: PRIMARY, brokerRun: 'broker-p' as RunId, endpoint: { host: '127.0.0.1', port: 1 } }, brokerRun: broker.run,
};

/** The ACTIVE server that stops has handed over; its broker is gone already. */
const stoppingPeer: PeerStatus = { ...peer, state: 'WAITING', previous: 'PASSIVE', moves: 4, reason: 'stopping', term: 0 as Term, record: HANDED_OVER, brokerDown: true, broker: null, holdsLock: false, releasedLock: true };

describe('the PASSIVE server, between the word that it serves now and the record on its own disk', () => {
  test.each<[string, Partial<Situation>]>([
    ['the peer is PASSIVE already', { peer: { ...stoppingPeer, state: 'PASSIVE', previous: 'ACTIVE', brokerDown: false, broker: peer.broker } }],
    ['the peer has stopped its broker', { peer: stoppingPeer }],
    ['the peer is gone', { peer: stoppingPeer, peerSilent: true, peerHearsUs: false }],
  ])('does not take over from %s: it would lose the claim to its own record', (_name, change) => {
    expect(decide(PASSIVE, { ...situation, ...change })).toBe(PASSIVE);
  });

  test('accepts as soon as the record is kept, though the peer is gone', () => {
    const next = decide(PASSIVE, { ...situation, peer: stoppingPeer, peerSilent: true, peerHearsUs: false, kept: HANDED_OVER });
    expect(next.task).toEqual({ kind: 'accept', record: HANDED_OVER });
  });

  test('waits for its own broker to confirm the last records, which the peer knows to be durable already', () => {
    const behind = { ...broker, journal: { ...broker.journal, durable: 4 as Position } };
    const told = { ...situation, peer: { ...stoppingPeer, brokerDown: false, broker: peer.broker }, kept: HANDED_OVER };
    const waiting = decide(PASSIVE, { ...told, broker: behind });
    expect(waiting).toMatchObject({ state: 'PASSIVE', task: null });
    expect(decide(waiting, { ...told, broker: behind })).toBe(waiting);
    expect(decide(waiting, told).task).toEqual({ kind: 'accept', record: HANDED_OVER });
    expect(decide(waiting, { ...told, broker: behind, peerSilent: true }).state).toBe('WAITING');
    expect(decide(PASSIVE, { ...told, broker: { ...behind, journal: { ...behind.journal, id: 'another' as JournalId } } }).state).toBe('WAITING');
  });

  test.each<[string, Partial<PeerStatus>]>([
    ['the record is of another share', { shareId: 'another' }],
    ['the peer saw the share replaced', { shareReplaced: true }],
    ['the record names the peer', { record: { ...HANDED_OVER, server: PRIMARY } }],
    ['the record is of another cause', { record: { ...HANDED_OVER, cause: 'takeover' } }],
  ])('takes over all the same when %s', (_name, change) => {
    expect(decide(PASSIVE, { ...situation, peer: { ...stoppingPeer, ...change } }).task).toMatchObject({ kind: 'alone', to: 'STANDALONE', cause: 'takeover' });
  });
});

test('a server that stops says so as its reason for WAITING, and keeps the reason for having become STANDALONE', () => {
  const stopping = { ...situation, wishes: { ...situation.wishes, stop: true } };
  expect(decide({ ...INITIAL_STATE, reason: 'x' }, { ...stopping, broker: null }).reason).toBe('stopping');
  const alone: HaState = { ...PASSIVE, state: 'STANDALONE', reason: 'the peer is lost', term: 3 as Term, record: record(3, SECONDARY, 'takeover'), leader: null };
  const held = { ...stopping, lock: { held: true, until: 1_000 as Monotonic, detail: null }, kept: alone.record, peer: null, peerSilent: true };
  expect(decide(alone, held)).toBe(alone);
});

describe('the ACTIVE server whose broker has stopped by itself', () => {
  const leading: BrokerStatus = { ...broker, role: 'serve', drained: true, replication: { phase: 'in-step', peerRun: 'broker-p' as RunId, peerJournal: 'jp' as JournalId, term: 2 as Term, peerDurable: 5 as Position, stalledMs: 0, lagRecords: 0, lagBytes: 0, progress: null } };
  const ACTIVE: HaState = { ...PASSIVE, state: 'ACTIVE', previous: 'ACTIVE_SYNC', record: record(2, SECONDARY, 'admission'), leader: null, partner: { server: PRIMARY, brokerRun: 'broker-p' as RunId } };
  const passivePeer: PeerStatus = { ...peer, state: 'PASSIVE', previous: 'PASSIVE_SYNC', stopping: false };
  const asked: Situation = { ...situation, broker: leading, peer: passivePeer, kept: ACTIVE.record, lock: { held: true, until: 1_000 as Monotonic, detail: null }, wishes: { switchover: true, stop: false, promote: false } };

  test('hands over when it serves', () => {
    expect(decide(ACTIVE, asked).task).toMatchObject({ kind: 'handover', claim: { term: 3, server: PRIMARY, position: 5, cause: 'switchover' } });
  });

  test('gives its authority up when the claim comes to no end in time, as where it was won and this disk does not take the record', () => {
    const sent = decide(ACTIVE, asked);
    expect(decide(sent, asked)).toBe(sent);
    expect(decide(sent, { ...asked, taskOverdue: true })).toMatchObject({ state: 'WAITING', task: null, reason: expect.stringContaining('the switchover did not come to its end in time') as unknown });
  });

  test.each<[string, Situation['wishes']]>([
    ['switchover', { switchover: true, stop: false, promote: false }],
    ['stop', { switchover: false, stop: true, promote: false }],
  ])('does not begin to hand over for a %s, and gives up what was begun: the broker must begin again first', (_name, wishes) => {
    const stopped = { ...asked, wishes, broker: { ...leading, role: 'idle' as const, drained: false } };
    expect(decide(ACTIVE, stopped)).toBe(ACTIVE);
    expect(decide({ ...ACTIVE, task: { kind: 'handover', claim: null } }, stopped).task).toBeNull();
  });
});
