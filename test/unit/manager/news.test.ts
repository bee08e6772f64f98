import type { BrokerStatus } from '../../../src/core/control/broker.js';
import type { KeeperStatus, LockStatus } from '../../../src/core/control/keeper.js';
import type { Monotonic, RunId, ServerId, Term } from '../../../src/core/identity.js';
import { isBrokerNews, isKeeperNews } from '../../../src/manager/news.js';
import { broker, record, situation } from '../core/ha/situations.js';

const at = (ms: number): Monotonic => ms as Monotonic;
const mine: LockStatus = { held: true, until: at(5_000), holder: null, holderSilentMs: null, detail: null };
const theirs: LockStatus = { held: false, until: null, holder: 'secondary' as ServerId, holderSilentMs: 300, detail: 'held by secondary, for 300 ms' };
const keeper: KeeperStatus = { run: 'keeper' as RunId, orderSeq: 1, condition: 'ok', detail: null, shareId: 'share', highest: record(2), watermark: null, lookedAt: at(100), onNetwork: true, lock: mine, claim: null };
const usual = situation();
const share = { ...usual.share, usable: true };
const holding = { ...usual, share, lock: { held: true, until: at(5_000), detail: null } };
const watching = { ...holding, lock: { held: false, until: null, detail: 'held by secondary' } };

/** As it arrives: nothing of it is the same object. */
const again = <Status>(status: Status): Status => JSON.parse(JSON.stringify(status)) as Status;

describe('a status of the broker', () => {
  const said = broker({ orderSeq: 4 });

  test('that repeats the one before, for a later order, is no news', () => {
    expect(isBrokerNews(said, again({ ...said, orderSeq: 9 }), 4)).toBe(false);
  });

  test('is news when it is the first one of the process, or of the present role', () => {
    expect(isBrokerNews(null, said, 0)).toBe(true);
    expect(isBrokerNews(said, again({ ...said, orderSeq: 5 }), 5)).toBe(true);
  });

  test.each<[string, Partial<BrokerStatus>]>([
    ['position', { journal: { ...said.journal, position: 99 as never } }],
    ['fence', { fencedThrough: 7 as Term }],
    ['role', { role: said.role === 'serve' ? 'idle' : 'serve' }],
    ['drained', { drained: !said.drained }],
    ['process', { run: 'another' as RunId }],
  ])('is news when it says something else: %s', (_name, changes) => {
    expect(isBrokerNews(said, again({ ...said, ...changes }), 0)).toBe(true);
  });
});

describe('a status of the share keeper', () => {
  test('that repeats the one before, with a later look and a later deadline, is no news', () => {
    expect(isKeeperNews(keeper, again({ ...keeper, orderSeq: 2, lookedAt: at(1_100), lock: { ...mine, until: at(6_000) } }), holding)).toBe(false);
  });

  test('that has watched the other holder for longer is no news', () => {
    const longer = { ...theirs, holderSilentMs: 633, detail: 'held by secondary, for 633 ms' };
    expect(isKeeperNews({ ...keeper, lock: theirs }, again({ ...keeper, lock: longer }), watching)).toBe(false);
  });

  test.each<[string, Partial<KeeperStatus>]>([
    ['a record', { highest: record(3) }],
    ['another share', { shareId: 'other' }],
    ['trouble', { condition: 'hung', detail: 'no answer' }],
    ['the claim', { claim: { kind: 'pending', nonce: 'n' } }],
    ['the lock is gone', { lock: theirs }],
    ['why the lock is not held', { lock: { ...mine, detail: 'not renewed' } }],
    ['the process', { run: 'another' as RunId }],
  ])('is news when it says something else: %s', (_name, changes) => {
    expect(isKeeperNews(keeper, again({ ...keeper, ...changes }), holding)).toBe(true);
  });

  test('is news when it is the first one', () => {
    expect(isKeeperNews(null, keeper, holding)).toBe(true);
    expect(isKeeperNews(keeper, keeper, null)).toBe(true);
  });

  test('is news when it makes good what had lapsed: the deadline of the lock, or the age of the look', () => {
    const later = again({ ...keeper, lookedAt: at(9_000), lock: { ...mine, until: at(9_500) } });
    expect(isKeeperNews(keeper, later, watching)).toBe(true);
    expect(isKeeperNews(keeper, later, { ...holding, share: { ...share, usable: false } })).toBe(true);
  });
});
