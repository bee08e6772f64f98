import type { BrokerLimits } from './limits.js';
import type { ConnectOperation, Operation, PublishOperation, SubscribeOperation } from './operations.js';
import { lower } from './routing.js';
import type { BrokerState } from './state.js';
import { topicFilterFault, topicNameFault } from './topics.js';

/** Why the serving server does not take an operation. */
export interface Refusal {
  /** In words, for the log. */
  readonly detail: string;
  /** The return code that the client is told, where the packet has one (CONNACK, §3.2.2.3). */
  readonly code?: number;
}

/** CONNACK 3: the server is unavailable. */
const SERVER_UNAVAILABLE = 3;
const NOT_CURRENT: Refusal = { detail: 'the connection is not, or no longer, the current one of any session' };

/**
 * Levels of topics that several filters of one SUBSCRIBE may look at together for their retained messages: some tenths of a second's work, here and again
 * wherever the record is applied. One filter alone looks at each level once at most.
 */
export const RETAINED_LOOKS_MAX = 4_000_000;

/** Asked on the serving server only, before it appends the record: `apply` takes every record as it is. */
export function refusalOf(state: BrokerState, operation: Operation): Refusal | null {
  const { limits } = state;
  if (operation.kind === 'term-start' || operation.kind === 'orphans-gone') return null;
  if (operation.kind === 'connect') return connectRefusal(state, limits, operation);
  const session = state.connections.get(operation.connection);
  if (session === undefined) return NOT_CURRENT;
  switch (operation.kind) {
    case 'publish':
      if (operation.qos === 2 && session.unreleased.has(operation.packetId)) return null;
      return publishRefusal(state, limits, operation);
    case 'subscribe':
      for (const { filter } of operation.subscriptions) {
        const fault = topicFilterFault(filter);
        if (fault !== null) return { detail: fault };
        // Asked before the first of them is added: a packet's few thousand beyond `entriesMax` are within what a Map takes.
        if (!state.subscriptions.hasRoomFor(filter)) return levelFull(state, 'subscriptions');
      }
      // Retained messages go beyond the queue's limit once; who lets them lie gets no more of them.
      if (state.retained.size > 0 && session.queue.length >= limits.queuedMessagesPerSessionMax) {
        return { detail: `${queueFull(session.clientId, limits)}; it takes no retained messages` };
      }
      return retainedRefusal(state, limits, operation);
    default:
      return null;
  }
}

/** One filter brings each retained message once; many that overlap must not bring them, and many that find nothing not look for them, without bound. */
function retainedRefusal(state: BrokerState, limits: BrokerLimits, { subscriptions }: SubscribeOperation): Refusal | null {
  if (subscriptions.length === 1 || state.retained.size === 0) return null;
  const before = state.retained.looked;
  let due = 0;
  for (const { filter } of subscriptions) {
    due += state.retained.match(filter).length;
    if (due > state.retained.size + limits.queuedMessagesPerSessionMax) {
      return { detail: `the filters of one SUBSCRIBE bring more than ${limits.queuedMessagesPerSessionMax} retained messages beyond each one once (queuedMessagesPerSessionMax)` };
    }
    if (state.retained.looked - before > RETAINED_LOOKS_MAX) return { detail: `the filters of one SUBSCRIBE look for retained messages at more than ${RETAINED_LOOKS_MAX} levels of topics` };
  }
  return null;
}

function connectRefusal(state: BrokerState, limits: BrokerLimits, operation: ConnectOperation): Refusal | null {
  if (state.connections.has(operation.connection)) return { detail: 'a second CONNECT on one connection (MQTT-3.1.0-2)' };
  if (operation.clientId.length === 0) return { detail: 'an empty client id' };
  const fault = operation.will === null ? null : topicNameFault(operation.will.topic);
  if (fault !== null) return { detail: `the will: ${fault}` };
  const known = state.sessions.get(operation.clientId);
  // What the client's own will leaves, and this one takes: above a limit that was lowered it may come with the same again.
  const more = (operation.will?.payload.length ?? 0) - (known?.will?.payload.length ?? 0);
  if (more > 0 && state.willBytes + more > limits.storedBytesMax) {
    return { detail: `the wills of clients have ${limits.storedBytesMax} bytes, the most allowed (storedBytesMax)`, code: SERVER_UNAVAILABLE };
  }
  if (known !== undefined) return null;
  if (state.sessions.size >= limits.sessionsMax) return { detail: `there are ${limits.sessionsMax} sessions, the most allowed (sessionsMax)`, code: SERVER_UNAVAILABLE };
  if (state.sessions.size >= state.entriesMax) return { detail: `there are ${state.entriesMax} sessions, the most that a broker holds`, code: SERVER_UNAVAILABLE };
  return null;
}

function publishRefusal(state: BrokerState, limits: BrokerLimits, operation: PublishOperation): Refusal | null {
  const { topic, qos, retain } = operation;
  const size = operation.payload.length;
  if (!state.subscriptions.knows(topic)) {
    const fault = topicNameFault(topic);
    if (fault !== null) return { detail: fault };
  }
  if (qos > 0 && operation.packetId === 0) return { detail: 'packet id 0 (MQTT-2.3.1-1)' };
  const kept = retain && size > 0;
  if (kept && !state.retained.byTopic.has(topic) && state.retained.size >= limits.retainedMessagesMax) {
    return { detail: `there are ${limits.retainedMessagesMax} retained messages, the most allowed (retainedMessagesMax)` };
  }
  if (kept && !state.retained.hasRoomFor(topic)) return levelFull(state, 'retained messages');
  const room = state.messages.bytes + size <= limits.storedBytesMax;
  if (kept && !room) return storeFull(limits);
  if (qos === 0 || (room && state.fullSessions === 0)) return null;
  const targets = state.subscriptions.targets(topic);
  for (let at = 0; at < targets.sessions.length; at++) {
    const session = targets.sessions[at];
    if (session === undefined || !session.keeps || lower(qos, targets.qos[at]) === 0) continue;
    if (!room) return storeFull(limits);
    if (session.queue.length >= limits.queuedMessagesPerSessionMax) return { detail: queueFull(session.clientId, limits) };
  }
  return null;
}

function levelFull({ entriesMax }: BrokerState, what: string): Refusal {
  return { detail: `${what} name ${entriesMax} topics that differ at one level behind the same beginning, the most that a broker holds` };
}

function storeFull(limits: BrokerLimits): Refusal {
  return { detail: `the messages held have ${limits.storedBytesMax} bytes, the most allowed (storedBytesMax)` };
}

function queueFull(clientId: string, limits: BrokerLimits): string {
  return `${limits.queuedMessagesPerSessionMax} messages wait for client ${JSON.stringify(clientId)}, the most allowed (queuedMessagesPerSessionMax)`;
}
