import { LockstepError } from '../errors.js';
import type { LogRecord } from '../journal/envelope.js';
import { ByteReader, ByteWriter, MalformedBytes, TextCache } from '../wire/bytes.js';
import type { ServerId } from '../identity.js';
import type { Qos } from './effects.js';
import { readLimits, writeLimits } from './limits.js';
import { RecordType } from './operations.js';
import { NO_CONNECTION } from './session.js';
import type {
  ConnectOperation,
  HandshakeOperation,
  Operation,
  PublishOperation,
  SubscribeOperation,
  UnsubscribeOperation,
  Will,
} from './operations.js';

/*
 * Operations as record payloads, version 1 of each type but one. All numbers big-endian, `text` with a u16 length before it.
 *
 *     connect       u64 connection · u8 flags · text client id · [text user] · [text will topic · blob will payload]
 *                   flags: 1 clean, 2 has user, 4 has will, 8 will retain, 16/32 will QoS
 *     disconnect    u64 connection · u8 publish the will
 *     subscribe     u64 connection · u16 packet id · u16 count · count × (text filter · u8 QoS)
 *     unsubscribe   u64 connection · u16 packet id · u16 count · count × text filter
 *     publish       u64 connection · u16 packet id · u8 flags (1/2 QoS, 4 retain) · text topic · payload to the end
 *     acknowledge, received, release, complete    u64 connection · u16 packet id
 *     term-start    text server · [version 2: limits (limits.ts)]
 *     orphans-gone  u32 count · count × text client id
 */

/** The version in which this build writes, and the newest that it reads, of every operation's record but those below. */
const OPERATION_VERSION = 1;
/** Version 1, which says no limits, is read, and written where they are not known. */
const TERM_START_VERSION = 2;
const KNOWN_TYPES: ReadonlySet<number> = new Set(Object.values(RecordType));

/** Whether this build reads operations of that type in that version. */
export function isKnownOperation(type: number, version: number): boolean {
  return KNOWN_TYPES.has(type) && version >= 1 && version <= (type === RecordType.termStart ? TERM_START_VERSION : OPERATION_VERSION);
}

/** Whether applying such a record deals with one message: what it costs goes by the sessions that get it, and not by what is kept. */
export function isOfOneMessage(type: number): boolean {
  return type >= RecordType.publish && type <= RecordType.complete;
}

/** What `Journal.append` takes for one operation, beside the origin and the term. */
export interface RecordDraft {
  readonly type: number;
  readonly version: number;
  readonly payload: Uint8Array;
}

const TYPE_OF = {
  connect: RecordType.connect,
  disconnect: RecordType.disconnect,
  subscribe: RecordType.subscribe,
  unsubscribe: RecordType.unsubscribe,
  publish: RecordType.publish,
  acknowledge: RecordType.acknowledge,
  received: RecordType.received,
  release: RecordType.release,
  complete: RecordType.complete,
  'term-start': RecordType.termStart,
  'orphans-gone': RecordType.orphansGone,
} as const satisfies Record<Operation['kind'], number>;

/**
 * An operation as a record's type, version and payload.
 * @param writer give the same one again on a hot path: it keeps its buffer, in which the payload is a view until the next use. Must be empty.
 * @throws MalformedBytes when a text is longer than 65,535 bytes of UTF-8
 */
export function encodeOperation(operation: Operation, writer: ByteWriter = new ByteWriter()): RecordDraft {
  switch (operation.kind) {
    case 'connect':
      encodeConnect(operation, writer);
      break;
    case 'disconnect':
      writer.u64(operation.connection).u8(operation.publishWill ? 1 : 0);
      break;
    case 'subscribe':
      writer.u64(operation.connection).u16(operation.packetId).u16(counted(operation.subscriptions.length));
      for (const { filter, qos } of operation.subscriptions) writer.text(filter).u8(qos);
      break;
    case 'unsubscribe':
      writer.u64(operation.connection).u16(operation.packetId).u16(counted(operation.filters.length));
      for (const filter of operation.filters) writer.text(filter);
      break;
    case 'publish':
      writer.u64(operation.connection).u16(operation.packetId).u8(operation.qos | (operation.retain ? 4 : 0));
      writer.text(operation.topic).raw(operation.payload);
      break;
    case 'term-start':
      writer.text(operation.server);
      if (operation.limits !== null) writeLimits(writer, operation.limits);
      break;
    case 'orphans-gone':
      writer.u32(operation.clientIds.length);
      for (const clientId of operation.clientIds) writer.text(clientId);
      break;
    default:
      writer.u64(operation.connection).u16(operation.packetId);
  }
  const version = operation.kind === 'term-start' && operation.limits !== null ? TERM_START_VERSION : OPERATION_VERSION;
  return { type: TYPE_OF[operation.kind], version, payload: writer.lend() };
}

/**
 * The operation that a record holds. Byte arrays in it are views into `record.payload`, not copies.
 * @throws LockstepError LOCKSTEP_RECORD_UNKNOWN for a type or version that this build does not know
 * @throws MalformedBytes when the payload is not what its type says
 */
export function decodeOperation(record: LogRecord): Operation {
  if (!isKnownOperation(record.type, record.version)) throw unknownRecord(record, `record at position ${record.position}`);
  switch (record.type) {
    case RecordType.publish:
      return decodePublish(record.payload);
    case RecordType.acknowledge:
      return decodeHandshake('acknowledge', record.payload);
    case RecordType.received:
      return decodeHandshake('received', record.payload);
    case RecordType.release:
      return decodeHandshake('release', record.payload);
    case RecordType.complete:
      return decodeHandshake('complete', record.payload);
  }
  const reader = new ByteReader(record.payload);
  const operation = decodeRare(record, reader);
  reader.end();
  return operation;
}

/**
 * The payload of the message that a record brought: of the publication, or of a connection's will. A view.
 * `Message.id` names the record. `null` when the record brings no message.
 * @throws as decodeOperation
 */
export function messagePayload(record: LogRecord): Uint8Array | null {
  if (record.type !== RecordType.publish && record.type !== RecordType.connect) return null;
  const operation = decodeOperation(record);
  if (operation.kind === 'publish') return operation.payload;
  return operation.kind === 'connect' && operation.will !== null ? operation.will.payload : null;
}

/** LOCKSTEP_RECORD_UNKNOWN: whoever meets it must stop before that record; to skip it would part the two servers' states. */
export function unknownRecord(what: { readonly type: number; readonly version: number }, where: string): LockstepError {
  return new LockstepError(
    'LOCKSTEP_RECORD_UNKNOWN',
    `${where} is of type ${what.type}, version ${what.version}, which this version of Lockstep does not know`,
    'Run the version of Lockstep that wrote it, or a newer one, on both servers.',
  );
}

function decodeRare(record: LogRecord, reader: ByteReader): Operation {
  switch (record.type) {
    case RecordType.connect:
      return decodeConnect(reader);
    case RecordType.disconnect:
      return { kind: 'disconnect', connection: reader.u64(), publishWill: bits(reader, 1) === 1 };
    case RecordType.subscribe:
      return decodeSubscribe(reader);
    case RecordType.unsubscribe:
      return decodeUnsubscribe(reader);
    case RecordType.termStart:
      return { kind: 'term-start', server: reader.text() as ServerId, limits: record.version === 1 ? null : readLimits(reader) };
    case RecordType.orphansGone:
      return { kind: 'orphans-gone', clientIds: texts(reader, reader.u32()) };
    default:
      throw unknownRecord(record, `record at position ${record.position}`);
  }
}

function encodeConnect(operation: ConnectOperation, writer: ByteWriter): void {
  const { user, will } = operation;
  const ofWill = will === null ? 0 : 4 | (will.retain ? 8 : 0) | (will.qos << 4);
  writer.u64(operation.connection).u8((operation.clean ? 1 : 0) | (user === null ? 0 : 2) | ofWill);
  writer.text(operation.clientId);
  if (user !== null) writer.text(user);
  if (will !== null) writer.text(will.topic).blob(will.payload);
}

function decodeConnect(reader: ByteReader): ConnectOperation {
  const connection = reader.u64();
  if (connection === NO_CONNECTION) throw new MalformedBytes('a client that connects by no connection');
  const flags = bits(reader, 0x3f);
  if ((flags & 4) === 0 && (flags & 0x38) !== 0) throw new MalformedBytes(`flags ${flags}: of a will that is not there`);
  const clientId = reader.text();
  const user = (flags & 2) !== 0 ? reader.text() : null;
  let will: Will | null = null;
  if ((flags & 4) !== 0) {
    will = { topic: reader.text(), qos: qosOf(flags >> 4), retain: (flags & 8) !== 0, payload: reader.blob() };
  }
  return { kind: 'connect', connection, clientId, clean: (flags & 1) !== 0, will, user };
}

/*
 * Publications and the answers to them are most of all records. They are read without a ByteReader, which makes a DataView
 * for each: that alone took a third of the time to apply them.
 */

const HANDSHAKE_BYTES = 10;
const PUBLISH_HEAD_BYTES = 13;
/** Of all servers in this process: it changes nothing but the time that reading takes. */
const topics = new TextCache();

function decodePublish(payload: Uint8Array): PublishOperation {
  if (payload.length < PUBLISH_HEAD_BYTES) throw new MalformedBytes(`a publication of ${payload.length} bytes`);
  const flags = byteAt(payload, HANDSHAKE_BYTES);
  if (flags > 7) throw new MalformedBytes(`flags ${flags} of a publication`);
  const topicEnd = PUBLISH_HEAD_BYTES + pairAt(payload, HANDSHAKE_BYTES + 1);
  if (payload.length < topicEnd) throw new MalformedBytes(`a topic that ends at ${topicEnd} of ${payload.length} bytes`);
  return {
    kind: 'publish',
    connection: connectionAt(payload),
    packetId: pairAt(payload, 8),
    topic: topics.read(payload, PUBLISH_HEAD_BYTES, topicEnd),
    qos: qosOf(flags & 3),
    retain: (flags & 4) !== 0,
    payload: payload.subarray(topicEnd),
  };
}

function decodeHandshake(kind: HandshakeOperation['kind'], payload: Uint8Array): HandshakeOperation {
  if (payload.length !== HANDSHAKE_BYTES) throw new MalformedBytes(`an answer of ${payload.length} bytes, ${HANDSHAKE_BYTES} wanted`);
  return { kind, connection: connectionAt(payload), packetId: pairAt(payload, 8) };
}

function connectionAt(payload: Uint8Array): number {
  const upper = pairAt(payload, 0) * 0x1_0000 + pairAt(payload, 2);
  if (upper > 0x1f_ffff) throw new MalformedBytes('a number above 2^53');
  return upper * 0x1_0000_0000 + pairAt(payload, 4) * 0x1_0000 + pairAt(payload, 6);
}

function pairAt(bytes: Uint8Array, at: number): number {
  return (byteAt(bytes, at) << 8) | byteAt(bytes, at + 1);
}

/** Only within a length that was checked before. */
function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}

function decodeSubscribe(reader: ByteReader): SubscribeOperation {
  const connection = reader.u64();
  const packetId = reader.u16();
  const subscriptions: { filter: string; qos: Qos }[] = [];
  for (let left = reader.u16(); left > 0; left--) subscriptions.push({ filter: reader.text(), qos: qosOf(reader.u8()) });
  return { kind: 'subscribe', connection, packetId, subscriptions };
}

function decodeUnsubscribe(reader: ByteReader): UnsubscribeOperation {
  return { kind: 'unsubscribe', connection: reader.u64(), packetId: reader.u16(), filters: texts(reader, reader.u16()) };
}

function texts(reader: ByteReader, count: number): string[] {
  const all: string[] = [];
  for (let left = count; left > 0; left--) all.push(reader.text());
  return all;
}

function bits(reader: ByteReader, known: number): number {
  const value = reader.u8();
  if ((value & ~known) !== 0) throw new MalformedBytes(`flags ${value}, of which ${known} are known`);
  return value;
}

function qosOf(value: number): Qos {
  if (value !== 0 && value !== 1 && value !== 2) throw new MalformedBytes(`QoS ${value}`);
  return value;
}

function counted(count: number): number {
  if (count > 0xffff) throw new MalformedBytes(`${count} filters in one packet, 65535 allowed`);
  return count;
}
