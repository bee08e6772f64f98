import { writeSync } from 'node:fs';
import winston from 'winston';
import { counted } from '../core/counted.js';
import type { Log, LogLevel } from '../ports/log.js';
import { jsonLine, textLine, type Line } from './line.js';
import { reasonOf, RotatingFile } from './rotating-file.js';

export const FILE_BYTES_MAX = 10 * 1024 * 1024;
export const FILES_MAX = 10;
/** Of a console that nobody reads, in bytes: lines beyond it are left out, on the console alone, and counted. */
export const CONSOLE_WAITING_BYTES_MAX = 1024 * 1024;
const LEVELS: Readonly<Record<LogLevel, number>> = { error: 0, warn: 1, info: 2, debug: 3 };

/** Where the console lines go: `process.stdout`, or what a test has in its place. */
export interface ConsoleOutput {
  readonly isTTY?: boolean;
  /** Set where lines can be written past all buffers. */
  readonly fd?: number | undefined;
  /** Bytes that wait for whoever reads it. Left out: none do. */
  readonly writableLength?: number;
  write(text: string): unknown;
  /** What to write before a line: takes away what stands at the foot of a terminal. Left out: nothing does. */
  clear?(): string;
  on?(event: 'error', listener: () => void): unknown;
}

export interface LogOptions {
  /** The server's id, in every line. */
  readonly server: string;
  /** Of the JSON files; `null` for none. Made when absent, in one that is there. */
  readonly folder: string | null;
  readonly console: 'text' | 'json' | 'none';
  /** Lines below this level are left out, on the console and in the file. */
  readonly level: LogLevel;
  /** Default: FILE_BYTES_MAX. */
  readonly fileBytesMax?: number;
  /** Default: FILES_MAX. */
  readonly files?: number;
  /** Default: process.stdout. */
  readonly output?: ConsoleOutput;
}

export interface ProcessLog extends Log {
  /** Resolves when every line so far is with the operating system. Await it before the process ends. */
  flush(): Promise<void>;
  /** Every line so far is with the operating system when this returns, however long its disk takes. For a process that ends by `process.exit` right after. */
  flushNow(): void;
}

/**
 * The log of a server: lines for people on the console, and the same as JSON in `lockstep-<server>.jsonl`, rotated.
 * A line whose fields have `critical: true` (a change of role) is handed to the system before `write` returns, with all before it, so that it is kept even if
 * the process breaks at once; where the disk is busy with other lines it follows them. No disk holds up `write`. Trouble with the file is told on the console and stops nothing.
 * @throws LockstepError LOCKSTEP_LOG_FOLDER_REFUSED
 */
export function createLog(options: LogOptions): ProcessLog {
  const sinks: ((line: Line) => void)[] = [];
  const onConsole = consoleSink(options);
  if (onConsole !== null) sinks.push(onConsole);
  let file: RotatingFile | null = null;
  if (options.folder !== null) {
    const made = new RotatingFile({
      folder: options.folder,
      name: `lockstep-${options.server}`,
      bytesMax: options.fileBytesMax ?? FILE_BYTES_MAX,
      filesMax: options.files ?? FILES_MAX,
      onTrouble: (error) => onConsole?.({ at: new Date(), level: 'error', message: `cannot write the log file: ${reasonOf(error)}`, fields: {}, critical: true }),
    });
    file = made;
    sinks.push((line) => (line.critical ? made.writeNow(jsonLine(options.server, line)) : made.write(jsonLine(options.server, line))));
  }
  const logger = winston.createLogger({ levels: { ...LEVELS }, level: options.level, silent: sinks.length === 0, transports: sinks.map((sink) => new LineTransport(sink)) });
  return {
    write(level, message, fields = {}) {
      const { critical, ...rest } = fields;
      // The transports call back at once, so that winston holds no line back: `write` has reached the sinks when it returns.
      logger.log({ level, message, line: { at: new Date(), level, message, fields: rest, critical: critical === true } satisfies Line });
    },
    flush: async () => await file?.flush(),
    flushNow: () => file?.flushNow(),
  };
}

// The class is exported as `Transport`; winston's own types know it by another name only.
const { Transport } = winston as unknown as { readonly Transport: new () => winston.Logger['transports'][number] };

/** Carries a line through winston to where it is written. */
class LineTransport extends Transport {
  constructor(private readonly sink: (line: Line) => void) {
    super();
  }

  override log(info: { readonly line: Line }, next: () => void): void {
    this.sink(info.line);
    next();
  }
}

function consoleSink(options: LogOptions): ((line: Line) => void) | null {
  if (options.console === 'none') return null;
  const output: ConsoleOutput = options.output ?? process.stdout;
  // A console that went away (a closed terminal, `| head`) must not end the server.
  output.on?.('error', () => undefined);
  unblock(output);
  let leftOut = 0;
  const colours = output.isTTY === true && process.env['NO_COLOR'] === undefined;
  return (line) => {
    if ((output.writableLength ?? 0) > CONSOLE_WAITING_BYTES_MAX) {
      leftOut += 1;
      return;
    }
    if (leftOut > 0) {
      const message = `${counted(leftOut, 'line')} left out here: nobody read this console${options.folder === null ? '' : '; the log file has them'}`;
      leftOut = 0;
      print({ at: new Date(), level: 'warn', message, fields: {}, critical: false });
    }
    print(line);
  };

  function print(line: Line): void {
    const text = `${output.clear?.() ?? ''}${options.console === 'json' ? jsonLine(options.server, line) : textLine(options.server, line, colours)}\n`;
    if (!line.critical || !writtenNow(output, text)) output.write(text);
  }
}

/**
 * Node waits for a terminal at every write: one that is held (Ctrl-S, a connection that sleeps) would stop the whole server. So it is written to as a pipe
 * is. Not in the types of Node, and left alone where it is not there.
 */
function unblock(output: ConsoleOutput): void {
  if (output.isTTY === true) (output as { readonly _handle?: { setBlocking?(blocks: boolean): void } })._handle?.setBlocking?.(false);
}

/** False when the system did not take it all at once; then it goes the ordinary way. */
function writtenNow(output: ConsoleOutput, text: string): boolean {
  // A terminal would be waited for.
  if (output.fd === undefined || output.isTTY === true) return false;
  const bytes = Buffer.from(text);
  try {
    const written = writeSync(output.fd, bytes);
    if (written < bytes.length) output.write(bytes.subarray(written).toString());
    return true;
  } catch {
    return false; // a full pipe (EAGAIN) or one that is gone
  }
}
