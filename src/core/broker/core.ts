import { assert, assertionFailed } from '../errors.js';
import { NO_POSITION } from '../identity.js';
import type { Position } from '../identity.js';
import type { LogRecord } from '../journal/envelope.js';
import type { ConnectionId, EffectSink, Qos } from './effects.js';
import { growsState, growthAhead, growthSoFar } from './growth.js';
import { limitsFault, type BrokerLimits } from './limits.js';
import type { MessageHooks } from './messages.js';
import type {
  ConnectOperation,
  DisconnectOperation,
  HandshakeOperation,
  Operation,
  OrphansGoneOperation,
  PublishOperation,
  SubscribeOperation,
  TermStartOperation,
  UnsubscribeOperation,
} from './operations.js';
import { Outbound } from './outbound.js';
import { recomputeDigest } from './recompute.js';
import { decodeOperation } from './records.js';
import { refusalOf } from './refusals.js';
import type { Refusal } from './refusals.js';
import { SnapshotRestorer } from './restore.js';
import { holdWill, lower, Routing } from './routing.js';
import { NO_CONNECTION, type Session } from './session.js';
import { captureSnapshot, snapshotOfSettled } from './snapshot.js';
import type { EncodedEntry, SnapshotEntry } from './snapshot.js';
import { BrokerState } from './state.js';
import { topicFilterFault } from './topics.js';

export interface BrokerCoreOptions {
  /**
   * True: messages hold views of the bytes that they were read from, and who hears of them (`MessageHooks.stored`) sees to it that these stay as they are, or
   * puts a copy there at once. False, the default: every message that is delivered or kept holds a copy.
   */
  readonly viewsKept?: boolean;
}

/** What the state holds, in numbers. All of it is the same on both servers at the same position. */
export interface BrokerCounts {
  /** Connected or not. */
  readonly sessions: number;
  readonly connected: number;
  readonly orphans: number;
  readonly subscriptions: number;
  /** Deliveries that wait in the sessions' queues; those sent and not yet acknowledged are not among them. */
  readonly queued: number;
  /** Deliveries that were sent and are not done with. */
  readonly inflight: number;
  /** Payload bytes of `messages`. */
  readonly storedBytes: number;
  readonly retained: number;
  /** Messages that a queue, an in-flight window or the retained store refers to. */
  readonly messages: number;
}

/** The return code of a subscription that is not granted (§3.9.3). */
const SUBSCRIPTION_FAILURE = 0x80;
const NO_HOOKS: MessageHooks = { stored: () => undefined, released: () => undefined };

/**
 * The broker's rules: MQTT 3.1.1 sessions, subscriptions, QoS handshakes, retained messages and wills, as a state that only
 * records change. Equal records make equal states and equal effects, also the limits: each term begins with those of the server
 * that serves in it, and they hold for its records wherever and whenever these are applied.
 *
 * The serving server asks `refusal`, appends the record, and applies it at once; the passive server applies the same record
 * when it comes, with a sink that forgets the effects. Neither is told anything else.
 */
export class BrokerCore {
  private readonly state: BrokerState;
  private readonly outbound: Outbound;
  private readonly routing: Routing;
  private readonly copyPayloads: boolean;
  private appliedTo: Position = NO_POSITION;
  private restorer: SnapshotRestorer | null = null;

  /** @param limits until a record or a snapshot says which */
  constructor(
    limits: BrokerLimits,
    hooks: MessageHooks = NO_HOOKS,
    options: BrokerCoreOptions = {},
  ) {
    const fault = limitsFault(limits);
    assert(fault === null, fault ?? '');
    this.copyPayloads = options.viewsKept !== true;
    this.state = new BrokerState(limits, hooks);
    this.outbound = new Outbound(this.state);
    this.routing = new Routing(this.state, this.outbound);
  }

  /** Position of the last record applied, or of the snapshot restored. */
  get applied(): Position {
    return this.appliedTo;
  }

  get counts(): BrokerCounts {
    const { sessions, connections, orphaned, subscriptions, queued, inflight, messages, retained } = this.state;
    return {
      sessions: sessions.size,
      connected: connections.size,
      orphans: orphaned,
      subscriptions: subscriptions.size,
      queued,
      inflight,
      storedBytes: messages.bytes,
      retained: retained.size,
      messages: messages.byId.size,
    };
  }

  /**
   * Whether the serving server must not take an operation, and why; `null`: it may be appended now. Changes nothing. The one
   * place where limits stop a client; `apply` does not ask them again, but for wills and for the subscriptions of a session.
   */
  refusal(operation: Operation): Refusal | null {
    return refusalOf(this.state, operation);
  }

  /** Whether an operation adds something to the state that stays until somebody takes it away. Changes nothing. */
  grows(operation: Operation): boolean {
    return growsState(this.state, operation);
  }

  /** Memory that a SUBSCRIBE which is not refused takes at most, in bytes, by an estimate; 0 for any other operation. Changes nothing. */
  growthAhead(operation: Operation): number {
    return growthAhead(this.state, operation);
  }

  /** Memory that was ever taken for what stays or waits, in bytes, by an estimate: how much an operation took is the difference. No part of the state. */
  get grown(): number {
    return growthSoFar(this.state);
  }

  /**
   * Carries out one record. Effects come in the order in which clients shall see them. A record that names a connection which
   * is not current (any more) changes nothing and has no effects.
   * @throws LockstepError LOCKSTEP_RECORD_UNKNOWN, MalformedBytes: nothing was changed; the log must not be followed further
   */
  apply(record: LogRecord, effects: EffectSink): void {
    assert(this.restorer === null, 'a record before the end of the snapshot');
    if (record.position <= this.appliedTo) assertionFailed(`record ${record.position} after record ${this.appliedTo}`);
    const operation = decodeOperation(record);
    this.appliedTo = record.position;
    if (operation.kind === 'connect') return this.connect(operation, record.position, effects);
    if (operation.kind === 'term-start') return this.startTerm(operation, effects);
    if (operation.kind === 'orphans-gone') return this.buryOrphans(operation, effects);
    const session = this.state.connections.get(operation.connection);
    if (session === undefined) return;
    switch (operation.kind) {
      case 'publish':
        return this.publish(session, operation, record.position, effects);
      case 'disconnect':
        return this.leave(session, operation.publishWill, effects);
      case 'subscribe':
        return this.subscribe(session, operation, effects);
      case 'unsubscribe':
        return this.unsubscribe(session, operation, effects);
      default:
        return this.handshake(session, operation, effects);
    }
  }

  /** A session has this connection: none has taken its place, and it has not ended. */
  isCurrent(connection: number): boolean {
    return this.state.connections.has(connection);
  }

  /** The connection of the session with this client id; `null` where it has none. */
  connectionOf(clientId: string): ConnectionId | null {
    const session = this.state.sessions.get(clientId);
    return session?.connected === true ? session.connection : null;
  }

  /** The highest number that a connection of a session has now; 0: none has one. */
  get newestConnection(): ConnectionId {
    let newest = NO_CONNECTION;
    for (const connection of this.state.connections.keys()) newest = Math.max(newest, connection);
    return newest;
  }

  /** A QoS 0 message without retain: to the subscribers that are connected now. `payload` must not change afterwards. */
  deliverVolatile(topic: string, payload: Uint8Array, effects: EffectSink): void {
    this.routing.publishVolatile(topic, payload, effects);
  }

  /** Client ids of those whose server was lost and who have not come back yet, oldest session first. */
  orphans(): string[] {
    const found: string[] = [];
    if (this.state.orphaned === 0) return found;
    for (const session of this.state.sessions.values()) if (session.orphaned) found.push(session.clientId);
    return found;
  }

  /** A sum over the whole state, 16 hexadecimal digits, in constant time. Equal states have equal digests. Payloads are not in it: the log's chain covers them. */
  digest(): string {
    return this.state.digest.toString();
  }

  /** The same, found anew from the state, whose invariants it checks. Slow: for tests. @throws AssertionFailure */
  recomputeDigest(): string {
    return recomputeDigest(this.state);
  }

  /**
   * The state as it is now, in pieces of bounded size, in the order in which `restoreEntry` wants them. All but the messages is
   * copied in this call; records may be applied while the pieces are being taken. A message may be released meanwhile: its
   * payload must stay readable until its piece is written.
   */
  snapshotEntries(): Generator<SnapshotEntry> {
    assert(this.restorer === null, 'a snapshot of half a snapshot');
    return captureSnapshot(this.state, this.appliedTo);
  }

  /** The same pieces, each made when it is taken: no record may be applied before the last one. */
  settledEntries(): Generator<SnapshotEntry> {
    assert(this.restorer === null, 'a snapshot of half a snapshot');
    return snapshotOfSettled(this.state, this.appliedTo);
  }

  /**
   * Takes one piece of a snapshot. The core must be new, and is of use after the last piece only (`restored`).
   * @throws LockstepError LOCKSTEP_SNAPSHOT_BROKEN, LOCKSTEP_RECORD_UNKNOWN, MalformedBytes: throw the core away
   */
  restoreEntry(entry: EncodedEntry): void {
    if (this.restorer === null) {
      assert(this.appliedTo === NO_POSITION && this.state.nextSerial === 1, 'a snapshot restored over a state');
      this.restorer = new SnapshotRestorer(this.state, this.copyPayloads);
    }
    const position = this.restorer.take(entry);
    if (position === null) return;
    this.appliedTo = position;
    this.restorer = null;
  }

  /** Messages of QoS 1 and 2 that were sent to sessions, or put into their queues, so far: a measure as `looked`. */
  get deliveriesMade(): number {
    return this.state.deliveriesMade;
  }

  /** Levels of topics and filters that were compared so far: a measure of the time that it took. Grows also by `refusal`; it is no part of the state. */
  get looked(): number {
    return this.state.retained.looked + this.state.subscriptions.looked;
  }

  /** What the sessions had that were removed so far, their subscriptions and deliveries: a measure as `looked`, for which a delivery is 1. */
  get removed(): number {
    return this.state.removed;
  }

  /** By how much `removed` grows with these ends of connections, or orphans that are gone. Changes nothing. */
  removedAhead(operation: DisconnectOperation | OrphansGoneOperation): number {
    const { sessions, connections } = this.state;
    const ended = operation.kind === 'disconnect' ? [connections.get(operation.connection)] : operation.clientIds.map((clientId) => sessions.get(clientId));
    return ended.reduce((sum, session) => sum + (session?.clean === true ? session.removalWork : 0), 0);
  }

  /** False from the first piece of a snapshot to its last. */
  get restored(): boolean {
    return this.restorer === null;
  }

  private connect(operation: ConnectOperation, position: Position, effects: EffectSink): void {
    const { clientId, clean, connection } = operation;
    if (this.state.connections.has(connection)) return;
    const before = this.state.sessions.get(clientId);
    if (before !== undefined) this.endBefore(before, clean, effects);
    const known = this.state.sessions.get(clientId);
    const session = known ?? this.state.addSession(clientId, clean);
    this.state.attach(session, connection, operation.user, holdWill(operation.will, position));
    effects({ kind: 'connack', connection, sessionPresent: known !== undefined });
    if (known !== undefined) this.outbound.resume(known, effects);
  }

  /** Before a client's new connection: its old one ends (MQTT-3.1.4-2), and its session too, when either of the two is clean (MQTT-3.1.2-6). */
  private endBefore(session: Session, clean: boolean, effects: EffectSink): void {
    const { connected, connection } = session;
    // An orphan that comes back in time was never gone for the others: its will is dropped, not published.
    const will = connected ? session.will : null;
    if (connected) effects({ kind: 'close', connection, reason: 'taken-over' });
    if (clean || session.clean) this.state.removeSession(session);
    else this.state.detach(session, false);
    if (will !== null) this.routing.publishWill(will, effects);
  }

  /** A session loses its connection, or its hope for one. */
  private leave(session: Session, publishWill: boolean, effects: EffectSink): void {
    const { will } = session;
    if (session.clean) this.state.removeSession(session);
    else this.state.detach(session, false);
    if (publishWill && will !== null) this.routing.publishWill(will, effects);
  }

  private subscribe(session: Session, operation: SubscribeOperation, effects: EffectSink): void {
    const granted: number[] = [];
    for (const { filter, qos } of operation.subscriptions) {
      const room = session.subscriptions.has(filter) || session.subscriptions.size < this.state.limits.subscriptionsPerSessionMax;
      if (room && topicFilterFault(filter) === null) {
        this.state.subscribe(session, filter, qos);
        granted.push(qos);
      } else {
        granted.push(SUBSCRIPTION_FAILURE);
      }
    }
    effects({ kind: 'suback', connection: session.connection, packetId: operation.packetId, granted });
    if (this.state.retained.size === 0) return;
    operation.subscriptions.forEach(({ filter, qos }, at) => {
      if (granted[at] !== SUBSCRIPTION_FAILURE) this.sendRetained(session, filter, qos, effects);
    });
  }

  private sendRetained(session: Session, filter: string, qos: Qos, effects: EffectSink): void {
    for (const message of this.state.retained.match(filter)) {
      this.outbound.deliver(session, message, lower(message.qos, qos), true, effects);
    }
  }

  private unsubscribe(session: Session, operation: UnsubscribeOperation, effects: EffectSink): void {
    for (const filter of operation.filters) this.state.unsubscribe(session, filter);
    effects({ kind: 'unsuback', connection: session.connection, packetId: operation.packetId });
  }

  private publish(session: Session, operation: PublishOperation, position: Position, effects: EffectSink): void {
    const { connection } = session;
    const { packetId, qos } = operation;
    if (qos === 1) effects({ kind: 'puback', connection, packetId });
    if (qos === 2) {
      effects({ kind: 'pubrec', connection, packetId });
      if (session.unreleased.has(packetId)) return;
      this.state.noteUnreleased(session, packetId);
    }
    this.routing.publish(operation.topic, qos, operation.retain, position, operation.payload, this.copyPayloads, effects);
  }

  private handshake(session: Session, operation: HandshakeOperation, effects: EffectSink): void {
    const { packetId } = operation;
    switch (operation.kind) {
      case 'acknowledge':
        return this.outbound.acknowledge(session, packetId, effects);
      case 'received':
        return this.outbound.received(session, packetId, effects);
      case 'complete':
        return this.outbound.complete(session, packetId, effects);
      case 'release':
        this.state.forgetUnreleased(session, packetId);
        effects({ kind: 'pubcomp', connection: session.connection, packetId });
    }
  }

  /** The connections of the term before are gone. Those that this very server still has are closed: no record can name them any more. */
  private startTerm({ limits }: TermStartOperation, effects: EffectSink): void {
    if (limits !== null) this.state.adoptLimits(limits);
    for (const session of this.state.sessions.values()) {
      if (!session.connected) continue;
      effects({ kind: 'close', connection: session.connection, reason: 'session-gone' });
      this.state.detach(session, true);
    }
  }

  private buryOrphans(operation: OrphansGoneOperation, effects: EffectSink): void {
    for (const clientId of operation.clientIds) {
      const session = this.state.sessions.get(clientId);
      if (session !== undefined && session.orphaned) this.leave(session, true, effects);
    }
  }
}
