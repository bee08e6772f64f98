import type { Situation } from '../../../../src/core/ha/situation.js';
import type { HaState } from '../../../../src/core/ha/state.js';
import type { Term } from '../../../../src/core/identity.js';
import type { TermRecord } from '../../../../src/core/terms/record.js';
import { settle } from './settle.js';
import { broker, peer, situation, waiting } from './situations.js';

/*
 * R9 where nothing is found: a share that was emptied, or two mount points under which each server has a folder of its own. The first becomes the
 * pair's new share; in the second a term would be worth nothing, since the other server overtakes it when it has the real share again.
 */
const FENCED = broker({ fencedThrough: 9 as Term, clientPort: 'bound' });
const NOTHING_HERE = { ...situation().share, usable: false, replaced: true, bare: true, highestTerm: 0 as Term, detail: 'the lockfile is gone' };
const MADE_HERE = { ...situation().share, empty: true, id: 'made-here', highestTerm: 0 as Term };
const NOTHING_THERE = peer({ shareReplaced: true, shareBare: true });

const both = (changes: Partial<Situation>): Situation => situation({ broker: FENCED, peer: NOTHING_THERE, ...changes });
const adopting = (): HaState => settle(waiting(), both({ share: NOTHING_HERE, lock: { held: false, until: null, detail: null } }));

function claimOf(ha: HaState): TermRecord | null {
  return ha.task?.kind === 'alone' ? ha.task.claim : null;
}

describe('a server that comes first, where both found nothing (R9)', () => {
  test('begins to make the share its own', () => {
    expect(adopting()).toMatchObject({ state: 'WAITING', task: { kind: 'alone', to: 'ACTIVE_SYNC', fresh: true, claim: null } });
  });

  test.each<[string, Partial<Situation>]>([
    ['nothing stands there yet', { share: NOTHING_HERE }],
    ['the peer still finds nothing', { share: MADE_HERE }],
    ['the peer does not know a share at all', { share: MADE_HERE, peer: { ...NOTHING_THERE, shareId: null } }],
  ])('claims nothing while %s, and says what it waits for', (_name, changes) => {
    const ha = settle(adopting(), both(changes));
    expect(ha).toMatchObject({ state: 'WAITING', fence: 0, task: { kind: 'alone' } });
    expect(claimOf(ha)).toBeNull();
    expect(ha.reason).toBe('waiting until the secondary server sees the lockfile that was made here; both must have the same share mounted');
  });

  test('claims when the peer sees the very lockfile that was made here', () => {
    const seen = { share: MADE_HERE, peer: peer({ shareReplaced: true, shareId: 'made-here' }) };
    expect(claimOf(settle(adopting(), both(seen)))).toMatchObject({ server: 'primary', cause: 'start' });
  });

  test('lets go when the peer does not see it: the shares differ, and the operator may promote', () => {
    const late = settle(adopting(), both({ share: MADE_HERE, taskOverdue: true }));
    expect(late).toMatchObject({ state: 'WAITING', fence: 0, brokerRun: null });
    const after = settle(waiting(), both({ share: { ...NOTHING_HERE, bare: false, id: 'made-here' } }));
    expect(after).toMatchObject({ state: 'WAITING', task: null });
    expect(after.reason).toMatch(/different shares \(made-here here, share at the peer\); mount the same one/);
  });

  test('is held up by nobody when an operator promotes it', () => {
    const task = { kind: 'alone', to: 'STANDALONE', cause: 'promotion', forced: true, fresh: true, claim: null, heldUp: false } as const;
    const promoted = both({ share: MADE_HERE, wishes: { switchover: false, stop: false, promote: true } });
    expect(claimOf(settle(waiting({ task, brokerRun: FENCED.run }), promoted))).toMatchObject({ forced: true });
  });
});
