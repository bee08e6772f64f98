import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';

const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;

/** Runs a program of this machine to its end. @returns what it printed @throws Error with what it complained of */
export function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: OUTPUT_BYTES_MAX });
}

const execute = promisify(execFile);

/** The same while other things go on. Rejects where `run` throws. */
export async function runBeside(program: string, ...args: string[]): Promise<string> {
  return (await execute(program, args, { maxBuffer: OUTPUT_BYTES_MAX })).stdout;
}
