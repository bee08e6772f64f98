import { steps, type Bounds } from './events.js';
import { explore } from './explore.js';
import { FLAWS } from './flaws.js';
import { HAPPENINGS } from './happenings.js';
import { newWorld, put, type World } from './model.js';
import { BOUNDS, flawTasks, MOVES_TO_SEE, planOf, unseen } from './plan.js';
import { problemIn } from './promises.js';
import { bothServe, reach, states } from './reach.js';
import { DANGERS, pairInSync, ROOTS } from './roots.js';
import { plainRules } from './rules.js';
import { runTask, startOf } from './run-task.js';
import { wander } from './wander.js';

const inSync = pairInSync(0, BOUNDS);

describe('two servers of production rules', () => {
  test('come into sync from nothing, the configured primary first', () => {
    expect(states(inSync)).toBe('ACTIVE+PASSIVE');
    expect(inSync.share.map((r) => [r.term, r.server, r.inSync.length, r.cause])).toEqual([
      [1, 'primary', 1, 'start'],
      [2, 'primary', 2, 'admission'],
    ]);
  });

  test('switch over when asked, in a term that names the other, with both copies counting', () => {
    const asked = put(inSync, 0, { ...inSync.servers[0], switchoverWished: true });
    const { world } = reach(asked, (w) => states(w) === 'PASSIVE+ACTIVE', BOUNDS);
    expect(world.share.at(-1)).toMatchObject({ server: 'secondary', cause: 'switchover', inSync: [{ server: 'primary' }, { server: 'secondary' }] });
  });

  test('the passive server takes over when the active one is gone, and the pair heals when it returns', () => {
    const gone = put(inSync, 0, { ...inSync.servers[0], up: false });
    const alone = reach(gone, (w) => states(w) === 'DEAD+STANDALONE', BOUNDS, 1, 'primary starts').world;
    expect(alone.share.at(-1)).toMatchObject({ server: 'secondary', cause: 'takeover', inSync: [{ server: 'secondary' }] });
    expect(states(reach(alone, bothServe, BOUNDS).world)).toBe('PASSIVE+ACTIVE');
  });

  test('the active server goes on alone when the passive one is gone', () => {
    const gone = put(inSync, 1, { ...inSync.servers[1], up: false });
    expect(states(reach(gone, (w) => states(w) === 'STANDALONE+DEAD', BOUNDS, 1, 'secondary starts').world)).toBe('STANDALONE+DEAD');
  });

  test('both restarted come back into sync', () => {
    const gone = put(put(inSync, 0, { ...inSync.servers[0], up: false }), 1, { ...inSync.servers[1], up: false });
    expect(bothServe(reach(gone, bothServe, BOUNDS).world)).toBe(true);
  });

  test('a share that was replaced by an empty one is settled between the two (R9), above every term seen', () => {
    const replaced = { ...inSync, share: [], shareId: 2 };
    const healed = reach(replaced, (w) => w.share.length > 0 && bothServe(w), BOUNDS).world;
    expect(Math.min(...healed.share.map((r) => r.term))).toBeGreaterThan(2);
  });

  test('a damaged copy is made anew, under another journal, and counts again', () => {
    const damaged = put(inSync, 1, { ...inSync.servers[1], broker: { ...inSync.servers[1].broker, damaged: true, link: null } });
    const healed = reach(damaged, (w) => bothServe(w) && !w.servers[1].broker.damaged && w.share.length > 2, BOUNDS).world;
    expect(healed.servers[1].broker.journal).not.toBe(inSync.servers[1].broker.journal);
  });
});

/** The same search with nothing clever in it. */
function plainly(from: World, bounds: Bounds): number {
  const key = (world: World): string => JSON.stringify(world, (name, value: unknown) => (['reason', 'moves', 'previous'].includes(name) ? 0 : value));
  const seen = new Set([key(from)]);
  const queue = [from];
  for (const world of queue) {
    for (const step of steps(world, plainRules('none'), bounds)) {
      if (seen.has(key(step.world))) continue;
      seen.add(key(step.world));
      queue.push(step.world);
    }
  }
  return seen.size;
}

describe('exploration', () => {
  test.each(ROOTS)('finds nothing wrong from $name', ({ world }) => {
    const result = explore({ flaw: 'none', faults: 3, statesMax: 2_000, bounds: BOUNDS, from: world(3, BOUNDS) });
    expect(result).toMatchObject({ finding: null, states: 2_000, isComplete: false });
  });

  test.each([
    ['in-sync', { logMax: 3, termsMax: 4 }, 500],
    ['switchover', { logMax: 2, termsMax: 3 }, 5_000],
    ['lost-disk', { logMax: 1, termsMax: 3 }, 200],
  ] as const)('from %s visits exactly the states that a plain search visits', (root, bounds, least) => {
    const from = startOf({ root, faults: 0, kinds: null });
    const { states: count, isComplete } = explore({ flaw: 'none', faults: 0, statesMax: 20_000, bounds, from });
    expect({ count, isComplete }).toEqual({ count: plainly(from, bounds), isComplete: true });
    expect(count).toBeGreaterThan(least);
  });

  test.each(ROOTS)('walks at random from $name find nothing wrong, and the pair always heals', ({ world }) => {
    expect(wander({ flaw: 'none', walks: 40, firstSeed: 1, bounds: BOUNDS, from: world(6, BOUNDS) }).findings).toEqual([]);
  });

  test('every planted flaw has a root near its danger', () => {
    expect(DANGERS.map(({ flaw }) => flaw).sort()).toEqual([...FLAWS].sort());
  });

  test.each(flawTasks())('finds what is wrong when a rule is left out: $flaw', (task) => {
    expect(problemIn(startOf(task))).toBeNull();
    const { finding } = runTask(task).result;
    expect(finding?.problem).toMatch(/./);
    expect(finding?.path[0]).toBe('start');
  });

  test('says what the explored part did not show', () => {
    const outcome = runTask({ root: 'in-sync', states: 200, faults: 1, kinds: { crash: 1 }, flaw: 'none', bounds: BOUNDS });
    expect(unseen([outcome])).toEqual(expect.arrayContaining(['PASSIVE → ACTIVE', 'loses its disk', 'a replaced share is adopted']));
    expect(unseen([outcome])).not.toContain('crashes');
    expect(unseen([{ ...outcome, result: { ...outcome.result, moves: MOVES_TO_SEE, happened: Object.fromEntries(HAPPENINGS.map((what) => [what, 1])) } }])).toEqual([]);
  });

  test('in the gate may visit a quarter of a million states, and in the long form two and a half million from a pair in sync', () => {
    const within = planOf('gate').filter(({ bounds }) => bounds === BOUNDS);
    expect(within.reduce((n, { states: count }) => n + count, 0)).toBeGreaterThanOrEqual(250_000);
    const long = planOf('long').find(({ root, kinds, bounds }) => root === 'in-sync' && kinds === null && bounds === BOUNDS);
    expect(long?.states).toBeGreaterThanOrEqual(2_500_000);
  });

  test('a world of its own is not changed by exploring it', () => {
    const world = newWorld(2);
    const before = JSON.stringify(world);
    explore({ flaw: 'none', faults: 2, statesMax: 500, bounds: BOUNDS, from: world });
    expect(JSON.stringify(world)).toBe(before);
  });
});
