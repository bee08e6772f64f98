import type { Log } from '../ports/log.js';

/**
 * A broken assumption ends this process at once, as it would without this, and leaves a word in the log. The child processes notice, and end.
 * @param end for tests
 * @returns takes it back
 */
export function leaveLastWords(log: Log, end: (code: number) => void = (code) => process.exit(code)): () => void {
  const broken = (error: unknown): void => {
    const text = error instanceof Error ? error.message : String(error);
    log.write('error', `The HA manager met a broken assumption, and ends: ${text}`, { code: 'LOCKSTEP_MANAGER_BROKEN', stack: error instanceof Error ? error.stack : undefined, critical: true });
    end(1);
  };
  process.on('uncaughtException', broken);
  return () => void process.off('uncaughtException', broken);
}
