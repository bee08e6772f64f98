import { statSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { checksum } from '../adapters/checksum.js';
import { NodeDisk } from '../adapters/disk.js';
import { plainReason, systemCode } from '../adapters/network-errors.js';
import { decodeOperation } from '../core/broker/records.js';
import type { Operation } from '../core/broker/operations.js';
import { counted } from '../core/counted.js';
import { RecordOrigin } from '../core/journal/envelope.js';
import type { LogRecord } from '../core/journal/envelope.js';
import { markName } from '../core/replication/log-marks.js';
import { holdsJournal, readSegments } from '../server/journal/inspect.js';
import type { JournalPiece } from '../server/journal/inspect.js';
import type { Console } from './console.js';
import { ExitCode } from './exit-codes.js';
import { CommandFailure } from './failure.js';

const WHERE = 'Give a journal folder (broker/journal in the data folder of a server), or one of the folders in its quarantine.';

/**
 * Lists what a journal or quarantine folder holds: a line a segment, or with `records` a line a record, and every damage met.
 * @throws CommandFailure LOCKSTEP_JOURNAL_TROUBLE when something there could not be understood (rejects, after all was listed); LOCKSTEP_JOURNAL_FOLDER,
 * LOCKSTEP_JOURNAL_NONE when that is no journal
 */
export async function inspect(console: Console, folder: string, options: { readonly records?: boolean }): Promise<void> {
  const seen = { records: 0, troubles: 0, segments: 0 };
  let summary: SegmentSummary | null = null;
  const endSegment = (): void => {
    if (summary !== null && options.records !== true) console.out(describeSegment(summary));
    summary = null;
  };
  for await (const piece of pieces(folder)) {
    if (console.closed) return;
    if (piece.kind === 'segment') {
      endSegment();
      seen.segments += 1;
      summary = { piece, records: [] };
    } else if (piece.kind === 'trouble') {
      seen.troubles += 1;
      console.err(`${piece.segment} at byte ${piece.offset}: ${piece.what}`);
    } else {
      seen.records += piece.records.length;
      if (options.records === true) for (const record of piece.records) console.out(describeRecord(record));
      else if (summary !== null) summary = extend(summary, piece.records);
    }
  }
  endSegment();
  console.out(`${counted(seen.segments, 'segment')}, ${counted(seen.records, 'record')}`);
  complainOf(seen.troubles, folder);
}

/**
 * Writes records as JSON lines: position, term, chain, type, version, origin, the operation where it is understood, and the
 * payload in base64.
 * @throws CommandFailure as `inspect`
 */
export async function exportRecords(console: Console, folder: string, options: { readonly from?: string; readonly to?: string }): Promise<void> {
  const from = positionOption('--from', options.from, 0);
  const to = positionOption('--to', options.to, Number.MAX_SAFE_INTEGER);
  if (from > to) throw new CommandFailure(ExitCode.usage, 'LOCKSTEP_JOURNAL_POSITION', `--from ${from} lies behind --to ${to}`, 'Name the first position, then the last.');
  let troubles = 0;
  let written = 0;
  let [first, last] = [Infinity, -Infinity];
  for await (const piece of pieces(folder)) {
    if (console.closed) return;
    if (piece.kind === 'trouble') {
      troubles += 1;
      console.err(`${piece.segment} at byte ${piece.offset}: ${piece.what}`);
    }
    if (piece.kind !== 'records') continue;
    for (const record of piece.records) {
      const { position } = record;
      [first, last] = [Math.min(first, position), Math.max(last, position)];
      if (position < from || position > to) continue;
      written += 1;
      console.out(JSON.stringify(exported(record)));
    }
  }
  if (written === 0) console.err(`No records were written: ${last < first ? 'none are there' : `the positions there are ${first} to ${last}`}`);
  complainOf(troubles, folder);
}

interface SegmentSummary {
  readonly piece: Extract<JournalPiece, { kind: 'segment' }>;
  /** First and last record so far. */
  readonly records: readonly LogRecord[];
}

function extend(summary: SegmentSummary, records: readonly LogRecord[]): SegmentSummary {
  const all = [...summary.records, ...records];
  return { ...summary, records: all.filter((_, index) => index === 0 || index === all.length - 1) };
}

function describeSegment({ piece, records }: SegmentSummary): string {
  const [first, last] = [records[0], records[records.length - 1]];
  const span = first === undefined || last === undefined ? 'no records' : `positions ${first.position} to ${last.position}, terms ${first.term} to ${last.term}`;
  return `${piece.segment}  ${piece.bytes} bytes  journal ${piece.journal}  ${span}`;
}

function describeRecord(record: LogRecord): string {
  return `${record.position}  term ${record.term}  ${nameOf(record)}  ${originOf(record)}  ${record.payload.length} bytes  chain ${record.chain.toString(16).padStart(8, '0')}`;
}

function exported(record: LogRecord): Record<string, unknown> {
  const { position, term, chain, type, version, payload } = record;
  const operation = operationOf(record);
  const readable = operation === null ? {} : { operation: withoutBytes(operation) };
  return { position, term, chain, type, name: nameOf(record), version, origin: originOf(record), ...readable, payload: Buffer.from(payload).toString('base64') };
}

/** Byte arrays as base64: a message's content, a will's. */
function withoutBytes(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (Array.isArray(value)) return value.map(withoutBytes);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withoutBytes(inner)]));
}

/** `null` for record types and versions that this build does not know: their bytes are exported all the same. */
function operationOf(record: LogRecord): Operation | null {
  try {
    return decodeOperation(record);
  } catch {
    return null;
  }
}

function nameOf(record: LogRecord): string {
  return operationOf(record)?.kind ?? markName(record.type) ?? `type ${record.type}`;
}

function originOf(record: LogRecord): string {
  return Object.entries(RecordOrigin).find(([, number]) => number === record.origin)?.[0] ?? `origin ${record.origin}`;
}

async function* pieces(path: string): AsyncGenerator<JournalPiece, void, undefined> {
  const folder = resolve(path);
  const unreadable = (error: unknown): CommandFailure => new CommandFailure(ExitCode.failed, 'LOCKSTEP_JOURNAL_FOLDER', `${folder} cannot be read: ${plainReason(error)}`, WHERE, { cause: error });
  if (!isFolder(folder, unreadable)) throw new CommandFailure(ExitCode.usage, 'LOCKSTEP_JOURNAL_FOLDER', `${folder} is not a folder`, WHERE);
  const [disk, name] = [new NodeDisk(dirname(folder)), basename(folder)];
  const holds = folder !== dirname(folder) && (await holdsJournal(disk, name).catch((error: unknown) => {
    throw unreadable(error);
  }));
  if (!holds) throw new CommandFailure(ExitCode.failed, 'LOCKSTEP_JOURNAL_NONE', `there is no journal in ${folder}`, WHERE);
  yield* readSegments(disk, name, checksum);
}

function isFolder(folder: string, unreadable: (error: unknown) => CommandFailure): boolean {
  try {
    return statSync(folder).isDirectory();
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return false;
    throw unreadable(error);
  }
}

function positionOption(option: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new CommandFailure(ExitCode.usage, 'LOCKSTEP_JOURNAL_POSITION', `${option} must be a position, a whole number; found "${text}"`, 'See lockstep journal inspect for what is there.');
}

function complainOf(troubles: number, folder: string): void {
  if (troubles === 0) return;
  throw new CommandFailure(ExitCode.failed, 'LOCKSTEP_JOURNAL_TROUBLE', `${troubles} places in ${folder} could not be understood`, 'They are named above. A tail that was being written looks like this, too.');
}
