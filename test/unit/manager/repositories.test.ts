import type { PeerRepositories } from '../../../src/core/control/peer.js';
import type { ManagerToRepositoryKeeper, RepositoryCondition, RepositoryKeeperToManager, RepositoryStatus, RepositoryView, WishAnswer } from '../../../src/core/control/repository.js';
import type { Situation } from '../../../src/core/ha/situation.js';
import type { HaState } from '../../../src/core/ha/state.js';
import type { Monotonic, Position, RunId, ServerState, Term } from '../../../src/core/identity.js';
import type { ManagerConfig } from '../../../src/manager/config.js';
import { Repositories } from '../../../src/manager/repositories.js';
import { repositoryRole } from '../../../src/manager/repository-role.js';
import { active, activeSync, ALONE, broker, passive, passiveSync, peer, PEER_RUN, situation, standalone, THEIRS, waiting } from '../core/ha/situations.js';
import { FakeChild } from '../support/fake-child.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeLog } from '../support/fake-log.js';

const RUN = 'keeper-p' as RunId;
const THEIR_RUN = 'keeper-s' as RunId;
const WAIT_MS = 120_000;
const SILENCE_MS = 3_000;
const config = { pingIntervalMs: 1_000, pingMissLimit: 3, repositories: { names: ['apps'], peer: { host: '127.0.0.1', port: 2203 }, waitMs: WAIT_MS, answerLimitMs: 60_000 } } as unknown as ManagerConfig;

const inStep = broker({ replication: { phase: 'in-step', peerRun: PEER_RUN, peerJournal: THEIRS.journal, term: 2 as Term, peerDurable: 9 as Position, stalledMs: 0, lagRecords: 0, lagBytes: 0, progress: null } });

function theirs(condition: RepositoryCondition | null, changes: Partial<PeerRepositories> = {}): PeerRepositories {
  return { run: THEIR_RUN, names: ['apps'], from: RUN, copies: condition === null ? [] : [{ name: 'apps', condition, detail: condition === 'failed' ? 'the disk is full' : null }], ...changes };
}

function view(condition: RepositoryCondition, changes: Partial<RepositoryView> = {}): RepositoryView {
  return { name: 'apps', path: '/apps', syncType: 'FULL', when: 'continuous', condition, detail: null, since: 0, syncedAt: null, progress: null, exchange: null, kept: [], ...changes };
}

class FakeKeeper extends FakeChild<ManagerToRepositoryKeeper, RepositoryKeeperToManager> {
  says(changes: Partial<RepositoryStatus> = {}): void {
    this.tell({ kind: 'status', status: { run: RUN, orderSeq: 1, listening: true, trouble: null, from: null, repositories: [view('idle')], answers: [], ...changes } });
  }
  get last(): ManagerToRepositoryKeeper['order'] | undefined {
    return this.sent.at(-1)?.order;
  }
}

function made(names: readonly string[] = ['apps']): { clock: FakeClock; log: FakeLog; keepers: FakeKeeper[]; repositories: Repositories } {
  const [clock, log, keepers] = [new FakeClock(), new FakeLog(), [] as FakeKeeper[]];
  const start = (): FakeKeeper => {
    keepers.push(new FakeKeeper(clock));
    return keepers.at(-1) as FakeKeeper;
  };
  const repositories = new Repositories({ ...config, repositories: { ...config.repositories, names } }, { start }, { clock, log }, () => undefined);
  return { clock, log, keepers, repositories };
}

describe('the order to the keeper', () => {
  const peerOf = (state: ServerState, term: number): Partial<Situation> => ({ peer: peer({ state, term: term as Term, repositories: theirs(null) }) });
  test.each<[string, HaState, Partial<Situation>, string]>([
    ['ACTIVE: send', active(2), peerOf('PASSIVE', 2), 'send'],
    ['ACTIVE_SYNC: send', activeSync(2), peerOf('PASSIVE_SYNC', 2), 'send'],
    ['STANDALONE: idle', standalone(2), peerOf('WAITING', 0), 'idle'],
    ['WAITING: idle', waiting(), peerOf('WAITING', 0), 'idle'],
    ['PASSIVE: receive', passive(2), peerOf('ACTIVE', 2), 'receive'],
    ['PASSIVE_SYNC: receive', passiveSync(2), peerOf('ACTIVE_SYNC', 2), 'receive'],
    ['PASSIVE_SYNC before the peer serves: idle', passiveSync(0), peerOf('WAITING', 0), 'idle'],
    ['PASSIVE, and its term is fenced: idle', passive(2, { fence: 2 as Term }), peerOf('ACTIVE', 2), 'idle'],
    ['ACTIVE, about to be alone: idle', active(2, { task: { kind: 'alone', to: 'STANDALONE', cause: 'peer-lost', forced: false, fresh: false, claim: null, heldUp: false } }), peerOf('PASSIVE', 2), 'idle'],
    ['PASSIVE, and the peer is silent: idle', passive(2), { ...peerOf('ACTIVE', 2), ...ALONE }, 'idle'],
    ['PASSIVE, and the peer has no keeper: idle', passive(2), { peer: peer({ state: 'ACTIVE', term: 2 as Term, repositories: theirs(null, { run: null }) }) }, 'idle'],
    ['PASSIVE, and the peer has no repositories: idle', passive(2), { peer: peer({ state: 'ACTIVE', term: 2 as Term }) }, 'idle'],
  ])('%s', (_what, ha, changes, kind) => {
    expect(repositoryRole(ha, situation(changes), config).kind).toBe(kind);
  });

  test('the receiver is told the run, the term, the place and the names', () => {
    expect(repositoryRole(passive(2), situation(peerOf('ACTIVE', 2)), config)).toEqual({ kind: 'receive', term: 2, from: { server: 'secondary', run: THEIR_RUN, endpoint: { host: '127.0.0.1', port: 2203 }, names: ['apps'] } });
  });
});

describe('the gate of the admission', () => {
  const ha = activeSync(2);
  const status = (repositories: PeerRepositories | null): Situation['peer'] => peer({ state: 'PASSIVE_SYNC', repositories });

  test.each<[string, PeerRepositories | null, boolean]>([
    ['in sync', theirs('in-sync'), true],
    ['failed with a reason', theirs('failed'), true],
    ['being synced', theirs('syncing'), false],
    ['not reached yet', theirs('waiting'), false],
    ['not in its profile, by which it does not come', theirs(null), true],
    ['not spoken of by the run of the keeper that receives from this one', theirs(null, { from: null }), false],
    ['in sync with another run of the keeper', theirs('in-sync', { from: 'another' as RunId }), false],
    ['a peer that knows of no repositories', null, false],
  ])('%s', (_what, repositories, settled) => {
    const given = made();
    given.repositories.check();
    given.keepers[0]?.says();
    expect(given.repositories.settled(ha, status(repositories), inStep)).toBe(settled);
  });

  test('it does not wait for one that is only compared', () => {
    const given = made();
    given.repositories.check();
    given.keepers[0]?.says({ repositories: [view('idle', { syncType: 'NO' })] });
    expect(given.repositories.settled(ha, status(theirs('syncing')), inStep)).toBe(true);
  });

  test('what it waits for, and why, is said once, where that takes a while', () => {
    const given = made();
    given.repositories.check();
    given.keepers[0]?.says();
    const waits = (ms: number): readonly string[] => {
      given.clock.advance(ms);
      const s = status(theirs('syncing'));
      given.repositories.settled(ha, s, inStep);
      given.repositories.order(ha, situation({ peer: s }));
      return given.log.from('info').filter((line) => line.includes('admission'));
    };
    expect(waits(0)).toEqual([]);
    expect(waits(4_999)).toEqual([]);
    expect(waits(1)).toEqual(['The messages are in step; the admission of the peer waits up to 115 s more for its repositories: apps (syncing)']);
    expect(waits(1_000)).toHaveLength(1);
  });

  test('it opens when repositoryWait has passed since the messages were first in step, and not before they are', () => {
    const given = made();
    given.repositories.check();
    given.keepers[0]?.says();
    expect(given.repositories.settled(ha, status(theirs('syncing')), broker())).toBe(false);
    given.clock.advance(WAIT_MS);
    expect(given.repositories.settled(ha, status(theirs('syncing')), inStep)).toBe(false);
    given.clock.advance(WAIT_MS - 1);
    expect(given.repositories.settled(ha, status(theirs('syncing')), broker())).toBe(false);
    expect(given.repositories.view.waitLeftMs).toBe(1);
    given.clock.advance(1);
    expect(given.repositories.settled(ha, status(theirs('syncing')), inStep)).toBe(true);
    expect(given.repositories.settled({ ...ha, moves: ha.moves + 1 }, status(theirs('syncing')), inStep)).toBe(false);
  });

  test('it opens in time also when the own keeper never comes up', () => {
    const given = made();
    given.repositories.check();
    expect(given.repositories.settled(ha, status(theirs('in-sync')), inStep)).toBe(false);
    given.clock.advance(WAIT_MS);
    expect(given.repositories.settled(ha, status(theirs('in-sync')), inStep)).toBe(true);
  });

  test('without repositories of its own a server waits for none, and starts no keeper until the peer has some', () => {
    const given = made([]);
    given.repositories.check();
    expect(given.keepers).toHaveLength(0);
    expect(given.repositories.forPeer).toBeNull();
    expect(given.repositories.settled(ha, status(theirs('syncing')), inStep)).toBe(true);
    given.repositories.order(passive(2), situation({ peer: peer({ state: 'ACTIVE', repositories: theirs(null) }) }));
    given.repositories.check();
    expect(given.keepers).toHaveLength(1);
  });
});

describe('what is said', () => {
  test('an admission of a peer whose repository failed is a warning, once', () => {
    const given = made();
    given.repositories.check();
    given.keepers[0]?.says();
    const s = situation({ peer: peer({ state: 'PASSIVE', repositories: theirs('failed') }) });
    const admitted = active(3, { previous: 'ACTIVE_SYNC', moves: 4 });
    for (let i = 0; i < 3; i += 1) given.repositories.order(admitted, s);
    expect(given.log.from('warn')).toEqual([expect.stringMatching(/admitted though its repository apps is not in sync: the disk is full/)]);
  });

  test('an admission of a peer whose profile does not name a repository is a warning that says so', () => {
    const given = made();
    given.repositories.check();
    given.keepers[0]?.says();
    given.repositories.order(active(3, { previous: 'ACTIVE_SYNC', moves: 4 }), situation({ peer: peer({ state: 'PASSIVE', repositories: theirs(null) }) }));
    expect(given.log.from('warn')).toEqual(['The peer was admitted, and has no repository apps: its profile does not name it, and nothing of it is copied. Name it in both profiles, and start that server anew']);
  });

  test.each<[RepositoryCondition, number]>([['syncing', 0], ['failed', 1]])('an admission of a peer that only compares a repository: %s', (condition, warnings) => {
    const given = made();
    given.repositories.check();
    given.keepers[0]?.says({ repositories: [view('idle', { syncType: 'NO' })] });
    given.repositories.order(active(3, { previous: 'ACTIVE_SYNC', moves: 4 }), situation({ peer: peer({ state: 'PASSIVE', repositories: theirs(condition) }) }));
    expect(given.log.from('warn')).toHaveLength(warnings);
  });

  test('a takeover by a server whose repository was not in sync is a warning with the last time that it was', () => {
    const given = made();
    given.repositories.check();
    given.keepers[0]?.says({ from: THEIR_RUN, repositories: [view('failed', { detail: 'the disk is full', syncedAt: Date.UTC(2026, 0, 2) })] });
    given.repositories.order(passive(2), situation({ peer: peer({ state: 'ACTIVE', term: 2 as Term, repositories: theirs(null) }) }));
    given.keepers[0]?.says({ from: null, repositories: [view('idle')] });
    given.repositories.order(standalone(3, { previous: 'PASSIVE', moves: 5 }), situation(ALONE));
    expect(given.log.from('warn')).toEqual([expect.stringMatching(/apps was not in sync \(the disk is full\).*2026-01-02T00:00:00/)]);
  });

  const received = (given: ReturnType<typeof made>, condition: RepositoryCondition): void => {
    given.keepers[0]?.says({ from: THEIR_RUN, repositories: [view(condition, { detail: condition === 'waiting' ? 'this server does not send any more' : null, syncedAt: Date.UTC(2026, 0, 2) })] });
    given.repositories.order(passive(2), situation({ peer: peer({ state: 'ACTIVE', term: 2 as Term, repositories: theirs(null) }) }));
  };

  test('a takeover by a server that only lost the link with the sender, at a switchover or when that died, is none', () => {
    const given = made();
    given.repositories.check();
    received(given, 'in-sync');
    received(given, 'waiting');
    given.clock.advance(SILENCE_MS); // until which the peer is taken to serve
    received(given, 'waiting');
    given.clock.advance(60_000); // the lock is waited for
    given.repositories.order(passive(2), situation(ALONE));
    given.repositories.order(standalone(3, { previous: 'PASSIVE', moves: 5 }), situation(ALONE));
    expect(given.log.from('warn')).toEqual([]);
  });

  test.each<[string, (given: ReturnType<typeof made>) => void]>([
    ['lost its link long before', (given) => { received(given, 'in-sync'); received(given, 'waiting'); given.clock.advance(SILENCE_MS + 1_001); received(given, 'waiting'); }],
    ['never had a link', (given) => received(given, 'waiting')],
    ['failed just before', (given) => { received(given, 'in-sync'); received(given, 'failed'); }],
  ])('a takeover by a server whose copy %s is one', (_what, story) => {
    const given = made();
    given.repositories.check();
    story(given);
    given.repositories.order(standalone(3, { previous: 'PASSIVE', moves: 5 }), situation(ALONE));
    expect(given.log.from('warn')).toEqual([expect.stringContaining('apps was not in sync')]);
  });

  test('the peer hears of the keeper and of the copies while they are received, and of no keeper that does not listen', () => {
    const given = made();
    given.repositories.check();
    given.keepers[0]?.says({ listening: false });
    expect(given.repositories.forPeer).toEqual({ run: null, names: ['apps'], from: null, copies: [] });
    given.keepers[0]?.says({ from: THEIR_RUN, repositories: [view('syncing'), view('unused', { name: 'peers' })] });
    expect(given.repositories.forPeer).toEqual({ run: RUN, names: ['apps'], from: THEIR_RUN, copies: [{ name: 'apps', condition: 'syncing', detail: null }] });
  });
});

describe('before a handover', () => {
  const sending = (condition: RepositoryCondition): Situation => situation({ peer: peer({ state: 'PASSIVE', term: 2 as Term, repositories: theirs(condition) }) });
  const answer = (id: number, outcome: 'same' | 'failed'): WishAnswer => ({ id, outcome, detail: outcome === 'failed' ? 'the disk is full' : null, files: 0, bytes: 0, wireBytes: 0, elapsedMs: 1, kept: null, differences: [], differencesTotal: 0 });
  const asked = (condition: RepositoryCondition, changes: Partial<RepositoryView> = {}) => {
    const given = made();
    given.repositories.check();
    given.keepers[0]?.says({ repositories: [view('idle', changes)] });
    given.repositories.order(active(2), sending(condition));
    const state = { ended: false };
    const last = given.repositories.syncOnceMore(sending(condition).peer, 5_000);
    void last?.then(() => (state.ended = true));
    given.repositories.order(active(2), sending(condition));
    return { ...given, last, state };
  };

  test('what the peer has in sync is synced once more, and that is waited for', async () => {
    const given = asked('in-sync');
    expect(given.keepers[0]?.last?.wishes).toEqual([{ id: 1, repository: 'apps', ask: 'sync', checksum: false }]);
    await Promise.resolve();
    expect(given.state.ended).toBe(false);
    expect(given.repositories.syncOnceMore(sending('in-sync').peer, 5_000)).toBe(given.last);
    given.keepers[0]?.says({ answers: [answer(1, 'same')] });
    given.repositories.order(active(2), sending('in-sync'));
    await given.last;
    expect(given.log.from('warn')).toEqual([]);
  });

  test.each<[string, (given: ReturnType<typeof asked>) => void, RegExp]>([
    ['fails', (given) => given.keepers[0]?.says({ answers: [answer(1, 'failed')] }), /apps may lack its latest changes.*the disk is full/],
    ['takes too long', (given) => given.clock.advance(5_000), /apps may lack its latest changes.*was waited for 5 s, and has not ended/],
  ])('one that %s is said, and not waited for', async (_what, happens, said) => {
    const given = asked('in-sync');
    happens(given);
    given.repositories.order(active(2), sending('in-sync'));
    await given.last;
    expect(given.log.from('warn')).toEqual([expect.stringMatching(said)]);
  });

  test('as many are synced once more as there are, whatever operators may ask for at one time', () => {
    const names = Array.from({ length: 64 }, (_, i) => `r${i}`);
    const given = made(names);
    given.repositories.check();
    given.keepers[0]?.says({ repositories: names.map((name) => view('idle', { name })) });
    const s = situation({ peer: peer({ state: 'PASSIVE', term: 2 as Term, repositories: theirs(null, { names, copies: names.map((name) => ({ name, condition: 'in-sync', detail: null })) }) }) });
    given.repositories.order(active(2), s);
    expect(given.repositories.syncOnceMore(s.peer, 5_000)).not.toBeNull();
    given.repositories.order(active(2), s);
    expect(given.keepers[0]?.last?.wishes.map(({ repository }) => repository)).toEqual(names);
    expect(given.log.from('warn')).toEqual([]);
    // Neither these nor their answers are in an operator's way.
    const asked = given.repositories.ask('r0', { ask: 'verify', checksum: false });
    expect(asked).toEqual({ kind: 'accepted', id: 65 });
    given.keepers[0]?.says({ answers: [65, ...names.keys()].map((id) => answer(id === 65 ? id : id + 1, 'same')) });
    given.repositories.order(active(2), s);
    expect(given.repositories.wishState(65)).toMatchObject({ kind: 'ended' });
  });

  test('a stop that meets the wait of a switchover ends it when its own, shorter one is over', async () => {
    const given = made();
    given.repositories.check();
    given.keepers[0]?.says();
    given.repositories.order(active(2), sending('in-sync'));
    const ends: string[] = [];
    void given.repositories.syncOnceMore(sending('in-sync').peer, 30_000)?.then(() => ends.push('switchover'));
    given.clock.advance(10_000);
    void given.repositories.syncOnceMore(sending('in-sync').peer, 5_000)?.then(() => ends.push('stop'));
    given.clock.advance(4_999);
    await Promise.resolve();
    expect(ends).toEqual([]);
    given.clock.advance(1);
    await Promise.resolve();
    expect(ends).toEqual(['switchover', 'stop']);
    given.clock.advance(30_000);
    expect(given.log.from('warn')).toEqual([expect.stringContaining('apps may lack its latest changes')]);
  });

  test.each<[string, RepositoryCondition, Partial<RepositoryView>]>([
    ['a copy that is not in sync', 'syncing', {}],
    ['the type NO', 'in-sync', { syncType: 'NO' }],
  ])('%s is not waited for', (_what, condition, changes) => {
    expect(asked(condition, changes).last).toBeNull();
  });
});

describe('wishes', () => {
  const sending = situation({ peer: peer({ state: 'PASSIVE', term: 2 as Term, repositories: theirs('in-sync') }) });

  test('one is ordered until it is answered, and its answer can be asked for', () => {
    const given = made();
    given.repositories.check();
    given.keepers[0]?.says();
    given.repositories.order(active(2), sending);
    const asked = given.repositories.ask('apps', { ask: 'verify', checksum: false });
    expect(asked).toEqual({ kind: 'accepted', id: 1 });
    given.repositories.order(active(2), sending);
    expect(given.keepers[0]?.last?.wishes).toEqual([{ id: 1, repository: 'apps', ask: 'verify', checksum: false }]);
    expect(given.repositories.wishState(1)).toEqual({ kind: 'under-way' });
    given.keepers[0]?.says({ answers: [{ id: 1, outcome: 'same', detail: null, files: 0, bytes: 0, wireBytes: 0, elapsedMs: 1, kept: null, differences: [], differencesTotal: 0 }] });
    given.repositories.order(active(2), sending);
    expect(given.keepers[0]?.last?.wishes).toEqual([]);
    expect(given.repositories.wishState(1)).toMatchObject({ kind: 'ended', answer: { outcome: 'same' } });
    expect(given.repositories.wishState(2)).toEqual({ kind: 'unknown' });
  });

  test('one that a keeper has got which ends before its answer has failed, and is not given to the next', () => {
    const given = made();
    given.repositories.check();
    given.keepers[0]?.says();
    given.repositories.order(active(2), sending);
    given.repositories.ask('apps', { ask: 'restore', version: 'v1', paths: null });
    given.repositories.order(active(2), sending);
    given.repositories.ask('apps', { ask: 'verify', checksum: false }); // No keeper hears of it any more.
    given.keepers[0]?.die('killed');
    given.repositories.order(active(2), sending);
    expect(given.repositories.wishState(1)).toMatchObject({ kind: 'ended', answer: { id: 1, outcome: 'failed', detail: expect.stringMatching(/^the repository keeper ended before it had answered, and a part of the files may be back; /) } });
    expect(given.log.from('warn').filter((line) => line.includes('restore'))).toEqual([expect.stringMatching(/^Repository apps: the restore of the kept version "v1" .* has failed: the repository keeper ended/)]);
    given.clock.advance(200);
    given.repositories.repeat();
    given.repositories.order(active(2), sending);
    given.keepers[1]?.says();
    given.repositories.order(active(2), sending);
    expect(given.keepers[1]?.last?.wishes).toMatchObject([{ id: 2, ask: 'verify' }]);
    given.keepers[1]?.die('killed');
    given.repositories.order(active(2), sending);
    expect(given.repositories.wishState(2)).toMatchObject({ kind: 'ended', answer: { outcome: 'failed', detail: expect.stringMatching(/^the repository keeper ended before it had answered; /) } });
    given.clock.advance(400);
    given.repositories.repeat();
    given.repositories.order(active(2), sending);
    expect(given.keepers[2]?.last?.wishes).toEqual([]);
  });

  test('what makes no sense is refused with a reason', () => {
    const given = made();
    expect(given.repositories.ask('apps', { ask: 'sync', checksum: false })).toMatchObject({ kind: 'refused', why: expect.stringMatching(/not running/) });
    given.repositories.check();
    given.keepers[0]?.says();
    expect(given.repositories.ask('nothing', { ask: 'sync', checksum: false })).toMatchObject({ kind: 'refused', why: expect.stringMatching(/there are apps/) });
    expect(given.repositories.ask('apps', { ask: 'sync', checksum: false })).toMatchObject({ kind: 'refused', why: expect.stringMatching(/needs both servers/) });
    given.repositories.order(passive(2), situation({ peer: peer({ state: 'ACTIVE', term: 2 as Term, repositories: theirs(null) }) }));
    expect(given.repositories.ask('apps', { ask: 'restore', version: 'v', paths: null })).toMatchObject({ kind: 'refused', why: expect.stringMatching(/serving server/) });
    for (let i = 0; i < 16; i += 1) given.repositories.ask('apps', { ask: 'diff', checksum: false });
    expect(given.repositories.ask('apps', { ask: 'diff', checksum: false })).toMatchObject({ kind: 'refused', why: expect.stringMatching(/under way/) });
  });
});

test('an order is repeated at every pulse, with a pulse of its own', async () => {
  const given = made();
  given.repositories.check();
  const s = situation({ peer: peer({ state: 'PASSIVE', repositories: theirs('in-sync') }) });
  given.repositories.order(active(2), s);
  given.repositories.order(active(2), s);
  expect(given.keepers[0]?.sent).toHaveLength(1);
  given.clock.advance(100);
  given.repositories.repeat();
  given.repositories.order(active(2), s);
  expect(given.keepers[0]?.last).toMatchObject({ seq: 2, pulseAt: given.clock.monotonic() as Monotonic, role: { kind: 'send', term: 2 }, fenceThrough: 1 });
  void given.repositories.end();
  expect(given.keepers[0]?.last).toMatchObject({ shutdown: true, role: { kind: 'idle' } });
});

test('messages flow while the log has grown within two seconds', () => {
  const given = made();
  given.repositories.check();
  const at = (position: number): Situation => situation({ broker: broker({ journal: { ...broker().journal, position: position as Position } }), peer: peer({ state: 'PASSIVE', repositories: theirs('in-sync') }) });
  const flows = (position: number): boolean | undefined => {
    given.repositories.repeat();
    given.repositories.order(active(2), at(position));
    return given.keepers[0]?.last?.messagesFlow;
  };
  expect(flows(9)).toBe(false);
  expect(flows(10)).toBe(true);
  given.clock.advance(2_000);
  expect(flows(10)).toBe(true);
  given.clock.advance(1);
  expect(flows(10)).toBe(false);
});

describe('what only the profile of the server that follows names', () => {
  const serving = (names: readonly string[] | null): Situation => situation({ peer: peer({ state: 'ACTIVE', term: 2 as Term, repositories: names === null ? null : theirs(null, { names }) }) });
  const said = ({ log }: ReturnType<typeof made>): readonly string[] => log.lines.filter(({ level }) => level === 'warn').map(({ message }) => message);

  test('is said once, and again when it changes', () => {
    const given = made(['apps', 'conf']);
    given.repositories.order(passive(2), serving(null));
    given.repositories.order(passive(2), serving([]));
    expect(said(given)).toEqual([expect.stringMatching(/^Repositories apps, conf: the serving server has none of these names, and nothing is received\. /)]);
    given.repositories.order(passive(2), serving(['conf']));
    given.repositories.order(passive(2), serving(['conf', 'apps']));
    expect(said(given).slice(1)).toEqual([expect.stringMatching(/^Repository apps: the serving server has none of this name, /)]);
  });

  test('is the reason of a refusal', () => {
    const given = made();
    given.repositories.check();
    given.keepers[0]?.says();
    given.repositories.order(passive(2), serving(null));
    expect(given.repositories.ask('apps', { ask: 'sync', checksum: false })).toEqual({ kind: 'refused', why: 'the serving server has no repository: name it in both profiles, and start that server anew' });
  });

  test.each<[string, HaState, Situation]>([
    ['while the other server is not heard', passive(2), { ...serving(null), ...ALONE }],
    ['before the other server serves', passiveSync(0), situation({ peer: peer({ state: 'WAITING', repositories: null }) })],
    ['on the server that serves', active(2), situation({ peer: peer({ state: 'PASSIVE', term: 2 as Term, repositories: null }) })],
  ])('is not said %s', (_when, ha, s) => {
    const given = made();
    given.repositories.order(ha, s);
    expect(said(given).filter((line) => line.includes('has none of'))).toEqual([]);
  });
});
