import type { Position } from '../identity.js';
import { ByteWriter } from '../wire/bytes.js';
import { writeLimits, type BrokerLimits } from './limits.js';
import type { Delivery } from './delivery.js';
import type { Message } from './effects.js';
import type { StoredMessage } from './messages.js';
import type { HeldWill, Session } from './session.js';
import type { BrokerState } from './state.js';

/*
 * A snapshot of the broker's state, as a row of entries in the log's envelope (type, version, payload). Version 1 of each but
 * one; types 64 to 95 belong to it. In this order, so that it can be restored in one pass:
 *
 *     begin       u64 position · u64 next serial · u32 sessions · u32 messages · [version 2: limits (limits.ts)]
 *     message*    u64 id · u8 QoS · text topic · payload to the end
 *     per session, in the order of their serials:
 *       session      u64 serial · text client id · u64 connection (0: none) · u8 flags · u64 next order · u16 next packet id
 *                    [text user] · [u64 will position · text will topic · blob will payload]
 *                    flags: 1 clean, 2 has user, 4 has will, 8 will retain, 16/32 will QoS, 64 orphaned
 *       subscriptions*  u64 serial · (text filter · u8 QoS) to the end
 *       deliveries*     u64 serial · (u64 message id · u64 order · u16 packet id · u8 flags) to the end;
 *                       id 0: received by the subscriber; packet id 0: waits in the queue; flags: 1/2 QoS, 4 retain
 *       unreleased*     u64 serial · u16 packet id to the end
 *     retained*   u64 message id to the end
 *     end         text digest
 */
export const SnapshotEntryType = {
  begin: 64,
  message: 65,
  session: 66,
  subscriptions: 67,
  deliveries: 68,
  unreleased: 69,
  retained: 70,
  end: 71,
} as const;

export const SNAPSHOT_ENTRY_VERSION = 1;
/** Of `begin`. In version 1 no limits were said yet. */
export const SNAPSHOT_BEGIN_VERSION = 2;

/** An entry with a list is ended when it has grown to this; the last item may exceed it, by 64 KiB at most. */
export const SNAPSHOT_LIST_BYTES = 32 * 1024;

/** An entry as it goes into a snapshot's file or over the link. */
export interface EncodedEntry {
  readonly type: number;
  readonly version: number;
  readonly payload: Uint8Array;
}

export type SnapshotEntry =
  | { readonly kind: 'encoded'; readonly entry: EncodedEntry }
  /** To be encoded by `encodeMessageEntry`, with the payload that the message has or that its owner reads back. */
  | { readonly kind: 'message'; readonly message: Message };

/** @param payload exactly `message.size` bytes */
export function encodeMessageEntry(message: Message, payload: Uint8Array): EncodedEntry {
  const writer = new ByteWriter(payload.length + message.topic.length * 3 + 16);
  writer.u64(message.id).u8(message.qos).text(message.topic).raw(payload);
  return entryOf(SnapshotEntryType.message, writer);
}

/** Copies everything but the payloads of messages and of long wills at once; the generator hands it out. */
export function captureSnapshot(state: BrokerState, position: Position): Generator<SnapshotEntry> {
  const capture = new Capture();
  const { sessions, messages, retained, nextSerial, digest } = state;
  capture.begin(position, nextSerial, sessions.size, messages.byId.size, state.saidLimits);
  const begin = capture.taken();
  for (const session of sessions.values()) capture.session(session);
  capture.retained(retained.byTopic.values());
  capture.end(digest.toString());
  return inOrder(begin, [...messages.byId.values()], capture.taken());
}

/** The same of a state that nobody changes before the last piece is taken: each is made when it is asked for, so that no turn is as long as the state is large. */
export function* snapshotOfSettled(state: BrokerState, position: Position): Generator<SnapshotEntry> {
  const capture = new Capture();
  const { sessions, messages, retained, nextSerial, digest } = state;
  capture.begin(position, nextSerial, sessions.size, messages.byId.size, state.saidLimits);
  yield* inOrder(capture.taken(), [], []);
  for (const message of messages.byId.values()) yield { kind: 'message', message };
  for (const session of sessions.values()) {
    capture.session(session);
    yield* inOrder(capture.taken(), [], []);
  }
  capture.retained(retained.byTopic.values());
  capture.end(digest.toString());
  yield* inOrder(capture.taken(), [], []);
}

function* inOrder(begin: Captured[], messages: StoredMessage[], rest: Captured[]): Generator<SnapshotEntry> {
  for (const entry of begin) yield { kind: 'encoded', entry: whole(entry) };
  for (const message of messages) yield { kind: 'message', message };
  for (const entry of rest) yield { kind: 'encoded', entry: whole(entry) };
}

/** An entry; `tail`, which nobody changes, belongs behind its payload. */
type Captured = EncodedEntry & { readonly tail?: Uint8Array };

function whole({ type, version, payload, tail }: Captured): EncodedEntry {
  if (tail === undefined) return { type, version, payload };
  const both = new Uint8Array(payload.length + tail.length);
  both.set(payload);
  both.set(tail, payload.length);
  return { type, version, payload: both };
}

class Capture {
  private entries: Captured[] = [];
  private readonly writer = new ByteWriter(SNAPSHOT_LIST_BYTES * 2);

  taken(): Captured[] {
    const { entries } = this;
    this.entries = [];
    return entries;
  }

  begin(position: Position, nextSerial: number, sessions: number, messages: number, limits: BrokerLimits | null): void {
    this.writer.u64(position).u64(nextSerial).u32(sessions).u32(messages);
    if (limits !== null) writeLimits(this.writer, limits);
    this.entries.push(entryOf(SnapshotEntryType.begin, this.writer, limits === null ? SNAPSHOT_ENTRY_VERSION : SNAPSHOT_BEGIN_VERSION));
  }

  session(session: Session): void {
    this.head(session);
    const { serial, subscriptions, unreleased, inflight, queue } = session;
    for (const [filter, qos] of subscriptions) this.room(SnapshotEntryType.subscriptions, serial).text(filter).u8(qos);
    this.close(SnapshotEntryType.subscriptions);
    for (const delivery of inflight.values()) this.delivery(serial, delivery);
    for (const delivery of queue) this.delivery(serial, delivery);
    this.close(SnapshotEntryType.deliveries);
    for (const packetId of unreleased) this.room(SnapshotEntryType.unreleased, serial).u16(packetId);
    this.close(SnapshotEntryType.unreleased);
  }

  retained(messages: Iterable<StoredMessage>): void {
    for (const message of messages) {
      if (this.writer.length >= SNAPSHOT_LIST_BYTES) this.close(SnapshotEntryType.retained);
      this.writer.u64(message.id);
    }
    this.close(SnapshotEntryType.retained);
  }

  end(digest: string): void {
    this.writer.text(digest);
    this.close(SnapshotEntryType.end);
  }

  private head(session: Session): void {
    const { user, will } = session;
    const { writer } = this;
    const ofWill = will === null ? 0 : 4 | (will.retain ? 8 : 0) | (will.qos << 4);
    writer.u64(session.serial).text(session.clientId).u64(session.connection);
    writer.u8((session.clean ? 1 : 0) | (user === null ? 0 : 2) | ofWill | (session.orphaned ? 64 : 0));
    writer.u64(session.nextOrder).u16(session.nextPacketId);
    if (user !== null) writer.text(user);
    if (will !== null) this.will(will);
    else this.close(SnapshotEntryType.session);
  }

  /** The payload, of which nobody else has a copy, is put behind it when the entry is taken: many long ones copied at once would take long, and their memory again. */
  private will({ position, topic, payload }: HeldWill): void {
    this.writer.u64(position).text(topic).u32(payload.length);
    this.entries.push({ ...entryOf(SnapshotEntryType.session, this.writer), tail: payload });
  }

  private delivery(serial: number, delivery: Delivery): void {
    const writer = this.room(SnapshotEntryType.deliveries, serial);
    writer.u64(delivery.message === null ? 0 : delivery.message.id).u64(delivery.order);
    writer.u16(delivery.packetId).u8(delivery.qos | (delivery.retain ? 4 : 0));
  }

  /** The writer, with room for one more item of a session's list. */
  private room(type: number, serial: number): ByteWriter {
    if (this.writer.length >= SNAPSHOT_LIST_BYTES) this.close(type);
    if (this.writer.length === 0) this.writer.u64(serial);
    return this.writer;
  }

  /** Ends the entry under way, if there is one. */
  private close(type: number): void {
    if (this.writer.length > 0) this.entries.push(entryOf(type, this.writer));
  }
}

function entryOf(type: number, writer: ByteWriter, version = SNAPSHOT_ENTRY_VERSION): EncodedEntry {
  return { type, version, payload: writer.take() };
}
