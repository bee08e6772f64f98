/** Where a command speaks. Tests pass one that listens. */
export interface Console {
  /** A line of the result. */
  out(line: string): void;
  /** A line about what went wrong, or what is under way. */
  err(line: string): void;
  /** The screen is a terminal that can be cleared. */
  readonly terminal: boolean;
}

export const systemConsole: Console = {
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
  terminal: process.stdout.isTTY === true,
};
