import { writeSync } from 'node:fs';
import type { ProcessLog } from '../log/log.js';

/** What ends the process, and where its stack is shown; others in tests. */
export interface Ending {
  end(code: number): void;
  /** On standard error. */
  show(stack: string): void;
}

const THIS_PROCESS: Ending = { end: (code) => process.exit(code), show };

/**
 * A broken assumption ends this process at once and with its stack on standard error, as it would without this, and leaves a word in the log, behind all that was to be
 * written before. The child processes notice, and end.
 * @returns takes it back
 */
export function leaveLastWords(log: Pick<ProcessLog, 'write' | 'flushNow'>, ending: Ending = THIS_PROCESS): () => void {
  const broken = (error: unknown): void => {
    const text = error instanceof Error ? error.message : String(error);
    const stack = error instanceof Error ? error.stack : undefined;
    log.write('error', `The HA manager met a broken assumption, and ends: ${text}`, { code: 'LOCKSTEP_MANAGER_BROKEN', stack, critical: true });
    ending.show(stack ?? text);
    log.flushNow();
    ending.end(1);
  };
  process.on('uncaughtException', broken);
  return () => void process.off('uncaughtException', broken);
}

function show(stack: string): void {
  try {
    writeSync(process.stderr.fd, `${stack}\n`);
  } catch {
    return; // Nobody reads it, or it is gone.
  }
}
