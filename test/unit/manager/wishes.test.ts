import { Wishes } from '../../../src/manager/wishes.js';
import type { Monotonic, Term } from '../../../src/core/identity.js';
import { ALONE, passiveSync, peer, situation, standalone, waiting } from '../core/ha/situations.js';

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
    wishes.entered(waiting(), next);
    expect(wishes.now.promote).toBe(false);
  });
});
