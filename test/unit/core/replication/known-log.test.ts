import fc from 'fast-check';
import type { Position, Term } from '../../../../src/core/identity.js';
import { knownLog, lastSharedPosition, type KnownLog } from '../../../../src/core/replication/known-log.js';

/** A log as the terms of its records, from position 1 on. */
function known(terms: readonly number[], base = 0): KnownLog {
  const epochs = [];
  for (let at = base; at < terms.length; at++) if (at === base || terms[at] !== terms[at - 1]) epochs.push({ term: terms[at] as Term, first: (at + 1) as Position });
  const point = (position: number) => ({ term: (position === 0 ? 0 : terms[position - 1]) as Term, position: position as Position, chain: 0 });
  return knownLog(point(base), point(terms.length), epochs);
}

const repeat = (term: number, times: number): number[] => Array.from({ length: times }, () => term);

test.each<[string, number[], number[], number | null]>([
  ['both empty', [], [], 0],
  ['one empty', [], [1, 1], 0],
  ['equal', [1, 1, 2], [1, 1, 2], 3],
  ['one is longer', [1, 1, 1, 1], [1, 1], 2],
  ['a fork in the next term', [1, 1, 1, 2, 2], [1, 1, 3, 3], 2],
  ['the longer one is the older one', [1, 1, ...repeat(2, 9)], [1, 1, 3], 2],
  ['a term that the other has not', [1, 1, 2, 2, 4], [1, 1, 2, 3, 3, 3], 3],
  ['nothing but the beginning', [2, 2], [1, 1, 1], 0],
])('%s', (_, one, other, shared) => {
  expect(lastSharedPosition(known(one), known(other))).toBe(shared);
  expect(lastSharedPosition(known(other), known(one))).toBe(shared);
});

test('a log that ends at or behind the base of the other', () => {
  const leader = [...repeat(1, 10), ...repeat(2, 10)];
  expect(lastSharedPosition(known(leader, 15), known(leader.slice(0, 18)))).toBe(18);
  expect(lastSharedPosition(known(leader, 15), known(leader.slice(0, 15)))).toBe(15);
  expect(lastSharedPosition(known(leader, 15), known(leader.slice(0, 14)))).toBeNull();
  expect(lastSharedPosition(known(leader, 15), known([]))).toBeNull();
  expect(lastSharedPosition(known(leader, 20), known(leader, 20))).toBe(20);
});

test('for all histories of one leader a term, it is the last position at which the logs are equal', () => {
  // Each term: who leads, from where on (its own log's end), how many records, and how many of them reach the other.
  const term = fc.record({ leader: fc.nat(1), records: fc.nat(5), copied: fc.nat(5) });
  fc.assert(
    fc.property(fc.array(term, { maxLength: 12 }), fc.nat(3), fc.nat(3), (terms, baseOne, baseOther) => {
      type Entry = string;
      const logs: [Entry[], Entry[]] = [[], []];
      terms.forEach(({ leader, records, copied }, at) => {
        const own = logs[leader as 0 | 1];
        const other = logs[(1 - leader) as 0 | 1];
        for (let i = 0; i < records; i++) own.push(`${at + 1}:${own.length + 1}`);
        // A follower's log is cut to the shared part first, then grows.
        if (copied > 0) other.splice(0, other.length, ...own.slice(0, Math.max(0, own.length - records) + Math.min(copied, records)));
      });
      const [one, other] = logs;
      let equal = 0;
      while (equal < Math.min(one.length, other.length) && one[equal] === other[equal]) equal += 1;
      const termsOf = (log: Entry[]): number[] => log.map((entry) => Number(entry.split(':')[0]));
      const bases = [Math.min(baseOne, one.length), Math.min(baseOther, other.length)] as const;
      const found = lastSharedPosition(known(termsOf(one), bases[0]), known(termsOf(other), bases[1]));
      expect(found).toBe(equal >= Math.max(...bases) ? equal : null);
    }),
    { numRuns: 1_000 },
  );
});
