import { MalformedBytes, ByteReader, ByteWriter } from '../wire/bytes.js';
import { FRAME_HEADER_BYTES, encodeFrame, frameHeader } from '../wire/frame.js';
import { RECORD_HEADER_BYTES, RECORD_PAYLOAD_BYTES_MAX, type LogPoint } from '../journal/envelope.js';
import type { JournalId, Position, RunId, ServerId, Term } from '../identity.js';
import { EPOCHS_MAX, type LogEpoch } from './known-log.js';

/*
 * Frames of the replication link (the frame's own header: wire/frame.ts). The follower dials and speaks first:
 *
 *     follower                               leader
 *     hello     who I am, what my log is  →
 *                                         ←  offer     where the copy begins: at a shared point, anew, or from a snapshot
 *     mismatch  that point differs here   →            (then a second offer, never of a shared point)
 *                                         ←  chunk …, snapshot-end   only after an offer of a snapshot
 *     ready     my log ends at that point →
 *                                         ←  records, digest, term, ping
 *     durable, pong                       →
 *
 * Either side may say `refused` with its reason and close. Anything else at any time ends the session.
 */
export const FrameKind = {
  hello: 1,
  offer: 2,
  mismatch: 3,
  ready: 4,
  records: 5,
  durable: 6,
  ping: 7,
  pong: 8,
  term: 9,
  digest: 10,
  chunk: 11,
  snapshotEnd: 12,
  refused: 13,
} as const;

/** Encoded records of one frame: a record of the largest size alone, or many that stay below the sender's own limit. */
export const REPLICATION_FRAME_BYTES_MAX = RECORD_HEADER_BYTES + RECORD_PAYLOAD_BYTES_MAX;
/**
 * What a follower says is short; its hello with all of its epochs is the longest. So whoever has not said yet who he is makes the leader hold no
 * more than this.
 */
export const FOLLOWER_FRAME_BYTES_MAX = 64 * 1024;
/** A name, id or reason in a frame. Characters. */
const TEXT_MAX = 512;

export interface HelloFrame {
  readonly kind: 'hello';
  readonly cluster: string;
  readonly server: ServerId;
  readonly run: RunId;
  /** The run that the follower was told to follow: a restarted leader is another one. */
  readonly leaderRun: RunId;
  readonly journal: JournalId;
  /** The term that the follower was ordered to follow in. */
  readonly term: Term;
  /** The follower's durable head. */
  readonly head: LogPoint;
  /** The follower can wind its state back to this position, and no further. */
  readonly floor: Position;
  /** Copy everything anew, whatever the logs seem to share. */
  readonly resync: boolean;
  readonly epochs: readonly LogEpoch[];
}

export interface OfferFrame {
  readonly kind: 'offer';
  /** `shared`: go on behind this point. `anew`: begin an empty log. `snapshot`: one follows, of this point. */
  readonly mode: 'shared' | 'anew' | 'snapshot';
  readonly server: ServerId;
  readonly run: RunId;
  readonly journal: JournalId;
  /** The term that the session begins in: at or above the follower's. */
  readonly term: Term;
  readonly point: LogPoint;
  readonly head: LogPoint;
  /** Bytes of the snapshot; 0 without one. */
  readonly snapshotBytes: number;
  /** About how many bytes of records lie between the point and the head. For the display of progress. */
  readonly logBytes: number;
}

export type ReplicationFrame =
  | HelloFrame
  | OfferFrame
  | { readonly kind: 'mismatch'; readonly point: LogPoint }
  | { readonly kind: 'ready'; readonly journal: JournalId; readonly point: LogPoint }
  /** Encoded records, verbatim. */
  | { readonly kind: 'records'; readonly bytes: Uint8Array }
  | { readonly kind: 'durable'; readonly position: Position }
  | { readonly kind: 'ping'; readonly count: number; readonly head: Position }
  | { readonly kind: 'pong'; readonly count: number }
  /** The leader goes on in a higher term, from this position on. */
  | { readonly kind: 'term'; readonly term: Term; readonly first: Position }
  | { readonly kind: 'digest'; readonly position: Position; readonly digest: string }
  | { readonly kind: 'chunk'; readonly bytes: Uint8Array }
  | { readonly kind: 'snapshot-end'; readonly bytes: number }
  | { readonly kind: 'refused'; readonly reason: string };

const OFFER_MODES = ['shared', 'anew', 'snapshot'] as const;

/** The whole frame, header included. Texts are cut to the limit. */
export function encodeReplicationFrame(frame: ReplicationFrame): Uint8Array {
  const writer = new ByteWriter();
  switch (frame.kind) {
    case 'hello':
      return encodeFrame(FrameKind.hello, hello(writer, frame));
    case 'offer':
      return encodeFrame(FrameKind.offer, offer(writer, frame));
    case 'mismatch':
      return encodeFrame(FrameKind.mismatch, point(writer, frame.point).take());
    case 'ready':
      return encodeFrame(FrameKind.ready, point(writer.text(frame.journal), frame.point).take());
    case 'records':
      return encodeFrame(FrameKind.records, frame.bytes);
    case 'durable':
      return encodeFrame(FrameKind.durable, writer.u64(frame.position).take());
    case 'ping':
      return encodeFrame(FrameKind.ping, writer.u32(frame.count).u64(frame.head).take());
    case 'pong':
      return encodeFrame(FrameKind.pong, writer.u32(frame.count).take());
    case 'term':
      return encodeFrame(FrameKind.term, writer.u32(frame.term).u64(frame.first).take());
    case 'digest':
      return encodeFrame(FrameKind.digest, writer.u64(frame.position).text(frame.digest).take());
    case 'chunk':
      return encodeFrame(FrameKind.chunk, frame.bytes);
    case 'snapshot-end':
      return encodeFrame(FrameKind.snapshotEnd, writer.u64(frame.bytes).take());
    case 'refused':
      return encodeFrame(FrameKind.refused, writer.text(frame.reason.slice(0, TEXT_MAX)).take());
  }
}

/** Records as one frame in one or two pieces: large ones are not copied. */
export function recordPieces(bytes: Uint8Array): Uint8Array[] {
  if (bytes.length <= COPY_BELOW_BYTES) return [encodeFrame(FrameKind.records, bytes)];
  return [frameHeader(FrameKind.records, bytes.length), bytes];
}
const COPY_BELOW_BYTES = 16 * 1024;

export const FRAME_OVERHEAD_BYTES = FRAME_HEADER_BYTES;

/**
 * Reads one frame's payload. Byte fields are views into it.
 * @throws MalformedBytes on anything that `encodeReplicationFrame` would not have written
 */
export function decodeReplicationFrame(kind: number, payload: Uint8Array): ReplicationFrame {
  if (kind === FrameKind.records) return { kind: 'records', bytes: filled(payload) };
  if (kind === FrameKind.chunk) return { kind: 'chunk', bytes: filled(payload) };
  const reader = new ByteReader(payload);
  const frame = decodeFields(kind, reader);
  reader.end();
  return frame;
}

function decodeFields(kind: number, reader: ByteReader): ReplicationFrame {
  switch (kind) {
    case FrameKind.hello:
      return readHello(reader);
    case FrameKind.offer:
      return readOffer(reader);
    case FrameKind.mismatch:
      return { kind: 'mismatch', point: readPoint(reader) };
    case FrameKind.ready:
      return { kind: 'ready', journal: name(reader) as JournalId, point: readPoint(reader) };
    case FrameKind.durable:
      return { kind: 'durable', position: reader.u64() as Position };
    case FrameKind.ping:
      return { kind: 'ping', count: reader.u32(), head: reader.u64() as Position };
    case FrameKind.pong:
      return { kind: 'pong', count: reader.u32() };
    case FrameKind.term:
      return { kind: 'term', term: reader.u32() as Term, first: reader.u64() as Position };
    case FrameKind.digest:
      return { kind: 'digest', position: reader.u64() as Position, digest: name(reader) };
    case FrameKind.snapshotEnd:
      return { kind: 'snapshot-end', bytes: reader.u64() };
    case FrameKind.refused:
      return { kind: 'refused', reason: name(reader) };
    default:
      throw new MalformedBytes(`a replication frame of unknown kind ${kind}`);
  }
}

function hello(writer: ByteWriter, frame: HelloFrame): Uint8Array {
  writer.text(frame.cluster).text(frame.server).text(frame.run).text(frame.leaderRun).text(frame.journal);
  point(writer.u32(frame.term), frame.head).u64(frame.floor).u8(frame.resync ? 1 : 0);
  const epochs = frame.epochs.slice(-EPOCHS_MAX);
  writer.u16(epochs.length);
  for (const epoch of epochs) writer.u32(epoch.term).u64(epoch.first);
  return writer.take();
}

function readHello(reader: ByteReader): HelloFrame {
  const cluster = name(reader);
  const server = name(reader) as ServerId;
  const run = name(reader) as RunId;
  const leaderRun = name(reader) as RunId;
  const journal = name(reader) as JournalId;
  const term = reader.u32() as Term;
  const head = readPoint(reader);
  const floor = reader.u64() as Position;
  const resync = flag(reader);
  const count = reader.u16();
  if (count > EPOCHS_MAX) throw new MalformedBytes(`${count} epochs, ${EPOCHS_MAX} allowed`);
  const epochs: LogEpoch[] = [];
  for (let i = 0; i < count; i += 1) {
    const epoch = { term: reader.u32() as Term, first: reader.u64() as Position };
    const before = epochs[i - 1];
    if (before !== undefined && (epoch.term <= before.term || epoch.first < before.first)) throw new MalformedBytes('epochs out of order');
    epochs.push(epoch);
  }
  return { kind: 'hello', cluster, server, run, leaderRun, journal, term, head, floor, resync, epochs };
}

function offer(writer: ByteWriter, frame: OfferFrame): Uint8Array {
  writer.u8(OFFER_MODES.indexOf(frame.mode)).text(frame.server).text(frame.run).text(frame.journal).u32(frame.term);
  point(point(writer, frame.point), frame.head);
  return writer.u64(frame.snapshotBytes).u64(frame.logBytes).take();
}

function readOffer(reader: ByteReader): OfferFrame {
  const mode = OFFER_MODES[reader.u8()];
  if (mode === undefined) throw new MalformedBytes('an offer of an unknown mode');
  return {
    kind: 'offer',
    mode,
    server: name(reader) as ServerId,
    run: name(reader) as RunId,
    journal: name(reader) as JournalId,
    term: reader.u32() as Term,
    point: readPoint(reader),
    head: readPoint(reader),
    snapshotBytes: reader.u64(),
    logBytes: reader.u64(),
  };
}

function point(writer: ByteWriter, value: LogPoint): ByteWriter {
  return writer.u32(value.term).u64(value.position).u32(value.chain);
}

function readPoint(reader: ByteReader): LogPoint {
  return { term: reader.u32() as Term, position: reader.u64() as Position, chain: reader.u32() };
}

function name(reader: ByteReader): string {
  const text = reader.text();
  if (text.length > TEXT_MAX) throw new MalformedBytes(`a text of ${text.length} characters, ${TEXT_MAX} allowed`);
  return text;
}

function flag(reader: ByteReader): boolean {
  const value = reader.u8();
  if (value > 1) throw new MalformedBytes('a flag that is neither 0 nor 1');
  return value === 1;
}

function filled(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0) throw new MalformedBytes('an empty frame of bytes');
  return bytes;
}
