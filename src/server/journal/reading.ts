import { LockstepError, assert } from '../../core/errors.js';
import type { Position } from '../../core/identity.js';
import { blockOf, isFlaw, pointOf, recordBytes, type Block } from '../../core/journal/codec.js';
import { RECORD_HEADER_BYTES, type LogPoint, type LogRecord } from '../../core/journal/envelope.js';
import { GROUP_HEADER_BYTES, GROUP_MAGIC } from '../../core/journal/group.js';
import type { RecordRun } from './api.js';
import type { JournalContext } from './context.js';
import { isPassing, readFully, reasonOf } from './files.js';
import type { GroupQueue } from './group-queue.js';
import { ReadHandles } from './handles.js';
import type { IndexEntry, Segment, SegmentList } from './segments.js';
import { damaged, recordGone, unreadable } from './troubles.js';

/** Pieces of segments kept in memory: consecutive reads of single records mostly hit the same one. */
const PIECES_KEPT = 8;
const PIECE_KEPT_BYTES_MAX = 256 * 1024;
/** Who reads on where the last piece ended is about to read more: each call of the disk costs the main thread as much as copying many records. */
const READ_AHEAD_BYTES = 256 * 1024;

/**
 * Reads records back. Everything read is checked against its chain from the nearest entry of the index; what does not agree
 * was damaged while it lay there, as was what the disk does not give (but for a passing want of the host's), and is reported to
 * `rotten`. That counts only as long as the files are those of the log that was asked: a read which a change of the log's past
 * overtakes may find them cut, or others in their place.
 */
export class JournalReader {
  readonly handles: ReadHandles;
  /** The oldest first. */
  private pieces: Piece[] = [];
  /** Where the last piece that was read ends. */
  private lastEnd: { readonly segment: Segment; readonly offset: number } | null = null;
  /** Counts the changes of the log's past. */
  private generation = 0;
  private suspended = false;
  /** Behind the record that was read last: what a queue holds is asked for in the order of the log. */
  private next: { readonly bytes: Uint8Array; readonly place: Place } | null = null;

  constructor(
    private readonly context: JournalContext,
    private readonly segments: SegmentList,
    private readonly pending: () => GroupQueue,
    /** `lasting` is false where another process may find it whole: it reads everything anew. */
    private readonly rotten: (what: string, lasting: boolean) => void,
  ) {
    this.handles = new ReadHandles(context);
  }

  async pointAt(position: Position): Promise<LogPoint | null> {
    const record = this.pendingRecord(position) ?? (await this.whileItStands(position, () => this.storedRecord(position)));
    return record === null ? null : pointOf(record);
  }

  async recordAt(position: Position): Promise<LogRecord> {
    this.demand(position);
    const waiting = this.pendingRecord(position);
    if (waiting !== null) return waiting;
    let record: LogRecord | null;
    try {
      record = await this.whileItStands(position, () => this.storedRecord(position));
    } catch (error) {
      if (error instanceof LockstepError) throw error;
      throw isPassing(error) ? unreadable(`the record at position ${position}`, error) : recordGone(position, reasonOf(error));
    }
    if (record === null) throw recordGone(position, 'it is not in the journal');
    // A copy: the view would keep its whole piece in memory.
    return { ...record, payload: record.payload.slice() };
  }

  read(first: Position, bytesMax: number): Promise<RecordRun | null> {
    return this.whileItStands(first, () => this.run(first, bytesMax));
  }

  /** @throws LockstepError LOCKSTEP_RECORD_GONE while the files may be others than those that are known */
  demand(position: Position): void {
    if (this.suspended) throw recordGone(position, 'the log is being changed');
  }

  /** Nothing is read until `resume`, and what is under way finds nothing wrong any more. */
  suspend(): void {
    this.suspended = true;
    this.generation++;
  }

  resume(): void {
    this.suspended = false;
  }

  private async whileItStands<T>(position: Position, work: () => Promise<T>): Promise<T> {
    this.demand(position);
    const { generation } = this;
    try {
      return await work();
    } catch (error) {
      if (generation !== this.generation) throw recordGone(position, 'the log was changed meanwhile');
      if (!(error instanceof Rot)) throw error;
      this.rotten(error.message, error.lasting);
      throw damaged(error.message);
    }
  }

  private async run(first: Position, bytesMax: number): Promise<RecordRun | null> {
    const segment = this.segments.holding(first);
    if (segment === null) return null;
    const { entry, until } = segment.locate(first);
    const length = Math.min(Math.max(bytesMax + this.context.options.indexEveryBytes, until - entry.offset), segment.end - entry.offset);
    const bytes = await this.fetch(segment, entry.offset, length);
    const spans: Uint8Array[] = [];
    let total = 0;
    let last = first;
    let spanEnd = -1;
    const cut = entry.offset + length < segment.end;
    this.walk(segment, entry.offset, startOf(entry), blockOf(bytes), cut, (record, at) => {
      if (record.position < first) return true;
      const size = recordBytes(record.payload.length);
      if (total > 0 && total + size > bytesMax) return false;
      const latest = spans[spans.length - 1];
      // Records of one group stand side by side: one piece.
      if (latest !== undefined && spanEnd === at) spans[spans.length - 1] = bytes.subarray(at - latest.length, at + size);
      else spans.push(bytes.subarray(at, at + size));
      spanEnd = at + size;
      total += size;
      last = record.position;
      return true;
    });
    if (total === 0) throw new Rot(`segment ${segment.name}: position ${first} is not where it was written, after offset ${entry.offset}`);
    return { bytes: join(spans, total), first, last };
  }

  /** What was read before may not be there any more. */
  async forget(): Promise<void> {
    this.next = null;
    this.pieces = [];
    this.lastEnd = null;
    await this.handles.forgetAll();
  }

  private pendingRecord(position: Position): LogRecord | null {
    const group = this.pending().find(position);
    if (group === null) return null;
    let found: LogRecord | null = null;
    let { term, position: before, chain } = group.before;
    for (let at = group.start + GROUP_HEADER_BYTES; found === null && at < group.end; ) {
      const record = this.context.codec.decode(group.block, at, group.end, term, before, chain);
      assert(!isFlaw(record), 'a group in memory does not hold what was appended');
      if (record.position === position) found = record;
      ({ term, position: before, chain } = pointOf(record));
      at += recordBytes(record.payload.length);
    }
    return found;
  }

  private async storedRecord(position: Position): Promise<LogRecord | null> {
    const segment = this.segments.holding(position);
    if (segment === null) return null;
    const { entry, until } = segment.locate(position);
    const piece = this.piece(segment, entry.offset, until);
    const bytes = await piece.bytes;
    const start = { ...startOf(entry), at: entry.offset - piece.offset };
    let found: LogRecord | null = null;
    const { next } = this;
    const from = next !== null && next.bytes === bytes && next.place.before < position && next.place.at >= start.at ? next.place : start;
    this.walk(segment, piece.offset, from, blockOf(bytes), false, (record, at) => {
      if (record.position < position) return true;
      if (record.position > position) return false;
      found = record;
      this.next = { bytes, place: { at: at + recordBytes(record.payload.length), before: record.position, chain: record.chain } };
      return false;
    });
    if (found === null) throw new Rot(`segment ${segment.name}: position ${position} is not where it was written, after offset ${entry.offset}`);
    return found;
  }

  /**
   * Visits the records of a piece of a segment, from a place in it on, until the visitor has enough or the piece ends.
   * @param offset where the piece begins
   * @param cut the piece may end within a record
   */
  private walk(segment: Segment, offset: number, from: Place, source: Block, cut: boolean, visit: (record: LogRecord, at: number) => boolean): void {
    let { at, before: position, chain } = from;
    while (at + RECORD_HEADER_BYTES <= source.bytes.length) {
      const lead = source.view.getUint32(at);
      if (lead === GROUP_MAGIC) {
        at += GROUP_HEADER_BYTES;
        continue;
      }
      if (cut && at + recordBytes(lead) > source.bytes.length) return;
      const record = this.context.codec.decode(source, at, source.bytes.length, 0, position, chain);
      if (isFlaw(record)) throw new Rot(`segment ${segment.name}, offset ${offset + at}: ${record}`);
      if (!visit(record, at)) return;
      position = record.position;
      chain = record.chain;
      at += recordBytes(record.payload.length);
    }
  }

  /** Bytes of a segment from an entry on, at least until the next one. */
  private piece(segment: Segment, offset: number, until: number): Piece {
    const known = this.pieces.find((one) => one.segment === segment && one.offset <= offset && until <= one.end);
    if (known !== undefined) return known;
    const goesOn = this.lastEnd !== null && this.lastEnd.segment === segment && this.lastEnd.offset === offset;
    const end = goesOn ? segment.pieceEnd(offset, READ_AHEAD_BYTES, until) : until;
    const piece: Piece = { segment, offset, end, bytes: this.fetch(segment, offset, end - offset) };
    this.lastEnd = { segment, offset: end };
    if (end - offset > PIECE_KEPT_BYTES_MAX) return piece;
    this.pieces.push(piece);
    if (this.pieces.length > PIECES_KEPT) this.pieces.shift();
    piece.bytes.catch(() => {
      this.pieces = this.pieces.filter((one) => one !== piece);
    });
    return piece;
  }

  private async fetch(segment: Segment, offset: number, length: number): Promise<Uint8Array> {
    const read = (): Promise<Uint8Array> => this.handles.use(segment.name, (file) => readFully(file, offset, length));
    // A second time, by another handle, before it is believed.
    const bytes = await read().catch((error: unknown) => this.readAgain(segment, offset, error, read));
    if (bytes.length < length) throw new Rot(`segment ${segment.name} ends at offset ${offset + bytes.length}, and was longer`);
    return bytes;
  }

  private async readAgain(segment: Segment, offset: number, first: unknown, read: () => Promise<Uint8Array>): Promise<Uint8Array> {
    if (isPassing(first)) throw first;
    try {
      return await read();
    } catch (error) {
      // A segment that was removed meanwhile, as one that a snapshot stands for, is no loss.
      if (isPassing(error) || !this.segments.all.includes(segment)) throw error;
      throw new Rot(`segment ${segment.name}, offset ${offset}: it cannot be read: ${reasonOf(error)}`, false);
    }
  }
}

/** What was read does not agree with what was written, or the disk does not give it. */
class Rot extends Error {
  constructor(
    message: string,
    readonly lasting = true,
  ) {
    super(message);
  }
}

interface Piece {
  readonly segment: Segment;
  readonly offset: number;
  readonly end: number;
  readonly bytes: Promise<Uint8Array>;
}

/** A record's place in a piece: its offset, and position and chain of the record before it. */
interface Place {
  readonly at: number;
  readonly before: Position;
  readonly chain: number;
}

function startOf(entry: IndexEntry): Place {
  return { at: 0, before: (entry.position - 1) as Position, chain: entry.chainBefore };
}

function join(spans: readonly Uint8Array[], total: number): Uint8Array {
  const only = spans[0];
  if (spans.length === 1 && only !== undefined) return only;
  const all = new Uint8Array(total);
  let at = 0;
  for (const span of spans) {
    all.set(span, at);
    at += span.length;
  }
  return all;
}
