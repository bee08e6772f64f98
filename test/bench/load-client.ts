import { connect, type Socket } from 'node:net';
import { Latencies } from './latencies.js';
import { CONNACK, connectPacket, PacketReader, PUBACK, PUBLISH, publishTemplate, SUBACK, subscribePacket, type PublishTemplate } from './packets.js';

/** Which of a publisher's messages came, and how often. */
export class Received {
  /** Messages that came for the first time. */
  different = 0;
  duplicates = 0;
  private seen = new Uint8Array(65_536);

  note(sequence: number): void {
    if (sequence >= this.seen.length) {
      const grown = new Uint8Array(Math.max(this.seen.length * 2, sequence + 1));
      grown.set(this.seen);
      this.seen = grown;
    }
    if (this.seen[sequence] === 1) this.duplicates += 1;
    else this.different += 1;
    this.seen[sequence] = 1;
  }

  has(sequence: number): boolean {
    return this.seen[sequence] === 1;
  }
}

function opened(port: number, clientId: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => {
      socket.write(connectPacket(clientId));
      resolve(socket);
    });
    socket.once('error', reject);
  });
}

/** Takes everything below a topic, at QoS 0 or 1, over a raw socket. */
export class LoadSubscriber {
  readonly received: Received[] = [];
  /** Of all publishers together, without duplicates. */
  count = 0;
  private acks: Buffer = Buffer.allocUnsafe(64 * 1024);
  private acksLength = 0;
  private subscribed: () => void = () => undefined;
  onProgress: () => void = () => undefined;

  private constructor(
    private readonly socket: Socket,
    publishers: number,
  ) {
    for (let at = 0; at < publishers; at++) this.received.push(new Received());
    const reader = new PacketReader((type, bytes, start, end) => this.packet(type, bytes, start, end));
    socket.on('data', (piece: Buffer) => {
      reader.push(piece);
      this.flush();
      this.onProgress();
    });
  }

  static async open(port: number, filter: string, qos: 0 | 1, publishers: number): Promise<LoadSubscriber> {
    const socket = await opened(port, `bench-subscriber-${port}`);
    const subscriber = new LoadSubscriber(socket, publishers);
    const done = new Promise<void>((resolve, reject) => {
      subscriber.subscribed = resolve;
      socket.once('close', () => reject(new Error('the subscriber was disconnected')));
    });
    socket.write(subscribePacket(1, filter, qos));
    await done;
    return subscriber;
  }

  close(): void {
    this.socket.destroy();
  }

  private packet(type: number, bytes: Buffer, start: number, end: number): void {
    if (type === SUBACK) return this.subscribed();
    if (type !== PUBLISH) return;
    // At QoS 0 there is no packet id: the length tells.
    let payload = start + 2 + bytes.readUInt16BE(start);
    if (end - payload > PAYLOAD_BYTES) {
      this.acknowledge(bytes, payload);
      payload += 2;
    }
    const of = this.received[bytes.readUInt16BE(payload)];
    if (of === undefined) return;
    const before = of.different;
    of.note(bytes.readUInt32BE(payload + 2));
    this.count += of.different - before;
  }

  private acknowledge(bytes: Buffer, at: number): void {
    if (this.acksLength + 4 > this.acks.length) this.flush();
    const { acks } = this;
    acks[this.acksLength] = 0x40;
    acks[this.acksLength + 1] = 2;
    acks[this.acksLength + 2] = bytes[at] as number;
    acks[this.acksLength + 3] = bytes[at + 1] as number;
    this.acksLength += 4;
  }

  private flush(): void {
    if (this.acksLength === 0) return;
    this.socket.write(Buffer.from(this.acks.subarray(0, this.acksLength)));
    this.acksLength = 0;
  }
}

/** Of every message, at every place of this benchmark. */
export const PAYLOAD_BYTES = 256;

/** Publishes at QoS 1 over a raw socket and keeps `window` messages in flight. */
export class LoadPublisher {
  /** Messages sent, and acknowledged. The broker acknowledges in the order of sending (MQTT-4.6.0-2). */
  sent = 0;
  acknowledged = 0;
  latencies = new Latencies();
  running = false;
  failure: string | null = null;
  private readonly sentAt = new Float64Array(65_536);
  private readonly template: PublishTemplate;
  private connected: () => void = () => undefined;

  private constructor(
    private readonly socket: Socket,
    private readonly index: number,
    private readonly window: number,
    /** How many more messages all publishers together may send now. */
    private readonly credit: () => number,
  ) {
    this.template = publishTemplate(`bench/load/${index}`, PAYLOAD_BYTES);
    const reader = new PacketReader((type, bytes, start) => this.packet(type, bytes, start));
    socket.on('data', (piece: Buffer) => {
      reader.push(piece);
      this.pump();
    });
    socket.on('close', () => (this.failure ??= 'a publisher was disconnected'));
    socket.on('error', (error) => (this.failure ??= error.message));
  }

  static async open(port: number, index: number, window: number, credit: () => number): Promise<LoadPublisher> {
    const socket = await opened(port, `bench-publisher-${port}-${index}`);
    const publisher = new LoadPublisher(socket, index, window, credit);
    await new Promise<void>((resolve) => (publisher.connected = resolve));
    return publisher;
  }

  /** Sends what the window and the credit allow, in one write. */
  pump(): void {
    if (!this.running || this.failure !== null) return;
    const count = Math.min(this.window - (this.sent - this.acknowledged), this.credit());
    if (count <= 0) return;
    const { bytes, packetIdAt, payloadAt } = this.template;
    const all = Buffer.allocUnsafe(count * bytes.length);
    const now = performance.now();
    for (let n = 0, at = 0; n < count; n++, at += bytes.length) {
      const packetId = (this.sent % 65_535) + 1;
      bytes.copy(all, at);
      all.writeUInt16BE(packetId, at + packetIdAt);
      all.writeUInt16BE(this.index, at + payloadAt);
      all.writeUInt32BE(this.sent, at + payloadAt + 2);
      this.sentAt[packetId] = now;
      this.sent += 1;
    }
    this.socket.write(all);
  }

  close(): void {
    this.failure ??= 'closed';
    this.socket.destroy();
  }

  private packet(type: number, bytes: Buffer, start: number): void {
    if (type === CONNACK) return this.connected();
    if (type !== PUBACK) return;
    const packetId = bytes.readUInt16BE(start);
    if (packetId !== (this.acknowledged % 65_535) + 1) {
      this.failure = `packet ${packetId} was acknowledged out of turn`;
      return;
    }
    this.acknowledged += 1;
    this.latencies.add(performance.now() - (this.sentAt[packetId] as number));
  }
}
