import { MAP_ENTRIES_MAX } from '../big-map.js';
import { assert } from '../errors.js';
import type { Delivery } from './delivery.js';
import { Digest } from './digest.js';
import {
  countCounters,
  countDelivery,
  countLimits,
  countRetained,
  countSerial,
  countSession,
  countSubscription,
  countUnreleased,
} from './digest-entries.js';
import type { ConnectionId, Qos } from './effects.js';
import type { BrokerLimits } from './limits.js';
import { MessageStore } from './messages.js';
import type { MessageHooks, StoredMessage } from './messages.js';
import { RetainedStore } from './retained.js';
import { NO_CONNECTION, Session } from './session.js';
import type { HeldWill } from './session.js';
import { removalWork, SubscriptionTree } from './subscriptions.js';

/**
 * Everything that the log's records amount to, and the elementary changes of it.
 *
 * Invariants
 * - Each change keeps `digest` equal to what `recomputeDigest` finds.
 * - `connections` holds exactly the sessions whose `connection` is not NO_CONNECTION, under that number.
 * - `subscriptions` holds exactly what the sessions' own maps hold.
 * - A message's `references` counts the deliveries and the retained entry that name it.
 * - An orphaned session has no connection. A clean session is connected or orphaned. Only those two have wills.
 */
export class BrokerState {
  readonly digest = new Digest();
  /** In the order of their serials. No more than `entriesMax`. */
  readonly sessions = new Map<string, Session>();
  /** No more than `mqtt.connectionsMax`, a million at most. */
  readonly connections = new Map<ConnectionId, Session>();
  readonly subscriptions: SubscriptionTree;
  readonly retained: RetainedStore;
  readonly messages: MessageStore;
  /** Deliveries in all queues. */
  queued = 0;
  /** Deliveries in all in-flight windows. */
  inflight = 0;
  /** Deliveries that there ever were here. No part of the state. */
  deliveriesMade = 0;
  /** `removalWork` of all sessions that were removed here. No part of the state. */
  removed = 0;
  /** Sessions whose queue is at its limit. */
  fullSessions = 0;
  orphaned = 0;
  /** Payload bytes of the wills that sessions have. No part of the digest, but the same wherever the sessions are. */
  willBytes = 0;
  private serial = 1;
  private inForce: BrokerLimits;
  /** A term or a snapshot has said which limits are in force; what the server was started with counts no more. */
  private said = false;

  /**
   * @param limits in force until a term says others
   * @param entriesMax of what stands in one Map, whatever the limits: an entry that a Map does not take would end the broker while it applies a record that is
   * in the log. The same on both servers; another than the usual for tests.
   */
  constructor(limits: BrokerLimits, hooks: MessageHooks, readonly entriesMax: number = MAP_ENTRIES_MAX) {
    this.inForce = limits;
    this.subscriptions = new SubscriptionTree(entriesMax);
    this.retained = new RetainedStore(entriesMax);
    this.messages = new MessageStore(this.digest, hooks, entriesMax);
    countSerial(this.digest, 1, this.serial);
  }

  get limits(): BrokerLimits {
    return this.inForce;
  }

  /** The limits that are part of the state; `null` while no record has said any. */
  get saidLimits(): BrokerLimits | null {
    return this.said ? this.inForce : null;
  }

  /** What is beyond one of them stays; nothing is added to it. */
  adoptLimits(limits: BrokerLimits): void {
    if (this.said) countLimits(this.digest, -1, this.inForce);
    this.said = true;
    this.inForce = limits;
    countLimits(this.digest, 1, limits);
    this.fullSessions = 0;
    for (const session of this.sessions.values()) if (session.queue.length >= limits.queuedMessagesPerSessionMax) this.fullSessions++;
  }

  /** The serial of the next session. */
  get nextSerial(): number {
    return this.serial;
  }

  /** For a restart from a snapshot: the next session gets this serial. */
  continueSerials(nextSerial: number): void {
    countSerial(this.digest, -1, this.serial);
    this.serial = nextSerial;
    countSerial(this.digest, 1, this.serial);
  }

  addSession(clientId: string, clean: boolean): Session {
    const session = this.insertSession(new Session(clientId, this.serial, clean));
    this.continueSerials(this.serial + 1);
    return session;
  }

  /** Adds a session that was made elsewhere and has nothing yet but its own fields. */
  insertSession(session: Session): Session {
    assert(!this.sessions.has(session.clientId), 'two sessions of one client id');
    this.sessions.set(session.clientId, session);
    if (session.connected) this.connections.set(session.connection, session);
    if (session.orphaned) this.orphaned++;
    this.willBytes += sizeOf(session.will);
    countSession(this.digest, 1, session);
    countCounters(this.digest, 1, session);
    return session;
  }

  /** Forgets a session and everything that it has. */
  removeSession(session: Session): void {
    this.removed += session.removalWork;
    this.detach(session, false);
    for (const filter of [...session.subscriptions.keys()]) this.unsubscribe(session, filter);
    for (const packetId of [...session.unreleased]) this.forgetUnreleased(session, packetId);
    for (const delivery of [...session.inflight.values()]) this.finish(session, delivery);
    while (session.queue.length > 0) this.drop(this.dequeue(session));
    countCounters(this.digest, -1, session);
    countSession(this.digest, -1, session);
    this.sessions.delete(session.clientId);
  }

  attach(session: Session, connection: ConnectionId, user: string | null, will: HeldWill | null): void {
    assert(!session.connected && !session.orphaned && connection !== NO_CONNECTION, 'a session attached twice');
    countSession(this.digest, -1, session);
    session.connection = connection;
    session.user = user;
    session.will = will;
    this.willBytes += sizeOf(will);
    countSession(this.digest, 1, session);
    this.connections.set(connection, session);
  }

  /** Ends a session's connection. It loses its will and is no orphan, unless it becomes one now. */
  detach(session: Session, orphaned: boolean): void {
    countSession(this.digest, -1, session);
    if (session.connected) this.connections.delete(session.connection);
    if (session.orphaned) this.orphaned--;
    if (orphaned) {
      this.orphaned++;
    } else {
      this.willBytes -= sizeOf(session.will);
      session.will = null;
    }
    session.connection = NO_CONNECTION;
    session.orphaned = orphaned;
    countSession(this.digest, 1, session);
  }

  subscribe(session: Session, filter: string, qos: Qos): void {
    const before = session.subscriptions.get(filter);
    if (before === undefined) session.subscriptionsWork += removalWork(filter);
    else countSubscription(this.digest, -1, session, filter, before);
    session.subscriptions.set(filter, qos);
    countSubscription(this.digest, 1, session, filter, qos);
    this.subscriptions.subscribe(session, filter, qos);
  }

  unsubscribe(session: Session, filter: string): void {
    const before = session.subscriptions.get(filter);
    if (before === undefined) return;
    session.subscriptions.delete(filter);
    session.subscriptionsWork -= removalWork(filter);
    countSubscription(this.digest, -1, session, filter, before);
    this.subscriptions.unsubscribe(session, filter);
  }

  noteUnreleased(session: Session, packetId: number): void {
    session.unreleased.add(packetId);
    countUnreleased(this.digest, 1, session, packetId);
  }

  forgetUnreleased(session: Session, packetId: number): void {
    if (session.unreleased.delete(packetId)) countUnreleased(this.digest, -1, session, packetId);
  }

  retain(message: StoredMessage): void {
    this.messages.acquire(message);
    countRetained(this.digest, 1, message);
    const before = this.retained.set(message);
    if (before !== undefined) this.letGo(before);
  }

  forgetRetained(topic: string): void {
    const before = this.retained.delete(topic);
    if (before !== undefined) this.letGo(before);
  }

  /** Puts a delivery at the end of the session's queue. */
  enqueue(session: Session, delivery: Delivery): void {
    countDelivery(this.digest, 1, session, delivery);
    session.queue.push(delivery);
    if (delivery.retain) session.retainedQueued++;
    this.queued++;
    if (session.queue.length === this.inForce.queuedMessagesPerSessionMax) this.fullSessions++;
  }

  /** Takes the oldest delivery out of the session's queue. */
  dequeue(session: Session): Delivery {
    if (session.queue.length === this.inForce.queuedMessagesPerSessionMax) this.fullSessions--;
    const delivery = session.queue.shift();
    if (delivery.retain) session.retainedQueued--;
    this.queued--;
    countDelivery(this.digest, -1, session, delivery);
    return delivery;
  }

  /** Puts a delivery that has its packet id into the session's in-flight window. */
  startFlight(session: Session, delivery: Delivery): void {
    assert(delivery.packetId > 0 && !session.inflight.has(delivery.packetId), 'a packet id used twice');
    session.inflight.set(delivery.packetId, delivery);
    this.inflight++;
    countDelivery(this.digest, 1, session, delivery);
  }

  /** The subscriber has the message of this delivery (PUBREC): it is not needed any more. */
  noteReceived(session: Session, delivery: Delivery): void {
    countDelivery(this.digest, -1, session, delivery);
    this.drop(delivery);
    delivery.message = null;
    countDelivery(this.digest, 1, session, delivery);
  }

  /** Takes a delivery out of the in-flight window, and its reference away. */
  finish(session: Session, delivery: Delivery): void {
    if (session.inflight.delete(delivery.packetId)) this.inflight--;
    countDelivery(this.digest, -1, session, delivery);
    this.drop(delivery);
  }

  private drop(delivery: Delivery): void {
    if (delivery.message !== null) this.messages.release(delivery.message);
  }

  private letGo(retained: StoredMessage): void {
    countRetained(this.digest, -1, retained);
    this.messages.release(retained);
  }
}

function sizeOf(will: HeldWill | null): number {
  return will === null ? 0 : will.payload.length;
}
