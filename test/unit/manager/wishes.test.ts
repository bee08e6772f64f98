import { Wishes } from '../../../src/manager/wishes.js';
import type { HaState } from '../../../src/core/ha/state.js';
import type { Monotonic, Term } from '../../../src/core/identity.js';
import { active, activeSync, ALONE, broker, passive, passiveSync, peer, situation, standalone, waiting } from '../core/ha/situations.js';

const PATIENCE_MS = 10_000;
const at = (ms: number): Monotonic => ms as Monotonic;
const serves = peer({ state: 'STANDALONE', term: 3 as Term });

function promoted(): Wishes {
  const wishes = new Wishes(PATIENCE_MS);
  expect(wishes.ask('promote', waiting(), situation(ALONE), at(0))).toEqual({ kind: 'accepted' });
  expect(wishes.now.promote).toBe(true);
  return wishes;
}

describe('a promotion is refused', () => {
  test.each<[string, Parameters<typeof situation>[0] | null, string]>([
    ['before anything is known', null, 'not running yet'],
    ['while the broker reads its journal', { ...ALONE, broker: null }, 'not running yet'],
    ['while the peer serves', { peer: serves }, 'the peer serves'],
  ])('%s', (_, changes, why) => {
    const wishes = new Wishes(PATIENCE_MS);
    expect(wishes.ask('promote', waiting(), changes === null ? null : situation(changes), at(0))).toMatchObject({ kind: 'refused', why: expect.stringContaining(why) as string });
    expect(wishes.now.promote).toBe(false);
  });
});

describe('the wish for a promotion ends', () => {
  test('when the peer serves, and does not come back when the peer is lost', () => {
    const wishes = promoted();
    expect(wishes.look(situation({ peer: serves }), at(10))).toBe(true);
    expect(wishes.look(situation(ALONE), at(20))).toBe(false);
    expect(wishes.now.promote).toBe(false);
  });

  test('when it has not come true in time', () => {
    const wishes = promoted();
    expect(wishes.look(situation(ALONE), at(PATIENCE_MS))).toBe(false);
    expect(wishes.look(situation(ALONE), at(PATIENCE_MS + 1))).toBe(true);
    expect(wishes.now.promote).toBe(false);
  });

  test.each([
    ['follows', passiveSync(3, { moves: 1 })],
    ['serves', standalone(3, { moves: 1 })],
  ])('when the server %s', (_, next) => {
    const wishes = promoted();
    wishes.entered(waiting(), next, null);
    expect(wishes.now.promote).toBe(false);
  });
});

describe('the wish for a switchover', () => {
  const inStep = situation({ peer: peer({ state: 'PASSIVE', term: 2 as Term }) });
  const draining = active(2, { task: { kind: 'handover', claim: null } });
  const alone = active(2, { task: { kind: 'alone', to: 'STANDALONE', cause: 'peer-lost', forced: false, fresh: false, claim: null, heldUp: false } });

  function asked(): Wishes {
    const wishes = new Wishes(PATIENCE_MS);
    expect(wishes.ask('switchover', active(2), inStep, at(0))).toEqual({ kind: 'accepted' });
    return wishes;
  }

  function passThrough(wishes: Wishes, states: readonly HaState[], s = inStep): readonly (string | null)[] {
    let before = active(2);
    return states.map((next) => {
      const why = wishes.entered(before, next, s);
      before = next;
      return why;
    });
  }

  test('is refused while the peer is silent', () => {
    const silent = situation({ ...ALONE, peer: peer({ state: 'PASSIVE', term: 2 as Term }) });
    expect(new Wishes(PATIENCE_MS).ask('switchover', active(2), silent, at(0))).toMatchObject({ kind: 'refused', why: expect.stringContaining('it is DEAD') as string });
  });

  const whole = situation().share;
  test.each<[string, Parameters<typeof situation>[0], string]>([
    ['the share cannot be used', { share: { ...whole, usable: false, detail: 'full' } }, 'it cannot be used now (full)'],
    ['the peer is stopping', { peer: peer({ state: 'PASSIVE', term: 2 as Term, stopping: true }) }, 'the peer is stopping'],
  ])('is refused while %s: it would not begin', (_what, changes, why) => {
    expect(new Wishes(PATIENCE_MS).ask('switchover', active(2), situation({ ...inStep, ...changes }), at(0))).toMatchObject({ kind: 'refused', why: expect.stringContaining(why) as string });
  });

  test('ends when it has not begun in time', () => {
    const wishes = asked();
    expect(wishes.look(inStep, at(PATIENCE_MS))).toBe(false);
    expect(wishes.now.switchover).toBe(true);
    expect(wishes.look(inStep, at(PATIENCE_MS + 1))).toBe(true);
    expect(wishes.now.switchover).toBe(false);
  });

  test('lasts while its task does', () => {
    const wishes = asked();
    wishes.entered(active(2), draining, inStep);
    expect(wishes.look(inStep, at(60 * PATIENCE_MS))).toBe(false);
    expect(wishes.now.switchover).toBe(true);
  });

  test.each<[string, readonly HaState[]]>([
    ['this server follows', [draining, passive(3, { moves: 1 })]],
    ['this server waits', [draining, waiting({ moves: 1 })]],
    ['its task came to nothing', [draining, active(2)]],
    ['the peer was lost before it began, and this server serves alone', [alone, standalone(3, { moves: 1 })]],
    ['the peer was lost in the middle of it', [draining, alone]],
  ])('ends when %s', (_what, states) => {
    const wishes = asked();
    passThrough(wishes, states);
    expect(wishes.now.switchover).toBe(false);
  });

  test.each<[string, readonly HaState[], Parameters<typeof situation>[0], string | null]>([
    ['nothing where the peer serves', [draining, passive(3, { moves: 1 })], {}, null],
    ['the state where this server waits', [draining, waiting({ moves: 1, reason: 'the switchover got no answer' })], {}, 'this server is WAITING now: the switchover got no answer'],
    ['the disk that made nothing durable', [draining, active(2)], { broker: broker({ trouble: 'no room on the disk: nothing is acknowledged until there is' }) }, 'no room on the disk: nothing is acknowledged until there is'],
    ['the time where nothing else is known', [draining, active(2)], {}, 'what clients had sent was not on the disks of both servers in time'],
    ['the peer that was lost', [draining, alone], ALONE, 'a switchover needs the peer PASSIVE; it is DEAD'],
  ])('says of its end %s', (_what, states, changes, why) => {
    expect(passThrough(asked(), states, situation({ ...inStep, ...changes })).at(-1)).toBe(why);
  });

  test('of a stop nothing is said: the log says that the server stops', () => {
    const wishes = asked();
    wishes.stop();
    expect(passThrough(wishes, [draining, active(2)])).toEqual([null, null]);
  });

  test('ends also where it waits for the repositories, with whatever move comes first, and this server is ACTIVE again', () => {
    const wishes = new Wishes(PATIENCE_MS);
    const first = wishes.deferSwitchover();
    expect(wishes.deferred).toBe(first);
    passThrough(wishes, [alone, standalone(3, { moves: 1 }), activeSync(3, { moves: 2 }), active(4, { moves: 3 })]);
    expect(wishes.deferred).toBeNull();
    expect(wishes.deferSwitchover()).not.toBe(first);
  });
});
