import { connect, type Socket } from 'node:net';
import { Latencies } from '../latencies.js';
import type { Flow, Publisher } from './client.js';
import { stamp } from './ledger.js';
import { Answers, CONNACK, connectPacket, PacketReader, PUBACK, PUBCOMP, publishTemplate, PUBREC, PUBREL, type PublishTemplate, type Qos } from './packets.js';

export interface PublisherOptions {
  readonly port: number;
  readonly clientId: string;
  /** Its number among the publishers of this load. */
  readonly index: number;
  readonly qos: Qos;
  readonly payloadBytes: number;
  readonly window: number;
  readonly topic: string;
  /** The last level of the topic is a number that goes round below this; 1: the topic is always the same. */
  readonly topics: number;
  readonly flow: Flow;
}

/** Digits of a numbered last level. */
export const TOPIC_DIGITS = 5;
const PACKET_IDS = 65_535;

/** A socket on which CONNECT was said. @throws Error when nobody listens */
export function opened(port: number, clientId: string, clean: boolean): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => {
      socket.off('error', reject);
      socket.write(connectPacket(clientId, clean));
      resolve(socket);
    });
    socket.once('error', reject);
  });
}

/** Publishes over a raw socket and keeps `window` messages in flight. */
export class MqttPublisher implements Publisher {
  sent = 0;
  acknowledged = 0;
  latencies = new Latencies();
  running = false;
  failure: string | null = null;
  /** By the message's number modulo the window. */
  private readonly sentAt: Float64Array;
  private readonly template: PublishTemplate;
  private readonly answers = new Answers();
  private connected: () => void = () => undefined;

  private constructor(
    private readonly socket: Socket,
    private readonly options: PublisherOptions,
  ) {
    const { topic, topics, payloadBytes, qos } = options;
    this.sentAt = new Float64Array(options.window);
    this.template = publishTemplate(topics > 1 ? `${topic}/${'0'.repeat(TOPIC_DIGITS)}` : topic, payloadBytes, qos);
    const reader = new PacketReader((first, bytes, start) => this.packet(first >> 4, bytes, start));
    socket.on('data', (piece: Buffer) => {
      reader.push(piece);
      const answers = this.answers.take();
      if (answers !== null) socket.write(answers);
      this.pump();
    });
    socket.on('drain', () => this.pump());
    socket.on('close', () => (this.failure ??= `publisher ${options.index} was disconnected`));
    socket.on('error', (error) => (this.failure ??= error.message));
  }

  static async open(options: PublisherOptions): Promise<MqttPublisher> {
    const socket = await opened(options.port, options.clientId, true);
    const publisher = new MqttPublisher(socket, options);
    await new Promise<void>((resolve, reject) => {
      publisher.connected = resolve;
      socket.once('close', () => reject(new Error(`publisher ${options.index} was refused`)));
    });
    return publisher;
  }

  pump(): void {
    if (!this.running || this.failure !== null) return;
    const { window, flow, qos } = this.options;
    // Without acknowledgements the socket's own buffer is what is in flight.
    if (qos === 0 && this.socket.writableNeedDrain) return;
    const room = qos === 0 ? window : window - (this.sent - this.acknowledged);
    const count = room > 0 ? flow.grant(room) : 0;
    if (count > 0) this.send(count);
  }

  close(): void {
    this.failure ??= 'closed';
    this.socket.destroy();
  }

  /** All in one write. */
  private send(count: number): void {
    const { bytes, packetIdAt, payloadAt, lastLevelAt } = this.template;
    const { index, topics, qos, window, flow } = this.options;
    const all = Buffer.allocUnsafe(count * bytes.length);
    const now = performance.now();
    for (let n = 0, at = 0; n < count; n++, at += bytes.length) {
      const packetId = (this.sent % PACKET_IDS) + 1;
      bytes.copy(all, at);
      if (qos > 0) all.writeUInt16BE(packetId, at + packetIdAt);
      if (topics > 1) writeDigits(all, at + lastLevelAt, this.sent % topics);
      stamp(all, at + payloadAt, index, this.sent);
      this.sentAt[this.sent % window] = now;
      this.sent += 1;
    }
    flow.sent += count;
    if (qos === 0) this.acknowledged = this.sent;
    this.socket.write(all);
  }

  private packet(type: number, bytes: Buffer, start: number): void {
    if (type === CONNACK) {
      if (bytes[start + 1] === 0) this.connected();
      else this.failure ??= `publisher ${this.options.index} was refused with code ${String(bytes[start + 1])}`;
    } else if (type === PUBREC) this.answers.add(PUBREL, bytes.readUInt16BE(start));
    else if (type === PUBACK || type === PUBCOMP) this.acknowledge(bytes.readUInt16BE(start));
  }

  /** Acknowledgements come in the order of sending (MQTT-4.6.0-2 and -3). */
  private acknowledge(packetId: number): void {
    if (packetId !== (this.acknowledged % PACKET_IDS) + 1) {
      this.failure ??= `packet ${packetId} was acknowledged out of turn`;
      return;
    }
    this.latencies.add(performance.now() - (this.sentAt[this.acknowledged % this.options.window] as number));
    this.acknowledged += 1;
  }
}

function writeDigits(bytes: Buffer, at: number, value: number): void {
  for (let digit = TOPIC_DIGITS - 1, left = value; digit >= 0; digit--, left = Math.floor(left / 10)) bytes[at + digit] = 0x30 + (left % 10);
}
