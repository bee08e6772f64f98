import { assert } from '../../core/errors.js';
import type { Position } from '../../core/identity.js';
import type { LogPoint } from '../../core/journal/envelope.js';
import { GROUP_HEADER_BYTES } from '../../core/journal/group.js';
import { SEGMENT_HEADER_BYTES } from '../../core/journal/segment.js';
import type { Group } from './group-queue.js';

/** A place from which reading can begin: a record's offset, its position, and the chain before it. */
export interface IndexEntry {
  readonly position: Position;
  readonly offset: number;
  readonly chainBefore: number;
}

/** One segment as memory knows it: what of it is durable, and a sparse index of its records. */
export class Segment {
  /** Where the durable part ends and the next group goes. */
  end = SEGMENT_HEADER_BYTES;
  /** Position of the last durable record; that of `base` when there is none. */
  last: Position;
  private readonly positions: number[] = [];
  private readonly offsets: number[] = [];
  private readonly chains: number[] = [];

  constructor(
    readonly name: string,
    readonly base: LogPoint,
    private readonly indexEveryBytes: number,
  ) {
    this.last = base.position;
  }

  get empty(): boolean {
    return this.last === this.base.position;
  }

  /** A record stands at `offset`. Enters the index when the last entry is far enough. */
  index(position: number, offset: number, chainBefore: number): void {
    const latest = this.offsets[this.offsets.length - 1];
    if (latest !== undefined && offset - latest < this.indexEveryBytes) return;
    this.positions.push(position);
    this.offsets.push(offset);
    this.chains.push(chainBefore);
  }

  /** A group that was written at `end` is durable. */
  add(group: Group): void {
    this.index(group.before.position + 1, this.end + GROUP_HEADER_BYTES, group.before.chain);
    const entries = group.entries;
    for (let at = 0; entries !== null && at < entries.length; at += 3) {
      this.index(entries[at] as number, this.end + (entries[at + 1] as number), entries[at + 2] as number);
    }
    this.end += group.end - group.start;
    this.last = group.last;
  }

  /** The last entry at or before a position of this segment, and where the next entry (or the durable part's end) stands. */
  locate(position: Position): { readonly entry: IndexEntry; readonly until: number } {
    assert(position > this.base.position && position <= this.last, `position ${position} is not in segment ${this.name}`);
    let low = 0;
    let high = this.positions.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.positions[middle] as number) <= position) low = middle;
      else high = middle - 1;
    }
    const entry = { position: this.positions[low] as Position, offset: this.offsets[low] as number, chainBefore: this.chains[low] as number };
    return { entry, until: this.offsets[low + 1] ?? this.end };
  }

  /** Where a piece that begins at `offset` ends, when it shall end at an entry (or the durable part's end) and have `bytesMax` at most; `least` when nothing larger does. */
  pieceEnd(offset: number, bytesMax: number, least: number): number {
    if (this.end - offset <= bytesMax) return this.end;
    let low = 0;
    let high = this.offsets.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.offsets[middle] as number) <= offset + bytesMax) low = middle + 1;
      else high = middle;
    }
    return Math.max(least, this.offsets[low - 1] ?? least);
  }
}

/** The segments of a log, oldest first; they follow one another without a gap. */
export class SegmentList {
  constructor(private segments: Segment[]) {}

  get all(): readonly Segment[] {
    return this.segments;
  }

  get first(): Segment | null {
    return this.segments[0] ?? null;
  }

  get latest(): Segment | null {
    return this.segments[this.segments.length - 1] ?? null;
  }

  get bytes(): number {
    let bytes = 0;
    for (const segment of this.segments) bytes += segment.end;
    return bytes;
  }

  /** How much of the log stands behind `position`, to within `indexEveryBytes`. */
  bytesAfter(position: Position): number {
    let bytes = 0;
    for (const segment of this.segments) {
      if (segment.last <= position) continue;
      bytes += segment.end - (position > segment.base.position ? segment.locate(position).entry.offset : SEGMENT_HEADER_BYTES);
    }
    return bytes;
  }

  add(segment: Segment): void {
    this.segments.push(segment);
  }

  dropFirst(): void {
    this.segments.shift();
  }

  replace(segments: Segment[]): void {
    this.segments = segments;
  }

  /** The last segment that begins at or before `position`: the one that a log ending there ends in. */
  reaching(position: Position): Segment | null {
    return this.segments[this.indexAt(position)] ?? null;
  }

  /** The segment that holds a durable record; `null` when none does. */
  holding(position: Position): Segment | null {
    const segment = this.segments[this.indexAt((position - 1) as Position)];
    return segment !== undefined && position <= segment.last ? segment : null;
  }

  private indexAt(position: Position): number {
    let low = 0;
    let high = this.segments.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.segments[middle] as Segment).base.position <= position) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
