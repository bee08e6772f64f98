import type { Position, Term } from '../identity.js';

/**
 * The one envelope of every log record, in the journal and on the replication link alike. The bytes that the leader
 * writes are the bytes that it sends and that the follower writes.
 *
 * Header, 24 bytes, big-endian:
 *
 *     0  u32  payload length in bytes
 *     4  u16  type          what the payload is (see `RecordType`)
 *     6  u8   version       of that type's payload
 *     7  u8   origin        the protocol that the operation came by (see `RecordOrigin`)
 *     8  u32  term
 *    12  u64  position
 *    20  u32  chain         CRC-32 over the first 20 bytes and the payload, seeded with the chain of the record before
 *
 * The chain is the record's checksum and, by its seed, a checksum of the whole log up to it (arbitration R7).
 */
export const RECORD_HEADER_BYTES = 24;

/** A payload longer than this is refused before it is appended, and is damage when met in a journal. */
export const RECORD_PAYLOAD_BYTES_MAX = 64 * 1024 * 1024;

/** CRC-32 (IEEE) of `bytes`, continued from `seed`. The platform brings it (`zlib.crc32`). */
export type Checksum = (bytes: Uint8Array, seed: number) => number;

export interface LogRecord {
  readonly type: number;
  readonly version: number;
  readonly origin: number;
  readonly term: Term;
  readonly position: Position;
  readonly chain: number;
  /** A view into the bytes that it was read from; copy it to keep it beyond them. */
  readonly payload: Uint8Array;
}

/** The point up to which a log reaches, and what all of it before amounts to. */
export interface LogPoint {
  readonly term: Term;
  readonly position: Position;
  readonly chain: number;
}

export const EMPTY_LOG: LogPoint = { term: 0 as Term, position: 0 as Position, chain: 0 };

export const RecordOrigin = { lockstep: 0, mqtt3: 1, mqtt5: 2, amqp1: 3, application: 4, repository: 5 } as const;
