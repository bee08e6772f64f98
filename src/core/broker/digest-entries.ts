import { hashText, high, NO_HASH } from './digest.js';
import type { Digest, Hash } from './digest.js';
import type { Delivery } from './delivery.js';
import type { Qos } from './effects.js';
import type { BrokerLimits } from './limits.js';
import type { StoredMessage } from './messages.js';
import type { Session } from './session.js';

/*
 * What of the state is in the digest, entry by entry. Whoever changes a field that is named here takes the entry away before
 * and adds it after.
 */

type Sign = 1 | -1;

const Kind = { session: 1, owner: 2, counters: 3, subscription: 4, delivery: 5, unreleased: 6, message: 7, retained: 8, will: 9, limits: 10 } as const;

/** Everything of a session that changes with its connection. */
export function countSession(digest: Digest, sign: Sign, session: Session): void {
  const flags = (session.clean ? 1 : 0) | (session.orphaned ? 2 : 0) | (session.user === null ? 0 : 4);
  const { serial, connection } = session;
  digest.count(sign, Kind.session, session.key, serial, connection, high(connection), flags | (high(serial) << 3));
  if (session.user !== null) countPair(digest, sign, Kind.owner, session.key, hashText(session.user), 0);
  const will = session.will;
  if (will === null) return;
  countPair(digest, sign, Kind.will, session.key, hashText(will.topic), (will.qos << 1) | (will.retain ? 1 : 0));
  digest.count(sign, Kind.will, session.key, will.position, high(will.position), will.hash.a, will.hash.b);
}

/** `nextOrder` and `nextPacketId`. */
export function countCounters(digest: Digest, sign: Sign, session: Session): void {
  digest.count(sign, Kind.counters, session.key, session.nextOrder, high(session.nextOrder), session.nextPacketId, 0);
}

export function countSubscription(digest: Digest, sign: Sign, session: Session, filter: string, qos: Qos): void {
  countPair(digest, sign, Kind.subscription, session.key, hashText(filter), qos);
}

export function countDelivery(digest: Digest, sign: Sign, session: Session, delivery: Delivery): void {
  const id = delivery.message === null ? 0 : delivery.message.id;
  const rest = (delivery.packetId << 3) | (delivery.retain ? 4 : 0) | delivery.qos;
  // The upper parts have 21 bits each and the rest has 19: none is lost in two words.
  const upperId = high(id) | ((rest & 0x7ff) << 21);
  const upperOrder = high(delivery.order) | ((rest >>> 11) << 21);
  digest.count(sign, Kind.delivery, session.key, delivery.order, id, upperOrder, upperId);
}

export function countUnreleased(digest: Digest, sign: Sign, session: Session, packetId: number): void {
  digest.count(sign, Kind.unreleased, session.key, packetId, 0, 0, 0);
}

export function countMessage(digest: Digest, sign: Sign, message: StoredMessage): void {
  digest.count(sign, Kind.message, message.topicHash, message.id, high(message.id), message.size, message.qos);
}

export function countRetained(digest: Digest, sign: Sign, message: StoredMessage): void {
  digest.count(sign, Kind.retained, message.topicHash, message.id, high(message.id), 0, 0);
}

/** The number of the next session. */
export function countSerial(digest: Digest, sign: Sign, nextSerial: number): void {
  digest.count(sign, Kind.counters, NO_HASH, nextSerial, high(nextSerial), 0, 0);
}

export function countLimits(digest: Digest, sign: Sign, limits: BrokerLimits): void {
  const { storedBytesMax } = limits;
  digest.count(sign, Kind.limits, { a: limits.inflightMessagesMax, b: limits.retainedMessagesMax }, limits.sessionsMax, limits.subscriptionsPerSessionMax, limits.queuedMessagesPerSessionMax, 0);
  digest.count(sign, Kind.limits, NO_HASH, storedBytesMax, high(storedBytesMax), limits.inflightMessagesMax, limits.retainedMessagesMax);
}

function countPair(digest: Digest, sign: Sign, kind: number, key: Hash, other: Hash, rest: number): void {
  digest.count(sign, kind, key, other.a, other.b, rest, 1);
}
