import { ProtocolFault } from './fault.js';

/** Packet types, the upper half of the first byte (MQTT 3.1.1 §2.2.1). */
export const PacketType = {
  connect: 1,
  connack: 2,
  publish: 3,
  puback: 4,
  pubrec: 5,
  pubrel: 6,
  pubcomp: 7,
  subscribe: 8,
  suback: 9,
  unsubscribe: 10,
  unsuback: 11,
  pingreq: 12,
  pingresp: 13,
  disconnect: 14,
} as const;

const NAMES = [
  'type 0', 'CONNECT', 'CONNACK', 'PUBLISH', 'PUBACK', 'PUBREC', 'PUBREL', 'PUBCOMP',
  'SUBSCRIBE', 'SUBACK', 'UNSUBSCRIBE', 'UNSUBACK', 'PINGREQ', 'PINGRESP', 'DISCONNECT', 'type 15',
]; // prettier-ignore

/** Packets whose length never varies: type to length of what follows the fixed header. */
const FIXED_LENGTHS: ReadonlyMap<number, number> = new Map([
  [PacketType.puback, 2],
  [PacketType.pubrec, 2],
  [PacketType.pubrel, 2],
  [PacketType.pubcomp, 2],
  [PacketType.pingreq, 0],
  [PacketType.disconnect, 0],
]);

const SERVER_ONLY: ReadonlySet<number> = new Set([
  0,
  PacketType.connack,
  PacketType.suback,
  PacketType.unsuback,
  PacketType.pingresp,
  15,
]);

const HEADER_BYTES_MAX = 5;
const EMPTY = new Uint8Array(0);

/** Name of the packet that a first byte announces; for the log. */
export function packetName(header: number): string {
  return NAMES[header >> 4] as string;
}

/**
 * Bytes in, whole packets out, however the bytes were cut. Every check that needs only the fixed header is made on the header, before
 * the rest is waited for, so that a client can make the server hold at most `bytesMax` bytes and only bytes that it really sent.
 *
 * `push` gives bytes, `next` moves to the next whole packet. A packet is a view: it stays good, since no buffer is used twice.
 */
export class PacketFramer {
  /** First byte of the present packet. */
  header = 0;
  /** The present packet's body is `bytes` from `start` to `end`. */
  bytes: Uint8Array = EMPTY;
  start = 0;
  end = 0;

  /**
   * The client speaks MQTT 3.1: there the flags of all packets but PUBLISH are "not used" or say that it is sent again (MQTT V3.1, section 2.1, 3.7, 3.8,
   * 3.10), so they are not looked at, and `header` has those of MQTT 3.1.1.
   */
  isOld = false;
  /** No packet has come: what the flags of CONNECT may be is for the version of the protocol to say, which stands behind them. */
  isOpening = false;

  private chunk: Uint8Array = EMPTY;
  private at = 0;
  /** The beginning of a packet whose rest has not come. */
  private partial: Uint8Array | null = null;
  private partialLength = 0;
  /** Set by `readHeader`. */
  private headerBytes = 0;
  private packetBytes = 0;
  /** … of the packet that is under way. */
  private isKnown = false;

  /** @param bytesMax limit for a whole packet; may be changed between packets */
  constructor(public bytesMax: number) {}

  /** Bytes that came and were not handed out yet. */
  get waiting(): number {
    return this.partialLength + this.chunk.length - this.at;
  }

  /** Memory that a packet under way, whose rest has not come, takes at most until it is whole; 0: none is under way. */
  get underWayBytes(): number {
    if (this.partial === null) return 0;
    return this.isKnown ? this.packetBytes : this.partial.length;
  }

  push(bytes: Uint8Array): void {
    this.chunk = this.at >= this.chunk.length ? bytes : joined(this.chunk.subarray(this.at), bytes);
    this.at = 0;
  }

  /** True: a whole packet is there. False: the one before it is forgotten. @throws ProtocolFault when what comes can never be one */
  next(): boolean {
    // Of a client that says nothing more for hours it would be kept so long.
    this.bytes = EMPTY;
    if (this.partial !== null) return this.finishPartial(this.partial);
    const left = this.chunk.length - this.at;
    if (left === 0) {
      this.chunk = EMPTY;
      this.at = 0;
      return false;
    }
    this.isKnown = this.readHeader(this.chunk, this.at, this.chunk.length);
    if (!this.isKnown || left < this.packetBytes) {
      this.partial = new Uint8Array(Math.max(64, left));
      this.partial.set(this.chunk.subarray(this.at));
      this.partialLength = left;
      this.chunk = EMPTY;
      this.at = 0;
      return false;
    }
    this.show(this.chunk, this.at);
    this.at += this.packetBytes;
    return true;
  }

  /** Forgets everything that came. */
  clear(): void {
    this.bytes = EMPTY;
    this.chunk = EMPTY;
    this.at = 0;
    this.partial = null;
    this.partialLength = 0;
  }

  /** Takes from the chunk what the packet under way lacks. */
  private finishPartial(partial: Uint8Array): boolean {
    let bytes = partial;
    while (!this.readHeader(bytes, 0, this.partialLength)) {
      if (this.at >= this.chunk.length) return false;
      bytes = this.append(bytes, 1);
    }
    this.isKnown = true;
    const lacking = Math.min(this.packetBytes - this.partialLength, this.chunk.length - this.at);
    if (lacking > 0) bytes = this.append(bytes, lacking);
    if (this.partialLength < this.packetBytes) return false;
    this.partial = null;
    this.partialLength = 0;
    this.show(bytes, 0);
    return true;
  }

  private append(bytes: Uint8Array, count: number): Uint8Array {
    let room = bytes;
    const needed = this.partialLength + count;
    if (needed > room.length) {
      // Twice what has really come, never what the header merely announces.
      room = new Uint8Array(Math.max(needed, Math.min(room.length * 2, this.packetBytes)));
      room.set(bytes.subarray(0, this.partialLength));
    }
    room.set(this.chunk.subarray(this.at, this.at + count), this.partialLength);
    this.at += count;
    this.partialLength = needed;
    this.partial = room;
    return room;
  }

  private show(bytes: Uint8Array, from: number): void {
    const header = bytes[from] as number;
    this.header = this.isOld ? withFlags(header) : header;
    this.bytes = bytes;
    this.start = from + this.headerBytes;
    this.end = from + this.packetBytes;
  }

  /** Reads the fixed header (§2.2) at `from`; false when it is not whole yet. */
  private readHeader(bytes: Uint8Array, from: number, to: number): boolean {
    if (from >= to) return false;
    const header = bytes[from] as number;
    checkFirstByte(this.isOld || (this.isOpening && header >> 4 === PacketType.connect) ? withFlags(header) : header);
    let length = 0;
    let factor = 1;
    for (let i = 1; i < HEADER_BYTES_MAX; i++) {
      if (from + i >= to) return false;
      const byte = bytes[from + i] as number;
      length += (byte & 0x7f) * factor;
      if (byte < 0x80) {
        this.headerBytes = i + 1;
        this.packetBytes = i + 1 + length;
        this.checkLength(header, length);
        return true;
      }
      factor *= 128;
    }
    throw new ProtocolFault('a remaining length of more than four bytes', '§2.2.3');
  }

  private checkLength(header: number, length: number): void {
    if (this.packetBytes > this.bytesMax) {
      throw new ProtocolFault(`a ${packetName(header)} packet of ${this.packetBytes} bytes; ${this.bytesMax} are allowed (packetBytesMax)`, 'limit');
    }
    const fixed = FIXED_LENGTHS.get(header >> 4);
    if (fixed !== undefined && length !== fixed) {
      throw new ProtocolFault(`a ${packetName(header)} packet of length ${length}, where ${fixed} is the only one`, '§3');
    }
  }
}

function checkFirstByte(header: number): void {
  const type = header >> 4;
  const flags = header & 0x0f;
  if (type === PacketType.publish) {
    const qos = (flags >> 1) & 3;
    if (qos === 3) throw new ProtocolFault('a PUBLISH of QoS 3', 'MQTT-3.3.1-4');
    if (qos === 0 && (flags & 8) !== 0) throw new ProtocolFault('a PUBLISH of QoS 0 marked as a duplicate', 'MQTT-3.3.1-2');
    return;
  }
  if (SERVER_ONLY.has(type)) throw new ProtocolFault(`a packet (${packetName(header)}) that no client may send`, '§2.2.1');
  checkFlags(header);
}

/** @throws ProtocolFault unless the first byte has the flags that MQTT 3.1.1 has in a packet of that type. Not for PUBLISH. */
export function checkFlags(header: number): void {
  if (header !== withFlags(header)) throw new ProtocolFault(`reserved flags ${header & 0x0f} in a ${packetName(header)} packet`, 'MQTT-2.2.2-2');
}

/** The first byte with the flags that MQTT 3.1.1 has in a packet of that type. */
export function withFlags(header: number): number {
  const type = header >> 4;
  if (type === PacketType.publish) return header;
  return (type << 4) | (type === PacketType.pubrel || type === PacketType.subscribe || type === PacketType.unsubscribe ? 2 : 0);
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}
