/*
 * Just enough MQTT 3.1.1 to make load: mqtt-packet would make the generator, not the broker, the bottleneck on two cores.
 */
export const CONNACK = 2;
export const PUBLISH = 3;
export const PUBACK = 4;
export const SUBACK = 9;

export function connectPacket(clientId: string): Buffer {
  const id = Buffer.from(clientId);
  const body = Buffer.concat([Buffer.from([0, 4]), Buffer.from('MQTT'), Buffer.from([4, 2, 0, 0]), u16(id.length), id]);
  return withHeader(0x10, body);
}

export function subscribePacket(packetId: number, filter: string, qos: number): Buffer {
  const text = Buffer.from(filter);
  return withHeader(0x82, Buffer.concat([u16(packetId), u16(text.length), text, Buffer.from([qos])]));
}

export interface PublishTemplate {
  readonly bytes: Buffer;
  readonly packetIdAt: number;
  readonly payloadAt: number;
}

/** A PUBLISH at QoS 1 whose packet id and payload are still to be filled in. */
export function publishTemplate(topic: string, payloadBytes: number): PublishTemplate {
  const text = Buffer.from(topic);
  const bytes = withHeader(0x32, Buffer.concat([u16(text.length), text, u16(0), Buffer.alloc(payloadBytes, 0x2e)]));
  const payloadAt = bytes.length - payloadBytes;
  return { bytes, packetIdAt: payloadAt - 2, payloadAt };
}

function u16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}

function withHeader(first: number, body: Buffer): Buffer {
  const head = [first];
  let left = body.length;
  do {
    const digit = left & 0x7f;
    left >>= 7;
    head.push(left > 0 ? digit | 0x80 : digit);
  } while (left > 0);
  return Buffer.concat([Buffer.from(head), body]);
}

/** Called for each packet: its type, and where its body lies. */
export type PacketSink = (type: number, bytes: Buffer, start: number, end: number) => void;

/** Bytes in, packets out. The body is good during the call only. */
export class PacketReader {
  private rest: Buffer | null = null;

  constructor(private readonly sink: PacketSink) {}

  push(piece: Buffer): void {
    const bytes = this.rest === null ? piece : Buffer.concat([this.rest, piece]);
    let at = 0;
    for (;;) {
      let length = 0;
      let shift = 0;
      let body = at + 1;
      let whole = false;
      while (body < bytes.length && !whole) {
        const digit = bytes[body++] as number;
        length |= (digit & 0x7f) << shift;
        shift += 7;
        whole = digit < 0x80;
      }
      if (!whole || body + length > bytes.length) break;
      this.sink((bytes[at] as number) >> 4, bytes, body, body + length);
      at = body + length;
    }
    this.rest = at === bytes.length ? null : bytes.subarray(at);
  }
}
