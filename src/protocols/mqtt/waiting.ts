import type { Message } from '../../core/broker/effects.js';
import { NO_CONNECTION } from '../../core/broker/session.js';
import type { Outgoing } from './encoder.js';

/**
 * What a packet that waits takes of the process's heap beside its payload: the packet, its message, the objects of its payload, its places in the queue.
 * Measured with Node.js 20, where each is of a message of its own: 353 to 382 bytes; where ten clients wait for the same ones, 54 for each of them.
 */
export const WAITING_PACKET_BYTES = 400;

type Deliver = Outgoing & { readonly kind: 'deliver' };

/**
 * QoS 0 messages that have to wait, as packets of their own: nobody else may need the message any more, and a payload that is a view would keep the whole
 * block that it came in. All clients that wait for one message share one packet: a message comes here for one after the other. One for all connections.
 *
 * What these packets take is known, each counted once. `leave` is to be called for each that `of` gave.
 */
export class WaitingPackets {
  private message: Message | null = null;
  private packet: WaitingPacket | null = null;
  private bytes = 0;

  constructor(private readonly bytesMax: number) {}

  /** Nothing more should wait, but little for each client. */
  get isFull(): boolean {
    return this.bytes >= this.bytesMax;
  }

  /** The packet that waits in an item's place: itself, where that is as good. */
  of(item: Outgoing): Outgoing {
    if (item.kind !== 'deliver' || item.qos !== 0 || item.retain || item.message.payload === null) return item;
    if (this.packet === null || this.message !== item.message) {
      this.message = item.message;
      this.packet = new WaitingPacket(withOwnPayload(item.message, item.message.payload));
    }
    if (this.packet.references++ === 0) this.bytes += this.packet.bytes;
    return this.packet;
  }

  /** It waits no more for one of those that it waited for. */
  leave(item: Outgoing): void {
    if (item instanceof WaitingPacket && --item.references === 0) this.bytes -= item.bytes;
  }
}

class WaitingPacket implements Deliver {
  readonly kind = 'deliver';
  readonly connection = NO_CONNECTION;
  readonly qos = 0;
  readonly packetId = 0;
  readonly dup = false;
  readonly retain = false;
  readonly bytes: number;
  /** In queues. */
  references = 0;

  constructor(readonly message: Message) {
    this.bytes = message.size + WAITING_PACKET_BYTES;
  }
}

function withOwnPayload({ id, topic, qos, size }: Message, payload: Uint8Array): Message {
  const isView = payload.byteLength * 2 < payload.buffer.byteLength;
  return { id, topic, qos, size, payload: isView ? payload.slice() : payload, references: 0 };
}
