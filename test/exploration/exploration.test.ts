import { explore, pairInSync, reach, states } from './explore.js';
import { newWorld, put, type World } from './model.js';

const bounds = { logMax: 2, termsMax: 8 };

const bothServe = (w: World): boolean => states(w) === 'ACTIVE+PASSIVE' || states(w) === 'PASSIVE+ACTIVE';

describe('two servers of production rules', () => {
  const inSync = pairInSync(0, bounds);

  test('come into sync from nothing, the configured primary first', () => {
    expect(states(inSync)).toBe('ACTIVE+PASSIVE');
    expect(inSync.share.map((r) => [r.term, r.server, r.inSync.length, r.cause])).toEqual([
      [1, 'primary', 1, 'start'],
      [2, 'primary', 2, 'admission'],
    ]);
  });

  test('switch over when asked, in a term that names the other, with both copies counting', () => {
    const asked = put(inSync, 0, { ...inSync.servers[0], switchoverWished: true });
    const { world } = reach(asked, (w) => states(w) === 'PASSIVE+ACTIVE', bounds);
    expect(world.share.at(-1)).toMatchObject({ server: 'secondary', cause: 'switchover', inSync: [{ server: 'primary' }, { server: 'secondary' }] });
  });

  test('the passive server takes over when the active one is gone, and the pair heals when it returns', () => {
    const gone = put(inSync, 0, { ...inSync.servers[0], up: false });
    const alone = reach(gone, (w) => states(w) === 'DEAD+STANDALONE', bounds).world;
    expect(alone.share.at(-1)).toMatchObject({ server: 'secondary', cause: 'takeover', inSync: [{ server: 'secondary' }] });
    expect(states(reach(alone, bothServe, bounds).world)).toBe('PASSIVE+ACTIVE');
  });

  test('the active server goes on alone when the passive one is gone', () => {
    const gone = put(inSync, 1, { ...inSync.servers[1], up: false });
    expect(states(reach(gone, (w) => states(w).startsWith('STANDALONE'), bounds).world)).toMatch(/^STANDALONE/);
  });

  test('both restarted come back into sync', () => {
    const gone = put(put(inSync, 0, { ...inSync.servers[0], up: false }), 1, { ...inSync.servers[1], up: false });
    expect(bothServe(reach(gone, bothServe, bounds).world)).toBe(true);
  });

  test('a share that was replaced by an empty one is settled between the two (R9), above every term seen', () => {
    const replaced = { ...inSync, share: [], shareId: 2 };
    const healed = reach(replaced, (w) => w.share.length > 0 && bothServe(w), bounds).world;
    expect(Math.min(...healed.share.map((r) => r.term))).toBeGreaterThan(2);
  });
});

describe('exploration', () => {
  test.each([
    ['from nothing', undefined],
    ['from a pair in sync', pairInSync(3, bounds)],
  ])('finds nothing wrong %s', (_name, from) => {
    const result = explore({ flaw: 'none', faults: 3, statesMax: 30_000, bounds, ...(from === undefined ? {} : { from }) });
    expect(result.finding).toBeNull();
    expect(result.states).toBe(30_000);
  });

  test.each(['membership', 'solo-without-claim'] as const)('finds the loss when the rule is left out: %s', (flaw) => {
    const result = explore({ flaw, faults: 3, statesMax: 100_000, bounds, from: pairInSync(3, bounds) });
    expect(result.finding).not.toBeNull();
  });

  test('a world of its own is not changed by exploring it', () => {
    const world = newWorld(2);
    const before = JSON.stringify(world);
    explore({ flaw: 'none', faults: 2, statesMax: 500, bounds, from: world });
    expect(JSON.stringify(world)).toBe(before);
  });
});
