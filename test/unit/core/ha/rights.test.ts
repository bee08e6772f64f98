import fc from 'fast-check';
import type { PeerStatus } from '../../../../src/core/control/peer.js';
import { missingMembership, missingRight, nextTerm, peerServesBehindUs, whoComesFirst } from '../../../../src/core/ha/rights.js';
import type { Situation } from '../../../../src/core/ha/situation.js';
import { INITIAL_STATE } from '../../../../src/core/ha/state.js';
import type { JournalId, Position, RunId, ServerId, Term } from '../../../../src/core/identity.js';
import type { TermRecord } from '../../../../src/core/terms/record.js';
import { peerStatusOf } from '../../../../src/manager/own-status.js';
import type { ManagerConfig } from '../../../../src/manager/config.js';
import { ALONE, broker, ME, MINE, peer, PEER, peerBroker, record, situation, THEIRS } from './situations.js';

describe('membership (R3)', () => {
  const copy = { server: ME, journal: MINE.journal, logTerm: 2 as Term, position: 9 as Position, durable: 9 as Position, damage: null as string | null };

  test.each<[string, Partial<Omit<typeof copy, 'damage'>> & { damage?: string | null }, Partial<TermRecord>, RegExp | null, number | null]>([
    ['named, whole and long enough', {}, {}, null, null],
    ['exactly as long as the record says', { durable: 5 as Position }, {}, null, null],
    ['not named', {}, { inSync: [THEIRS] }, /newer data is on secondary/, null],
    ['another journal', { journal: 'new' as JournalId }, {}, /the journal that term 2 counts on is gone/, null],
    ['one record short', { durable: 4 as Position }, {}, /log ends at 4, before position 5/, null],
    ['appended far enough, but not durable', { position: 9 as Position, durable: 4 as Position }, {}, /log ends at 4/, null],
    ['damaged', { damage: 'failed fsync' }, {}, /damaged \(failed fsync\)/, null],
    ['ahead of every record', { logTerm: 3 as Term }, {}, /records of term 3/, null],
    ['exactly as long as the watermark says', {}, {}, null, 9],
    ['shorter than the watermark says', { durable: 8 as Position }, {}, /log ends at 8, but was durable up to 9: its disk has lost/, 9],
    ['shorter than the watermark of another record of that number', { durable: 8 as Position }, { nonce: 'another' }, null, 9],
    ['shorter than a watermark of the term before', { durable: 8 as Position }, { term: 3 as Term, nonce: 'n3' }, /durable up to 9:/, 9],
    ['shorter than one of the term before a claim for this copy alone', { durable: 8 as Position }, { term: 3 as Term, nonce: 'n3', inSync: [MINE], cause: 'start' }, null, 9],
    ['shorter than one of the term before a forced promotion', { durable: 8 as Position }, { term: 3 as Term, nonce: 'n3', inSync: [MINE], cause: 'promotion', forced: true }, null, 9],
    ['shorter than one of two terms before', { durable: 8 as Position }, { term: 4 as Term, nonce: 'n4' }, null, 9],
    ['longer than an old watermark, not as long as the record says', { durable: 4 as Position }, {}, /log ends at 4, before position 5/, 3],
  ])('%s', (_name, changes, of, missing, reached) => {
    const watermark = reached === null ? null : { term: 2 as Term, nonce: 'n2', position: reached as Position };
    const found = missingMembership(record(2, of), { ...copy, ...changes }, watermark);
    if (missing === null) expect(found).toBeNull();
    else expect(found).toMatch(missing);
  });
});

const MARK = { term: 2 as Term, nonce: 'n2', position: 10 as Position };

describe('the right to claim', () => {
  const share = situation().share;

  test.each<[string, Partial<Situation>, RegExp | null]>([
    ['is there', {}, null],
    ['not without a broker', { broker: null }, /broker is not running/],
    ['not on a share that was replaced', { share: { ...share, usable: false, replaced: true } }, /share was replaced/],
    ['not on a share that is not usable', { share: { ...share, usable: false, detail: 'hangs' } }, /not usable \(hangs\)/],
    ['not before there is any record', { kept: null }, /no term record exists yet/],
    ['not where the disk has lost what it had confirmed', { share: { ...share, watermark: MARK } }, /log ends at 9, but was durable up to 10/],
    ['while the broker copies, and what it has may be more than it has said', { share: { ...share, watermark: MARK }, broker: broker({ role: 'follow' }) }, null],
    ['not without membership', { kept: record(2, { inSync: [THEIRS] }) }, /newer data is on secondary \(term 2\)$/],
  ])('%s', (_name, changes, missing) => {
    const found = missingRight(situation({ ...ALONE, ...changes }));
    if (missing === null) expect(found).toBeNull();
    else expect(found).toMatch(missing);
  });
});

describe('the number of a claim', () => {
  test('is the one after the highest that is kept, whatever else was seen: two claims of one right always meet', () => {
    expect(nextTerm(situation({ share: { ...situation().share, highestTerm: 9 as Term } }), false, 7 as Term)).toBe(3);
  });

  test.each<[string, Partial<Situation>, number, number]>([
    ['what is kept', { kept: record(8) }, 0, 9],
    ['what the share shows', { share: { ...situation().share, highestTerm: 8 as Term } }, 0, 9],
    ['the own log', { broker: broker({ journal: { ...broker().journal, term: 8 as Term } }) }, 0, 9],
    ["the peer's record", { peer: peer({ record: record(8) }) }, 0, 9],
    ["the peer's log", { peer: peer({ broker: peerBroker({ logTerm: 8 as Term }) }) }, 0, 9],
    ['the own fence: a fenced term is of no use', {}, 8, 9],
  ])('of a fresh one is above %s', (_name, changes, fence, term) => {
    expect(nextTerm(situation(changes), true, fence as Term)).toBe(term);
  });
});

describe('who comes first', () => {
  const fresh = { share: { ...situation().share, usable: false, replaced: true } };

  test.each<[string, Partial<Situation>, unknown]>([
    ['equal members: the configured primary', {}, { who: 'me', fresh: false }],
    ['equal members, and we are the secondary', { role: 'secondary' }, { who: 'peer' }],
    ['members: the longer log', { peer: peer({ broker: peerBroker({ position: 10 as Position, durable: 10 as Position }) }) }, { who: 'peer' }],
    ['members: the later term before the longer log', { broker: broker({ journal: { ...broker().journal, term: 1 as Term, position: 99 as Position, durable: 99 as Position } }) }, { who: 'peer' }],
    ['we alone are a member', { kept: record(2, { inSync: [MINE] }) }, { who: 'me', fresh: false }],
    ['the peer alone is a member', { kept: record(2, { inSync: [THEIRS] }) }, { who: 'peer' }],
    ['the peer serves', { peer: peer({ state: 'ACTIVE' }) }, { who: 'peer' }],
    ['members, and the peer has given the share up', { role: 'secondary', peer: peer({ shareGivenUp: true }) }, { who: 'me', fresh: false }],
    ['no record at all, both empty (R9)', { kept: null, share: { ...situation().share, empty: true }, peer: peer({ record: null, shareEmpty: true }) }, { who: 'me', fresh: true }],
    ['both saw the share replaced: the member of the higher record', { ...fresh, kept: record(2), peer: peer({ shareReplaced: true, record: record(3, { server: PEER, inSync: [THEIRS] }) }) }, { who: 'peer' }],
    [
      'both found nothing there, and remember different shares: one was away when it was replaced before (long seed 56815)',
      { kept: record(3, { inSync: [MINE] }), share: { ...fresh.share, bare: true, id: 'second' }, peer: peer({ shareReplaced: true, shareBare: true, shareId: 'first' }) },
      { who: 'me', fresh: true },
    ],
  ])('%s', (_name, changes, first) => {
    expect(whoComesFirst(situation(changes))).toEqual(first);
  });

  test.each<[string, Partial<Situation>, RegExp]>([
    ['the records differ', { peer: peer({ record: record(3) }) }, /same highest term record/],
    ['only one saw the share replaced', { peer: peer({ shareReplaced: true }) }, /do not see the same term records/],
    ['the shares differ', { peer: peer({ shareId: 'other' }) }, /different shares/],
    ['the shares differ, and only one found nothing there', { ...fresh, share: { ...fresh.share, bare: true }, peer: peer({ shareReplaced: true, shareId: 'other' }) }, /different shares/],
    ['the peer is PASSIVE', { peer: peer({ state: 'PASSIVE' }) }, /about to take over/],
    ['the peer is PASSIVE, and perhaps cannot use the share either', { share: { ...situation().share, usable: false, detail: 'not mounted' }, peer: peer({ state: 'PASSIVE' }) }, /when it can use the share, which is not usable here \(not mounted\)$/],
    ['the share could not be used for too long', { share: { ...situation().share, usable: false, givenUp: true, detail: 'not mounted' } }, /^the share is not usable \(not mounted\)$/],
    ["the peer's broker is down", { peer: peer({ brokerDown: true }) }, /broker is not ready/],
    ['no copy counts', { kept: record(2, { inSync: [{ ...MINE, journal: 'gone' as JournalId }] }) }, /neither copy may serve/],
    ["a claim of the peer's may still land", { peer: peer({ inDoubt: 3 as Term }) }, /claim of term 3 has no answer/],
    ['both know another record of the same number', { ...fresh, kept: record(3, { inSync: [MINE] }), peer: peer({ shareReplaced: true, record: record(3, { server: PEER, inSync: [THEIRS], nonce: 'other' }) }) }, /different records of term 3/],
  ])('nobody when %s', (_name, changes, why) => {
    expect(whoComesFirst(situation(changes))).toMatchObject({ who: 'nobody', why: expect.stringMatching(why) as string });
  });
});

describe('whom not to copy', () => {
  test.each<[string, number, string, boolean]>([
    ['a later term', 3, 'n3', false],
    ['the very term that is kept', 2, 'n2', false],
    ['the same number with another record', 2, 'other', true],
    ['an earlier term', 1, 'n1', true],
  ])('%s', (_name, term, nonce, behind) => {
    expect(peerServesBehindUs(situation({ peer: peer({ state: 'STANDALONE', term: term as Term, record: record(term, { nonce }) }) }))).toBe(behind);
  });
});

/*
 * What both servers compute from the statuses that they have exchanged. Each side's own part is drawn; what the other knows of it is what
 * production code would tell.
 */
interface Half {
  readonly logTerm: number;
  readonly position: number;
  readonly lag: number;
  readonly wiped: boolean;
  readonly damaged: boolean;
  readonly unfit: boolean;
  readonly kept: number;
  readonly share: 'ok' | 'replaced' | 'empty' | 'unusable';
  readonly state: 'WAITING' | 'PASSIVE_SYNC';
}

const RECORDS: readonly (TermRecord | null)[] = [null, ...[1, 2, 3].flatMap((term) => [
  record(term), record(term, { inSync: [MINE], nonce: `p${term}` }), record(term, { server: PEER, inSync: [THEIRS], nonce: `s${term}` }), record(term, { position: 2 as Position, nonce: `b${term}` }),
])];

const half = fc.record<Half>({
  logTerm: fc.integer({ min: 0, max: 3 }),
  position: fc.integer({ min: 4, max: 9 }),
  lag: fc.integer({ min: 0, max: 2 }),
  wiped: fc.nat(7).map((n) => n === 0),
  damaged: fc.nat(7).map((n) => n === 0),
  unfit: fc.nat(3).map((n) => n === 0),
  kept: fc.nat(RECORDS.length - 1),
  share: fc.constantFrom('ok', 'replaced', 'empty', 'unusable'),
  state: fc.constantFrom('WAITING', 'PASSIVE_SYNC'),
});

function sideOf(server: ServerId, role: Situation['role'], of: Half): Situation {
  const journal = of.wiped ? `new-${server}` : server === ME ? MINE.journal : THEIRS.journal;
  const durable = Math.max(0, of.position - of.lag);
  return situation({
    server,
    role,
    unfit: of.unfit,
    peerServer: server === ME ? PEER : ME,
    peer: null,
    kept: RECORDS[of.kept] ?? null,
    broker: broker({ run: `run-${server}` as RunId, journal: { id: journal as JournalId, term: of.logTerm as Term, position: of.position as Position, durable: durable as Position, stalledMs: 0, damage: of.damaged ? 'bad' : null } }),
    share: { usable: of.share === 'ok' || of.share === 'empty', replaced: of.share === 'replaced', bare: false, empty: of.share === 'empty', id: 'share', highestTerm: 0 as Term, watermark: null, detail: null, givenUp: of.share === 'unusable' },
  });
}

function statusOf(side: Situation, state: Half['state']): PeerStatus {
  const config = { server: side.server, clientEndpoints: [] as readonly string[] } as ManagerConfig;
  return { ...peerStatusOf(config, `manager-${side.server}` as RunId, { ...INITIAL_STATE, state }, side, { heard: null, brokerDown: false, wantsLock: false, recordTrouble: null, repositories: null }), seq: 1, wallTime: 0 };
}

test('with the same statuses exchanged, never do both come first, and never does each wait for the other', () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(half, half, fc.boolean(), (one, two, sameRecord) => {
      const left = sideOf(ME, 'primary', one);
      const right = sideOf(PEER, 'secondary', sameRecord ? { ...two, kept: one.kept, share: one.share } : two);
      const first = whoComesFirst({ ...left, peer: statusOf(right, two.state) });
      const second = whoComesFirst({ ...right, peer: statusOf(left, one.state) });
      seen.add(`${first.who} ${second.who}`);
      expect([first.who, second.who]).not.toEqual(['me', 'me']);
      expect([first.who, second.who]).not.toEqual(['peer', 'peer']);
      // Whoever comes first by a fresh term takes a number that the other would have taken, too.
      if (first.who === 'me') expect(nextTerm({ ...left, peer: statusOf(right, two.state) }, true)).toBe(nextTerm({ ...right, peer: statusOf(left, one.state) }, true));
    }),
    { numRuns: 20_000, seed: 7 },
  );
  expect(seen).toEqual(new Set(['me peer', 'peer me', 'nobody nobody', ...[...seen].filter((pair) => pair.includes('nobody'))]));
});
