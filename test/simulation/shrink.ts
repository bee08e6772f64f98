import type { Fault } from './faults.js';
import { runSeed, type SeedResult } from './run-seed.js';

/** Runs spent on one failure at most. */
const RUNS_MAX = 60;

/**
 * Drops faults while the same check still fails: first those that were due after the failure, then halves of what is left, then single ones,
 * until no single one can go. What remains is what the failure needs, as far as dropping alone can tell.
 */
export async function shrink(failed: SeedResult, minutes: number, run: typeof runSeed = runSeed): Promise<SeedResult> {
  let best = failed;
  let runs = 0;
  const fails = async (faults: readonly Fault[]): Promise<SeedResult | null> => {
    if (runs >= RUNS_MAX) return null;
    runs += 1;
    const result = await run(failed.seed, { minutes, detailed: true, live: null, faults });
    return result.violation?.check === failed.violation?.check ? result : null;
  };
  const before = best.faults.filter(({ atMs }) => atMs <= (failed.violation?.atMs ?? Infinity));
  best = (before.length < best.faults.length ? await fails(before) : null) ?? best;
  for (let size = Math.ceil(best.faults.length / 2), dropped = false; size >= 1; ) {
    for (let from = 0; from < best.faults.length; ) {
      const fewer = [...best.faults.slice(0, from), ...best.faults.slice(from + size)];
      const result = await fails(fewer);
      if (result === null) from += size;
      else best = result;
      dropped ||= result !== null;
    }
    // One that was needed beside another may not be needed without it.
    if (size === 1 && !dropped) break;
    size = Math.ceil(size / 2);
    dropped = false;
  }
  return best;
}
