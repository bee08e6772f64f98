import { assertionFailed } from '../../core/errors.js';
import type { Position, Term } from '../../core/identity.js';
import { blockOf, isFlaw, recordBytes, type Block, type RecordCodec } from '../../core/journal/codec.js';
import { RECORD_HEADER_BYTES, type LogPoint, type LogRecord } from '../../core/journal/envelope.js';
import { GROUP_HEADER_BYTES, writeGroupHeader } from '../../core/journal/group.js';
import type { RecordRun } from './api.js';
import { chainBroken } from './troubles.js';

/** A record of so many bytes has a group and a block for itself: who keeps its payload keeps nothing else. */
const OWN_BLOCK_BYTES = 16 * 1024;

/** Records that will be, or are being, written together: as they will stand in the segment, header first. */
export interface Group {
  readonly block: Block;
  readonly start: number;
  readonly before: LogPoint;
  end: number;
  records: number;
  last: Position;
  /** Up to here its records were handed out by `takeNew`, and which was the last of them. */
  takenTo: number;
  taken: Position;
  /** Entries for the index within the group: triples of position, offset from `start`, chain before. `null` in a small one. */
  entries: number[] | null;
}

export interface GroupSizes {
  readonly groupBytes: number;
  readonly indexEveryBytes: number;
}

/**
 * Records that are appended and not yet durable, in groups. Several small groups share one block of memory, one after the
 * other; a block is never used again, so that the payloads that point into it are stable.
 */
export class GroupQueue {
  private term: Term;
  private position: Position;
  private chain: number;
  /** The head as it was asked for last; `null` once it has moved. */
  private point: LogPoint | null = null;
  private open: Group | null = null;
  private block: Block | null = null;
  private blockUsed = 0;
  private waiting: Group[] = [];
  /** Groups with records that were not handed out yet, oldest first. */
  private fresh: Group[] = [];
  private freshBytes = 0;
  private bytes = 0;
  private indexedTo = 0;

  constructor(
    head: LogPoint,
    private readonly codec: RecordCodec,
    private readonly sizes: GroupSizes,
  ) {
    this.term = head.term;
    this.position = head.position;
    this.chain = head.chain;
  }

  /** The same object until something is appended. */
  get head(): LogPoint {
    this.point ??= { term: this.term, position: this.position, chain: this.chain };
    return this.point;
  }

  get headTerm(): Term {
    return this.term;
  }

  /** Bytes that wait or are being written. */
  get pendingBytes(): number {
    return this.bytes;
  }

  /** Bytes that `takeNew` has not handed out yet. */
  get newBytes(): number {
    return this.freshBytes;
  }

  get empty(): boolean {
    return (this.open === null || this.open.records === 0) && this.waiting.length === 0;
  }

  append(type: number, version: number, origin: number, term: Term, payload: Uint8Array): LogRecord {
    if (!(term >= this.term && term > 0)) assertionFailed(`a record of term ${term} after term ${this.term}`);
    const size = recordBytes(payload.length);
    const group = this.roomFor(size);
    const record = this.codec.encode(group.block, group.end, type, version, origin, term, (this.position + 1) as Position, this.chain, payload);
    this.grow(group, record, size);
    return record;
  }

  /**
   * Adds records until `each` returns false. @returns how many of the bytes
   * @throws LockstepError LOCKSTEP_CHAIN_BROKEN; the records before the broken one are added
   */
  appendEncoded(bytes: Uint8Array, each: (record: LogRecord) => boolean): number {
    const source = blockOf(bytes);
    let at = 0;
    while (at < bytes.length) {
      if (at + RECORD_HEADER_BYTES > bytes.length) throw chainBroken('a record is cut off in its header');
      const size = recordBytes(source.view.getUint32(at));
      if (at + size > bytes.length) throw chainBroken('a record is cut off in its payload');
      const group = this.roomFor(size);
      // Copied first and checked there: the record is then made of the copy at once. It counts only when it has grown the group.
      group.block.bytes.set(size === bytes.length ? bytes : bytes.subarray(at, at + size), group.end);
      const record = this.codec.decode(group.block, group.end, group.end + size, this.term, this.position, this.chain);
      if (isFlaw(record)) throw chainBroken(record);
      this.grow(group, record, size);
      at += size;
      if (!each(record)) break;
    }
    return at;
  }

  /** Closes the group that is being filled; what comes next goes to another one. */
  seal(): void {
    if (this.open === null || this.open.records === 0) return;
    this.waiting.push(this.open);
    this.open = null;
  }

  /** The records appended since the last call, each once and in order, as they stand in their groups. */
  takeNew(): RecordRun[] {
    const runs = this.fresh.map((group) => {
      const run = { bytes: group.block.bytes.subarray(group.takenTo, group.end), first: (group.taken + 1) as Position, last: group.last };
      group.takenTo = group.end;
      group.taken = group.last;
      return run;
    });
    this.fresh = [];
    this.freshBytes = 0;
    return runs;
  }

  /** Groups that can be written, oldest first. They stay here until `release`. */
  get sealed(): readonly Group[] {
    return this.waiting;
  }

  /** The first `count` groups are durable. */
  release(count: number): void {
    for (const group of this.waiting.splice(0, count)) this.bytes -= group.end - group.start;
  }

  /** The group that holds a position; `null` when none here does. */
  find(position: Position): Group | null {
    if (this.open !== null && this.open.before.position < position && position <= this.open.last) return this.open;
    return this.waiting.find((group) => group.before.position < position && position <= group.last) ?? null;
  }

  /** Fills in the group's header as it goes to the disk. */
  finish(group: Group, durable: Position, stamp: number): void {
    const bytes = group.end - group.start - GROUP_HEADER_BYTES;
    const header = { kind: 'records', bytes, records: group.records, before: group.before, durable } as const;
    writeGroupHeader(group.block, group.start, header, stamp, this.codec.checksum);
  }

  private grow(group: Group, record: LogRecord, size: number): void {
    if (group.end - this.indexedTo >= this.sizes.indexEveryBytes) {
      (group.entries ??= []).push(record.position, group.end - group.start, this.chain);
      this.indexedTo = group.end;
    }
    if (group.takenTo === group.end) this.fresh.push(group);
    this.freshBytes += size;
    // An empty group, as one whose first record was refused, waits for nothing.
    if (group.records === 0) this.bytes += GROUP_HEADER_BYTES;
    group.end += size;
    group.records++;
    group.last = record.position;
    if (group.block === this.block) this.blockUsed = group.end;
    this.bytes += size;
    this.term = record.term;
    this.position = record.position;
    this.chain = record.chain;
    this.point = null;
  }

  private shared(needed: number): { readonly block: Block; readonly start: number } {
    if (this.block === null || this.blockUsed + needed > this.block.bytes.length) {
      this.block = blockOf(new Uint8Array(Math.max(this.sizes.groupBytes, needed)));
      this.blockUsed = 0;
    }
    return { block: this.block, start: this.blockUsed };
  }

  private roomFor(size: number): Group {
    const open = this.open;
    if (open !== null) {
      if (open.end + size <= open.block.bytes.length && open.end - open.start + size <= this.sizes.groupBytes) return open;
      this.seal();
    }
    const needed = GROUP_HEADER_BYTES + size;
    const { block, start } = size >= OWN_BLOCK_BYTES ? { block: blockOf(new Uint8Array(needed)), start: 0 } : this.shared(needed);
    const end = start + GROUP_HEADER_BYTES;
    this.open = { block, start, before: this.head, end, records: 0, last: this.position, takenTo: end, taken: this.position, entries: null };
    this.indexedTo = end;
    return this.open;
  }
}
