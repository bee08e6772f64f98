import { bothServe, explore, problemIn, reach, states } from './explore.js';
import { FLAWS } from './flaws.js';
import { newWorld, put } from './model.js';
import { DANGERS, only, pairInSync, ROOTS } from './roots.js';
import { wander } from './wander.js';

const bounds = { logMax: 3, termsMax: 9 };

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
    const alone = reach(gone, (w) => states(w) === 'DEAD+STANDALONE', bounds, 1, 'primary starts').world;
    expect(alone.share.at(-1)).toMatchObject({ server: 'secondary', cause: 'takeover', inSync: [{ server: 'secondary' }] });
    expect(states(reach(alone, bothServe, bounds).world)).toBe('PASSIVE+ACTIVE');
  });

  test('the active server goes on alone when the passive one is gone', () => {
    const gone = put(inSync, 1, { ...inSync.servers[1], up: false });
    expect(states(reach(gone, (w) => states(w) === 'STANDALONE+DEAD', bounds, 1, 'secondary starts').world)).toBe('STANDALONE+DEAD');
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

  test('a damaged copy is made anew, under another journal, and counts again', () => {
    const damaged = put(inSync, 1, { ...inSync.servers[1], broker: { ...inSync.servers[1].broker, damaged: true, link: null } });
    const healed = reach(damaged, (w) => bothServe(w) && !w.servers[1].broker.damaged && w.share.length > 2, bounds).world;
    expect(healed.servers[1].broker.journal).not.toBe(inSync.servers[1].broker.journal);
  });
});

describe('exploration', () => {
  test.each(ROOTS)('finds nothing wrong from $name', ({ world }) => {
    const result = explore({ flaw: 'none', faults: 3, statesMax: 8_000, bounds, from: world(3, bounds) });
    expect(result.finding).toBeNull();
  });

  test.each(ROOTS)('walks at random from $name find nothing wrong, and the pair always heals', ({ world }) => {
    expect(wander({ flaw: 'none', walks: 60, firstSeed: 1, bounds, from: world(6, bounds) }).findings).toEqual([]);
  });

  test('every planted flaw has a root near its danger', () => {
    expect(DANGERS.map(({ flaw }) => flaw).sort()).toEqual([...FLAWS].sort());
  });

  test.each(DANGERS)('finds what is wrong when a rule is left out: $flaw', ({ flaw, root, faults, kinds }) => {
    const from = ROOTS.find(({ name }) => name === root)?.world(faults, bounds) ?? newWorld(faults);
    expect(explore({ flaw, faults, statesMax: 40_000, bounds, from: only(from, kinds) }).finding).not.toBeNull();
    expect(problemIn(from)).toBeNull();
  });

  test('a world of its own is not changed by exploring it', () => {
    const world = newWorld(2);
    const before = JSON.stringify(world);
    explore({ flaw: 'none', faults: 2, statesMax: 500, bounds, from: world });
    expect(JSON.stringify(world)).toBe(before);
  });
});
