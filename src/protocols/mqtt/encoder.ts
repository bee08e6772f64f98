import type { Effect } from '../../core/broker/effects.js';
import { assertionFailed } from '../../core/errors.js';
import { encodeText } from '../../core/wire/bytes.js';
import type { ConnackCode } from './packets.js';

/** What is sent to a client: what was admitted, and the answer to a ping, which concerns nobody else. */
export type Outgoing = Exclude<Effect, { readonly kind: 'close' }> | { readonly kind: 'pingresp' };

export const PINGRESP: Outgoing = { kind: 'pingresp' };

/** First bytes of the packets that consist of a packet id alone (§3.4 to §3.7, §3.11). */
const ID_HEADERS = { puback: 0x40, pubrec: 0x50, pubrel: 0x62, pubcomp: 0x70, unsuback: 0xb0 } as const;

/** A refusal (§3.2.2.3), or the acceptance without a session. */
export function encodeConnack(code: ConnackCode): Uint8Array {
  return Uint8Array.of(0x20, 2, 0, code);
}

/**
 * Packets to bytes, by two steps: `size`, and then `write` into a buffer with so much room. One for all connections: it keeps the last topic as
 * bytes, since a message that goes to many subscribers comes here many times in a row.
 */
export class PacketEncoder {
  private topic = '';
  private topicBytes: Uint8Array = new Uint8Array(0);

  /** Bytes of the whole packet. */
  size(item: Outgoing): number {
    switch (item.kind) {
      case 'deliver': {
        const body = this.bodyOf(item);
        return 1 + lengthBytes(body) + body;
      }
      case 'suback': {
        const body = 2 + item.granted.length;
        return 1 + lengthBytes(body) + body;
      }
      case 'pingresp':
        return 2;
      default:
        return 4;
    }
  }

  /** Writes the packet at `at` and returns where it ends. `payload` is that of a `deliver`. */
  write(item: Outgoing, payload: Uint8Array | null, into: Uint8Array, at: number): number {
    switch (item.kind) {
      case 'deliver':
        if (payload === null || payload.length !== item.message.size) assertionFailed(`message ${item.message.id} comes without its whole payload`);
        return this.writePublish(item, payload, into, at);
      case 'connack':
        return writeFour(into, at, 0x20, item.sessionPresent ? 1 : 0, 0);
      case 'suback':
        return writeSuback(item, into, at);
      case 'pingresp':
        into[at] = 0xd0;
        into[at + 1] = 0;
        return at + 2;
      default:
        return writeFour(into, at, ID_HEADERS[item.kind], item.packetId >> 8, item.packetId & 0xff);
    }
  }

  private bodyOf(item: Outgoing & { kind: 'deliver' }): number {
    return 2 + this.bytesOf(item.message.topic).length + (item.qos === 0 ? 0 : 2) + item.message.size;
  }

  private writePublish(item: Outgoing & { kind: 'deliver' }, payload: Uint8Array, into: Uint8Array, from: number): number {
    const at = this.writeHead(item, into, from);
    into.set(payload, at);
    return at + payload.length;
  }

  /** Writes a PUBLISH without its payload, which must follow. */
  writeHead(item: Outgoing & { kind: 'deliver' }, into: Uint8Array, from: number): number {
    const topic = this.bytesOf(item.message.topic);
    into[from] = 0x30 | (item.dup ? 8 : 0) | (item.qos << 1) | (item.retain ? 1 : 0);
    let at = writeLength(into, from + 1, this.bodyOf(item));
    into[at++] = topic.length >> 8;
    into[at++] = topic.length & 0xff;
    into.set(topic, at);
    at += topic.length;
    if (item.qos !== 0) {
      into[at++] = item.packetId >> 8;
      into[at++] = item.packetId & 0xff;
    }
    return at;
  }

  private bytesOf(topic: string): Uint8Array {
    if (topic !== this.topic) {
      this.topic = topic;
      this.topicBytes = encodeText(topic);
    }
    return this.topicBytes;
  }
}

function writeSuback(item: Outgoing & { kind: 'suback' }, into: Uint8Array, from: number): number {
  into[from] = 0x90;
  let at = writeLength(into, from + 1, 2 + item.granted.length);
  into[at++] = item.packetId >> 8;
  into[at++] = item.packetId & 0xff;
  for (const code of item.granted) into[at++] = code;
  return at;
}

function writeFour(into: Uint8Array, at: number, header: number, third: number, fourth: number): number {
  into[at] = header;
  into[at + 1] = 2;
  into[at + 2] = third;
  into[at + 3] = fourth;
  return at + 4;
}

/** Bytes that a remaining length takes (§2.2.3). */
function lengthBytes(length: number): number {
  return length < 128 ? 1 : length < 16_384 ? 2 : length < 2_097_152 ? 3 : 4;
}

function writeLength(into: Uint8Array, from: number, length: number): number {
  let at = from;
  let left = length;
  while (left >= 128) {
    into[at++] = (left & 0x7f) | 0x80;
    left >>= 7;
  }
  into[at++] = left;
  return at;
}
