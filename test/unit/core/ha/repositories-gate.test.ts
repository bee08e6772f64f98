import { decide } from '../../../../src/core/ha/decide.js';
import type { HaState } from '../../../../src/core/ha/state.js';
import type { Situation } from '../../../../src/core/ha/situation.js';
import type { Position, Term } from '../../../../src/core/identity.js';
import { active, activeSync, broker, ALONE, passive, peer, peerBroker, PEER_RUN, situation, standalone, THEIRS } from './situations.js';

const inStep: Situation['broker'] = broker({
  role: 'serve', term: 2 as Term,
  replication: { phase: 'in-step', peerRun: PEER_RUN, peerJournal: THEIRS.journal, term: 2 as Term, peerDurable: 9 as Position, stalledMs: 0, lagRecords: 0, lagBytes: 0, progress: null },
});
const syncing: Partial<Situation> = { broker: inStep, peer: peer({ state: 'PASSIVE_SYNC', term: 2 as Term, broker: peerBroker() }) };
const requires = (ha: HaState): boolean => ha.task?.kind === 'admit' && ha.task.requirePeer;

test('the messages are in step: the peer is required at once when nothing of its repositories holds it up', () => {
  expect(requires(decide(activeSync(2), situation({ ...syncing, repositoriesSettled: true })))).toBe(true);
});

test('it is not required before its repositories are settled, and the reason says so; again and again it decides the same', () => {
  const s = situation({ ...syncing, repositoriesSettled: false });
  const waits = decide(activeSync(2), s);
  expect(waits).toMatchObject({ state: 'ACTIVE_SYNC', term: 2, task: { kind: 'admit', requirePeer: false, claim: null } });
  expect(waits.reason).toMatch(/repositories/);
  expect(decide(waits, s)).toBe(waits);
  expect(requires(decide(waits, situation({ ...syncing, repositoriesSettled: true })))).toBe(true);
});

test('once it is required, repositories hold up nothing: the claim is made', () => {
  const required = decide(activeSync(2), situation({ ...syncing, repositoriesSettled: true }));
  const claimed = decide(required, situation({ ...syncing, broker: { ...(inStep as NonNullable<typeof inStep>), peerRequiredFrom: 5 as Position }, repositoriesSettled: false }));
  expect(claimed.task).toMatchObject({ kind: 'admit', claim: { inSync: [{ server: 'primary' }, { server: 'secondary' }] } });
});

test.each<[string, HaState, Partial<Situation>]>([
  ['a peer that is lost meanwhile', activeSync(2), { ...syncing, ...ALONE }],
  ['the lock that is lost', activeSync(2), { ...syncing, lock: { held: false, until: null, detail: 'stolen' } }],
  ['the own broker that died', activeSync(2), { ...syncing, broker: null }],
  ['a peer that comes back', standalone(2), {}],
  ['an ACTIVE server whose peer is lost', active(2), { broker: inStep, ...ALONE }],
  ['a PASSIVE server whose peer is lost', passive(2), ALONE],
  ['an ACTIVE server that is asked for a switchover', active(2), { broker: inStep, peer: peer({ state: 'PASSIVE', term: 2 as Term }), wishes: { switchover: true, stop: false, promote: false } }],
])('nothing else rests on repositories: %s', (_what, ha, changes) => {
  expect(decide(ha, situation({ ...changes, repositoriesSettled: false }))).toEqual(decide(ha, situation({ ...changes, repositoriesSettled: true })));
});
