import type { KeeperStatus } from '../../../src/core/control/keeper.js';
import { INITIAL_STATE } from '../../../src/core/ha/state.js';
import type { Situation } from '../../../src/core/ha/situation.js';
import type { Monotonic, RunId, ServerId, Term } from '../../../src/core/identity.js';
import type { ManagerConfig } from '../../../src/manager/config.js';
import { presentBroker, situate, type Knowledge } from '../../../src/manager/situate.js';
import { broker, peer, record } from '../core/ha/situations.js';

const config: ManagerConfig = {
  server: 'primary' as ServerId, role: 'primary', peerServer: 'secondary' as ServerId, cluster: 'test', version: '1', lockFile: '/share/lock', pingIntervalMs: 500, pingMissLimit: 3,
  activeLockIntervalMs: 1_000, passiveLockIntervalMs: 2_500, peerWaitMs: 10_000, stallLimitMs: 2_000, brokerAnswerLimitMs: 3_000, brokerStartLimitMs: 60_000, keeperAnswerLimitMs: 3_000,
  taskLimitMs: 5_000, patienceMs: 7_000, stopLimitMs: 10_000, peerReplication: { host: '127.0.0.1', port: 1 }, clientEndpoints: [], historyMax: 10,
  repositories: { names: [], peer: { host: '127.0.0.1', port: 2 }, waitMs: 120_000, answerLimitMs: 60_000 },
};

const at = (ms: number): Monotonic => ms as Monotonic;
const NOW = 100_000;

const keeper: KeeperStatus = {
  run: 'keeper' as RunId, orderSeq: 1, condition: 'ok', detail: null, shareId: 'share', highest: record(2), watermark: null, lookedAt: at(NOW - 100), onNetwork: true,
  lock: { held: true, until: at(NOW + 1_000), holder: null, holderSilentMs: null, detail: null }, claim: null,
};

function knowledge(changes: Partial<Knowledge> = {}): Knowledge {
  return {
    now: at(NOW), startedAt: at(0), broker: broker(), brokerRoleSeq: 0, keeper, peer: peer(), peerHeardAt: at(NOW - 100), peerHeardOurs: at(NOW - 200), peerTookPartAt: at(NOW - 100),
    gatewayAnsweredAt: at(NOW - 100), kept: { schema: 1, record: record(2), shareId: 'share' }, movedAt: at(0), taskSince: null, aloneSince: null, recordTakenAt: null, recordTrouble: null, heldUpSince: null,
    repositoriesSettled: true, wishes: { switchover: false, stop: false, promote: false }, fresh: { nonce: 'n', at: '' }, ...changes,
  };
}

describe('a status of the broker that is older than its present role', () => {
  const said = broker({ orderSeq: 4, drained: true, peerRequiredFrom: 7 as never, clientPort: 'bound', fencedThrough: 2 as Term });

  test('says nothing of draining, of the peer, and of a port that is bound; the fence stays, it is for good', () => {
    expect(presentBroker(said, 5)).toMatchObject({ drained: false, peerRequiredFrom: null, replication: null, clientPort: 'closed', fencedThrough: 2 });
  });

  test('is believed from the very order on', () => {
    expect(presentBroker(said, 4)).toBe(said);
    expect(presentBroker(null, 4)).toBeNull();
  });
});

describe('the lock', () => {
  test.each<[string, Partial<KeeperStatus> | null, boolean]>([
    ['before its deadline', {}, true],
    ['at its deadline, whatever the keeper said last', { lock: { ...keeper.lock, until: at(NOW) } }, false],
    ['without a deadline', { lock: { ...keeper.lock, until: null } }, false],
    ['that the keeper does not hold', { lock: { ...keeper.lock, held: false } }, false],
    ['without a keeper', null, false],
  ])('%s', (_name, changes, held) => {
    expect(situate(config, INITIAL_STATE, knowledge({ keeper: changes === null ? null : { ...keeper, ...changes } })).lock.held).toBe(held);
  });
});

describe('a claim', () => {
  const won = { kind: 'won', nonce: 'n3', record: record(3) } as const;

  test('counts as won only once its record is kept', () => {
    const claimed = { ...keeper, claim: won };
    expect(situate(config, INITIAL_STATE, knowledge({ keeper: claimed })).claim).toEqual({ kind: 'pending', nonce: 'n3' });
    expect(situate(config, INITIAL_STATE, knowledge({ keeper: claimed, kept: { schema: 1, record: record(3), shareId: 'share' } })).claim).toEqual(won);
  });

  test('counts as lost only once the winner is kept; in doubt and failed need nothing', () => {
    const lost = { kind: 'lost', nonce: 'mine', record: record(3) } as const;
    expect(situate(config, INITIAL_STATE, knowledge({ keeper: { ...keeper, claim: lost } })).claim).toEqual({ kind: 'pending', nonce: 'mine' });
    const doubt = { kind: 'in-doubt', nonce: 'mine', detail: '' } as const;
    expect(situate(config, INITIAL_STATE, knowledge({ keeper: { ...keeper, claim: doubt } })).claim).toEqual(doubt);
  });
});

describe('a takeover that is held up', () => {
  test.each<[string, Partial<Knowledge>, boolean]>([
    ['no claim was made', {}, false],
    ['the claim was made a moment ago', { taskSince: at(NOW - 499) }, false],
    ['the claim was made a heartbeat ago', { taskSince: at(NOW - 500) }, true],
  ])('may be claimed again: %s', (_name, changes, may) => {
    expect(situate(config, INITIAL_STATE, knowledge(changes)).mayTryAgain).toBe(may);
  });

  test.each<[string, Partial<Knowledge>, boolean]>([
    ['nothing is held up', {}, false],
    ['as long as it may', { heldUpSince: at(NOW - 7_000) }, false],
    ['longer', { heldUpSince: at(NOW - 7_001) }, true],
  ])('has had its time: %s', (_name, changes, ended) => {
    expect(situate(config, INITIAL_STATE, knowledge(changes)).patienceEnded).toBe(ended);
  });
});

describe('the share', () => {
  test.each<[string, Partial<KeeperStatus>, Partial<ReturnType<typeof situate>['share']>]>([
    ['looked at just now', {}, { usable: true, replaced: false, empty: false }],
    ['looked at long ago', { lookedAt: at(NOW - 60_000) }, { usable: false, detail: 'no look at it has ended of late' }],
    ['never looked at', { lookedAt: null, highest: null }, { usable: false, empty: false }],
    ['without a record', { highest: null }, { usable: true, empty: true }],
    ['replaced', { condition: 'replaced' }, { usable: false, replaced: true, bare: false, empty: false }],
    ['replaced by nothing', { condition: 'replaced', shareId: null }, { replaced: true, bare: true }],
    ['not looked at yet', { lookedAt: null, shareId: null }, { replaced: false, bare: false }],
    ['replaced, as a keeper says that has not looked', { condition: 'replaced', lookedAt: null }, { replaced: false }],
    ['hung', { condition: 'hung', highest: null }, { usable: false, empty: false }],
  ])('%s', (_name, changes, expected) => {
    expect(situate(config, INITIAL_STATE, knowledge({ keeper: { ...keeper, ...changes } })).share).toMatchObject(expected);
  });
});

describe('a share that cannot be used', () => {
  const broken = knowledge({ keeper: { ...keeper, condition: 'absent' }, movedAt: at(NOW - 10_000) });

  test.each<[string, Partial<Knowledge>, boolean]>([
    ['is given up after the wait', {}, true],
    ['not before', { movedAt: at(NOW - 9_999) }, false],
    ['not before, counted from the start', { startedAt: at(NOW - 9_999) }, false],
    ['not while it is replaced: then R9 decides', { keeper: { ...keeper, condition: 'replaced' } }, false],
    ['not while it can be used', { keeper }, false],
  ])('%s', (_name, changes, givenUp) => {
    expect(situate(config, INITIAL_STATE, { ...broken, ...changes }).share.givenUp).toBe(givenUp);
    expect(situate(config, { ...INITIAL_STATE, state: 'ACTIVE' }, { ...broken, ...changes }).share.givenUp).toBe(false);
  });
});

describe('the peer', () => {
  test.each<[string, Partial<Knowledge>, boolean, boolean]>([
    ['heard and hearing', {}, false, true],
    ['heard at the limit', { peerHeardAt: at(NOW - 1_500) }, false, true],
    ['silent beyond it', { peerHeardAt: at(NOW - 1_501) }, true, false],
    ['never heard', { peer: null, peerHeardAt: null, peerHeardOurs: null }, true, false],
    ['heard, but it heard an earlier run of ours', { peerHeardOurs: null }, false, false],
    ['heard, but it heard us long ago', { peerHeardOurs: at(NOW - 2_001) }, false, false],
  ])('%s', (_name, changes, silent, hearsUs) => {
    expect(situate(config, INITIAL_STATE, knowledge(changes))).toMatchObject({ peerSilent: silent, peerHearsUs: hearsUs });
  });

  test.each<[string, Partial<Knowledge>, boolean]>([
    ['counted from the start', { peerTookPartAt: null }, true],
    ['counted from the move to WAITING', { peerTookPartAt: null, movedAt: at(NOW - 9_999) }, false],
    ['counted from when it last took part', { peerTookPartAt: at(NOW - 9_999) }, false],
    ['and over at the limit', { peerTookPartAt: at(NOW - 10_000) }, true],
  ])('its wait is %s', (_name, changes, over) => {
    expect(situate(config, INITIAL_STATE, knowledge(changes)).peerHadItsWait).toBe(over);
    expect(situate(config, { ...INITIAL_STATE, state: 'PASSIVE' }, knowledge(changes)).peerHadItsWait).toBe(false);
  });
});

describe('what stands still', () => {
  const LINK = { phase: 'in-step', peerRun: 'b' as RunId, peerJournal: null, term: 2 as Term, peerDurable: 9 as never, lagRecords: 1, lagBytes: 1, progress: null } as const;
  const { stallLimitMs } = config;

  test.each<[string, number, number, Partial<Situation>]>([
    ['nothing, at the limits', stallLimitMs, stallLimitMs / 2, { stalled: false, diskStalled: false, diskPauses: false }],
    ['the peer', stallLimitMs + 1, 0, { stalled: true, diskStalled: false, diskPauses: false }],
    ["the peer, and this server's disk for half as long", stallLimitMs + 1, stallLimitMs / 2 + 1, { stalled: true, diskStalled: false, diskPauses: true }],
    ["this server's disk", 0, stallLimitMs + 1, { stalled: false, diskStalled: true, diskPauses: true }],
  ])('%s', (_name, linkMs, diskMs, expected) => {
    const said = broker({ replication: { ...LINK, stalledMs: linkMs }, journal: { ...broker().journal, stalledMs: diskMs } });
    expect(situate(config, INITIAL_STATE, knowledge({ broker: said }))).toMatchObject(expected);
  });

  test.each([[stallLimitMs, false, false], [stallLimitMs + 1, true, false], [5 * stallLimitMs, true, false], [5 * stallLimitMs + 1, true, true]])('%d ms after a move', (ms, settled, steady) => {
    expect(situate(config, INITIAL_STATE, knowledge({ movedAt: at(NOW - ms) }))).toMatchObject({ settled, steady });
  });

  test('nothing that is known of, without a broker', () => {
    expect(situate(config, INITIAL_STATE, knowledge({ broker: null }))).toMatchObject({ stalled: false, diskStalled: false, diskPauses: false });
  });
});

test.each<[string, Partial<Knowledge>, boolean]>([
  ['no task to serve alone is under way', { recordTakenAt: at(NOW) }, false],
  ['none was taken yet', { aloneSince: at(NOW - 10) }, false],
  ['the last one was taken before the task began', { aloneSince: at(NOW - 10), recordTakenAt: at(NOW - 11) }, false],
  ['one was taken since', { aloneSince: at(NOW - 10), recordTakenAt: at(NOW - 10) }, true],
])('the disk has shown that it takes a record: %s', (_name, changes, takes) => {
  expect(situate(config, INITIAL_STATE, knowledge(changes)).takesRecords).toBe(takes);
});

test.each<[string, Partial<Knowledge>, boolean]>([
  ['nothing', {}, false],
  ['the broker does not run: that is told for itself', { broker: null }, false],
  ['its disk stands still', { broker: broker({ journal: { ...broker().journal, stalledMs: config.stallLimitMs + 1 } }) }, true],
  ['its disk takes no term record', { recordTrouble: 'ENOSPC' }, true],
  ['its client port cannot be opened', { broker: broker({ clientPortError: 'EADDRINUSE' }) }, true],
])('unfit to serve: %s', (_name, changes, unfit) => {
  expect(situate(config, INITIAL_STATE, knowledge(changes)).unfit).toBe(unfit);
});
