import type { Console } from '../../../src/cli/console.js';
import { buildProgram, run } from '../../../src/cli/program.js';

export interface Heard {
  readonly out: string[];
  readonly err: string[];
  readonly code: number;
}

/** A console that remembers. */
export function listeningConsole(): Console & { readonly lines: { readonly out: string[]; readonly err: string[] } } {
  const lines = { out: [] as string[], err: [] as string[] };
  return { lines, out: (line) => void lines.out.push(line), err: (line) => void lines.err.push(line), terminal: false, closed: false };
}

/** Runs one command line in this process. */
export async function lockstep(...args: string[]): Promise<Heard> {
  const console = listeningConsole();
  const code = await run(buildProgram(console), args, console, false);
  return { ...console.lines, code };
}
