import type { IPublishPacket, Packet } from 'mqtt-packet';
import type { Qos } from '../../src/core/broker/effects.js';
import type { Network } from '../../src/ports/stream.js';
import type { History, Inbox } from './history.js';
import { MqttLink, type LinkOptions } from './mqtt-link.js';
import type { Prng } from './prng.js';
import type { SimProcess } from './process.js';

const PING_EVERY_MS = 2_000;
const PING_LIMIT_MS = 6_000;

export interface ConsumerShape {
  readonly qos: Qos;
  readonly filters: readonly string[];
  readonly wants: (topic: string) => boolean;
  /** Milliseconds that the application takes before it acknowledges. */
  readonly thinkMs: number;
}

/** An application that subscribes, and acknowledges what it gets. Its QoS 2 state is stored, as MQTT 3.1.1 §4.1 demands. */
export class Consumer {
  readonly inbox: Inbox;
  private readonly link: MqttLink;
  private hadSession = false;
  private subscribed = false;
  private subscribeId = 0;
  private wandered = false;
  /** Packet ids received at QoS 2 and not yet released. */
  private readonly held = new Set<number>();
  private pingAskedAt: number | null = null;
  /** Counts connections: an answer belongs to the one that brought the message. */
  private connection = 0;

  constructor(
    private readonly process: SimProcess,
    network: Network,
    random: Prng,
    private readonly options: LinkOptions,
    private readonly shape: ConsumerShape,
    private readonly history: History,
  ) {
    this.inbox = history.inbox(options.clientId, !options.clean, shape.qos, shape.wants);
    this.link = new MqttLink(process, network, random, options, {
      connected: (sessionPresent, server) => this.connected(sessionPresent, server),
      packet: (packet) => this.packet(packet),
      asked: () => {
        if (options.will !== null) history.willDue(options.will.topic);
      },
      lost: () => {
        this.pingAskedAt = null;
      },
    });
  }

  start(): void {
    this.link.open();
    this.ping();
  }

  get connectedNow(): boolean {
    return this.link.up;
  }

  crash(awayMs: number): void {
    this.link.close(false);
    this.process.clock.after(awayMs, () => this.link.open());
  }

  leave(awayMs: number): void {
    this.link.close(true);
    this.process.clock.after(awayMs, () => this.link.open());
  }

  takeOver(): void {
    this.history.figures.takeovers += 1;
    this.link.takeOver();
  }

  /** Takes a subscription that brings nothing, or gives it up. */
  wander(): void {
    if (!this.link.up || !this.subscribed) return;
    const topic = `nothing/${this.options.clientId}`;
    this.wandered = !this.wandered;
    this.subscribeId = (this.subscribeId % 65_535) + 1;
    if (this.wandered) this.link.send({ cmd: 'subscribe', messageId: this.subscribeId, subscriptions: [{ topic, qos: 1 }] });
    else this.link.send({ cmd: 'unsubscribe', messageId: this.subscribeId, unsubscriptions: [topic] });
  }

  private connected(sessionPresent: boolean, server: string): void {
    this.history.figures.connects += 1;
    this.connection += 1;
    if (this.options.clean) {
      this.held.clear();
      this.subscribed = false;
      this.inbox.subscribedAt = null;
      this.inbox.retained.clear();
    } else {
      if (this.hadSession && !sessionPresent) this.history.sessionLost(this.options.clientId, server);
      this.hadSession = true;
    }
    if (!this.subscribed) {
      this.subscribeId = (this.subscribeId % 65_535) + 1;
      this.link.send({
        cmd: 'subscribe',
        messageId: this.subscribeId,
        subscriptions: this.shape.filters.map((topic) => ({ topic, qos: this.shape.qos })),
      });
    }
  }

  private packet(packet: Packet): void {
    switch (packet.cmd) {
      case 'suback':
        if (packet.messageId === this.subscribeId && !this.subscribed) {
          this.subscribed = true;
          this.inbox.subscribedAt = this.process.host.world.now;
        }
        return;
      case 'publish':
        this.publish(packet);
        return;
      case 'pubrel':
        if (packet.messageId === undefined) return;
        this.held.delete(packet.messageId);
        this.link.send({ cmd: 'pubcomp', messageId: packet.messageId });
        return;
      case 'pingresp':
        this.pingAskedAt = null;
        return;
      default:
    }
  }

  private publish(packet: IPublishPacket): void {
    const { messageId, qos, topic } = packet;
    const payload = packet.payload.toString().trimEnd();
    if (topic.startsWith('will/')) this.willArrived(packet);
    else if (qos === 2 && messageId !== undefined) {
      if (!this.held.has(messageId)) this.history.delivered(this.inbox, topic, payload, qos, packet.retain);
      this.held.add(messageId);
    } else this.history.delivered(this.inbox, topic, payload, qos, packet.retain);
    if (qos > 0 && messageId !== undefined) this.answer(qos, messageId);
  }

  private willArrived(packet: IPublishPacket): void {
    if (packet.dup) return;
    this.history.willSeen(this.options.clientId, packet.topic);
    if (packet.qos === 2 && packet.messageId !== undefined) this.held.add(packet.messageId);
  }

  private answer(qos: Qos, messageId: number): void {
    const { connection } = this;
    this.process.clock.after(this.shape.thinkMs, () => {
      if (this.connection === connection) this.link.send({ cmd: qos === 1 ? 'puback' : 'pubrec', messageId });
    });
  }

  private ping(): void {
    this.process.clock.after(PING_EVERY_MS, () => {
      const now = this.process.clock.monotonic();
      if (this.link.up) {
        if (this.pingAskedAt !== null && now - this.pingAskedAt > PING_LIMIT_MS) this.link.giveUp();
        else {
          this.pingAskedAt ??= now;
          this.link.send({ cmd: 'pingreq' });
        }
      }
      this.ping();
    });
  }
}
