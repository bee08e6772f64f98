import { setTimeout as pause } from 'node:timers/promises';

/** What a wait costs at most after its condition has become true. Milliseconds. */
const LOOK_INTERVAL_MS = 40;
/** Generous: the servers of these tests share a few cores with everything else. */
export const LIMIT_MS = 90_000;

/**
 * Looks again and again until `probe` gives something other than `null` or `false`, and resolves with that.
 * @throws Error that says what was waited for, once `limitMs` has passed (rejects)
 */
export async function until<T>(what: string, probe: () => Promise<T | null | false> | T | null | false, limitMs = LIMIT_MS): Promise<T> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const found = await probe();
    if (found !== null && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`not within ${limitMs / 1000} s: ${what}`);
    await pause(LOOK_INTERVAL_MS);
  }
}

/** Watches for a span of time that something stays as it is: for what must not happen. Rejects as soon as it does. */
export async function stays(what: string, probe: () => Promise<boolean> | boolean, spanMs: number): Promise<void> {
  const end = performance.now() + spanMs;
  while (performance.now() < end) {
    if (!(await probe())) throw new Error(`did not stay so for ${spanMs / 1000} s: ${what}`);
    await pause(LOOK_INTERVAL_MS);
  }
}
