import fc from 'fast-check';
import { microseconds, seconds } from '../../../src/adapters/repository/stamps.js';

/** What becomes of seconds that are given to `utimes`, in nanoseconds. */
const SYSTEMS = {
  'Node.js 20, which cuts to the microsecond': (time: number) => Math.trunc((time - Math.trunc(time)) * 1e6) * 1000,
  'Node.js 24, which keeps the nanoseconds': (time: number) => Math.trunc((time - Math.trunc(time)) * 1e9),
};

/** As Node.js tells it: milliseconds in a double. */
function told(time: number, nanoseconds: number): number {
  return microseconds(Math.trunc(time) * 1e3 + nanoseconds / 1e6);
}

describe.each(Object.entries(SYSTEMS))('a time that is set by %s', (_, set) => {
  it('comes back as it was, to the microsecond', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 * 1e6 - 1 }), (us) => {
        const time = seconds(us);
        return told(time, set(time)) === us;
      }),
      { numRuns: 50_000, examples: [[0], [1], [999_999], [2 ** 31 * 1e6 - 1], [2 ** 30 * 1e6 - 1], [1_796_016_605_543_000]] },
    );
  });

  it('comes back to the millisecond from 2038 to 2255', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2 ** 31 * 1e3, max: Math.floor(Number.MAX_SAFE_INTEGER / 1000) }), (ms) => {
        const us = microseconds(ms);
        const time = seconds(us);
        return told(time, set(time)) === us;
      }),
      { numRuns: 20_000 },
    );
  });
});
