import type { ReplicationStatus } from '../../../../src/core/control/broker.js';
import type { PeerStatus } from '../../../../src/core/control/peer.js';
import { decide } from '../../../../src/core/ha/decide.js';
import type { Situation } from '../../../../src/core/ha/situation.js';
import type { Position, RunId, Term } from '../../../../src/core/identity.js';
import { active, activeSync, ALONE, broker, MINE, peer, peerBroker, PEER_RUN, record, situation, standalone, THEIRS, waiting } from './situations.js';

const IN_STEP: ReplicationStatus = {
  phase: 'in-step', peerRun: PEER_RUN, peerJournal: THEIRS.journal, term: 2 as Term, peerDurable: 9 as Position, stalledMs: 0, lagRecords: 0, lagBytes: 0, progress: null,
};
/** The last record waits for the disk here; the peer has it. */
const JOURNAL = { ...broker().journal, durable: 8 as Position, stalledMs: 2_250.5 };
const TROUBLE = 'the disk has made nothing durable for more than 500 ms';

/** ACTIVE with a peer that is PASSIVE and well; the disk here stands still. */
function stalled(changes: Partial<Situation> = {}, ofPeer: Partial<PeerStatus> = {}): Situation {
  return situation({ diskStalled: true, diskPauses: true, unfit: true, broker: broker({ role: 'serve', term: 2 as Term, replication: IN_STEP, trouble: TROUBLE, journal: JOURNAL }), peer: peer({ state: 'PASSIVE', term: 2 as Term, ...ofPeer }), ...changes });
}

describe('a server whose disk makes nothing durable', () => {
  test('gives way when it is ACTIVE and the peer can serve', () => {
    expect(decide(active(2), stalled())).toMatchObject({ state: 'WAITING', reason: 'nothing has got durable here for 2251 ms; the peer can serve', record: null, task: null });
  });

  test('gives way also in the middle of a switchover, which would wait for that disk', () => {
    const draining = active(2, { task: { kind: 'handover', claim: null } });
    expect(decide(draining, stalled({ wishes: { switchover: true, stop: false, promote: false } }))).toMatchObject({ state: 'WAITING', task: null });
  });

  test('sees a handover through for which the claim was sent', () => {
    const claim = record(3, { server: THEIRS.server, cause: 'switchover' });
    const sent = active(2, { task: { kind: 'handover', claim } });
    expect(decide(sent, stalled({ claim: { kind: 'pending', nonce: claim.nonce } })).state).toBe('ACTIVE');
  });

  test.each<[string, Situation]>([
    ['goes on', stalled({ diskStalled: false })],
    ['does not, and it has begun to serve a moment ago', stalled({ steady: false })],
    ['does not, and the peer copies', stalled({}, { state: 'PASSIVE_SYNC' })],
    ["does not, nor does the peer's, which is said after half a second", stalled({}, { hindrance: TROUBLE })],
    ['does not, and the peer stops', stalled({}, { stopping: true })],
    ['does not, and the peer hears nothing of the gateway', stalled({}, { gatewayAnswers: false })],
    ['does not, and there is no share on which the peer could claim', stalled({ share: { ...situation().share, usable: false } })],
    ['does not, and the peer is not in step', stalled({ broker: broker({ role: 'serve', term: 2 as Term, replication: { ...IN_STEP, phase: 'catching-up' }, trouble: TROUBLE, journal: JOURNAL }) })],
    ['does not, and the peer has made nothing durable that waits here', stalled({ broker: broker({ role: 'serve', term: 2 as Term, replication: { ...IN_STEP, peerDurable: 8 as Position }, trouble: TROUBLE, journal: JOURNAL }) })],
    ["does not, nor does the peer's, as it says itself", stalled({}, { unfit: true })],
    ['does not, and the peer is of a version that does not say whether it is fit', stalled({}, { unfit: null })],
  ])('stays ACTIVE while the disk %s', (_name, s) => {
    const ha = active(2);
    expect(decide(ha, s)).toBe(ha);
  });

  test('serves on where its copy alone counts: nobody else could', () => {
    for (const ha of [standalone(2), activeSync(2)]) expect(decide(ha, stalled({ kept: record(2, { inSync: [MINE] }), peer: peer({ state: 'PASSIVE_SYNC' }) })).state).not.toBe('WAITING');
  });

  test('does not drop a peer that gives no progress meanwhile: without the peer nothing is gained', () => {
    const held = stalled({ stalled: true }, { hindrance: TROUBLE });
    const ha = active(2);
    expect(decide(ha, held)).toBe(ha);
    expect(decide(ha, { ...held, diskStalled: false })).toBe(ha);
    expect(decide(ha, { ...held, diskStalled: false, diskPauses: false })).toMatchObject({ task: { kind: 'alone', cause: 'peer-lost' } });
  });

  test('comes second when both are waiting, with the longer log and as the primary', () => {
    const longer = broker({ journal: { ...JOURNAL, position: 12 as Position } });
    expect(decide(waiting(), situation({ unfit: true, broker: longer }))).toMatchObject({ state: 'PASSIVE_SYNC' });
    const itsPeer = situation({ role: 'secondary', peer: peer({ unfit: true, broker: peerBroker({ position: 12 as Position, durable: 8 as Position }) }) });
    expect(decide(waiting(), itsPeer)).toMatchObject({ task: { kind: 'alone', to: 'ACTIVE_SYNC' } });
  });

  test.each<[string, Partial<Situation>]>([
    ['it alone is a member', { kept: record(2, { inSync: [MINE] }) }],
    ["the peer's log ends before what is durable here: that can have been acknowledged", { peer: peer({ broker: peerBroker({ position: 8 as Position, durable: 8 as Position }) }) }],
    ["the peer's log ends in an earlier term", { peer: peer({ broker: peerBroker({ logTerm: 1 as Term }) }) }],
    ["the peer's stands still, too", { peer: peer({ unfit: true }) }],
    ['the peer is of a version that would not go by it', { peer: peer({ unfit: null }) }],
  ])('comes first nevertheless where %s', (_name, changes) => {
    expect(decide(waiting(), situation({ unfit: true, ...changes }))).toMatchObject({ task: { kind: 'alone', to: 'ACTIVE_SYNC' } });
  });

  test('goes on alone as ever when the peer is lost', () => {
    expect(decide(active(2), stalled({ ...ALONE, peerHadItsWait: false }))).toMatchObject({ state: 'ACTIVE', task: { kind: 'alone', cause: 'peer-lost' } });
    expect(decide(active(2), stalled({}, { broker: peerBroker({ run: 'another' as RunId }) }))).toMatchObject({ task: { kind: 'alone' } });
  });
});
