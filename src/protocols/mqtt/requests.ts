import type { ConnectionId } from '../../core/broker/effects.js';
import type { Operation } from '../../core/broker/operations.js';
import { RecordOrigin } from '../../core/journal/envelope.js';
import type { ClientEdge, Submitted } from '../../server/edge.js';
import { decodeAcknowledgement, decodePublish, decodeSubscribe, decodeUnsubscribe } from './decoder.js';
import { ProtocolFault } from './fault.js';
import { PacketType } from './framer.js';
import type { PacketFramer } from './framer.js';
import { SharedFilters } from './shared-filters.js';
import { TopicCache } from './topic-cache.js';

export interface RequestsWorld {
  /** PINGREQ came; it concerns nobody else. */
  pinged(): void;
  /** DISCONNECT came. */
  disconnected(): void;
  /** A filter of a SUBSCRIBE is not granted: shared subscriptions are not offered. */
  notGranted(filter: string): void;
  /** A QoS 0 message was not taken. */
  lost(why: string): void;
  /** Nothing was appended and nothing may be acknowledged: a client that stays connected would wait for ever (MQTT-3.3.5-2 lets us close). */
  refused(refusal: Submitted & { kind: 'refused' }): void;
}

/**
 * What one client asks of the broker once it is let in: its packets become operations, which are submitted in their order.
 *
 * Invariants
 * - Nothing is answered here: an operation's answer is an effect.
 * - While an operation waits for room on the disk (`waiting`), no packet may be taken.
 */
export class Requests {
  private readonly topics = new TopicCache();
  private readonly sharedFilters = new SharedFilters();
  /** What the broker could not take for want of room on the disk. */
  private refusedForNow: Operation | null = null;

  constructor(
    private readonly edge: ClientEdge,
    private readonly world: RequestsWorld,
  ) {}

  get waiting(): boolean {
    return this.refusedForNow !== null;
  }

  /** @throws ProtocolFault */
  take(connection: ConnectionId, packet: PacketFramer): void {
    switch (packet.header >> 4) {
      case PacketType.publish:
        return this.takePublish(connection, packet);
      case PacketType.puback:
        return this.submit({ kind: 'acknowledge', connection, packetId: decodeAcknowledgement(packet) });
      case PacketType.pubrec:
        return this.submit({ kind: 'received', connection, packetId: decodeAcknowledgement(packet) });
      case PacketType.pubrel:
        return this.submit({ kind: 'release', connection, packetId: decodeAcknowledgement(packet) });
      case PacketType.pubcomp:
        return this.submit({ kind: 'complete', connection, packetId: decodeAcknowledgement(packet) });
      case PacketType.subscribe:
        return this.takeSubscribe(connection, packet);
      case PacketType.unsubscribe:
        return this.submit({ kind: 'unsubscribe', connection, ...decodeUnsubscribe(packet) });
      case PacketType.pingreq:
        return this.world.pinged();
      case PacketType.disconnect:
        return this.world.disconnected();
      default:
        throw new ProtocolFault('a second CONNECT', 'MQTT-3.1.0-2');
    }
  }

  /** The return codes of a SUBACK, with those of the filters that the broker has not heard of. */
  granted(packetId: number, granted: readonly number[]): readonly number[] {
    return this.sharedFilters.answer(packetId, granted);
  }

  /** Submits again what had to wait, if it can be taken now. */
  retry(): void {
    const operation = this.refusedForNow;
    if (operation === null || this.edge.congested) return;
    this.refusedForNow = null;
    this.submit(operation);
  }

  /** The broker hears nothing more: what had to wait is forgotten. */
  close(): void {
    this.refusedForNow = null;
  }

  private takePublish(connection: ConnectionId, packet: PacketFramer): void {
    const { topic, qos, retain, packetId, payload } = decodePublish(packet, this.topics);
    if (qos !== 0 || retain) {
      this.submit({ kind: 'publish', connection, packetId, topic, qos, retain, payload });
      return;
    }
    const submitted = this.edge.submitVolatile(topic, payload, connection);
    if (submitted.kind === 'accepted') return;
    if (submitted.reason === 'not-serving') this.world.refused(submitted);
    else this.world.lost(submitted.detail);
  }

  private takeSubscribe(connection: ConnectionId, packet: PacketFramer): void {
    const { rest, filter } = this.sharedFilters.without(decodeSubscribe(packet));
    if (filter !== null) this.world.notGranted(filter);
    this.submit({ kind: 'subscribe', connection, ...rest });
  }

  private submit(operation: Operation): void {
    const submitted = this.edge.submit(operation, RecordOrigin.mqtt3);
    if (submitted.kind === 'accepted') return;
    // A full disk: the client waits, unacknowledged, until there is room; `resume` tells. One operation for each client at most.
    if (submitted.reason === 'disk-full' && this.edge.congested) this.refusedForNow = operation;
    else this.world.refused(submitted);
  }
}
