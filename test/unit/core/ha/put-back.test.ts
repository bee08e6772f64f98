import { decide } from '../../../../src/core/ha/decide.js';
import type { HaState } from '../../../../src/core/ha/state.js';
import type { Situation } from '../../../../src/core/ha/situation.js';
import { lostByOwnDisk } from '../../../../src/core/ha/rights.js';
import type { JournalId, Position, Term } from '../../../../src/core/identity.js';
import { ALONE, broker, MINE, MY_RUN, passive, peer, peerBroker, record, situation, THEIRS, waiting } from './situations.js';

/** A copy that lacks what was durable in the term: its disk has lost what it had confirmed. */
const share = { ...situation().share, watermark: { term: 2 as Term, nonce: 'n2', position: 10 as Position } };
const lost = /the log ends at 9, but was durable up to 10:/;

/** As the manager does: until nothing changes. */
function settled(ha: HaState, s: Situation): HaState {
  const next = decide(ha, s);
  return next === ha ? ha : settled(next, s);
}

describe('what the own disk has lost', () => {
  const short = broker({ journal: { ...broker().journal, durable: 4 as Position } });

  test.each<[string, Partial<Situation>, ReturnType<typeof lostByOwnDisk>]>([
    ['nothing', {}, null],
    ['what the watermark tells of', { share }, { durable: 9 as Position, reach: 10 as Position }],
    ["what the record's position tells of", { broker: short }, { durable: 4 as Position, reach: 5 as Position }],
    ['while it copies, its last word may be behind', { share, broker: broker({ role: 'follow' }) }, null],
    ['a copy that does not count had nothing to keep', { share, kept: record(2, { inSync: [THEIRS] }) }, null],
    ['a journal that was made anew', { share, kept: record(2, { inSync: [{ ...MINE, journal: 'before' as JournalId }, THEIRS] }) }, null],
    ['a damaged copy says so itself', { share, broker: broker({ journal: { ...broker().journal, damage: 'x' } }) }, null],
    ['before there was a record', { share, kept: null }, null],
  ])('%s', (_name, changes, lost) => {
    expect(lostByOwnDisk(situation(changes))).toEqual(lost);
  });
});

describe('a copy whose disk has lost what it had confirmed', () => {
  test('does not serve alone', () => {
    expect(settled(waiting(), situation({ ...ALONE, share }))).toMatchObject({ state: 'WAITING', task: null, reason: expect.stringMatching(lost) as string });
  });

  test('leaves it to the peer, which has it, though its own log is the longer one', () => {
    const ahead = peer({ broker: peerBroker({ durable: 10 as Position, position: 10 as Position }) });
    const longer = broker({ journal: { ...broker().journal, term: 2 as Term, position: 11 as Position } });
    expect(settled(waiting(), situation({ share, broker: longer, peer: ahead }))).toMatchObject({ state: 'PASSIVE_SYNC' });
  });

  test('where the peer lacks it too, neither serves', () => {
    const found = settled(waiting(), situation({ share }));
    expect(found).toMatchObject({ state: 'WAITING', task: null });
    expect(found.reason).toMatch(/neither copy may serve: here the log ends at 9.*; at the peer the log ends at 9/);
  });

  test('takes over from the peer only as long as it may have more than its broker has said, and gives up before the claim', () => {
    const copies = broker({ role: 'follow', term: 2 as Term });
    const fencing = settled(passive(2), situation({ ...ALONE, share, broker: copies }));
    expect(fencing).toMatchObject({ state: 'PASSIVE', fence: 2, task: { kind: 'alone', claim: null } });
    const fenced = broker({ role: 'idle', fencedThrough: 2 as Term, clientPort: 'bound', run: MY_RUN });
    expect(settled(fencing, situation({ ...ALONE, share, broker: fenced }))).toMatchObject({ state: 'WAITING', task: null, reason: expect.stringMatching(lost) as string });
    const more = { ...fenced, journal: { ...fenced.journal, position: 10 as Position, durable: 10 as Position } };
    expect(settled(fencing, situation({ ...ALONE, share, broker: more }))).toMatchObject({ state: 'PASSIVE', task: { claim: { term: 3, position: 10 } } });
  });

  test('serves when the operator accepts the loss', () => {
    const wishes = { switchover: false, stop: false, promote: true };
    const fenced = broker({ fencedThrough: 2 as Term, clientPort: 'bound' });
    expect(settled(waiting(), situation({ ...ALONE, share, broker: fenced, wishes }))).toMatchObject({ task: { kind: 'alone', forced: true, claim: { forced: true, position: 9 } } });
  });

  test('of a term that is over says nothing', () => {
    const later = situation({ ...ALONE, share, kept: record(4) });
    expect(settled(waiting(), later)).toMatchObject({ task: { kind: 'alone' } });
  });
});
