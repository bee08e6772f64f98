import { comesTrue } from '../../../src/cli/running.js';

/** Looks that take so long each, and find it so from the n-th on. */
async function lookedFor(lookMs: number, limitMs: number, soFrom: number): Promise<{ readonly so: boolean; readonly tookMs: number; readonly looks: number }> {
  let [now, looks] = [1_000, 0];
  const look = async (): Promise<boolean> => {
    now += lookMs;
    looks += 1;
    return looks >= soFrom;
  };
  const pause = async (ms: number): Promise<void> => void (now += ms);
  const so = await comesTrue(look, limitMs, { now: () => now, pause });
  return { so, tookMs: now - 1_000, looks };
}

test.each([0, 1, 5_000, 59_900])('a server that does not stop is waited for no longer than the limit and one look, of %d ms', async (lookMs) => {
  const { so, tookMs } = await lookedFor(lookMs, 60_000, Infinity);
  expect(so).toBe(false);
  expect(tookMs).toBeGreaterThanOrEqual(59_000 - lookMs);
  expect(tookMs).toBeLessThanOrEqual(60_000 + lookMs);
});

test('one that has stopped is noticed with the next look', async () => {
  expect(await lookedFor(10, 60_000, 3)).toEqual({ so: true, tookMs: 3 * 10 + 2 * 200, looks: 3 });
});
