import { createReadStream } from 'node:fs';
import type { HistoryEvent, HistoryHeader } from '../core/history/events.js';
import { LINE_CHARS_MAX } from '../core/history/events.js';
import { LineRefused, readEvent, readHeader } from '../core/history/read.js';
import { ExitCode } from './exit-codes.js';
import { CommandFailure } from './failure.js';

/** What takes one file's lines. May throw LineRefused: it is then told with file and line. */
export interface HistoryTaker {
  header(header: HistoryHeader): void;
  event(event: HistoryEvent): void;
  /** The file is over. */
  end(): void;
}

/**
 * Reads one file of a history from start to end, in memory for one line at a time.
 * @throws CommandFailure LOCKSTEP_HISTORY_UNREADABLE or LOCKSTEP_HISTORY_MALFORMED with file and line (rejects)
 */
export async function readHistory(path: string, taker: HistoryTaker): Promise<void> {
  let number = 0;
  try {
    for await (const line of linesOf(path)) {
      number += 1;
      if (number === 1) taker.header(readHeader(line));
      else if (line.length > 0) taker.event(readEvent(line));
    }
    if (number === 0) throw new LineRefused('the file is empty; the first line must be the header');
    taker.end();
  } catch (error) {
    if (error instanceof LineRefused) throw malformed(path, Math.max(1, number), error);
    if (error instanceof LineTooLong) throw malformed(path, number + 1, error);
    throw unreadable(path, error);
  }
}

class LineTooLong extends Error {}

async function* linesOf(path: string): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of createReadStream(path, { encoding: 'utf8' }) as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) yield line.endsWith('\r') ? line.slice(0, -1) : line;
    if (rest.length > LINE_CHARS_MAX) throw new LineTooLong(`the line has more than ${LINE_CHARS_MAX} characters`);
  }
  if (rest.length > 0) yield rest;
}

function malformed(path: string, line: number, error: Error): CommandFailure {
  return new CommandFailure(ExitCode.usage, 'LOCKSTEP_HISTORY_MALFORMED', `${path}, line ${line}: ${error.message}`, 'docs/history.md has the format. Nothing was judged.', { cause: error });
}

function unreadable(path: string, error: unknown): CommandFailure {
  return new CommandFailure(ExitCode.usage, 'LOCKSTEP_HISTORY_UNREADABLE', `${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`, 'Name the files that the recorders wrote.', { cause: error });
}
