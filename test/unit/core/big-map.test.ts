import fc from 'fast-check';
import { BigMap } from '../../../src/core/big-map.js';

const PART = 8;

/** How many Maps it consists of, and the largest of them. */
function partsOf(map: BigMap<unknown, unknown>): { count: number; largest: number } {
  const { parts } = map as unknown as { parts: Map<unknown, unknown>[] };
  return { count: parts.length, largest: Math.max(...parts.map(({ size }) => size)) };
}

test('whatever is done to it, it holds what a Map holds, in the same order, and no part is larger than it may be', () => {
  const step = fc.record({ key: fc.nat(60), what: fc.constantFrom('set', 'set', 'set', 'delete', 'again') });
  fc.assert(
    fc.property(fc.array(step, { minLength: 50, maxLength: 400 }), (steps) => {
      const [map, model] = [new BigMap<number, number>(PART), new Map<number, number>()];
      steps.forEach(({ key, what }, at) => {
        // As the retained store does: what is set anew goes to the end.
        if (what !== 'set') expect(map.delete(key)).toBe(model.delete(key));
        if (what !== 'delete') {
          map.set(key, at);
          model.set(key, at);
        }
        expect(map.size).toBe(model.size);
        expect([map.has(key), map.get(key)]).toEqual([model.has(key), model.get(key)]);
      });
      expect([...map]).toEqual([...model]);
      expect([...map.values()]).toEqual([...model.values()]);
      for (let key = 0; key <= 60; key += 1) expect([map.has(key), map.get(key)]).toEqual([model.has(key), model.get(key)]);
      expect(partsOf(map).largest).toBeLessThanOrEqual(PART);
    }),
    { numRuns: 60 },
  );
});

test('many are in many parts; a few that stay of each are no reason for as many parts', () => {
  const map = new BigMap<number, string>(PART);
  for (let key = 0; key < 1_000; key += 1) map.set(key, 'x');
  expect(partsOf(map)).toEqual({ count: 1_000 / PART, largest: PART });
  const kept = (key: number): boolean => key % 50 === 0;
  for (let key = 0; key < 1_000; key += 1) if (!kept(key)) map.delete(key);
  expect([...map].map(([key]) => key)).toEqual(Array.from({ length: 20 }, (_, at) => at * 50));
  // Two neighbours have more than a quarter of a part together.
  expect(partsOf(map).count).toBeLessThanOrEqual(20);
  for (let key = 0; key < 1_000; key += 1) map.delete(key);
  expect(map.size).toBe(0);
  expect(partsOf(map).count).toBe(1);
  map.set(7, 'y');
  expect([...map]).toEqual([[7, 'y']]);
});
