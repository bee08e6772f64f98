import type { Packet } from 'mqtt-packet';
import type { Qos } from '../../src/core/broker/effects.js';
import type { Cancel } from '../../src/ports/clock.js';
import type { Network } from '../../src/ports/stream.js';
import type { History, Operation } from './history.js';
import { MqttLink, type LinkOptions } from './mqtt-link.js';
import type { Prng } from './prng.js';
import type { SimProcess } from './process.js';

const ANSWER_LIMIT_MS = 6_000;
const WATCH_EVERY_MS = 2_000;

export interface PublisherShape {
  readonly qos: Qos;
  /** Messages in flight at most. */
  readonly window: number;
  /** Mean milliseconds between messages, and while it hurries. */
  readonly everyMs: number;
  readonly busyEveryMs: number;
  readonly topics: readonly string[];
  /** Probability that a message is retained. */
  readonly retained: number;
  readonly payloadBytesMax: number;
  /** `null`: none is longer. */
  readonly long: LongPayloads | null;
}

/** So often a payload has at least so many bytes. */
export interface LongPayloads {
  readonly chance: number;
  readonly bytes: number;
}

interface Pending {
  readonly operation: Operation;
  readonly payload: Buffer;
  /** QoS 2: PUBREC came, PUBREL is due. */
  released: boolean;
  sent: boolean;
  askedAt: number;
}

/** An application that publishes, and repeats what was not acknowledged at whichever server answers (MQTT 3.1.1 §4.4). */
export class Publisher {
  private readonly link: MqttLink;
  private readonly pending = new Map<number, Pending>();
  private packetId = 0;
  private count = 0;
  private publishing = true;
  private busyUntil = 0;
  private notYet: Cancel = () => undefined;
  private hadSession = false;

  constructor(
    private readonly process: SimProcess,
    network: Network,
    private readonly random: Prng,
    private readonly options: LinkOptions,
    private readonly shape: PublisherShape,
    private readonly history: History,
  ) {
    this.link = new MqttLink(process, network, random, options, {
      connected: (sessionPresent, server) => this.connected(sessionPresent, server),
      packet: (packet, server) => this.packet(packet, server),
      asked: () => {
        if (options.will !== null) history.willDue(options.will.topic);
      },
      lost: () => undefined,
    });
  }

  start(): void {
    this.link.open();
    this.schedulePublish();
    this.watch();
  }

  /** Publishes more often for a while. */
  hurry(forMs: number): void {
    this.busyUntil = Math.max(this.busyUntil, this.process.clock.monotonic() + forMs);
    this.notYet();
    this.schedulePublish();
  }

  /** Begins nothing new; what is under way is finished. */
  finish(): void {
    this.publishing = false;
  }

  get name(): string {
    return this.options.clientId;
  }

  get idle(): boolean {
    return this.pending.size === 0;
  }

  /** The client's machine fails, and comes back after `awayMs` with what it had stored. */
  crash(awayMs: number): void {
    this.link.close(false);
    this.process.clock.after(awayMs, () => this.link.open());
  }

  /** Leaves with DISCONNECT and comes back. */
  leave(awayMs: number): void {
    this.link.close(true);
    this.process.clock.after(awayMs, () => this.link.open());
  }

  takeOver(): void {
    this.history.figures.takeovers += 1;
    this.link.takeOver();
  }

  private schedulePublish(): void {
    const { everyMs, busyEveryMs } = this.shape;
    const mean = this.process.clock.monotonic() < this.busyUntil ? busyEveryMs : everyMs;
    this.notYet = this.process.clock.after(-Math.log(1 - this.random.fraction()) * mean, () => {
      if (!this.publishing) return;
      if (this.link.up && this.pending.size < this.shape.window) this.publish();
      this.schedulePublish();
    });
  }

  /** Publishes the next message: now, or when the link is up again. */
  publish(): void {
    const { shape, random } = this;
    this.count += 1;
    const operation: Operation = {
      id: `${this.options.clientId}.${this.count}`,
      publisher: this.options.clientId,
      number: this.count,
      topic: random.pick(shape.topics),
      qos: shape.qos,
      retain: random.chance(shape.retained),
      sentAt: null,
      ackedAt: null,
    };
    const long = shape.long !== null && random.chance(shape.long.chance) ? shape.long.bytes : 0;
    const payload = Buffer.alloc(operation.id.length + 1 + random.below(shape.payloadBytesMax) + long, ' ');
    payload.write(operation.id);
    this.history.sent(operation);
    const pending: Pending = { operation, payload, released: false, sent: false, askedAt: 0 };
    if (shape.qos === 0) {
      this.transmit(0, pending);
      return;
    }
    this.packetId = (this.packetId % 65_535) + 1;
    this.pending.set(this.packetId, pending);
    this.transmit(this.packetId, pending);
  }

  private transmit(messageId: number, pending: Pending): void {
    const { operation, payload } = pending;
    pending.askedAt = this.process.clock.monotonic();
    if (pending.released) {
      this.link.send({ cmd: 'pubrel', messageId });
      return;
    }
    this.link.send({
      cmd: 'publish',
      topic: operation.topic,
      payload,
      qos: operation.qos,
      retain: operation.retain,
      dup: pending.sent && operation.qos > 0,
      ...(operation.qos > 0 ? { messageId } : {}),
    });
    pending.sent = true;
  }

  private connected(sessionPresent: boolean, server: string): void {
    this.history.figures.connects += 1;
    if (!this.options.clean) {
      if (this.hadSession && !sessionPresent) this.history.sessionLost(this.options.clientId, server);
      this.hadSession = true;
    }
    for (const [messageId, pending] of this.pending) this.transmit(messageId, pending);
  }

  private packet(packet: Packet, server: string): void {
    const pending = packet.messageId === undefined ? undefined : this.pending.get(packet.messageId);
    if (pending === undefined || packet.messageId === undefined) return;
    if (packet.cmd === 'puback' && this.shape.qos === 1) {
      this.pending.delete(packet.messageId);
      this.history.acked(pending.operation, server);
    } else if (packet.cmd === 'pubrec' && this.shape.qos === 2) {
      pending.released = true;
      this.transmit(packet.messageId, pending);
    } else if (packet.cmd === 'pubcomp' && pending.released) {
      this.pending.delete(packet.messageId);
      this.history.acked(pending.operation, server);
    }
  }

  /** Drops a connection on which the oldest question is not answered. */
  private watch(): void {
    this.process.clock.after(WATCH_EVERY_MS, () => {
      const oldest = this.pending.values().next().value;
      if (oldest !== undefined && this.link.up && this.process.clock.monotonic() - oldest.askedAt > ANSWER_LIMIT_MS) this.link.giveUp();
      this.watch();
    });
  }
}
