import { AckClock } from './clients/ack-clock.js';
import { Flow } from './clients/client.js';
import { Ledger } from './clients/ledger.js';
import type { Address } from './clients/roaming.js';
import { RoamingPublisher } from './clients/roaming-publisher.js';
import { RoamingSubscriber } from './clients/roaming-subscriber.js';
import { pause, until } from './waiting.js';

export interface FailoverLoadOptions {
  readonly name: string;
  readonly addresses: readonly Address[];
  /** Of each of the two qualities of service. */
  readonly publishers: number;
  readonly window: number;
  readonly payloadBytes: number;
  /** Messages a second of all publishers together; `null`: as many as are acknowledged. */
  readonly perSecond: number | null;
}

/** What was counted since the beginning. */
export interface Books {
  readonly acknowledged: number;
  readonly received: number;
  /** Acknowledged and never received. */
  readonly lost: number;
  readonly qos2Duplicates: number;
  readonly qos1Duplicates: number;
  readonly violations: readonly string[];
}

const QUALITIES = [1, 2] as const;
const UNRECEIVED_MAX = 5_000;
const TICK_MS = 5;
const SUBSCRIBE_MS_MAX = 30_000;
const SETTLE_MS_MAX = 120_000;

interface Side {
  readonly publishers: readonly RoamingPublisher[];
  readonly subscriber: RoamingSubscriber;
  readonly ledger: Ledger;
  readonly flow: Flow;
}

/** Load that goes on through failovers: at QoS 1 and at QoS 2, each with publishers and one subscriber of their own, all with kept sessions. */
export class FailoverLoad {
  readonly clock = new AckClock();
  private readonly sides: readonly Side[];
  private timer: NodeJS.Timeout | null = null;
  private pacedAt = 0;

  constructor(private readonly options: FailoverLoadOptions) {
    this.sides = QUALITIES.map((qos) => this.side(qos));
  }

  /** Resolves when both subscribers have subscribed and every publisher is connected. */
  async start(): Promise<void> {
    await until(SUBSCRIBE_MS_MAX, () => 'the clients of the load to subscribe', () => (this.sides.every(({ subscriber, publishers }) => subscriber.subscribed && publishers.every((one) => one.connected)) ? true : null));
    this.resume();
  }

  resume(): void {
    this.pacedAt = performance.now();
    for (const { publishers } of this.sides) {
      for (const one of publishers) {
        one.running = true;
        one.pump();
      }
    }
    if (this.options.perSecond !== null && this.timer === null) this.timer = setInterval(() => this.pace(), TICK_MS);
  }

  get acknowledged(): number {
    return this.sides.reduce((sum, { publishers }) => sum + publishers.reduce((all, one) => all + one.acknowledged, 0), 0);
  }

  /** Sends nothing more and waits until everything sent was acknowledged and received; what is missing after two minutes is counted. */
  async settle(): Promise<Books> {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
    for (const { publishers } of this.sides) for (const one of publishers) one.running = false;
    const sent = this.sides.reduce((sum, { flow }) => sum + flow.sent, 0);
    await until(SETTLE_MS_MAX, () => 'the last acknowledgements', () => (this.acknowledged >= sent ? true : null));
    await until(SETTLE_MS_MAX, () => 'the last messages', () => (this.received >= sent ? true : null)).catch(() => undefined);
    // A duplicate may come behind the last message.
    await pause(TICK_MS * 10);
    return this.books();
  }

  close(): void {
    if (this.timer !== null) clearInterval(this.timer);
    for (const { publishers, subscriber } of this.sides) for (const one of [...publishers, subscriber]) one.close();
  }

  private books(): Books {
    const [one, two] = this.sides as [Side, Side];
    return {
      acknowledged: this.acknowledged,
      received: this.received,
      lost: this.sides.reduce((sum, { ledger, publishers }) => sum + publishers.reduce((lost, publisher, index) => lost + ledger.missing(index, publisher.acknowledged), 0), 0),
      qos1Duplicates: one.ledger.duplicates,
      qos2Duplicates: two.ledger.duplicates,
      violations: this.sides.flatMap(({ publishers, subscriber }) => [...publishers.flatMap((publisher) => publisher.violations), ...subscriber.violations]),
    };
  }

  private get received(): number {
    return this.sides.reduce((sum, { ledger }) => sum + ledger.count, 0);
  }

  private side(qos: 1 | 2): Side {
    const { name, addresses, publishers: count, window, payloadBytes, perSecond } = this.options;
    const ledger = new Ledger(count);
    const flow = perSecond === null ? new Flow(UNRECEIVED_MAX, () => ledger.count) : new PacedFlow(UNRECEIVED_MAX, () => ledger.count);
    const topic = `bench/${name}/${qos}`;
    const subscriber = new RoamingSubscriber({ addresses, clientId: `bench-${name}-subscriber-${qos}`, filter: `${topic}/#`, qos, ledger });
    const publishers = Array.from({ length: count }, (_, index) => new RoamingPublisher({ addresses, clientId: `bench-${name}-publisher-${qos}-${index}`, index, qos, topic: `${topic}/${index}`, payloadBytes, window, flow, clock: this.clock }));
    subscriber.onProgress = () => {
      if (!flow.starved) return;
      flow.starved = false;
      for (const one of publishers) one.pump();
    };
    return { publishers, subscriber, ledger, flow };
  }

  /** Gives each side its half of what the time since the last tick allows. */
  private pace(): void {
    const now = performance.now();
    const elapsed = Math.min(now - this.pacedAt, 100);
    this.pacedAt = now;
    for (const { flow, publishers } of this.sides) {
      if (flow instanceof PacedFlow) flow.allow(((this.options.perSecond ?? 0) * elapsed) / 1_000 / this.sides.length);
      for (const one of publishers) one.pump();
    }
  }
}

/** Lets through what was allowed, and never more than a tenth of a second of it at once. */
class PacedFlow extends Flow {
  private allowance = 0;
  private granted = 0;

  allow(messages: number): void {
    this.allowance = Math.min(this.allowance + messages, Math.max(messages * 20, 1));
  }

  override grant(wanted: number): number {
    // What the last grant let through was sent by now.
    this.allowance -= this.sent - this.granted;
    this.granted = this.sent;
    return Math.min(super.grant(wanted), Math.max(0, Math.floor(this.allowance)));
  }
}
