/*
 * Just enough MQTT 3.1.1 to make load: mqtt-packet would make the generator, not the broker, the bottleneck on two cores.
 */
export const CONNACK = 2;
export const PUBLISH = 3;
export const PUBACK = 4;
export const PUBREC = 5;
export const PUBREL = 6;
export const PUBCOMP = 7;
export const SUBACK = 9;

export type Qos = 0 | 1 | 2;

/** Keep-alive is off: load is seldom silent, and idle clients are measured as idle. */
export function connectPacket(clientId: string, clean = true): Buffer {
  const id = Buffer.from(clientId);
  const body = Buffer.concat([Buffer.from([0, 4]), Buffer.from('MQTT'), Buffer.from([4, clean ? 2 : 0, 0, 0]), u16(id.length), id]);
  return withHeader(0x10, body);
}

export function subscribePacket(packetId: number, filters: readonly string[], qos: Qos): Buffer {
  const parts = filters.flatMap((filter) => {
    const text = Buffer.from(filter);
    return [u16(text.length), text, Buffer.from([qos])];
  });
  return withHeader(0x82, Buffer.concat([u16(packetId), ...parts]));
}

/** One of the four answers of two bytes. */
export function answer(type: number, packetId: number): Buffer {
  return Buffer.from([firstByte(type), 2, packetId >> 8, packetId & 0xff]);
}

function firstByte(type: number): number {
  return (type << 4) | (type === PUBREL ? 2 : 0);
}

export interface PublishTemplate {
  readonly bytes: Buffer;
  /** -1 at QoS 0. */
  readonly packetIdAt: number;
  readonly payloadAt: number;
  /** Where the last level of the topic begins. */
  readonly lastLevelAt: number;
}

/** A PUBLISH whose packet id and payload are still to be filled in. */
export function publishTemplate(topic: string, payloadBytes: number, qos: Qos): PublishTemplate {
  const text = Buffer.from(topic);
  const id = qos === 0 ? Buffer.alloc(0) : u16(0);
  const bytes = withHeader(0x30 | (qos << 1), Buffer.concat([u16(text.length), text, id, Buffer.alloc(payloadBytes, 0x2e)]));
  const payloadAt = bytes.length - payloadBytes;
  const topicEnd = payloadAt - id.length;
  return { bytes, packetIdAt: qos === 0 ? -1 : topicEnd, payloadAt, lastLevelAt: topicEnd - text.length + topic.lastIndexOf('/') + 1 };
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

/** Collects the short answers to one piece of input, so that they leave in one write. */
export class Answers {
  private bytes = Buffer.allocUnsafe(4096);
  private length = 0;

  add(type: number, packetId: number): void {
    if (this.length + 4 > this.bytes.length) {
      const grown = Buffer.allocUnsafe(this.bytes.length * 2);
      this.bytes.copy(grown, 0, 0, this.length);
      this.bytes = grown;
    }
    const { bytes } = this;
    bytes[this.length] = firstByte(type);
    bytes[this.length + 1] = 2;
    bytes.writeUInt16BE(packetId, this.length + 2);
    this.length += 4;
  }

  /** What was collected, as a copy that may be given away; `null` when there is nothing. */
  take(): Buffer | null {
    if (this.length === 0) return null;
    const all = Buffer.from(this.bytes.subarray(0, this.length));
    this.length = 0;
    return all;
  }
}

/** Called for each packet: its first byte, and where its body lies. */
export type PacketSink = (first: number, bytes: Buffer, start: number, end: number) => void;

/** Bytes in, packets out. The body is good during the call only. A packet that comes in many pieces is put together once. */
export class PacketReader {
  private pieces: Buffer[] = [];
  private held = 0;
  /** So many bytes are wanted before it is worth looking again. */
  private wanted = 0;

  constructor(private readonly sink: PacketSink) {}

  push(piece: Buffer): void {
    let bytes = piece;
    if (this.held > 0) {
      this.pieces.push(piece);
      this.held += piece.length;
      if (this.held < this.wanted) return;
      bytes = Buffer.concat(this.pieces, this.held);
    }
    let at = 0;
    this.wanted = 0;
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
      if (!whole) break;
      if (body + length > bytes.length) {
        this.wanted = body + length - at;
        break;
      }
      this.sink(bytes[at] as number, bytes, body, body + length);
      at = body + length;
    }
    this.held = bytes.length - at;
    this.pieces = this.held === 0 ? [] : [bytes.subarray(at)];
  }
}
