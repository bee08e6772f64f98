import type { Operation, SubscribeOperation } from './operations.js';
import { lower } from './routing.js';
import type { Session } from './session.js';
import type { BrokerState } from './state.js';
import { hasWildcard } from './topics.js';

/*
 * What operations add to the memory of the server that they come to: for its guard alone. `apply` asks nothing of this.
 */

/** Heap that one of each takes, in bytes: rather more than less. */
const FILTER_LEVEL_BYTES = 430;
const TOPIC_LEVEL_BYTES = 250;
const DELIVERY_BYTES = 200;
/** So many retained messages may wait for a session that subscribes to what it had, with those that its filters bring: one that comes back says so each time. */
export const RETAINED_FEW = 100;
/** Of a SUBSCRIBE with more wildcards it is not found out before what they bring: the answers would be forgotten again before they are needed. */
const WILDCARDS_MATCHED_MAX = 32;

/** What the state took that stays or waits since it was made, in bytes, by an estimate; what went again is not taken off. */
export function growthSoFar({ subscriptions, retained, deliveriesMade }: BrokerState): number {
  return subscriptions.levelsMade * FILTER_LEVEL_BYTES + retained.levelsMade * TOPIC_LEVEL_BYTES + deliveriesMade * DELIVERY_BYTES;
}

/** What a SUBSCRIBE that is not refused takes at most, in bytes, by an estimate; 0 for every other operation, none of which takes much for its size but by the number of sessions. */
export function growthAhead(state: BrokerState, operation: Operation): number {
  if (operation.kind !== 'subscribe') return 0;
  const session = state.connections.get(operation.connection);
  if (session === undefined) return 0;
  return levelsAhead(state, session, operation) * FILTER_LEVEL_BYTES + retainedAhead(state, operation) * DELIVERY_BYTES;
}

/** Whether an operation that is not refused adds something to the state that stays: a session, a subscription, a retained topic, messages that have to wait, the id of a QoS 2 message until it is released. */
export function growsState(state: BrokerState, operation: Operation): boolean {
  if (operation.kind === 'connect') return !state.sessions.has(operation.clientId);
  if (operation.kind === 'subscribe') return subscribeGrows(state, operation);
  if (operation.kind !== 'publish') return false;
  const { topic, qos, retain, payload, packetId } = operation;
  // One that came before is only answered once more.
  if (qos === 2) return state.connections.get(operation.connection)?.unreleased.has(packetId) === false;
  if (retain && payload.length > 0 && !state.retained.byTopic.has(topic)) return true;
  if (qos === 0) return false;
  const targets = state.subscriptions.targets(topic);
  return targets.sessions.some((session, at) => session.keeps && lower(qos, targets.qos[at]) > 0 && (!session.connected || session.queue.length > 0 || session.inflight.size >= state.limits.inflightMessagesMax));
}

/** Also one that changes nothing may bring all retained messages, time and again. */
function subscribeGrows({ connections, retained }: BrokerState, { connection, subscriptions }: SubscribeOperation): boolean {
  const session = connections.get(connection);
  if (session === undefined || subscriptions.some(({ filter }) => !session.subscriptions.has(filter))) return true;
  let room = RETAINED_FEW - session.retainedQueued;
  for (const { filter } of subscriptions) {
    const brought = retained.match(filter).length;
    room -= brought;
    if (brought > 0 && room < 0) return true;
  }
  return false;
}

/** Levels that the filters add; those that two of them share count for both. */
function levelsAhead({ subscriptions, limits }: BrokerState, session: Session, operation: SubscribeOperation): number {
  const added = new Set<string>();
  for (const { filter } of operation.subscriptions) if (!session.subscriptions.has(filter)) added.add(filter);
  let room = limits.subscriptionsPerSessionMax - session.subscriptions.size;
  let levels = 0;
  for (const filter of added) if (room-- > 0) levels += subscriptions.levelsMissing(filter);
  return levels;
}

/** Retained messages that the filters bring, or more. */
function retainedAhead({ retained, limits }: BrokerState, { subscriptions }: SubscribeOperation): number {
  if (retained.size === 0) return 0;
  const wildcards = subscriptions.reduce((count, { filter }) => count + (hasWildcard(filter) ? 1 : 0), 0);
  // More than the latter is refused.
  if (wildcards > WILDCARDS_MATCHED_MAX) return Math.min(subscriptions.length * retained.size, retained.size + limits.queuedMessagesPerSessionMax);
  return subscriptions.reduce((count, { filter }) => count + retained.match(filter).length, 0);
}
