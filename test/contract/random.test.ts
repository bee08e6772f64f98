import { createRandom } from '../../src/adapters/random.js';
import type { Random } from '../../src/ports/random.js';
import { Prng } from '../simulation/prng.js';

const DRAWS = 4_000;

describe.each<[string, () => Random]>([
  ['of the operating system', createRandom],
  ['of a seed', () => new Prng(7)],
  ['of a fork of it', () => new Prng(7).fork('ids')],
])('Random %s', (_, make) => {
  it('makes ids of 32 hexadecimal digits, no two alike', () => {
    const random = make();
    const ids = Array.from({ length: DRAWS }, () => random.id());
    expect(ids.filter((id) => !/^[0-9a-f]{32}$/.test(id))).toEqual([]);
    expect(new Set(ids).size).toBe(DRAWS);
  });

  it('makes fractions from 0 up to 1 and never 1, in all parts alike', () => {
    const random = make();
    const tenths = new Array<number>(10).fill(0);
    for (let i = 0; i < DRAWS; i += 1) {
      const fraction = random.fraction();
      expect(fraction >= 0 && fraction < 1).toBe(true);
      const tenth = Math.floor(fraction * 10);
      tenths[tenth] = (tenths[tenth] ?? 0) + 1;
    }
    // Seven standard deviations: one run in a hundred thousand million.
    for (const count of tenths) expect(Math.abs(count - DRAWS / 10)).toBeLessThan(7 * Math.sqrt(DRAWS * 0.1 * 0.9));
  });
});
