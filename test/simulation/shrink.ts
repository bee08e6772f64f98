import type { Fault } from './faults.js';
import { runSeed, type SeedResult } from './run-seed.js';

/** Runs spent on one failure at most. */
const RUNS_MAX = 60;

/**
 * Drops faults while the same check still fails: first halves of what is left, then single ones. What remains is what the failure
 * needs, as far as dropping alone can tell.
 */
export async function shrink(failed: SeedResult, minutes: number): Promise<SeedResult> {
  let best = failed;
  let runs = 0;
  const fails = async (faults: readonly Fault[]): Promise<SeedResult | null> => {
    if (runs >= RUNS_MAX) return null;
    runs += 1;
    const result = await runSeed(failed.seed, { minutes, detailed: true, live: null, faults });
    return result.violation?.check === failed.violation?.check ? result : null;
  };
  for (let size = Math.ceil(best.faults.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < best.faults.length; ) {
      const fewer = [...best.faults.slice(0, from), ...best.faults.slice(from + size)];
      const result = await fails(fewer);
      if (result === null) from += size;
      else best = result;
    }
  }
  return best;
}
