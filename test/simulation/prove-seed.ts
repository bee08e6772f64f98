import type { Violation } from './world.js';
import { runSeed, type SeedResult } from './run-seed.js';

export interface ProofOptions {
  /** Virtual minutes at least. */
  readonly minutes: number;
  /** Run every seed twice and compare; otherwise one in `TWICE_EVERY`, and every one that failed. */
  readonly twice: boolean;
  /** Kinds of faults that are left out. */
  readonly without: readonly string[];
}

/** One seed in so many is run twice: its transcript must be the same. */
export const TWICE_EVERY = 50;

/**
 * Runs a seed, and again to compare when asked. On a failure the second run collects the details of the transcript; a seed that held
 * comes without its transcript.
 */
export async function proveSeed(seed: number, options: ProofOptions, live: ((line: string) => void) | null = null): Promise<SeedResult> {
  const { minutes, without } = options;
  const once = await runSeed(seed, { minutes, detailed: live !== null, live, faults: null, without });
  const result = once.violation === null ? { ...once, transcript: [] } : once;
  if (!options.twice && seed % TWICE_EVERY !== 0 && result.violation === null) return result;
  const again = await runSeed(seed, { minutes, detailed: result.violation !== null, live: null, faults: null, without });
  if (again.hash === result.hash) return result.violation === null ? result : again;
  const differs: Violation = { check: 'determinism', detail: `transcripts ${result.hash} and ${again.hash}`, atMs: 0 };
  return { ...again, violation: result.violation ?? differs };
}
