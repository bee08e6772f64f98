import { MalformedBytes } from '../wire/bytes.js';
import { RECORD_HEADER_BYTES, RECORD_PAYLOAD_BYTES_MAX, type LogRecord } from '../journal/envelope.js';
import type { Position, Term } from '../identity.js';

/** What a record's header says, without its payload and without checking the chain (the journal does that). */
export interface RecordPlace {
  readonly type: number;
  readonly version: number;
  readonly origin: number;
  readonly chain: number;
  readonly term: Term;
  readonly position: Position;
  /** Where the record begins and ends within the bytes. */
  readonly from: number;
  readonly to: number;
}

/**
 * Walks over encoded records that follow one another.
 * @throws MalformedBytes when the bytes do not end with a whole record, or a position does not follow the one before
 */
export function walkRecords(bytes: Uint8Array, each: (place: RecordPlace) => void): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let from = 0;
  let before = -1;
  while (from < bytes.length) {
    if (bytes.length - from < RECORD_HEADER_BYTES) throw new MalformedBytes('a record header is cut off');
    const length = view.getUint32(from);
    if (length > RECORD_PAYLOAD_BYTES_MAX) throw new MalformedBytes(`a record of ${length} bytes`);
    const to = from + RECORD_HEADER_BYTES + length;
    if (to > bytes.length) throw new MalformedBytes('a record is cut off');
    const position = view.getUint32(from + 12) * 0x1_0000_0000 + view.getUint32(from + 16);
    if (before >= 0 && position !== before + 1) throw new MalformedBytes(`record ${position} follows record ${before}`);
    before = position;
    each({
      type: view.getUint16(from + 4),
      version: view.getUint8(from + 6),
      origin: view.getUint8(from + 7),
      term: view.getUint32(from + 8) as Term,
      position: position as Position,
      chain: view.getUint32(from + 20),
      from,
      to,
    });
    from = to;
  }
}

/** The records themselves; each payload is a view into `bytes`. @throws as walkRecords */
export function readRecords(bytes: Uint8Array): LogRecord[] {
  const records: LogRecord[] = [];
  walkRecords(bytes, (place) => {
    const { type, version, origin, term, position, chain } = place;
    records.push({ type, version, origin, term, position, chain, payload: bytes.subarray(place.from + RECORD_HEADER_BYTES, place.to) });
  });
  return records;
}

/** The part of encoded records from position `first` on, at most up to `last`; a view. Empty when none of them is in it. */
export function cutRecords(bytes: Uint8Array, first: Position, last: Position): Uint8Array {
  let from = -1;
  let to = 0;
  walkRecords(bytes, (place) => {
    if (place.position < first || place.position > last) return;
    if (from < 0) from = place.from;
    to = place.to;
  });
  return from < 0 ? bytes.subarray(0, 0) : bytes.subarray(from, to);
}

/** The last position whose records, from the first of `bytes` on, fit in `bytesMax`; at least the first. */
export function lastWithin(bytes: Uint8Array, bytesMax: number): Position {
  let last = -1;
  walkRecords(bytes, (place) => {
    if (last < 0 || place.to <= bytesMax) last = place.position;
  });
  return last as Position;
}
