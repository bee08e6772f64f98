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

/** Lets the lab itself go ahead, too: it says when a console spoke. */
export function goAhead(): void {
  try {
    run('chrt', '--rr', '--pid', '1', String(process.pid));
  } catch {
    // not allowed here: then it takes its turn
  }
}

/**
 * The command line that runs a program before everything that this machine does as usual, as long as it has something to do. What else is done here is no
 * fault to be tried, and a guest changes between processes for each of its system calls: on a busy machine it would wait its turn thousands of times
 * a second, whatever its niceness. Unchanged where the system does not allow it.
 */
export function ahead(program: string, args: readonly string[]): readonly [string, readonly string[]] {
  try {
    run('chrt', '--rr', '1', 'true');
  } catch {
    return [program, args];
  }
  return ['chrt', ['--rr', '1', program, ...args]];
}
