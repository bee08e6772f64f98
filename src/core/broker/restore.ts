import { LockstepError } from '../errors.js';
import type { Position } from '../identity.js';
import { ByteReader, MalformedBytes } from '../wire/bytes.js';
import { Delivery } from './delivery.js';
import { hashBytes, hashText } from './digest.js';
import type { Qos } from './effects.js';
import { readLimits } from './limits.js';
import { StoredMessage } from './messages.js';
import { unknownRecord } from './records.js';
import { Session } from './session.js';
import type { HeldWill } from './session.js';
import { SNAPSHOT_BEGIN_VERSION, SNAPSHOT_ENTRY_VERSION, SnapshotEntryType } from './snapshot.js';
import type { EncodedEntry } from './snapshot.js';
import type { BrokerState } from './state.js';

interface Begin {
  readonly position: Position;
  readonly sessions: number;
  readonly messages: number;
}

/** Builds an empty state up from a snapshot's entries (snapshot.ts), and compares the digest at the end. */
export class SnapshotRestorer {
  private begin: Begin | null = null;
  private readonly bySerial = new Map<number, Session>();
  private lastSerial = 0;
  /** Of the session's deliveries so far. */
  private readonly lastOrder = new Map<Session, number>();

  constructor(
    private readonly state: BrokerState,
    private readonly copyPayloads: boolean,
  ) {}

  /** Takes the next entry. Returns the snapshot's position with the last one, else `null`. */
  take(entry: EncodedEntry): Position | null {
    const isBegin = entry.type === SnapshotEntryType.begin;
    if (entry.version !== SNAPSHOT_ENTRY_VERSION && !(isBegin && entry.version === SNAPSHOT_BEGIN_VERSION)) throw unknownRecord(entry, 'an entry of the snapshot');
    const reader = new ByteReader(entry.payload);
    if (isBegin) {
      this.takeBegin(reader, entry.version);
      return null;
    }
    if (this.begin === null) throw broken('it does not begin with its first entry');
    if (entry.type === SnapshotEntryType.end) return this.takeEnd(reader, this.begin);
    this.takeBody(entry, reader);
    reader.end();
    return null;
  }

  private takeBody(entry: EncodedEntry, reader: ByteReader): void {
    switch (entry.type) {
      case SnapshotEntryType.message:
        return this.takeMessage(reader);
      case SnapshotEntryType.session:
        return this.takeSession(reader);
      case SnapshotEntryType.subscriptions: {
        const session = this.sessionOf(reader);
        while (reader.left > 0) this.takeSubscription(session, reader);
        return;
      }
      case SnapshotEntryType.deliveries: {
        const session = this.sessionOf(reader);
        while (reader.left > 0) this.takeDelivery(session, reader);
        return;
      }
      case SnapshotEntryType.unreleased: {
        const session = this.sessionOf(reader);
        while (reader.left > 0) this.state.noteUnreleased(session, reader.u16());
        return;
      }
      case SnapshotEntryType.retained:
        while (reader.left > 0) this.takeRetained(this.messageOf(reader.u64()));
        return;
      default:
        throw unknownRecord(entry, 'an entry of the snapshot');
    }
  }

  private takeBegin(reader: ByteReader, version: number): void {
    if (this.begin !== null) throw broken('it begins twice');
    const position = reader.u64() as Position;
    this.state.continueSerials(reader.u64());
    this.begin = { position, sessions: reader.u32(), messages: reader.u32() };
    if (version >= SNAPSHOT_BEGIN_VERSION) this.state.adoptLimits(readLimits(reader));
    reader.end();
  }

  private takeMessage(reader: ByteReader): void {
    const id = reader.u64() as Position;
    const qos = qosOf(reader.u8());
    const topic = reader.text();
    const payload = reader.raw(reader.left);
    if (this.state.messages.byId.has(id)) throw broken(`it holds message ${id} twice`);
    // This first reference is the restorer's own, and is taken back at the end.
    this.state.messages.acquire(new StoredMessage(id, topic, hashText(topic), qos, payload.length, this.copyPayloads ? payload.slice() : payload));
  }

  private takeSession(reader: ByteReader): void {
    const serial = reader.u64();
    const clientId = reader.text();
    const connection = reader.u64();
    const flags = reader.u8();
    if (flags > 0x7f) throw new MalformedBytes(`flags ${flags} of a session`);
    if (this.state.sessions.has(clientId)) throw broken(`it holds the session of ${JSON.stringify(clientId)} twice`);
    // The digest does not see the order, but what is delivered first does.
    if (serial <= this.lastSerial || serial >= this.state.nextSerial) throw broken(`session ${serial} stands behind session ${this.lastSerial}, the next one being ${this.state.nextSerial}`);
    this.lastSerial = serial;
    const session = new Session(clientId, serial, (flags & 1) !== 0);
    session.connection = connection;
    session.orphaned = (flags & 64) !== 0;
    session.nextOrder = reader.u64();
    session.nextPacketId = reader.u16();
    if ((flags & 2) !== 0) session.user = reader.text();
    if ((flags & 4) !== 0) session.will = takeWill(reader, flags);
    if (session.connected && this.state.connections.has(connection)) throw broken(`two sessions have connection ${connection}`);
    if (session.connected ? session.orphaned : !session.orphaned && (session.clean || session.will !== null)) throw broken(`the session of ${JSON.stringify(clientId)} cannot be as it is said to be`);
    this.state.insertSession(session);
    this.bySerial.set(serial, session);
  }

  private takeSubscription(session: Session, reader: ByteReader): void {
    const filter = reader.text();
    if (session.subscriptions.has(filter)) throw broken(`${JSON.stringify(session.clientId)} subscribes twice to ${JSON.stringify(filter)}`);
    this.state.subscribe(session, filter, qosOf(reader.u8()));
  }

  private takeRetained(message: StoredMessage): void {
    if (this.state.retained.byTopic.has(message.topic)) throw broken(`two messages are retained for ${JSON.stringify(message.topic)}`);
    this.state.retain(message);
  }

  private takeDelivery(session: Session, reader: ByteReader): void {
    const id = reader.u64();
    const order = reader.u64();
    const packetId = reader.u16();
    const flags = reader.u8();
    if (order <= (this.lastOrder.get(session) ?? -1) || order >= session.nextOrder || (packetId !== 0 && session.queue.length > 0)) {
      throw broken(`deliveries of ${JSON.stringify(session.clientId)} out of order`);
    }
    this.lastOrder.set(session, order);
    const message = id === 0 ? null : this.messageOf(id);
    const delivery = new Delivery(message, order, qosOf(flags & 3), (flags & 4) !== 0);
    delivery.packetId = packetId;
    if (message !== null) this.state.messages.acquire(message);
    if (packetId === 0) {
      if (message === null) throw broken(`a delivery of ${JSON.stringify(session.clientId)} waits without its message`);
      this.state.enqueue(session, delivery);
    } else {
      if (session.inflight.has(packetId)) throw broken(`packet id ${packetId} of ${JSON.stringify(session.clientId)} stands in it twice`);
      this.state.startFlight(session, delivery);
    }
  }

  private takeEnd(reader: ByteReader, begin: Begin): Position {
    const digest = reader.text();
    reader.end();
    const { sessions, messages } = this.state;
    if (sessions.size !== begin.sessions) throw broken(`it holds ${sessions.size} sessions instead of ${begin.sessions}`);
    if (messages.byId.size !== begin.messages) throw broken(`it holds ${messages.byId.size} messages instead of ${begin.messages}`);
    for (const message of [...messages.byId.values()]) messages.release(message);
    const found = this.state.digest.toString();
    if (found !== digest) throw broken(`its digest is ${found} instead of ${digest}`);
    return begin.position;
  }

  private sessionOf(reader: ByteReader): Session {
    const serial = reader.u64();
    const session = this.bySerial.get(serial);
    if (session === undefined) throw broken(`session ${serial} is missing`);
    return session;
  }

  private messageOf(id: number): StoredMessage {
    const message = this.state.messages.byId.get(id as Position);
    if (message === undefined) throw broken(`message ${id} is missing`);
    return message;
  }
}

function takeWill(reader: ByteReader, flags: number): HeldWill {
  const position = reader.u64() as Position;
  const topic = reader.text();
  const payload = reader.blob().slice();
  return { position, topic, qos: qosOf((flags >> 4) & 3), retain: (flags & 8) !== 0, payload, hash: hashBytes(payload) };
}

function qosOf(value: number): Qos {
  if (value !== 0 && value !== 1 && value !== 2) throw new MalformedBytes(`QoS ${value}`);
  return value;
}

function broken(what: string): LockstepError {
  return new LockstepError(
    'LOCKSTEP_SNAPSHOT_BROKEN',
    `the snapshot cannot be used: ${what}`,
    'Let this server fetch a snapshot from its peer; if it has none, restore an older snapshot with the journal after it.',
  );
}
