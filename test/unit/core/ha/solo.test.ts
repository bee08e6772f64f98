import { decide } from '../../../../src/core/ha/decide.js';
import type { HaState } from '../../../../src/core/ha/state.js';
import type { Situation } from '../../../../src/core/ha/situation.js';
import type { Monotonic, RunId, Term } from '../../../../src/core/identity.js';
import type { TermRecord } from '../../../../src/core/terms/record.js';
import { settle } from './settle.js';
import { active, activeSync, ALONE, broker, MINE, passive, peer, PEER, peerBroker, record, situation, standalone, waiting } from './situations.js';

const NO_LOCK = { held: false, until: null as Monotonic | null, detail: 'held by secondary' };
const fenced = (through: number): ReturnType<typeof broker> => broker({ fencedThrough: through as Term, clientPort: 'bound' });

const ALONE_TASK = { kind: 'alone', to: 'STANDALONE', cause: 'peer-lost', forced: false, fresh: false, claim: null, heldUp: false } as const;

function claimOf(ha: HaState): TermRecord | null {
  return ha.task?.kind === 'alone' ? ha.task.claim : null;
}

describe('a claim to serve alone (R4)', () => {
  test('waits for the lock before it fences anything', () => {
    const before = settle(waiting(), situation({ ...ALONE, lock: NO_LOCK }));
    expect(before).toMatchObject({ task: { kind: 'alone' }, fence: 0 });
  });

  test.each<[string, Partial<ReturnType<typeof broker>>]>([
    ['the fence is not confirmed', { fencedThrough: 1 as Term }],
    ['the broker still copies', { role: 'follow' }],
    ['the broker still serves', { role: 'serve' }],
    ['the client port is not bound', { clientPort: 'closed' }],
    ['its copy is not all on its disk', { onDisk: false }],
  ])('is not sent while %s', (_name, changes) => {
    const ha = settle(waiting(), situation({ ...ALONE, broker: { ...fenced(2), ...changes } }));
    expect(ha.fence).toBe(2);
    expect(claimOf(ha)).toBeNull();
  });

  test('names this copy, up to where it is durable, in the term after the highest', () => {
    const ha = settle(waiting(), situation({ ...ALONE, broker: fenced(2) }));
    expect(claimOf(ha)).toMatchObject({ term: 3, server: 'primary', inSync: [MINE], position: 9, nonce: 'fresh' });
  });

  test('is given up when its copy does not come to its disk in time: the peer may serve meanwhile', () => {
    const unsynced = situation({ ...ALONE, broker: { ...fenced(2), onDisk: false } });
    const task = { ...ALONE_TASK, cause: 'takeover' } as const;
    const held = settle(passive(2, { fence: 2 as Term, task }), unsynced);
    expect(held).toMatchObject({ state: 'PASSIVE', reason: 'waiting until what this server has confirmed is on its disk' });
    expect(decide(held, { ...unsynced, taskOverdue: true, peerSilent: false })).toMatchObject({ state: 'WAITING', task: null });
  });

  test('is not given up so soon when nobody is there who could serve', () => {
    const overdue = situation({ ...ALONE, broker: { ...fenced(2), onDisk: false }, taskOverdue: true });
    const task = { ...ALONE_TASK, cause: 'takeover' } as const;
    const held = settle(passive(2, { fence: 2 as Term, task }), overdue);
    expect(held).toMatchObject({ state: 'PASSIVE', reason: 'waiting until what this server has confirmed is on its disk', task: { heldUp: true, claim: null } });
    expect(decide(held, { ...overdue, patienceEnded: true })).toMatchObject({ state: 'WAITING', task: null });
    expect(claimOf(settle(held, { ...overdue, broker: fenced(2) }))).toMatchObject({ term: 3 });
  });

  test('is given up when the broker was restarted behind it', () => {
    const sent = settle(waiting(), situation({ ...ALONE, broker: fenced(2) }));
    expect(settle(sent, situation({ ...ALONE, lock: NO_LOCK, broker: { ...fenced(2), run: 'another' as RunId } }))).toMatchObject({ state: 'WAITING', record: null });
  });

  test.each<[string, Partial<Situation>]>([
    ['no gateway', { gatewayAnswers: false }],
    ['no usable share', { share: { ...situation().share, usable: false } }],
    ['a share that was replaced', { share: { ...situation().share, usable: false, replaced: true } }],
    ['no membership', { kept: record(2, { server: PEER, inSync: [{ server: PEER, journal: MINE.journal }] }) }],
    ['the peer that may still come', { peerHadItsWait: false }],
  ])('is not begun with %s', (_name, changes) => {
    expect(settle(waiting(), situation({ ...ALONE, ...changes })).task).toBeNull();
  });

  test('that is lost serves nobody', () => {
    const sent = settle(passive(2, { fence: 2 as Term, task: { kind: 'alone', to: 'STANDALONE', cause: 'takeover', forced: false, fresh: false, claim: null, heldUp: false } }), situation({ ...ALONE, broker: fenced(2) }));
    expect(claimOf(sent)).not.toBeNull();
    const after = decide(sent, situation({ ...ALONE, broker: fenced(2), claim: { kind: 'lost', record: record(3, { server: PEER }), nonce: 'fresh' } }));
    expect(after).toMatchObject({ state: 'WAITING', term: 0, record: null });
  });

  test('of the next number, where an earlier attempt turns out to stand, is not sent when the peer came and went meanwhile: it is waited for once more (R8)', () => {
    const sent = settle(waiting(), situation({ ...ALONE, broker: fenced(2) }));
    const earlier = record(3, { inSync: [MINE], cause: 'alone', nonce: 'earlier' });
    const stands = situation({ ...ALONE, broker: fenced(3), kept: earlier, fresh: { nonce: 'second', at: '' }, claim: { kind: 'lost', nonce: 'fresh', record: earlier } });
    expect(settle(sent, { ...stands, peerHadItsWait: false })).toMatchObject({ state: 'WAITING', task: null });
    expect(claimOf(settle(sent, stands))).toMatchObject({ term: 4 });
  });

  test('of a fresh term does not overtake a record that appeared meanwhile and is not kept yet (R9)', () => {
    const share = { ...situation().share, empty: true, highestTerm: 3 as Term };
    const both = { kept: null, share, peer: peer({ record: null, shareEmpty: true }), broker: fenced(9) };
    const task = { kind: 'alone', to: 'ACTIVE_SYNC', cause: 'start', forced: false, fresh: true, claim: null, heldUp: false } as const;
    expect(claimOf(settle(waiting({ task, brokerRun: broker().run }), situation(both)))).toBeNull();
    expect(claimOf(settle(waiting({ task, brokerRun: broker().run }), situation({ ...both, share: { ...share, highestTerm: 0 as Term } })))).toMatchObject({ term: 3 });
  });

  test('of a term that an earlier attempt had fenced is followed by the next one', () => {
    const claim = record(3, { inSync: [MINE], cause: 'alone', nonce: 'mine' });
    const sent = waiting({ fence: 3 as Term, brokerRun: broker().run, task: { kind: 'alone', to: 'STANDALONE', cause: 'alone', forced: false, fresh: false, claim, heldUp: false } });
    const after = settle(sent, situation({ ...ALONE, broker: fenced(3), kept: claim, claim: { kind: 'won', nonce: 'mine', record: claim } }));
    expect(after).toMatchObject({ state: 'WAITING', task: { claim: { term: 4 } } });
  });
});

describe('a server whose peer is lost', () => {
  test.each<[string, Partial<Situation>, RegExp]>([
    ['is silent', { peerSilent: true, peerHearsUs: false }, /silent/],
    ['does not hear us', { peerHearsUs: false }, /does not hear/],
    ['lost its broker', { peer: peer({ state: 'PASSIVE', brokerDown: true }) }, /broker died/],
    ['stops, and has ended its broker', { peer: peer({ state: 'WAITING', brokerDown: true, stopping: true }) }, /^the peer stops$/],
    ['restarted its broker', { peer: peer({ state: 'PASSIVE', broker: peerBroker({ run: 'new' as RunId }) }) }, /restarted/],
    ['has a damaged copy', { peer: peer({ state: 'PASSIVE', broker: peerBroker({ damage: 'x' }) }) }, /damaged/],
    ['has a copy that differs', { peer: peer({ state: 'PASSIVE', broker: peerBroker({ diverged: 'at 7' }) }) }, /differs/],
    ['has fenced our term', { peer: peer({ state: 'PASSIVE', broker: peerBroker({ fencedThrough: 2 as Term }) }) }, /has fenced term 2/],
    ['made its copy anew: what it confirms counts nothing', { peer: peer({ state: 'PASSIVE_SYNC', broker: peerBroker({ journal: 'new' as never }) }) }, /another than the one that counts/],
    ['gives no progress', { stalled: true, peer: peer({ state: 'PASSIVE' }) }, /no progress/],
  ])('claims before it goes on alone when the peer %s', (_name, changes, why) => {
    const ha = settle(active(2), situation(changes));
    expect(ha).toMatchObject({ state: 'ACTIVE', fence: 2, task: { kind: 'alone', cause: 'peer-lost', claim: null } });
    expect(ha.reason).toMatch(why);
  });

  test('goes on as it is while the peer copies', () => {
    const ha = active(2);
    expect(decide(ha, situation({ peer: peer({ state: 'PASSIVE' }) }))).toBe(ha);
  });

  test.each([
    ['ACTIVE', active(2)],
    ['PASSIVE', passive(2)],
    ['ACTIVE, behind a fence', active(2, { fence: 2 as Term, task: ALONE_TASK })],
  ])('%s, and it is to stop: WAITING, without a claim that would bar the peer', (_name, ha) => {
    const after = settle(ha, situation({ ...ALONE, peerHadItsWait: false, broker: fenced(2), wishes: { switchover: false, stop: true, promote: false } }));
    expect(after).toMatchObject({ state: 'WAITING', task: null, reason: 'stopping' });
  });

  test('and it is to stop when its claim was sent already: that is seen through', () => {
    const sent = active(2, { fence: 2 as Term, task: { ...ALONE_TASK, claim: record(3, { inSync: [MINE], nonce: 'sent' }) } });
    expect(settle(sent, situation({ ...ALONE, broker: fenced(2), wishes: { switchover: false, stop: true, promote: false } }))).toBe(sent);
  });

  test('and the lock and the share too: WAITING', () => {
    expect(settle(active(2), situation({ ...ALONE, lock: NO_LOCK, share: { ...situation().share, usable: false }, peerHadItsWait: false })).state).toBe('WAITING');
  });

  test('ACTIVE_SYNC, and the peer has fenced the term: STANDALONE, and a newer term for it', () => {
    const ha = settle(activeSync(2), situation({ kept: activeSync(2).record, peer: peer({ broker: peerBroker({ fencedThrough: 2 as Term }) }) }));
    expect(ha).toMatchObject({ state: 'STANDALONE', fence: 2, task: { kind: 'alone', claim: null } });
  });
});

describe('a peer that knows of a later term from a share that is gone', () => {
  const knowing = peer({ shareReplaced: true, record: record(7, { server: PEER, nonce: 'old' }) });

  test('is not admitted by itself: the operator decides whose data counts', () => {
    const ha = standalone(2);
    expect(decide(ha, situation({ kept: ha.record, peer: knowing }))).toBe(ha);
    expect(settle(activeSync(2), situation({ kept: ha.record, peer: knowing }))).toMatchObject({ state: 'STANDALONE', task: null });
  });

  test('is one no more than this server, when it has only heard of its term before it looked at the share', () => {
    const heard = standalone(2);
    const told = { kept: heard.record, peer: peer({ shareReplaced: true, record: heard.record }) };
    expect(decide(heard, situation(told))).toMatchObject({ state: 'ACTIVE_SYNC' });
    expect(settle(activeSync(2), situation(told))).toMatchObject({ state: 'ACTIVE_SYNC' });
    // Of the same number, and another record: one of the two is of a share that is gone.
    const other = { ...told, peer: peer({ shareReplaced: true, record: record(2, { server: PEER, nonce: 'old' }) }) };
    expect(decide(heard, situation(other))).toBe(heard);
  });

  test('is given a newer term after a promotion: the operator has decided', () => {
    const forced = record(2, { inSync: [MINE], cause: 'promotion', forced: true });
    expect(settle(standalone(2, { record: forced }), situation({ kept: forced, peer: knowing }))).toMatchObject({ state: 'STANDALONE', task: { kind: 'alone', forced: true } });
  });
});

describe('a promotion', () => {
  const wishes = { switchover: false, stop: false, promote: true };
  const lost = { ...ALONE, kept: record(2, { server: PEER, inSync: [{ server: PEER, journal: peerBroker().journal }] }), lock: NO_LOCK };
  const serves = peer({ state: 'STANDALONE', term: 2 as Term });

  test('goes on while it is wished for, without the rights of the record', () => {
    const ha = settle(waiting(), situation({ ...lost, wishes }));
    expect(ha).toMatchObject({ state: 'WAITING', task: { kind: 'alone', forced: true, claim: null } });
    expect(settle(ha, situation({ ...lost, wishes }))).toMatchObject({ task: { forced: true } });
  });

  test('is given up with the wish: what it rested on may have changed', () => {
    const begun = settle(waiting(), situation({ ...lost, wishes }));
    expect(settle(begun, situation({ ...lost }))).toMatchObject({ state: 'WAITING', task: null });
  });

  test('is given up when the peer serves', () => {
    const begun = settle(waiting(), situation({ ...lost, wishes }));
    expect(decide(begun, situation({ kept: lost.kept, lock: NO_LOCK, wishes, peer: serves }))).toMatchObject({ state: 'WAITING', task: null });
  });

  test('that was claimed for is not: its record may stand', () => {
    const claimed = settle(waiting(), situation({ ...ALONE, kept: lost.kept, broker: fenced(2), wishes }));
    expect(claimOf(claimed)).toMatchObject({ forced: true });
    expect(claimOf(settle(claimed, situation({ ...ALONE, kept: lost.kept, broker: fenced(2) })))).toMatchObject({ forced: true });
  });
});

test('a claim of a waiting server that could not be made is not begun again as fast as the share refuses', () => {
  const sent = settle(waiting(), situation({ ...ALONE, broker: fenced(2) }));
  const refused = { ...ALONE, broker: fenced(2), claim: { kind: 'failed' as const, nonce: 'fresh', detail: 'ENOSPC' } };
  expect(claimOf(settle(sent, situation(refused)))?.nonce).toBe('fresh');
  expect(claimOf(decide(sent, situation({ ...refused, mayTryAgain: true })))).toBeNull();
});

describe('a STANDALONE server whose peer is back and needs a newer term', () => {
  const SHARE = { ...situation().share, usable: false, detail: 'EIO' };
  const own = record(3, { inSync: [MINE], cause: 'alone' });
  const fencedPeer = peer({ state: 'WAITING', record: own, broker: peerBroker({ fencedThrough: 3 as Term }) });
  const knowing = peer({ state: 'WAITING', record: record(4, { server: PEER }), shareReplaced: true });
  const serving = (changes: Partial<Situation>): Situation => situation({ peer: fencedPeer, kept: own, broker: broker({ role: 'serve', term: 3 as Term, fencedThrough: 2 as Term, clientPort: 'accepting' }), ...changes });

  test.each<[string, Partial<Situation>]>([
    ['the gateway is silent', { gatewayAnswers: false }],
    ['one look at the share failed', { share: SHARE }],
  ])('goes on in the one it has while %s', (_name, changes) => {
    const alone = standalone(3);
    expect(settle(alone, serving(changes))).toBe(alone);
    const promoted = standalone(3, { record: { ...own, forced: true } });
    expect(settle(promoted, serving({ peer: knowing, ...changes }))).toBe(promoted);
  });

  test('claims it when nothing is missing', () => {
    expect(settle(standalone(3), serving({}))).toMatchObject({ state: 'STANDALONE', fence: 3, task: { kind: 'alone', cause: 'peer-lost' } });
    expect(settle(standalone(3, { record: { ...own, forced: true } }), serving({ peer: knowing }))).toMatchObject({ task: { kind: 'alone', cause: 'promotion', forced: true } });
  });
});
