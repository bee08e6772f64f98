import { NO_POSITION } from '../identity.js';
import type { Position } from '../identity.js';
import { hashBytes } from './digest.js';
import type { EffectSink, Message, Qos } from './effects.js';
import { StoredMessage } from './messages.js';
import type { Will } from './operations.js';
import type { Outbound } from './outbound.js';
import { NO_CONNECTION } from './session.js';
import type { HeldWill } from './session.js';
import type { BrokerState } from './state.js';

/** Brings a message to the sessions that subscribed to its topic, and keeps the retained ones (§3.3). */
export class Routing {
  constructor(
    private readonly state: BrokerState,
    private readonly outbound: Outbound,
  ) {}

  /** A client's message. Whether there is room for it was asked before its record was appended. */
  publish(topic: string, qos: Qos, retain: boolean, position: Position, payload: Uint8Array, copy: boolean, effects: EffectSink): void {
    const targets = this.state.subscriptions.targets(topic);
    if (retain && payload.length === 0) this.state.forgetRetained(topic);
    const kept = retain && payload.length > 0;
    if (!kept && targets.sessions.length === 0) return;
    const bytes = copy ? payload.slice() : payload;
    // The topic of the cached answer: messages of a busy topic share one text.
    const message = new StoredMessage(position, targets.topic, targets.hash, qos, payload.length, bytes);
    if (kept) this.state.retain(message);
    const { sessions } = targets;
    for (let at = 0; at < sessions.length; at++) {
      const session = sessions[at];
      if (session !== undefined) this.outbound.deliver(session, message, lower(qos, targets.qos[at]), false, effects);
    }
  }

  /**
   * A will (§3.1.2.5). Nobody is there who could be refused: where a limit is reached the will is lost, for that queue or as a
   * retained message, and in the same way on both servers.
   */
  publishWill(will: HeldWill, effects: EffectSink): void {
    const { topic, qos, retain, payload } = will;
    const { state } = this;
    const { limits } = state;
    const targets = state.subscriptions.targets(topic);
    if (retain && payload.length === 0) state.forgetRetained(topic);
    const message = new StoredMessage(will.position, targets.topic, targets.hash, qos, payload.length, payload);
    const room = state.messages.bytes + payload.length <= limits.storedBytesMax;
    const place = state.retained.byTopic.has(topic) || (state.retained.size < limits.retainedMessagesMax && state.retained.hasRoomFor(topic));
    if (retain && payload.length > 0 && room && place) state.retain(message);
    const { sessions } = targets;
    for (let at = 0; at < sessions.length; at++) {
      const session = sessions[at];
      if (session === undefined) continue;
      const granted = lower(qos, targets.qos[at]);
      if (granted > 0 && (!room || session.queue.length >= limits.queuedMessagesPerSessionMax)) continue;
      this.outbound.deliver(session, message, granted, false, effects);
    }
  }

  /** A QoS 0 message that no record tells of: to who is connected now. Changes nothing in the state. */
  publishVolatile(topic: string, payload: Uint8Array, effects: EffectSink): void {
    const { sessions } = this.state.subscriptions.targets(topic);
    if (sessions.length === 0) return;
    const message: Message = { id: NO_POSITION, topic, qos: 0, size: payload.length, payload, references: 0 };
    for (const { connection } of sessions) {
      if (connection === NO_CONNECTION) continue;
      effects({ kind: 'deliver', connection, message, qos: 0, packetId: 0, dup: false, retain: false });
    }
  }
}

/** A will as the session keeps it, with a payload of its own: it may stay for weeks. */
export function holdWill(will: Will | null, position: Position): HeldWill | null {
  if (will === null) return null;
  const payload = will.payload.slice();
  return { position, topic: will.topic, qos: will.qos, retain: will.retain, payload, hash: hashBytes(payload) };
}

/** The lower of a message's and a subscription's QoS (§3.8.4). */
export function lower(published: Qos, granted: Qos | undefined): Qos {
  return granted === undefined || granted > published ? published : granted;
}
