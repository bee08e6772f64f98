import { Latencies } from '../latencies.js';
import type { Flow, Publisher, Subscriber } from './client.js';
import { stamp, type Ledger } from './ledger.js';
import { NatsConnection } from './nats-connection.js';

export interface NatsPublisherOptions {
  readonly index: number;
  readonly subject: string;
  readonly payloadBytes: number;
  readonly window: number;
  readonly flow: Flow;
}

const SEQUENCE_DIGITS = 9;

/** Publishes to JetStream and keeps `window` messages without an acknowledgement. */
export class NatsPublisher implements Publisher {
  sent = 0;
  acknowledged = 0;
  latencies = new Latencies();
  running = false;
  private readonly sentAt = new Map<number, number>();
  private readonly template: Buffer;
  private readonly inbox: string;
  private readonly sequenceAt: number;
  private refusal: string | null = null;

  private constructor(
    private readonly connection: NatsConnection,
    private readonly options: NatsPublisherOptions,
  ) {
    const { index, subject, payloadBytes } = options;
    this.inbox = `_INBOX.publisher${index}`;
    const head = `PUB ${subject} ${this.inbox}.`;
    this.sequenceAt = head.length;
    const filler = Buffer.alloc(payloadBytes, 0x2e);
    this.template = Buffer.concat([Buffer.from(`${head}${'0'.repeat(SEQUENCE_DIGITS)} ${payloadBytes}\r\n`), filler, Buffer.from('\r\n')]);
    connection.onMessage((reply, _, bytes, start, end) => this.answered(reply, bytes, start, end));
    connection.socket.on('data', () => this.pump());
  }

  static async open(port: number, options: NatsPublisherOptions): Promise<NatsPublisher> {
    const connection = await NatsConnection.open(port);
    const publisher = new NatsPublisher(connection, options);
    connection.subscribe(`${publisher.inbox}.*`, 1);
    return publisher;
  }

  get failure(): string | null {
    return this.refusal ?? this.connection.failure;
  }

  pump(): void {
    if (!this.running || this.failure !== null) return;
    const room = this.options.window - (this.sent - this.acknowledged);
    const count = room > 0 ? this.options.flow.grant(room) : 0;
    if (count <= 0) return;
    this.options.flow.sent += count;
    const { template, sequenceAt } = this;
    const all = Buffer.allocUnsafe(count * template.length);
    const now = performance.now();
    for (let n = 0, at = 0; n < count; n++, at += template.length) {
      template.copy(all, at);
      all.write(String(this.sent).padStart(SEQUENCE_DIGITS, '0'), at + sequenceAt, 'latin1');
      stamp(all, at + template.length - 2 - this.options.payloadBytes, this.options.index, this.sent);
      this.sentAt.set(this.sent, now);
      this.sent += 1;
    }
    this.connection.socket.write(all);
  }

  close(): void {
    this.connection.close();
  }

  private answered(reply: string, bytes: Buffer, start: number, end: number): void {
    const text = bytes.toString('latin1', start, end);
    if (text.includes('"error"')) this.refusal ??= text;
    const sequence = Number(reply.slice(this.inbox.length + 1));
    const at = this.sentAt.get(sequence);
    if (at === undefined) return;
    this.sentAt.delete(sequence);
    this.acknowledged += 1;
    this.latencies.add(performance.now() - at);
  }
}

/** Messages under way to the consumer without its acknowledgement. */
const PENDING_MAX = 10_000;

/** A push consumer of the whole stream, from now on, that acknowledges each message. */
export class NatsSubscriber implements Subscriber {
  onProgress: () => void = () => undefined;

  private constructor(private readonly connection: NatsConnection) {}

  static async open(port: number, options: { readonly stream: string; readonly name: string; readonly ledger: Ledger }): Promise<NatsSubscriber> {
    const connection = await NatsConnection.open(port);
    const inbox = `_INBOX.consumer.${options.name}`;
    const config = { deliver_subject: inbox, deliver_policy: 'new', ack_policy: 'explicit', max_ack_pending: PENDING_MAX };
    const subscriber = new NatsSubscriber(connection);
    connection.subscribe(inbox, 1);
    const answer = (await connection.request(`$JS.API.CONSUMER.CREATE.${options.stream}`, { stream_name: options.stream, config })) as { error?: { description?: string } } | null;
    if (answer === null || answer.error !== undefined) throw new Error(`JetStream made no consumer: ${answer?.error?.description ?? 'no answer'}`);
    let answers = '';
    connection.onMessage((_subject, reply, bytes, start) => {
      options.ledger.note(bytes, start);
      answers += `PUB ${reply} 4\r\n+ACK\r\n`;
    });
    connection.socket.on('data', () => {
      if (answers !== '') connection.socket.write(answers);
      answers = '';
      subscriber.onProgress();
    });
    return subscriber;
  }

  get failure(): string | null {
    return this.connection.failure;
  }

  close(): void {
    this.connection.close();
  }

  /** The consumer is one that ends with its connection. */
  forget(): Promise<void> {
    this.close();
    return Promise.resolve();
  }
}
