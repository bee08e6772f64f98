import { createHashing } from '../../src/adapters/repository/hashing.js';
import { changedBy, compile } from './flawed-build.js';
import { CRASH_CASES, type CrashCase } from './repository-cases.js';
import { BLOWS, runCrash, type Blow } from './repository-crashes.js';
import { REPOSITORY_FLAWS } from './repository-flaws.js';
import type { PairShape } from './repository-pair.js';
import type { Hashing } from './repository.js';

/* The short form: each case and each blow in one of the four shapes, at every thirteenth step. `npm run simulate:repositories` takes all steps in all shapes. */

const EVERY = 13;
const REPOSITORY = new URL('../..', import.meta.url).pathname;
type Shape = Pick<PairShape, 'exchange' | 'promised'>;
const SHAPES: readonly Shape[] = [
  { exchange: 'atomic', promised: 'ordered' },
  { exchange: 'two-renames', promised: 'loose' },
  { exchange: 'atomic', promised: 'loose' },
  { exchange: 'two-renames', promised: 'ordered' },
];
const ROWS = CRASH_CASES.flatMap((given, row) => BLOWS.map((blow, column) => ({ name: given.name, blow, given, shape: SHAPES[(row + column) % SHAPES.length] as Shape, first: 1 + ((row * BLOWS.length + column) % EVERY) })));

let hashing: Hashing;
beforeAll(async () => {
  hashing = await createHashing();
});

describe('a sync that is broken off at a step', () => {
  it.each(ROWS)('$name, $blow: a reader sees the old or the new, both are equal in the end, and what was replaced is kept', async ({ given, blow, shape, first }) => {
    let steps = 0;
    for (let at = first; ; at += EVERY) {
      const outcome = await runCrash(given, shape, blow, at, hashing);
      expect({ at, ...shape, broken: outcome.broken }).toEqual({ at, ...shape, broken: null });
      if (outcome.steps < at) break;
      steps += 1;
    }
    expect(steps).toBeGreaterThan(2);
  });

  it('is the same each time', async () => {
    const [given] = CRASH_CASES as readonly [CrashCase];
    const once = (): ReturnType<typeof runCrash> => runCrash(given, SHAPES[2] as Shape, 'receiver-host', 60, hashing);
    expect(await once()).toEqual(await once());
  });
});

describe('what the crashes find', () => {
  it.each<[string, string]>(CRASH_CASES.map(({ name }) => [name, name]))('a disk that syncs nothing: %s', async (_, name) => {
    const given = CRASH_CASES.find((one) => one.name === name) as CrashCase;
    const blow: Blow = 'receiver-host';
    let found = 0;
    for (let at = 5; at < 60 && found === 0; at += 5) if ((await runCrash(given, { exchange: 'atomic', promised: 'ordered', syncsNothing: true }, blow, at, hashing)).broken !== null) found += 1;
    expect(found).toBe(1);
  });

  it.each(REPOSITORY_FLAWS.map((flaw) => [flaw.name, flaw] as const))('the flaw %s stands in the present source', (_, flaw) => {
    const changed = changedBy(flaw, REPOSITORY);
    expect(changed.size).toBeGreaterThan(0);
    for (const [file, source] of changed) expect(compile(file, source).length).toBeGreaterThan(0);
    expect(CRASH_CASES.some(({ name }) => name.includes(flaw.where))).toBe(true);
  });
});
