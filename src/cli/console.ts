import { printableLines } from '../core/printable.js';

/** Said by `out` alone, it clears a terminal. */
export const CLEAR_SCREEN = '\u001b[2J\u001b[H';

/** Where a command speaks. Tests pass one that listens. */
export interface Console {
  /** A line of the result. */
  out(line: string): void;
  /** A line about what went wrong, or what is under way. */
  err(line: string): void;
  /** The screen is a terminal that can be cleared. */
  readonly terminal: boolean;
  /** Nobody reads the result any more (`| head`): a command that would go on writing ends; one that does something goes on silently. */
  readonly closed: boolean;
}

class SystemConsole implements Console {
  readonly terminal = process.stdout.isTTY === true;
  private gone = false;

  constructor() {
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (!this.gone && error.code !== 'EPIPE') this.failed(error);
      this.gone = true;
    });
    process.stderr.on('error', () => undefined);
  }

  /** Nobody went away: what was asked for is not whole. A server goes on: its lines are in its log file, too. */
  private failed(error: Error): void {
    if (process.argv[2] === 'start') return;
    this.err(`lockstep: the output could not be written: ${error.message}. What was written is not whole.`);
    process.once('exit', () => (process.exitCode = 1));
  }

  get closed(): boolean {
    return this.gone;
  }

  out(line: string): void {
    if (!this.gone) process.stdout.write(`${line === CLEAR_SCREEN ? line : printableLines(line)}\n`);
  }

  err(line: string): void {
    process.stderr.write(`${printableLines(line)}\n`);
  }
}

export const systemConsole: Console = new SystemConsole();
