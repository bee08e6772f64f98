import type { Position } from '../identity.js';
import { isFlaw, pointOf, recordBytes, samePoint, type Block, type RecordCodec } from './codec.js';
import type { LogPoint, LogRecord } from './envelope.js';
import { findGroup, GROUP_HEADER_BYTES, readGroupHeader, type GroupHeader } from './group.js';
import { SEGMENT_HEADER_BYTES } from './segment.js';

/** How far a segment could be read, and why not further. */
export interface Scan {
  /** The last record that is intact, as is everything before it. */
  readonly point: LogPoint;
  /** Where the intact part ends. */
  readonly end: number;
  /** Set when `end` lies within a group: the group's offset, and the header that it must have to end there. */
  readonly partial: { readonly offset: number; readonly header: GroupHeader } | null;
  /** The segment ended with a seal: another one must follow. */
  readonly sealed: boolean;
  /** Highest position that an intact header vouches for. */
  readonly durable: Position;
  /** Where the first group or mark begins that is not known to be on the disk: no header vouches for it, or for what follows it. `end` when there is none. */
  readonly unvouchedFrom: number;
  /** What stopped the reading; `null` when only zeros follow, at a seal, and at `through`. */
  readonly flaw: { readonly offset: number; readonly what: string } | null;
}

/** What the end of the last segment amounts to. */
export type TailVerdict =
  | { readonly kind: 'clean' }
  /** Bytes of a commit that never became durable, from `end` of the scan up to `to`. Safe to cut off. */
  | { readonly kind: 'torn'; readonly what: string; readonly to: number }
  /** Something that was durable is not there any more. */
  | { readonly kind: 'damage'; readonly offset: number; readonly what: string };

/** Reads one segment from behind its header, checking everything. Never throws on bad bytes. */
export class SegmentScanner {
  constructor(
    private readonly codec: RecordCodec,
    private readonly stamp: number,
  ) {}

  /**
   * @param base the point before the segment's first record
   * @param visit is called with each intact record and its offset
   * @param through ends the reading after this position
   */
  scan(source: Block, base: LogPoint, visit: (record: LogRecord, offset: number) => void, through: number = Infinity): Scan {
    const state = { point: base, at: SEGMENT_HEADER_BYTES, durable: base.position, unvouched: [] as { offset: number; last: Position }[] };
    const finish = (flaw: Scan['flaw'], sealed = false, partial: Scan['partial'] = null, end = state.at): Scan => {
      const unvouchedFrom = state.unvouched[0]?.offset ?? (partial === null ? end : partial.offset);
      return { point: state.point, end, partial, sealed, durable: state.durable, unvouchedFrom, flaw };
    };
    while (state.point.position < through) {
      if (isZero(source.bytes, state.at, state.at + GROUP_HEADER_BYTES) && isZero(source.bytes, state.at, source.bytes.length)) return finish(null);
      const header = readGroupHeader(source, state.at, this.stamp, this.codec.checksum);
      if (isFlaw(header)) return finish({ offset: state.at, what: header });
      if (!samePoint(header.before, state.point)) return finish({ offset: state.at, what: `a group that follows position ${header.before.position} stands after ${state.point.position}` });
      state.durable = Math.max(state.durable, header.durable) as Position;
      while (state.unvouched[0] !== undefined && state.unvouched[0].last <= state.durable) state.unvouched.shift();
      const group = this.group(source, state.at, header, visit, through);
      state.point = group.point;
      if (group.flaw !== null || group.end < state.at + GROUP_HEADER_BYTES + header.bytes) {
        const empty = group.records === 0;
        const partial = empty ? null : { offset: state.at, header: { ...header, records: group.records, bytes: group.end - state.at - GROUP_HEADER_BYTES } };
        return finish(group.flaw, false, partial, empty ? state.at : group.end);
      }
      // A mark is written without a sync: only a later commit, which takes it along, is proof that it reached the disk.
      const last = header.records > 0 ? state.point.position : ((state.point.position + 1) as Position);
      state.unvouched.push({ offset: state.at, last });
      state.at = group.end;
      if (header.kind === 'seal') return finish(null, true);
    }
    return finish(null);
  }

  /**
   * Judges the end of the last segment. A commit is written only after the one before was synced, so that what is bad after
   * a crash belongs to one commit, in whatever order its pages reached the disk; all intact headers of that commit, and
   * all that went before, vouch at most for what ends before it. So a header that vouches for more is proof of damage.
   */
  judge(source: Block, scan: Scan): TailVerdict {
    const lost = scan.point.position + 1;
    if (scan.durable >= lost) return { kind: 'damage', offset: scan.flaw?.offset ?? scan.end, what: `position ${lost} was durable and is not there` };
    if (scan.flaw === null) return { kind: 'clean' };
    for (let from = scan.flaw.offset; ; ) {
      const found = findGroup(source, from, this.stamp, this.codec.checksum);
      if (found === null) break;
      if (found.header.durable >= lost) {
        return { kind: 'damage', offset: scan.flaw.offset, what: `${scan.flaw.what}, and a later group says that position ${found.header.durable} was durable` };
      }
      from = found.offset + 1;
    }
    return { kind: 'torn', what: scan.flaw.what, to: lastByte(source.bytes, scan.end) };
  }

  private group(
    source: Block,
    offset: number,
    header: GroupHeader,
    visit: (record: LogRecord, offset: number) => void,
    through: number,
  ): { point: LogPoint; end: number; records: number; flaw: Scan['flaw'] } {
    const wholeEnd = offset + GROUP_HEADER_BYTES + header.bytes;
    const limit = Math.min(wholeEnd, source.bytes.length);
    let { term, position, chain } = header.before;
    let at = offset + GROUP_HEADER_BYTES;
    let records = 0;
    let flaw: Scan['flaw'] = null;
    while (at < wholeEnd && position < through) {
      const record = this.codec.decode(source, at, limit, term, position, chain);
      if (isFlaw(record)) {
        flaw = { offset: at, what: record };
        break;
      }
      visit(record, at);
      ({ term, position, chain } = pointOf(record));
      at += recordBytes(record.payload.length);
      records++;
    }
    if (flaw === null && at === wholeEnd && records !== header.records) flaw = { offset, what: `a group of ${header.records} records holds ${records}` };
    return { point: { term, position, chain }, end: at, records, flaw };
  }
}

function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  const end = Math.min(to, bytes.length);
  for (let at = from; at < end; at++) if (bytes[at] !== 0) return false;
  return true;
}

/** The offset behind the last byte that is not zero, at least `from`. */
function lastByte(bytes: Uint8Array, from: number): number {
  let end = bytes.length;
  while (end > from && bytes[end - 1] === 0) end--;
  return end;
}
