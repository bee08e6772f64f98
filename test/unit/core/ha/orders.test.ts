import { brokerWish, keeperWish, wantsLock } from '../../../../src/core/ha/orders.js';
import type { HaState } from '../../../../src/core/ha/state.js';
import type { Position, RunId, Term } from '../../../../src/core/identity.js';
import { active, activeSync, broker, MINE, passive, passiveSync, PEER, PEER_RUN, record, situation, standalone, THEIRS, waiting } from './situations.js';

const alone = { kind: 'alone', to: 'STANDALONE', cause: 'takeover', forced: false, fresh: false, claim: null, heldUp: false } as const;
const partner = { server: PEER, brokerRun: PEER_RUN };

describe('what the broker shall be', () => {
  test.each<[string, HaState, unknown]>([
    ['WAITING: idle', waiting(), { role: { kind: 'idle', keepClients: false }, clientPort: 'closed' }],
    ['PASSIVE_SYNC without a leader: idle', passiveSync(0, { leader: null }), { role: { kind: 'idle' } }],
    ['PASSIVE_SYNC: copies', passiveSync(2), { role: { kind: 'follow', term: 2, resync: false }, clientPort: 'closed' }],
    ['PASSIVE: copies', passive(2), { role: { kind: 'follow', term: 2 } }],
    ['STANDALONE: serves on its own copy, as long as the lock lasts', standalone(2), { role: { kind: 'serve', inSync: [MINE], requirePeer: false, soloUntil: 10_000, peer: null, drain: false }, clientPort: 'bound' }],
    ['ACTIVE_SYNC: feeds the peer', activeSync(2), { role: { kind: 'serve', requirePeer: false, soloUntil: 10_000, peer: partner } }],
    ['ACTIVE_SYNC, admitting: needs the peer, in the term that does not name it yet', activeSync(2, { task: { kind: 'admit', requirePeer: true, claim: null } }), { role: { inSync: [MINE], requirePeer: true, soloUntil: 10_000 } }],
    ['ACTIVE: needs the peer, and no lease', active(2), { role: { kind: 'serve', inSync: [MINE, THEIRS], requirePeer: true, soloUntil: null, peer: partner } }],
    ['ACTIVE, handing over: drains', active(2, { task: { kind: 'handover', claim: null } }), { role: { drain: true } }],
    ['ACTIVE, taking over alone, not fenced yet: goes on', active(2, { task: alone }), { role: { kind: 'serve' } }],
    ['ACTIVE, taking over alone, fenced: idle, the clients held', active(2, { task: alone, fence: 2 as Term }), { role: { kind: 'idle', keepClients: true }, fenceThrough: 2, clientPort: 'bound' }],
    ['PASSIVE, taking over, fenced: idle, the port bound', passive(2, { task: alone, fence: 2 as Term }), { role: { kind: 'idle', keepClients: false }, fenceThrough: 2, clientPort: 'bound' }],
    ['PASSIVE, accepting: idle, the port bound', passive(2, { task: { kind: 'accept', record: record(3) } }), { role: { kind: 'idle' }, clientPort: 'bound' }],
    ['serving in a term that it has fenced: idle', standalone(2, { fence: 2 as Term }), { role: { kind: 'idle' } }],
    ['another broker than the state rests on: idle', standalone(2, { brokerRun: 'before' as RunId }), { role: { kind: 'idle', keepClients: false } }],
  ])('%s', (_name, ha, wish) => {
    expect(brokerWish(ha, situation())).toMatchObject(wish as object);
  });

  test('without a lock nothing is acknowledged alone, whatever the state says for another moment', () => {
    expect(brokerWish(standalone(2), situation({ lock: { held: false, until: null, detail: null } })).role).toMatchObject({ kind: 'serve', soloUntil: 0 });
  });

  test.each(['diverged', 'damaged'] as const)('a copy that is %s is taken anew, but only by a server that does not count', (what) => {
    const bad = what === 'diverged' ? broker({ diverged: 'at 7' }) : broker({ journal: { ...broker().journal, damage: 'x' } });
    expect(brokerWish(passiveSync(2), situation({ broker: bad })).role).toMatchObject({ resync: true });
    expect(brokerWish(passive(2), situation({ broker: bad })).role).toMatchObject({ resync: false });
  });
});

describe('what the share keeper shall do', () => {
  test.each<[string, HaState, boolean]>([
    ['WAITING', waiting(), false],
    ['PASSIVE', passive(2), false],
    ['PASSIVE, taking over', passive(2, { task: alone }), true],
    ['PASSIVE, accepting', passive(2, { task: { kind: 'accept', record: record(3) } }), true],
    ['STANDALONE', standalone(2), true],
    ['ACTIVE', active(2), true],
  ])('%s wants the lock: %s', (_name, ha, wants) => {
    expect(wantsLock(ha)).toBe(wants);
  });

  test('names what is kept, the share that is known, and the claim under way', () => {
    const claim = record(3, { inSync: [MINE] });
    expect(keeperWish(passive(2, { task: { ...alone, claim } }), situation(), 'known')).toEqual({ wantLock: true, peerReleasedLock: false, claim, kept: record(2), watermark: null, shareId: 'known' });
  });

  test('tells how far the copies reach, of the very term that is served and in the words of the broker that serves in it', () => {
    const serves = broker({ role: 'serve', term: 2 as Term, admitted: 8 as Position });
    const told = (ha: HaState, of = serves): unknown => keeperWish(ha, situation({ broker: of }), 'known').watermark;
    expect(told(active(2))).toEqual({ term: 2, nonce: 'n2', position: 8 });
    expect(told(standalone(2))).toEqual({ term: 2, nonce: 'n2', position: 8 });
    // The admission was won a moment ago: what the broker says is still of the term before, in which the peer did not count.
    expect(told(active(3))).toBeNull();
    expect(told(passive(2))).toBeNull();
    expect(told(active(2), { ...serves, run: 'another' as RunId })).toBeNull();
    expect(told(active(2), { ...serves, role: 'idle' })).toBeNull();
    expect(told(active(2), { ...serves, admitted: null })).toBeNull();
  });

  test('adopts the share as it is for a fresh claim (R9)', () => {
    expect(keeperWish(waiting({ task: { ...alone, fresh: true } }), situation(), 'known')).toMatchObject({ kept: null, shareId: 'share' });
  });
});
