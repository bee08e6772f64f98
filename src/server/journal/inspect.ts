import type { JournalId, Position } from '../../core/identity.js';
import { blockOf, isFlaw, pointOf, recordBytes, RecordCodec, samePoint, type Block } from '../../core/journal/codec.js';
import type { Checksum, LogPoint, LogRecord } from '../../core/journal/envelope.js';
import { findGroup, GROUP_HEADER_BYTES, stampOf, type GroupHeader } from '../../core/journal/group.js';
import { baseOfName, decodeSegmentHeader, SEGMENT_HEADER_BYTES } from '../../core/journal/segment.js';
import type { Disk } from '../../ports/disk.js';
import { codeOf, readWhole, reasonOf } from './files.js';
import { META_NAME } from './meta.js';
import { NOTE_NAME } from './quarantine.js';

/** What `readSegments` meets, in the order of the log. */
export type JournalPiece =
  | { readonly kind: 'segment'; readonly segment: string; readonly bytes: number; readonly journal: JournalId; readonly base: LogPoint }
  /** One group. `durable` is the position that was known to be durable when it was written. */
  | { readonly kind: 'records'; readonly segment: string; readonly offset: number; readonly durable: Position; readonly records: readonly LogRecord[] }
  /** Bytes that cannot be understood, or records that are not where the one before says. Reading goes on behind them. */
  | { readonly kind: 'trouble'; readonly segment: string; readonly offset: number; readonly what: string };

/** Whether a folder is a journal or one of its quarantined folders, an empty or damaged one included: by the names in it. */
export async function holdsJournal(disk: Disk, folder: string): Promise<boolean> {
  return (await disk.list(folder)).some((name) => name === META_NAME || name === NOTE_NAME || baseOfName(name) !== null);
}

/**
 * Reads the segments in a folder as far as they can be read: of a journal, also a damaged one, and of its quarantined folders.
 * Each group's records are checked against the group's own starting point, so that what stands behind damage is found
 * again. Changes nothing, and may be used while a server writes the journal: the end is then wherever it happens to be, and a segment that it removes
 * meanwhile is passed over.
 * @param folder a path on the disk
 */
export async function* readSegments(disk: Disk, folder: string, checksum: Checksum): AsyncGenerator<JournalPiece, void, undefined> {
  const names = (await disk.list(folder)).filter((name) => baseOfName(name) !== null).sort();
  const codec = new RecordCodec(checksum);
  let point: LogPoint | null = null;
  for (const segment of names) {
    let bytes: Uint8Array;
    try {
      bytes = await readWhole(disk, `${folder}/${segment}`);
    } catch (error) {
      if (codeOf(error) === 'ENOENT' && !(await disk.list(folder)).includes(segment)) {
        // A server that runs has removed or moved it meanwhile: what comes next need not follow what was read before.
        point = null;
        continue;
      }
      yield { kind: 'trouble', segment, offset: 0, what: `it cannot be read: ${reasonOf(error)}` };
      continue;
    }
    const header = decodeSegmentHeader(bytes, null, checksum);
    if ('kind' in header) {
      yield { kind: 'trouble', segment, offset: 0, what: header.what };
      continue;
    }
    yield { kind: 'segment', segment, bytes: bytes.length, journal: header.journal, base: header.base };
    const start: LogPoint = point ?? header.base;
    if (!samePoint(start, header.base)) yield { kind: 'trouble', segment, offset: 0, what: `it follows position ${header.base.position}, and the segment before ends at ${start.position}` };
    point = header.base;
    for (const piece of readGroups(codec, blockOf(bytes), segment, header.journal, header.base)) {
      if (piece.kind === 'records') point = pointOf(piece.records[piece.records.length - 1] as LogRecord);
      yield piece;
    }
  }
}

function* readGroups(codec: RecordCodec, source: Block, segment: string, journal: JournalId, base: LogPoint): Generator<Exclude<JournalPiece, { kind: 'segment' }>> {
  const stamp = stampOf(journal, codec.checksum);
  let at = SEGMENT_HEADER_BYTES;
  let point = base;
  for (;;) {
    const found = findGroup(source, at, stamp, codec.checksum);
    const until = found?.offset ?? source.bytes.length;
    if (source.bytes.subarray(at, until).some((byte) => byte !== 0)) yield { kind: 'trouble', segment, offset: at, what: `${until - at} bytes that are no intact group` };
    if (found === null) return;
    const { offset, header } = found;
    if (!samePoint(header.before, point)) yield { kind: 'trouble', segment, offset, what: `a group that follows position ${header.before.position} stands after ${point.position}` };
    const { records, end, flaw } = readRecords(codec, source, offset, header);
    if (records.length > 0) yield { kind: 'records', segment, offset, durable: header.durable, records };
    if (flaw !== null) yield { kind: 'trouble', segment, offset: end, what: flaw };
    const last = records[records.length - 1];
    point = last === undefined ? header.before : pointOf(last);
    // Behind a bad record the next group may begin anywhere: look for it byte by byte.
    at = flaw === null ? end : end + 1;
  }
}

function readRecords(codec: RecordCodec, source: Block, offset: number, header: GroupHeader): { records: LogRecord[]; end: number; flaw: string | null } {
  const end = offset + GROUP_HEADER_BYTES + header.bytes;
  const limit = Math.min(end, source.bytes.length);
  const records: LogRecord[] = [];
  let { term, position, chain } = header.before;
  let at = offset + GROUP_HEADER_BYTES;
  while (at < end) {
    const record = codec.decode(source, at, limit, term, position, chain);
    if (isFlaw(record)) return { records, end: at, flaw: record };
    records.push(record);
    ({ term, position, chain } = pointOf(record));
    at += recordBytes(record.payload.length);
  }
  return { records, end: at, flaw: null };
}
