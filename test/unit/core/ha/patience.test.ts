import { brokerWish } from '../../../../src/core/ha/orders.js';
import type { AloneTask, HaState } from '../../../../src/core/ha/state.js';
import type { Situation } from '../../../../src/core/ha/situation.js';
import type { JournalId, Monotonic, Term } from '../../../../src/core/identity.js';
import type { ClaimOutcome } from '../../../../src/core/control/keeper.js';
import { settle } from './settle.js';
import { active, activeSync, ALONE, broker, ME, MINE, passive, peer, PEER, record, situation, THEIRS, waiting } from './situations.js';

const NO_LOCK = { held: false, until: null as Monotonic | null, detail: 'held by secondary' };
const NO_SHARE = { ...situation().share, usable: false, detail: 'EIO' };
const FENCED = broker({ fencedThrough: 2 as Term, clientPort: 'bound' });
const CLAIM = record(3, { inSync: [MINE], cause: 'takeover', nonce: 'sent' });
const IN_DOUBT: ClaimOutcome = { kind: 'in-doubt', nonce: 'sent', detail: 'EIO' };
const FAILED: ClaimOutcome = { kind: 'failed', nonce: 'sent', detail: 'EIO' };
const lostTo = (found: ReturnType<typeof record>): ClaimOutcome => ({ kind: 'lost', nonce: 'sent', record: found });

/** Nothing is heard of the peer. */
const lost = (changes: Partial<Situation> = {}): Situation => situation({ ...ALONE, peerHadItsWait: false, broker: FENCED, ...changes });

const alone = (changes: Partial<AloneTask> = {}): AloneTask => ({ kind: 'alone', to: 'STANDALONE', cause: 'takeover', forced: false, fresh: false, claim: null, heldUp: false, ...changes });
const sentBy = (of: typeof passive, changes: Partial<AloneTask> = {}): HaState => of(2, { fence: 2 as Term, task: alone({ claim: CLAIM, ...changes }) });

const taskOf = (ha: HaState): AloneTask => {
  if (ha.task?.kind !== 'alone') throw new Error(`no task: ${ha.state}, ${ha.reason}`);
  return ha.task;
};

describe.each([
  ['PASSIVE', passive],
  ['ACTIVE', active],
] as const)('a %s server whose peer is lost, and whose claim', (state, of) => {
  test.each([
    ['is in doubt', IN_DOUBT, /got no answer/],
    ['failed', FAILED, /could not be made/],
  ] as const)('%s, stays, with the claim open, and says that it tries again', (_name, claim, why) => {
    const ha = settle(sentBy(of), lost({ claim }));
    expect(ha).toMatchObject({ state, fence: 2, task: { claim: CLAIM, heldUp: true } });
    expect(ha.reason).toMatch(why);
    expect(ha.reason).toMatch(/tried again/);
  });

  test.each([
    ['is in doubt', IN_DOUBT],
    ['failed', FAILED],
  ] as const)('%s, claims the same number again when it is time, with a new nonce', (_name, claim) => {
    const ha = settle(sentBy(of), lost({ claim, mayTryAgain: true }));
    expect(ha).toMatchObject({ state, fence: 2, task: { heldUp: true, claim: { term: 3, inSync: [MINE], nonce: 'fresh' } } });
  });

  test.each([
    ['is in doubt', IN_DOUBT],
    ['failed', FAILED],
  ] as const)('%s, is WAITING when it was held up for too long', (_name, claim) => {
    expect(settle(sentBy(of, { heldUp: true }), lost({ claim, mayTryAgain: true, patienceEnded: true }))).toMatchObject({ state: 'WAITING', task: null, term: 0, record: null });
  });

  test('is in doubt and is kept already, is not claimed again: its victory is on its way', () => {
    expect(taskOf(settle(sentBy(of), lost({ claim: IN_DOUBT, mayTryAgain: true, kept: CLAIM }))).claim).toBe(CLAIM);
  });

  test.each<[string, Partial<Situation>]>([
    ['the lock is not held', { lock: NO_LOCK }],
    ['the share is not usable', { share: NO_SHARE }],
  ])('is in doubt, is not claimed again while %s', (_name, changes) => {
    expect(taskOf(settle(sentBy(of), lost({ claim: IN_DOUBT, mayTryAgain: true, ...changes }))).claim).toBe(CLAIM);
  });

  test('is lost to an earlier attempt of its own that had landed, claims the number after it behind a higher fence', () => {
    const earlier = record(3, { inSync: [MINE], cause: 'takeover', nonce: 'earlier' });
    const found = { kept: earlier, claim: lostTo(earlier) };
    expect(settle(sentBy(of), lost(found))).toMatchObject({ state, fence: 3, task: { claim: null } });
    const after = settle(sentBy(of), lost({ ...found, broker: { ...FENCED, fencedThrough: 3 as Term } }));
    expect(after).toMatchObject({ state, task: { claim: { term: 4, inSync: [MINE] } } });
  });

  test('had landed at first, though the second attempt failed, goes on with the number after it when the share is back', () => {
    let ha = settle(sentBy(of), lost({ claim: IN_DOUBT, mayTryAgain: true }));
    expect(taskOf(ha).claim).toMatchObject({ term: 3, nonce: 'fresh' });
    ha = settle(ha, lost({ claim: { kind: 'failed', nonce: 'fresh', detail: 'EIO' }, mayTryAgain: true, share: NO_SHARE }));
    expect(ha).toMatchObject({ state, task: { claim: null, heldUp: true } });
    ha = settle(ha, lost({ kept: CLAIM, share: { ...situation().share, highestTerm: 3 as Term } }));
    expect(ha).toMatchObject({ state, fence: 3, task: { kind: 'alone' } });
  });

  test.each([
    ['the peer', record(3, { server: PEER, inSync: [THEIRS] })],
    ['a record of this server that names both', record(3, { server: ME, cause: 'switchover' })],
    ['a later term of this server', record(4, { server: ME, inSync: [MINE] })],
  ])('is lost to %s, is WAITING', (_name, found) => {
    expect(settle(sentBy(of), lost({ kept: found, claim: lostTo(found) })).state).toBe('WAITING');
  });

  test('is lost to a record of its own under a journal that is gone, is WAITING', () => {
    const found = record(3, { inSync: [{ server: ME, journal: 'gone' as JournalId }] });
    expect(settle(sentBy(of), lost({ kept: found, claim: lostTo(found) })).state).toBe('WAITING');
  });

  test('turns out to be won when the lock is gone, serves nobody, and claims the number after it with the lock', () => {
    const won = { kept: CLAIM, claim: { kind: 'won', nonce: 'sent', record: CLAIM } as const };
    const without = settle(sentBy(of), lost({ ...won, lock: NO_LOCK }));
    expect(without).toMatchObject({ state, fence: 3, task: { claim: null } });
    expect(brokerWish(without, lost({ ...won, lock: NO_LOCK })).role.kind).toBe('idle');
    const again = settle(without, lost({ kept: CLAIM, broker: { ...FENCED, fencedThrough: 3 as Term } }));
    expect(again).toMatchObject({ state, task: { claim: { term: 4, inSync: [MINE], nonce: 'fresh' } } });
  });

  test('was never begun because the share gave no answer, begins when it does', () => {
    const held = settle(of(2, { fence: 1 as Term }), lost({ share: NO_SHARE }));
    expect(held).toMatchObject({ state, fence: 1, task: { claim: null, heldUp: true } });
    expect(settle(held, lost())).toMatchObject({ state, task: { claim: { term: 3 } } });
    expect(settle(held, lost({ share: NO_SHARE, patienceEnded: true })).state).toBe('WAITING');
  });

  test.each<[string, Partial<Situation>]>([
    ['the gateway does not answer', { gatewayAnswers: false, share: NO_SHARE }],
    ['the share was replaced', { share: { ...NO_SHARE, replaced: true } }],
    ['its membership is gone', { broker: { ...FENCED, journal: { ...FENCED.journal, id: 'new' as JournalId } } }],
  ])('cannot be made since %s, has no patience', (_name, changes) => {
    expect(settle(of(2, { fence: 1 as Term }), lost(changes)).state).toBe('WAITING');
  });
});

describe('an ACTIVE server whose peer is lost, without the lock (right after a switchover)', () => {
  const waiting = settle(active(2, { fence: 1 as Term }), lost({ lock: NO_LOCK }));

  test('waits for it, with nothing fenced, and needs the peer for every operation', () => {
    expect(waiting).toMatchObject({ state: 'ACTIVE', fence: 1, task: { claim: null, heldUp: true } });
    expect(brokerWish(waiting, lost({ lock: NO_LOCK })).role).toMatchObject({ kind: 'serve', requirePeer: true, soloUntil: null, inSync: [MINE, THEIRS] });
  });

  test('claims when it has the lock', () => {
    expect(settle(waiting, lost())).toMatchObject({ state: 'ACTIVE', fence: 2, task: { claim: { term: 3, cause: 'peer-lost' } } });
  });

  test('goes on in its term when the same run of the peer is back', () => {
    expect(settle(waiting, situation({ broker: FENCED, lock: NO_LOCK, peer: peer({ state: 'PASSIVE' }) }))).toMatchObject({ state: 'ACTIVE', term: 2, task: null });
  });

  test.each<[string, Partial<Situation>]>([
    ['its patience ends', { patienceEnded: true }],
    ['the gateway does not answer', { gatewayAnswers: false }],
    ['the share is gone as well: the peer could take over unseen', { share: NO_SHARE }],
    ['the peer is heard, and waits for this one to give up', { peerSilent: false, peerHearsUs: true, peer: peer({ state: 'PASSIVE', brokerDown: true }) }],
    ['it shall stop', { wishes: { switchover: false, stop: true, promote: false } }],
    ['the peer has claimed', { kept: record(3, { server: PEER, inSync: [THEIRS] }) }],
  ])('is WAITING when %s', (_name, changes) => {
    expect(settle(waiting, lost({ lock: NO_LOCK, ...changes })).state).toBe('WAITING');
  });
});

test('an ACTIVE_SYNC server has no patience: its term needs no peer, so that nothing may be waited for while an admission is in doubt', () => {
  const doubtful = activeSync(2, { fence: 1 as Term, task: { kind: 'admit', requirePeer: true, claim: record(3, { nonce: 'sent' }) } });
  expect(settle(doubtful, lost({ kept: activeSync(2).record, claim: IN_DOUBT, lock: NO_LOCK })).state).toBe('WAITING');
  expect(settle(doubtful, lost({ kept: activeSync(2).record, claim: IN_DOUBT, share: NO_SHARE })).state).toBe('WAITING');
});

test('a WAITING server makes a claim in doubt again when it is time, not as fast as the share answers', () => {
  const ha = waiting({ fence: 2 as Term, brokerRun: broker().run, task: alone({ cause: 'alone', claim: CLAIM }) });
  const inDoubt = situation({ ...ALONE, broker: FENCED, claim: IN_DOUBT });
  expect(taskOf(settle(ha, inDoubt)).claim).toBe(CLAIM);
  expect(taskOf(settle(ha, { ...inDoubt, mayTryAgain: true })).claim).toMatchObject({ term: 3, nonce: 'fresh' });
  // Found by exploration: kept on, a claim of R9 comes to mean whatever share is there by now.
  const fresh = waiting({ fence: 2 as Term, brokerRun: broker().run, task: alone({ to: 'ACTIVE_SYNC', cause: 'start', fresh: true, claim: CLAIM }) });
  expect(taskOf({ ...fresh, ...settle(fresh, inDoubt) }).claim).not.toBe(CLAIM);
});
