import type { Socket } from 'node:net';
import type { Subscriber } from './client.js';
import type { Ledger } from './ledger.js';
import { opened } from './mqtt-publisher.js';
import { Answers, CONNACK, PacketReader, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBACK, subscribePacket, type Qos } from './packets.js';

export interface SubscriberOptions {
  readonly port: number;
  readonly clientId: string;
  readonly clean: boolean;
  readonly filters: readonly string[];
  readonly qos: Qos;
  readonly ledger: Ledger;
}

const REFUSED = 0x80;

/** Takes what its filters match over a raw socket, and answers at once. */
export class MqttSubscriber implements Subscriber {
  failure: string | null = null;
  onProgress: () => void = () => undefined;
  private readonly answers = new Answers();
  private readonly ledger: Ledger;
  private subscribed: () => void = () => undefined;

  private constructor(
    private readonly socket: Socket,
    private readonly options: SubscriberOptions,
  ) {
    this.ledger = options.ledger;
    const reader = new PacketReader((first, bytes, start, end) => this.packet(first, bytes, start, end));
    socket.on('data', (piece: Buffer) => {
      reader.push(piece);
      const answers = this.answers.take();
      if (answers !== null) socket.write(answers);
      this.onProgress();
    });
    socket.on('close', () => (this.failure ??= `subscriber ${options.clientId} was disconnected`));
    socket.on('error', (error) => (this.failure ??= error.message));
  }

  static async open(options: SubscriberOptions): Promise<MqttSubscriber> {
    const socket = await opened(options.port, options.clientId, options.clean);
    const subscriber = new MqttSubscriber(socket, options);
    await new Promise<void>((resolve, reject) => {
      subscriber.subscribed = resolve;
      socket.once('close', () => reject(new Error(subscriber.failure ?? 'the subscriber was disconnected')));
    });
    return subscriber;
  }

  /** Reads nothing more, or goes on. */
  stall(stalled: boolean): void {
    if (stalled) this.socket.pause();
    else this.socket.resume();
  }

  close(): void {
    this.failure ??= 'closed';
    this.socket.destroy();
  }

  async forget(): Promise<void> {
    this.close();
    const { port, clientId, clean } = this.options;
    if (clean) return;
    const socket = await opened(port, clientId, true);
    // CONNACK says that the kept session is gone.
    await new Promise<void>((resolve) => socket.once('data', () => resolve()).once('close', () => resolve()));
    socket.destroy();
  }

  private packet(first: number, bytes: Buffer, start: number, end: number): void {
    switch (first >> 4) {
      case CONNACK:
        if (bytes[start + 1] !== 0) this.failure = `subscriber ${this.options.clientId} was refused with code ${String(bytes[start + 1])}`;
        else this.socket.write(subscribePacket(1, this.options.filters, this.options.qos));
        return;
      case SUBACK:
        if (bytes.subarray(start + 2, end).includes(REFUSED)) this.failure = `a subscription of ${this.options.clientId} was refused`;
        return this.failure === null ? this.subscribed() : void this.socket.destroy();
      case PUBREL:
        return this.answers.add(PUBCOMP, bytes.readUInt16BE(start));
      case PUBLISH:
        return this.message((first >> 1) & 3, bytes, start);
    }
  }

  private message(qos: number, bytes: Buffer, start: number): void {
    let payload = start + 2 + bytes.readUInt16BE(start);
    if (qos > 0) {
      this.answers.add(qos === 1 ? PUBACK : PUBREC, bytes.readUInt16BE(payload));
      payload += 2;
    }
    this.ledger.note(bytes, payload);
  }
}
