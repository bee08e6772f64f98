import { decide } from '../../../../src/core/ha/decide.js';
import { recordToKeep } from '../../../../src/core/ha/learning.js';
import type { JournalId, Position, Term } from '../../../../src/core/identity.js';
import type { ReplicationStatus } from '../../../../src/core/control/broker.js';
import { activeSync, broker, MINE, passiveSync, peer, PEER, PEER_RUN, record, situation, standalone, THEIRS, waiting } from './situations.js';

const theirs = (term: number, nonce = `n${term}`): ReturnType<typeof record> => record(term, { server: PEER, nonce });
const inStep: ReplicationStatus = {
  phase: 'in-step', peerRun: PEER_RUN, peerJournal: THEIRS.journal, term: 2 as Term, peerDurable: 9 as Position, stalledMs: 0, lagRecords: 0, lagBytes: 0, progress: null,
};

describe('a server never copies a peer that serves behind what it has kept', () => {
  const behind = { kept: theirs(7, 'old'), peer: peer({ state: 'STANDALONE', term: 6 as Term, record: theirs(6) }) };

  test('WAITING it stays', () => {
    const ha = decide(waiting(), situation(behind));
    expect(ha.state).toBe('WAITING');
    expect(ha.reason).toMatch(/serves in term 6.*knows of term 7/);
  });

  test('nor of the same number with another record', () => {
    const same = { kept: theirs(7, 'old'), peer: peer({ state: 'STANDALONE', term: 7 as Term, record: theirs(7, 'new') }) };
    expect(decide(waiting(), situation(same)).state).toBe('WAITING');
  });

  test('PASSIVE_SYNC it goes back instead of beginning to copy', () => {
    expect(decide(passiveSync(0, { leader: null }), situation(behind)).state).toBe('WAITING');
  });

  test('a later term is copied', () => {
    const later = { kept: theirs(6), peer: peer({ state: 'STANDALONE', term: 7 as Term, record: theirs(7) }) };
    expect(decide(waiting(), situation(later))).toMatchObject({ state: 'PASSIVE_SYNC', term: 7, leader: { brokerRun: PEER_RUN } });
  });
});

describe('PASSIVE_SYNC', () => {
  const nobody = { kept: record(2, { inSync: [{ ...MINE, journal: 'gone' as JournalId }] }) };

  test('does not wait for a peer that cannot come first either, but says what is missing', () => {
    expect(decide(passiveSync(0, { leader: null }), situation({ ...nobody, settled: false })).state).toBe('PASSIVE_SYNC');
    const ha = decide(passiveSync(0, { leader: null }), situation(nobody));
    expect(ha).toMatchObject({ state: 'WAITING' });
    expect(ha.reason).toMatch(/neither copy may serve/);
  });

  const serving = peer({ state: 'ACTIVE', term: 2 as Term, record: theirs(2) });
  const copying = broker({ role: 'follow', replication: inStep });

  test.each<[string, Parameters<typeof situation>[0]]>([
    ['the record is not kept yet', { kept: theirs(1) }],
    ['the record names another journal', { kept: { ...theirs(2), inSync: [THEIRS, { ...MINE, journal: 'before' as JournalId }] } }],
    ['the record names the peer alone', { kept: { ...theirs(2), inSync: [THEIRS] } }],
    ['the peer serves in another term already', { peer: { ...serving, term: 3 as Term } }],
    ['the copy is not in step', { broker: { ...copying, replication: { ...inStep, phase: 'catching-up' } } }],
    ['the copy differs', { broker: { ...copying, diverged: 'at 7' } }],
    ['the log does not reach the position', { broker: { ...copying, journal: { ...copying.journal, durable: 4 as Position } } }],
  ])('is not in sync while %s', (_name, changes) => {
    expect(decide(passiveSync(2), situation({ kept: theirs(2), peer: serving, broker: copying, ...changes })).state).toBe('PASSIVE_SYNC');
  });

  test('is in sync with all of that', () => {
    expect(decide(passiveSync(2), situation({ kept: theirs(2), peer: serving, broker: copying })).state).toBe('PASSIVE');
  });
});

describe('what is kept of the peer', () => {
  const told = peer({ record: theirs(7) });

  test.each<[string, ReturnType<typeof peer>, string | null, number | null]>([
    ['a record on the same share', told, 'share', 7],
    ['nothing of another share', told, 'other', null],
    ['nothing before the own share is known', told, null, null],
    ['nothing when it has none', { ...told, record: null }, 'share', null],
    ['a record that the share has lost: it was claimed all the same', { ...told, shareReplaced: true }, 'share', 7],
  ])('%s', (_name, status, shareId, term) => {
    expect(recordToKeep(waiting(), status, shareId)?.term ?? null).toBe(term);
  });

  test('whoever serves goes on: two histories are not for it to choose between', () => {
    expect(recordToKeep(standalone(2), { ...told, shareReplaced: true }, 'share')).toBeNull();
    expect(recordToKeep(standalone(2), told, 'share')).toEqual(theirs(7));
  });
});

describe('an admission', () => {
  const serving = broker({ role: 'serve', term: 2 as Term, peerRequiredFrom: null, replication: inStep });
  const caughtUp = { broker: serving, peer: peer({ state: 'PASSIVE_SYNC', term: 2 as Term }), kept: record(2, { inSync: [MINE], cause: 'alone' }) };

  test('requires the peer when it is in step', () => {
    expect(decide(activeSync(2), situation(caughtUp))).toMatchObject({ state: 'ACTIVE_SYNC', task: { requirePeer: true, claim: null } });
  });

  test('lets go of a peer that stands still before it was claimed for: clients do not wait for it', () => {
    const requiring = activeSync(2, { task: { kind: 'admit', requirePeer: true, claim: null } });
    const required = { ...caughtUp, broker: { ...serving, peerRequiredFrom: 10 as Position, replication: { ...inStep, peerDurable: 5 as Position } } };
    expect(decide(requiring, situation(required))).toBe(requiring);
    expect(decide(requiring, situation({ ...required, stalled: true }))).toMatchObject({ state: 'ACTIVE_SYNC', task: { requirePeer: false, claim: null } });
    expect(decide(activeSync(2), situation({ ...caughtUp, stalled: true }))).toMatchObject({ task: { requirePeer: false } });
  });

  test('that could not be made is made again, and not as fast as the share refuses', () => {
    const claim = record(3);
    const made = activeSync(2, { task: { kind: 'admit', requirePeer: true, claim } });
    const refused = { ...caughtUp, claim: { kind: 'failed' as const, nonce: claim.nonce, detail: 'ENOSPC' } };
    expect(decide(made, situation(refused))).toBe(made);
    expect(decide(made, situation({ ...refused, mayTryAgain: true }))).toMatchObject({ state: 'ACTIVE_SYNC', task: { claim: null, requirePeer: true } });
  });
});
