import type { Position, Term } from '../identity.js';
import type { Block, Flaw } from './codec.js';
import type { Checksum, LogPoint } from './envelope.js';

/**
 * A group: what one commit put into a segment. Header, 44 bytes, big-endian, then the encoded records:
 *
 *     0  u32  magic "LKGR"
 *     4  u32  bytes of the records that follow
 *     8  u32  records that follow
 *    12  u32  kind       0 records, 1 idle mark, 2 seal
 *    16  u32  term       \
 *    20  u64  position    > the point before the group's first record
 *    28  u32  chain      /
 *    32  u64  durable    position known to be durable when the group was written
 *    40  u32  checksum   CRC-32 over the first 40 bytes, seeded with the journal's stamp
 *
 * `durable` is what tells an ordinary torn tail from damage: bytes that are bad at or before a position that a later header
 * vouches for were on the disk once. An idle mark has no records and exists to vouch for the ones before it; a seal does the
 * same at the end of a segment and says that another segment follows.
 *
 * The magic is above every possible payload length, so that the first four bytes tell a group from a record.
 */
export const GROUP_HEADER_BYTES = 44;
export const GROUP_MAGIC = 0x4c4b_4752;
const CHECKSUM_AT = 40;
const POW32 = 0x1_0000_0000;
const KINDS = ['records', 'mark', 'seal'] as const;

export type GroupKind = (typeof KINDS)[number];

export interface GroupHeader {
  readonly kind: GroupKind;
  /** Of the records, without this header. */
  readonly bytes: number;
  readonly records: number;
  readonly before: LogPoint;
  readonly durable: Position;
}

/** Seeds the checksums of a journal's group headers, so that another journal's bytes are never taken for its own. */
export function stampOf(journal: string, checksum: Checksum): number {
  const bytes = new Uint8Array(journal.length);
  for (let at = 0; at < journal.length; at++) bytes[at] = journal.charCodeAt(at);
  return checksum(bytes, GROUP_MAGIC);
}

export function writeGroupHeader(target: Block, at: number, header: GroupHeader, stamp: number, checksum: Checksum): void {
  const view = target.view;
  view.setUint32(at, GROUP_MAGIC);
  view.setUint32(at + 4, header.bytes);
  view.setUint32(at + 8, header.records);
  view.setUint32(at + 12, KINDS.indexOf(header.kind));
  view.setUint32(at + 16, header.before.term);
  setU64(view, at + 20, header.before.position);
  view.setUint32(at + 28, header.before.chain);
  setU64(view, at + 32, header.durable);
  view.setUint32(at + CHECKSUM_AT, checksum(target.bytes.subarray(at, at + CHECKSUM_AT), stamp));
}

export function readGroupHeader(source: Block, at: number, stamp: number, checksum: Checksum): GroupHeader | Flaw {
  const { bytes, view } = source;
  if (at + GROUP_HEADER_BYTES > bytes.length) return 'a group is cut off in its header';
  if (view.getUint32(at) !== GROUP_MAGIC) return 'no group begins here';
  if (checksum(bytes.subarray(at, at + CHECKSUM_AT), stamp) !== view.getUint32(at + CHECKSUM_AT)) return 'the checksum of a group header does not agree';
  const kind = KINDS[view.getUint32(at + 12)];
  if (kind === undefined) return `a group of the unknown kind ${view.getUint32(at + 12)}`;
  return {
    kind,
    bytes: view.getUint32(at + 4),
    records: view.getUint32(at + 8),
    before: { term: view.getUint32(at + 16) as Term, position: getU64(view, at + 20) as Position, chain: view.getUint32(at + 28) },
    durable: getU64(view, at + 32) as Position,
  };
}

/**
 * The next intact group header at or after `from`, wherever it stands; `null` when there is none. For looking beyond bytes
 * that cannot be understood.
 */
export function findGroup(source: Block, from: number, stamp: number, checksum: Checksum): { readonly offset: number; readonly header: GroupHeader } | null {
  const first = GROUP_MAGIC >>> 24;
  for (let at = source.bytes.indexOf(first, from); at >= 0; at = source.bytes.indexOf(first, at + 1)) {
    const header = readGroupHeader(source, at, stamp, checksum);
    if (typeof header !== 'string') return { offset: at, header };
  }
  return null;
}

function setU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, Math.floor(value / POW32));
  view.setUint32(at + 4, value >>> 0);
}

function getU64(view: DataView, at: number): number {
  return view.getUint32(at) * POW32 + view.getUint32(at + 4);
}
