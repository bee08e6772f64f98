import { assert } from '../errors.js';
import { Delivery } from './delivery.js';
import { countCounters } from './digest-entries.js';
import type { Effect, EffectSink, Qos } from './effects.js';
import type { StoredMessage } from './messages.js';
import { NO_CONNECTION } from './session.js';
import type { Session } from './session.js';
import type { BrokerState } from './state.js';

const PACKET_ID_MAX = 65_535;

/** The sending half of the QoS handshakes (§4.3): in-flight windows, packet ids, order, and what is sent again. */
export class Outbound {
  constructor(private readonly state: BrokerState) {}

  /**
   * Sends a message to a session, or keeps it for it. QoS 0 reaches the connected only, and at once: it may overtake waiting
   * messages of higher QoS, which the standard permits (§4.6 orders each QoS by itself).
   */
  deliver(session: Session, message: StoredMessage, qos: Qos, retain: boolean, effects: EffectSink): void {
    const { connection } = session;
    if (qos === 0) {
      if (connection !== NO_CONNECTION) effects({ kind: 'deliver', connection, message, qos, packetId: 0, dup: false, retain });
      return;
    }
    if (!session.keeps) return;
    this.state.messages.acquire(message);
    const delivery = new Delivery(message, session.nextOrder, qos, retain);
    this.state.deliveriesMade++;
    countCounters(this.state.digest, -1, session);
    session.nextOrder++;
    if (connection !== NO_CONNECTION && session.queue.length === 0 && session.inflight.size < this.state.limits.inflightMessagesMax) {
      this.send(session, delivery, message, effects);
    } else {
      this.state.enqueue(session, delivery);
    }
    countCounters(this.state.digest, 1, session);
  }

  /** After a session got a connection: everything under way again in its first order, then what waits (§4.4, MQTT-4.6.0-1). */
  resume(session: Session, effects: EffectSink): void {
    for (const delivery of session.inflight.values()) effects(again(session, delivery));
    this.fill(session, effects);
  }

  /** PUBACK. Ignored unless it answers a QoS 1 message under way. */
  acknowledge(session: Session, packetId: number, effects: EffectSink): void {
    const delivery = session.inflight.get(packetId);
    if (delivery === undefined || delivery.qos !== 1) return;
    this.state.finish(session, delivery);
    this.fill(session, effects);
  }

  /** PUBREC. Always answered by PUBREL: for an id that is not known, the handshake ended before and its PUBREL was lost. */
  received(session: Session, packetId: number, effects: EffectSink): void {
    const delivery = session.inflight.get(packetId);
    if (delivery !== undefined && delivery.qos === 2 && delivery.message !== null) this.state.noteReceived(session, delivery);
    effects({ kind: 'pubrel', connection: session.connection, packetId });
  }

  /** PUBCOMP. Ignored unless it answers a PUBREL. */
  complete(session: Session, packetId: number, effects: EffectSink): void {
    const delivery = session.inflight.get(packetId);
    if (delivery === undefined || delivery.message !== null) return;
    this.state.finish(session, delivery);
    this.fill(session, effects);
  }

  private fill(session: Session, effects: EffectSink): void {
    while (session.queue.length > 0 && session.inflight.size < this.state.limits.inflightMessagesMax) {
      const delivery = this.state.dequeue(session);
      const { message } = delivery;
      assert(message !== null, 'a delivery in a queue without its message');
      countCounters(this.state.digest, -1, session);
      this.send(session, delivery, message, effects);
      countCounters(this.state.digest, 1, session);
    }
  }

  /** The caller keeps the counters' digest. */
  private send(session: Session, delivery: Delivery, message: StoredMessage, effects: EffectSink): void {
    const packetId = takePacketId(session);
    delivery.packetId = packetId;
    this.state.startFlight(session, delivery);
    const { qos, retain } = delivery;
    effects({ kind: 'deliver', connection: session.connection, message, qos, packetId, dup: false, retain });
  }
}

/** There is always one: the window is no larger than the number of ids. */
function takePacketId(session: Session): number {
  let id = session.nextPacketId;
  while (session.inflight.has(id)) id = following(id);
  session.nextPacketId = following(id);
  return id;
}

function following(id: number): number {
  return id === PACKET_ID_MAX ? 1 : id + 1;
}

function again(session: Session, delivery: Delivery): Effect {
  const { connection } = session;
  const { message, packetId, qos, retain } = delivery;
  if (message === null) return { kind: 'pubrel', connection, packetId };
  return { kind: 'deliver', connection, message, qos, packetId, dup: true, retain };
}
