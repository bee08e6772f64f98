import { assert } from '../errors.js';
import type { JournalId, Position, Term } from '../identity.js';
import { blockOf } from './codec.js';
import type { Checksum, LogPoint } from './envelope.js';

/**
 * A segment: one file of a log. It is named after its first position. Header, 64 bytes, big-endian:
 *
 *     0  u32  magic "LKSG"
 *     4  u16  format version
 *     6  u16  0
 *     8  32 × u8  journal id, hexadecimal digits
 *    40  u32  term       \
 *    44  u64  position    > the point before the segment's first record
 *    52  u32  chain      /
 *    56  u32  0
 *    60  u32  checksum   CRC-32 over the first 60 bytes
 *
 * Groups follow (`group.ts`), one after the other; zeros, or the end of the file, end the segment. A segment gets its
 * name only when its header is durable and everything before `position` is, so its presence vouches for what went before.
 */
export const SEGMENT_HEADER_BYTES = 64;
export const SEGMENT_VERSION = 1;
const SEGMENT_MAGIC = 0x4c4b_5347;
const ID_AT = 8;
const ID_BYTES = 32;
const CHECKSUM_AT = 60;
const POW32 = 0x1_0000_0000;
const NAME = /^(\d{16})\.segment$/;

export interface SegmentHeader {
  readonly journal: JournalId;
  readonly base: LogPoint;
}

/**
 * Why a header was not accepted. `foreign`: whole, but not Lockstep's or of another journal. `newer`: whole, of a later format.
 * `damaged`: was one once, or should be.
 */
export interface SegmentHeaderFlaw {
  readonly kind: 'foreign' | 'newer' | 'damaged';
  readonly what: string;
}

/** Name of the segment whose first record follows `base`. Names sort as their positions do. */
export function segmentName(base: Position): string {
  return `${String(base + 1).padStart(16, '0')}.segment`;
}

/** The position before the first record of a segment with this name; `null` for other names. */
export function baseOfName(name: string): Position | null {
  const digits = NAME.exec(name)?.[1];
  return digits === undefined ? null : ((Number(digits) - 1) as Position);
}

export function encodeSegmentHeader(header: SegmentHeader, checksum: Checksum): Uint8Array {
  assert(/^[0-9a-f]{32}$/.test(header.journal), `journal id ${header.journal} is not 32 hexadecimal digits`);
  const { bytes, view } = blockOf(new Uint8Array(SEGMENT_HEADER_BYTES));
  view.setUint32(0, SEGMENT_MAGIC);
  view.setUint16(4, SEGMENT_VERSION);
  for (let at = 0; at < ID_BYTES; at++) bytes[ID_AT + at] = header.journal.charCodeAt(at);
  view.setUint32(40, header.base.term);
  view.setUint32(44, Math.floor(header.base.position / POW32));
  view.setUint32(48, header.base.position >>> 0);
  view.setUint32(52, header.base.chain);
  view.setUint32(CHECKSUM_AT, checksum(bytes.subarray(0, CHECKSUM_AT), 0));
  return bytes;
}

/** @param journal the only id that is accepted; `null` accepts any */
export function decodeSegmentHeader(bytes: Uint8Array, journal: JournalId | null, checksum: Checksum): SegmentHeader | SegmentHeaderFlaw {
  if (bytes.length < SEGMENT_HEADER_BYTES) return { kind: 'damaged', what: `only ${bytes.length} bytes of its header are there` };
  // A copy with the right magic: a header that is whole but for its magic was ours.
  const { bytes: head, view } = blockOf(bytes.slice(0, SEGMENT_HEADER_BYTES));
  const magic = view.getUint32(0);
  view.setUint32(0, SEGMENT_MAGIC);
  const whole = checksum(head.subarray(0, CHECKSUM_AT), 0) === view.getUint32(CHECKSUM_AT);
  if (magic !== SEGMENT_MAGIC) {
    const blank = bytes.subarray(0, SEGMENT_HEADER_BYTES).every((byte) => byte === 0);
    return whole || blank
      ? { kind: 'damaged', what: 'its magic number is damaged' }
      : { kind: 'foreign', what: `it begins with ${magic.toString(16).padStart(8, '0')} and is no segment of Lockstep` };
  }
  if (!whole) return { kind: 'damaged', what: 'the checksum of its header does not agree' };
  const version = view.getUint16(4);
  if (version !== SEGMENT_VERSION) return { kind: 'newer', what: `it has format version ${version}; this Lockstep reads version ${SEGMENT_VERSION}` };
  const id = String.fromCharCode(...head.subarray(ID_AT, ID_AT + ID_BYTES)) as JournalId;
  if (journal !== null && id !== journal) return { kind: 'foreign', what: `it belongs to journal ${id}, not to ${journal}` };
  return {
    journal: id,
    base: { term: view.getUint32(40) as Term, position: (view.getUint32(44) * POW32 + view.getUint32(48)) as Position, chain: view.getUint32(52) },
  };
}
