import { checksum } from '../../../../src/adapters/checksum.js';
import type { JournalId, Monotonic, Position, RunId, ServerId, Term } from '../../../../src/core/identity.js';
import { RecordCodec, blockOf } from '../../../../src/core/journal/codec.js';
import { EMPTY_LOG, type LogPoint } from '../../../../src/core/journal/envelope.js';
import { FollowerSession } from '../../../../src/core/replication/follower-session.js';
import type { HelloFrame, OfferFrame } from '../../../../src/core/replication/frames.js';
import { LeaderSession } from '../../../../src/core/replication/leader-session.js';
import { cutRecords, lastWithin, readRecords } from '../../../../src/core/replication/run-of-records.js';

const term = (value: number): Term => value as Term;
const at = (value: number): Position => value as Position;
const now = 0 as Monotonic;
const primary = 'primary' as ServerId;
const secondary = 'secondary' as ServerId;
const leaderRun = 'leader-run' as RunId;
const followerRun = 'follower-run' as RunId;
const journal = 'j' as JournalId;

/** Encoded records, one for each term given, from position `first` on. */
function records(first: number, ...terms: number[]): Uint8Array {
  const codec = new RecordCodec(checksum);
  const block = blockOf(new Uint8Array(terms.length * 26));
  let chain = 0;
  terms.forEach((of, i) => {
    chain = codec.encode(block, i * 26, 5, 1, 1, term(of), at(first + i), chain, new Uint8Array([i, i])).chain;
  });
  return block.bytes;
}

const HELLO: HelloFrame = { kind: 'hello', cluster: 'c', server: secondary, run: followerRun, leaderRun, journal, term: term(3), head: EMPTY_LOG, floor: at(0), resync: false, epochs: [] };
const POINT: LogPoint = { term: term(1), position: at(10), chain: 77 };
const OFFER: OfferFrame = { kind: 'offer', mode: 'shared', server: primary, run: leaderRun, journal, term: term(3), point: POINT, head: { term: term(3), position: at(20), chain: 5 }, snapshotBytes: 0, logBytes: 0 };

describe('the leader', () => {
  const session = (): LeaderSession => new LeaderSession({ cluster: 'c', run: leaderRun, peer: { server: secondary, brokerRun: followerRun } }, term(3));
  const streaming = (): LeaderSession => {
    const one = session();
    one.frame(HELLO, now);
    one.offer(OFFER);
    expect(one.frame({ kind: 'ready', journal, point: POINT }, now)).toEqual({ kind: 'ready' });
    return one;
  };

  test.each<[string, Partial<HelloFrame>, string]>([
    ['another cluster', { cluster: 'x' }, 'cluster "x"'],
    ['another server', { server: primary }, '"secondary" is expected'],
    ['another run', { run: 'old' as RunId }, 'run old'],
    ['a follower of an earlier run of ours', { leaderRun: 'old' as RunId }, 'run old was dialled'],
    ['a follower that knows of a higher term', { term: term(4) }, 'term 4'],
  ])('refuses %s by name', (_, change, words) => {
    const event = session().frame({ ...HELLO, ...change }, now);
    expect(event).toMatchObject({ kind: 'over', reason: expect.stringContaining(words), answer: expect.stringContaining(words) });
  });

  test('counts nothing before ready, and nothing that was not sent', () => {
    const one = session();
    expect(one.frame(HELLO, now).kind).toBe('negotiate');
    expect(one.frame({ kind: 'durable', position: at(5) }, now).kind).toBe('over');
    const two = streaming();
    two.sentRecords(at(12), 100, now);
    expect(two.frame({ kind: 'durable', position: at(13) }, now)).toMatchObject({ kind: 'over', reason: expect.stringContaining('13 acknowledged, 12 sent') });
  });

  test('ready at another point than was offered ends it', () => {
    const one = session();
    one.frame(HELLO, now);
    one.offer(OFFER);
    expect(one.frame({ kind: 'ready', journal, point: { ...POINT, chain: 78 } }, now).kind).toBe('over');
  });

  test('a mismatch is answered once, without a shared point', () => {
    const one = session();
    one.frame(HELLO, now);
    one.offer(OFFER);
    expect(one.frame({ kind: 'mismatch', point: POINT }, now)).toMatchObject({ kind: 'negotiate', sharedRefused: true });
    one.offer({ ...OFFER, mode: 'anew', point: EMPTY_LOG });
    expect(one.frame({ kind: 'mismatch', point: POINT }, now).kind).toBe('over');
  });

  test('bytes in flight and the time that an answer is awaited', () => {
    const one = streaming();
    expect(one.stalledMs(1_000 as Monotonic)).toBe(0);
    one.sentRecords(at(12), 100, 1_000 as Monotonic);
    one.sentRecords(at(14), 50, 1_100 as Monotonic);
    expect([one.inFlightBytes, one.stalledMs(1_500 as Monotonic)]).toEqual([150, 500]);
    expect(one.frame({ kind: 'durable', position: at(13) }, 1_600 as Monotonic)).toEqual({ kind: 'progress' });
    expect([one.durable, one.inFlightBytes, one.stalledMs(1_700 as Monotonic)]).toEqual([13, 50, 100]);
    one.frame({ kind: 'durable', position: at(14) }, 1_800 as Monotonic);
    expect([one.inFlightBytes, one.stalledMs(9_000 as Monotonic)]).toEqual([0, 0]);
    expect(one.nextPing(2_000 as Monotonic)).toBe(1);
    expect(one.nextPing(2_500 as Monotonic)).toBeNull();
    expect(one.stalledMs(2_700 as Monotonic)).toBe(700);
    one.frame({ kind: 'pong', count: 1 }, 2_800 as Monotonic);
    expect(one.stalledMs(2_900 as Monotonic)).toBe(0);
  });
});

describe('the follower', () => {
  const none = term(0);
  const session = (): FollowerSession => new FollowerSession({ term: term(3), leader: { server: primary, brokerRun: leaderRun } });
  const streaming = (offer: OfferFrame = OFFER): FollowerSession => {
    const one = session();
    expect(one.frame(offer, none).kind).toBe('compare');
    one.compared(true);
    one.installed(offer.point);
    return one;
  };

  test.each<[string, Partial<OfferFrame>]>([
    ['another leader', { server: secondary }],
    ['another run', { run: 'new' as RunId }],
    ['an older term than ordered', { term: term(2) }],
    ['a head of a later term than the session', { head: { ...OFFER.head, term: term(4) } }],
    ['a point beyond the head', { point: { ...POINT, position: at(21) } }],
  ])('does not take an offer of %s', (_, change) => {
    expect(session().frame({ ...OFFER, ...change }, none).kind).toBe('over');
  });

  test('takes history of older terms, and from the offered head on only the session’s', () => {
    const one = streaming();
    expect(one.frame({ kind: 'records', bytes: records(11, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3) }, none)).toMatchObject({ kind: 'records', last: 20 });
    expect(one.frame({ kind: 'records', bytes: records(21, 3, 3) }, none)).toMatchObject({ kind: 'records', last: 22 });
    expect(one.frame({ kind: 'records', bytes: records(23, 2) }, none)).toMatchObject({ kind: 'over', reason: expect.stringContaining('of term 2') });
  });

  test('a record of a term that the session was not told of is not taken; once told, no older one', () => {
    expect(streaming().frame({ kind: 'records', bytes: records(11, 4) }, none).kind).toBe('over');
    const one = streaming();
    expect(one.frame({ kind: 'term', term: term(5), first: at(13) }, none)).toEqual({ kind: 'term', term: 5 });
    expect(one.frame({ kind: 'records', bytes: records(11, 3, 3, 5) }, none).kind).toBe('records');
    expect(one.frame({ kind: 'records', bytes: records(14, 3) }, none).kind).toBe('over');
    expect(one.term).toBe(5);
  });

  test('a gap, a repetition and half a record end it', () => {
    expect(streaming().frame({ kind: 'records', bytes: records(12, 2) }, none).kind).toBe('over');
    expect(streaming().frame({ kind: 'records', bytes: records(10, 1) }, none).kind).toBe('over');
    expect(streaming().frame({ kind: 'records', bytes: records(11, 1).subarray(0, 25) }, none).kind).toBe('over');
  });

  test('nothing is taken once its term is fenced', () => {
    const one = streaming();
    expect(one.frame({ kind: 'records', bytes: records(11, 1) }, term(3))).toMatchObject({ kind: 'over', reason: 'term 3 is fenced' });
    expect(session().frame(OFFER, term(3)).kind).toBe('over');
  });

  test('a snapshot: as many bytes as were offered, then its end', () => {
    const offer: OfferFrame = { ...OFFER, mode: 'snapshot', snapshotBytes: 5 };
    const one = session();
    expect(one.frame(offer, none).kind).toBe('snapshot');
    expect(one.frame({ kind: 'chunk', bytes: new Uint8Array(3) }, none).kind).toBe('chunk');
    expect(one.frame({ kind: 'chunk', bytes: new Uint8Array(2) }, none).kind).toBe('chunk');
    expect(one.frame({ kind: 'snapshot-end', bytes: 5 }, none).kind).toBe('snapshot-whole');
    const two = session();
    two.frame(offer, none);
    expect(two.frame({ kind: 'chunk', bytes: new Uint8Array(6) }, none).kind).toBe('over');
    const three = session();
    three.frame(offer, none);
    expect(three.frame({ kind: 'snapshot-end', bytes: 5 }, none).kind).toBe('over');
  });

  test('records before the shared point is confirmed are out of turn', () => {
    expect(session().frame({ kind: 'records', bytes: records(1, 1) }, none).kind).toBe('over');
    const one = session();
    one.frame(OFFER, none);
    expect(one.frame({ kind: 'records', bytes: records(11, 1) }, none).kind).toBe('over');
  });
});

describe('a run of records', () => {
  test('is cut at records', () => {
    const bytes = records(5, 1, 1, 1, 1);
    expect(readRecords(cutRecords(bytes, at(6), at(7))).map(({ position }) => position)).toEqual([6, 7]);
    expect(cutRecords(bytes, at(9), at(12))).toHaveLength(0);
    expect(lastWithin(bytes, 60)).toBe(6);
    expect(lastWithin(bytes, 3)).toBe(5);
  });
});
