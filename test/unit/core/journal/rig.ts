import { crc32 } from 'node:zlib';
import type { JournalId, Position, Term } from '../../../../src/core/identity.js';
import { blockOf, isFlaw, pointOf, RecordCodec, recordBytes, type Block } from '../../../../src/core/journal/codec.js';
import { EMPTY_LOG, type LogPoint, type LogRecord } from '../../../../src/core/journal/envelope.js';
import { GROUP_HEADER_BYTES, stampOf, writeGroupHeader, type GroupKind } from '../../../../src/core/journal/group.js';
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES } from '../../../../src/core/journal/segment.js';

export const checksum = (bytes: Uint8Array, seed: number): number => crc32(bytes, seed);
export const ID = '0123456789abcdef0123456789abcdef' as JournalId;
export const STAMP = stampOf(ID, checksum);
export const codec = new RecordCodec(checksum);
export const point = (term: number, position: number, chain: number): LogPoint => ({ term: term as Term, position: position as Position, chain });

export function encode(after: LogPoint, payload: Uint8Array, term = 1): { bytes: Uint8Array; record: LogRecord } {
  const block = blockOf(new Uint8Array(recordBytes(payload.length)));
  const record = codec.encode(block, 0, 5, 1, 1, term as Term, (after.position + 1) as Position, after.chain, payload);
  return { bytes: block.bytes, record };
}

export function decode(bytes: Uint8Array, after: LogPoint): LogRecord {
  const record = codec.decode(blockOf(bytes), 0, bytes.length, after.term, after.position, after.chain);
  if (isFlaw(record)) throw new Error(record);
  return record;
}

/** Builds a segment group by group. */
export class SegmentBuilder {
  head: LogPoint = EMPTY_LOG;
  readonly groups: number[] = [];
  private readonly parts: Uint8Array[] = [encodeSegmentHeader({ journal: ID, base: EMPTY_LOG }, checksum)];
  private length = SEGMENT_HEADER_BYTES;

  group(payloads: readonly string[], durable: number, kind: GroupKind = 'records'): this {
    const before = this.head;
    const records = payloads.map((payload) => {
      const { bytes, record } = encode(this.head, new TextEncoder().encode(payload));
      this.head = pointOf(record);
      return bytes;
    });
    const bytes = records.reduce((sum, { length }) => sum + length, 0);
    const header = blockOf(new Uint8Array(GROUP_HEADER_BYTES));
    writeGroupHeader(header, 0, { kind, bytes, records: records.length, before, durable: durable as Position }, STAMP, checksum);
    this.groups.push(this.length);
    for (const part of [header.bytes, ...records]) this.add(part);
    return this;
  }

  zeros(count: number): this {
    return this.add(new Uint8Array(count));
  }

  get block(): Block {
    const all = new Uint8Array(this.length);
    let at = 0;
    for (const part of this.parts) {
      all.set(part, at);
      at += part.length;
    }
    return blockOf(all);
  }

  private add(part: Uint8Array): this {
    this.parts.push(part);
    this.length += part.length;
    return this;
  }
}
