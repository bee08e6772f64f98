const STEP_MS = 50;

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Asks again and again until there is an answer. @throws Error naming what was waited for, after `limitMs` */
export async function until<T>(limitMs: number, what: () => string, ask: () => T | null | Promise<T | null>): Promise<T> {
  const end = performance.now() + limitMs;
  for (;;) {
    const answer = await ask();
    if (answer !== null) return answer;
    if (performance.now() > end) throw new Error(`waited ${limitMs} ms in vain for ${what()}`);
    await pause(STEP_MS);
  }
}
