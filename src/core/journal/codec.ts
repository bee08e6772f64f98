import { assertionFailed } from '../errors.js';
import type { Position, Term } from '../identity.js';
import { RECORD_HEADER_BYTES, RECORD_PAYLOAD_BYTES_MAX, type Checksum, type LogPoint, type LogRecord } from './envelope.js';

/** Bytes together with a view on them, made once for a whole buffer and not once for a record. */
export interface Block {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

export function blockOf(bytes: Uint8Array): Block {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
}

/** What is wrong with bytes that should be a record, in words that follow an offset. */
export type Flaw = string;

const CHAIN_AT = 20;
const POW32 = 0x1_0000_0000;
const U16_MAX = 0xffff;
const U8_MAX = 0xff;
const U32_MAX = 0xffff_ffff;

export function isFlaw<T extends object>(value: T | Flaw): value is Flaw {
  return typeof value === 'string';
}

/** A record as the end of a log: the record itself without what hangs on it. */
export function pointOf(record: LogRecord): LogPoint {
  return { term: record.term, position: record.position, chain: record.chain };
}

export function samePoint(one: LogPoint, other: LogPoint): boolean {
  return one.term === other.term && one.position === other.position && one.chain === other.chain;
}

/** Bytes that a record with this payload takes. */
export function recordBytes(payloadBytes: number): number {
  return RECORD_HEADER_BYTES + payloadBytes;
}

/**
 * Writes and reads records by the layout of `envelope.ts`. Allocates nothing for a record but the record itself and the view
 * on its payload: the header is summed in a buffer that the codec keeps, so use one codec for one thread of work.
 */
export class RecordCodec {
  private readonly head = new Uint8Array(CHAIN_AT);
  private readonly headView = new DataView(this.head.buffer);

  constructor(readonly checksum: Checksum) {}

  /**
   * Writes a record at `at`. Its payload becomes a view into `target`.
   * @param chainBefore chain of the record before
   */
  encode(
    target: Block,
    at: number,
    type: number,
    version: number,
    origin: number,
    term: Term,
    position: Position,
    chainBefore: number,
    payload: Uint8Array,
  ): LogRecord {
    if (!(type >= 0 && type <= U16_MAX)) assertionFailed(`record type ${type} is beyond 16 bits`);
    if (!(version >= 0 && version <= U8_MAX && origin >= 0 && origin <= U8_MAX)) assertionFailed(`version ${version} or origin ${origin} is beyond 8 bits`);
    if (!(term >= 0 && term <= U32_MAX)) assertionFailed(`term ${term} is beyond 32 bits`);
    if (payload.length > RECORD_PAYLOAD_BYTES_MAX) assertionFailed(`a payload of ${payload.length} bytes is beyond ${RECORD_PAYLOAD_BYTES_MAX}`);
    const payloadAt = at + RECORD_HEADER_BYTES;
    target.bytes.set(payload, payloadAt);
    const kept = target.bytes.subarray(payloadAt, payloadAt + payload.length);
    this.fillHead(payload.length, type, version, origin, term, position);
    const chain = this.sum(kept, chainBefore);
    target.bytes.set(this.head, at);
    target.view.setUint32(at + CHAIN_AT, chain);
    return { type, version, origin, term, position, chain, payload: kept };
  }

  /** Reads the record at `at`, which must follow the given point and end at or before `limit`. */
  decode(source: Block, at: number, limit: number, termBefore: number, positionBefore: number, chainBefore: number): LogRecord | Flaw {
    if (at + RECORD_HEADER_BYTES > limit) return 'a record is cut off in its header';
    const view = source.view;
    const length = view.getUint32(at);
    if (length > RECORD_PAYLOAD_BYTES_MAX) return `a record of ${length} bytes`;
    const end = at + RECORD_HEADER_BYTES + length;
    if (end > limit) return 'a record is cut off in its payload';
    const position = view.getUint32(at + 12) * POW32 + view.getUint32(at + 16);
    if (position !== positionBefore + 1) return `position ${position} where ${positionBefore + 1} belongs`;
    const term = view.getUint32(at + 8);
    if (term < termBefore) return `term ${term} after term ${termBefore}`;
    const type = view.getUint16(at + 4);
    const version = view.getUint8(at + 6);
    const origin = view.getUint8(at + 7);
    const payload = source.bytes.subarray(at + RECORD_HEADER_BYTES, end);
    this.fillHead(length, type, version, origin, term, position);
    const chain = this.sum(payload, chainBefore);
    if (chain !== view.getUint32(at + CHAIN_AT)) return `the checksum of record ${position} does not agree`;
    return { type, version, origin, term: term as Term, position: position as Position, chain, payload };
  }

  private fillHead(length: number, type: number, version: number, origin: number, term: number, position: number): void {
    const view = this.headView;
    view.setUint32(0, length);
    view.setUint16(4, type);
    view.setUint8(6, version);
    view.setUint8(7, origin);
    view.setUint32(8, term);
    view.setUint32(12, Math.floor(position / POW32));
    view.setUint32(16, position >>> 0);
  }

  private sum(payload: Uint8Array, chainBefore: number): number {
    const chain = this.checksum(this.head, chainBefore);
    return payload.length === 0 ? chain : this.checksum(payload, chain);
  }
}
