import fc from 'fast-check';
import { glimpse } from '../../../src/core/glimpse.js';

test('is how the JSON of a value begins', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.integer({ min: 1, max: 60 }), (value, max) => {
      const text = JSON.stringify(value);
      const shown = glimpse(value, max);
      if (text.length <= max) expect(shown).toBe(text);
      else expect(text.startsWith(shown.slice(0, -1))).toBe(true);
      expect(shown.length).toBeLessThanOrEqual(max + 1);
    }),
    { numRuns: 500 },
  );
});

test('of what holds itself, nests without end or is no JSON is short, too', () => {
  const ring: unknown[] = [];
  ring.push(ring, ring);
  let deep: unknown = 1;
  for (let i = 0; i < 100_000; i++) deep = { a: deep };
  for (const value of [ring, deep, Symbol('s'), 10n, () => 1, undefined, { toString: 1 }, Object.create(null) as unknown]) expect(glimpse(value, 40).length).toBeLessThanOrEqual(41);
});
