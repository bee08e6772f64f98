import { BigMap } from '../big-map.js';
import { assert } from '../errors.js';
import type { Position } from '../identity.js';
import { Digest, hashText } from './digest.js';
import {
  countCounters,
  countDelivery,
  countLimits,
  countMessage,
  countRetained,
  countSerial,
  countSession,
  countSubscription,
  countUnreleased,
} from './digest-entries.js';
import { StoredMessage } from './messages.js';
import { Session } from './session.js';
import type { BrokerState } from './state.js';
import { removalWork } from './subscriptions.js';

/**
 * The digest of a state from scratch, and a check of the state's invariants on the way: for tests, and for an operator's
 * doubt. Takes time in proportion to the state.
 * @throws AssertionFailure when an invariant of `BrokerState` does not hold
 */
export function recomputeDigest(state: BrokerState): string {
  const digest = new Digest();
  const references = new BigMap<Position, number>();
  countSerial(digest, 1, state.nextSerial);
  if (state.saidLimits !== null) countLimits(digest, 1, state.saidLimits);
  const totals = { queued: 0, full: 0, orphaned: 0, connected: 0, subscriptions: 0, willBytes: 0 };
  let serialBefore = 0;
  for (const [clientId, session] of state.sessions) {
    assert(session.clientId === clientId && session.serial > serialBefore, `sessions out of order at ${clientId}`);
    serialBefore = session.serial;
    countOneSession(digest, session, references);
    assert(!session.connected || state.connections.get(session.connection) === session, `the connection of ${clientId} is not known`);
    assert(!(session.connected && session.orphaned), `${clientId} is connected and an orphan`);
    assert(!session.clean || session.connected || session.orphaned, `the clean session of ${clientId} has outlived its connection`);
    assert(session.will === null || session.connected || session.orphaned, `the will of ${clientId} has outlived its connection`);
    totals.queued += session.queue.length;
    totals.subscriptions += session.subscriptions.size;
    if (session.queue.length >= state.limits.queuedMessagesPerSessionMax) totals.full++;
    if (session.orphaned) totals.orphaned++;
    if (session.connected) totals.connected++;
    totals.willBytes += session.will?.payload.length ?? 0;
  }
  assert(totals.queued === state.queued && totals.full === state.fullSessions, 'the counts of queues are wrong');
  assert(totals.orphaned === state.orphaned && totals.connected === state.connections.size, 'the counts of connections are wrong');
  assert(totals.willBytes === state.willBytes, 'the bytes of wills are counted wrongly');
  countTree(digest, state, totals.subscriptions);
  countMessages(digest, state, references);
  return digest.toString();
}

function countOneSession(digest: Digest, session: Session, references: BigMap<Position, number>): void {
  // A fresh twin: its key is made anew from the client id.
  assert(sameHash(session.key, new Session(session.clientId, 0, false).key), `the key of ${session.clientId} is wrong`);
  countSession(digest, 1, session);
  countCounters(digest, 1, session);
  const work = [...session.subscriptions.keys()].reduce((sum, filter) => sum + removalWork(filter), 0);
  assert(work === session.subscriptionsWork, `the subscriptions of ${session.clientId} are weighed wrongly`);
  for (const packetId of session.unreleased) countUnreleased(digest, 1, session, packetId);
  let orderBefore = -1;
  let retainedQueued = 0;
  for (const delivery of [...session.inflight.values(), ...session.queue]) {
    countDelivery(digest, 1, session, delivery);
    assert(delivery.order > orderBefore && delivery.order < session.nextOrder, `deliveries of ${session.clientId} out of order`);
    orderBefore = delivery.order;
    if (delivery.packetId === 0 && delivery.retain) retainedQueued++;
    if (delivery.message !== null) references.set(delivery.message.id, (references.get(delivery.message.id) ?? 0) + 1);
  }
  assert(retainedQueued === session.retainedQueued, `the retained messages that wait for ${session.clientId} are counted wrongly`);
}

/** Subscriptions are taken from the tree and compared with the sessions' own. */
function countTree(digest: Digest, state: BrokerState, subscriptions: number): void {
  let found = 0;
  for (const { session, filter, qos } of state.subscriptions.entries()) {
    assert(state.sessions.get(session.clientId) === session, `the tree holds a session that is gone: ${session.clientId}`);
    assert(session.subscriptions.get(filter) === qos, `the tree and the session ${session.clientId} differ at ${filter}`);
    countSubscription(digest, 1, session, filter, qos);
    found++;
  }
  assert(found === subscriptions && found === state.subscriptions.size, 'the tree and the sessions hold different subscriptions');
}

function countMessages(digest: Digest, state: BrokerState, references: BigMap<Position, number>): void {
  for (const message of state.retained.byTopic.values()) {
    references.set(message.id, (references.get(message.id) ?? 0) + 1);
    countRetained(digest, 1, message);
  }
  assert(references.size === state.messages.byId.size, 'a message without a reference, or a reference without its message');
  let bytes = 0;
  for (const [id, message] of state.messages.byId) {
    assert(message.id === id && references.get(id) === message.references, `message ${id} counts its references wrongly`);
    bytes += message.size;
    const twin = new StoredMessage(message.id, message.topic, hashText(message.topic), message.qos, message.size, null);
    countMessage(digest, 1, twin);
  }
  assert(bytes === state.messages.bytes, 'the bytes of the messages are counted wrongly');
}

function sameHash(left: { readonly a: number; readonly b: number }, right: { readonly a: number; readonly b: number }): boolean {
  return left.a === right.a && left.b === right.b;
}
