import { randomUUID } from 'node:crypto';
import { Ledger } from './clients/ledger.js';
import { Flow, type Publisher, type Subscriber } from './clients/client.js';
import { TOPIC_DIGITS } from './clients/mqtt-publisher.js';
import type { Qos } from './clients/packets.js';
import { Latencies, round, type Spread } from './latencies.js';
import type { Broker } from './peers/broker.js';
import { cpuMicrosOf } from './processes.js';
import { pause, until } from './waiting.js';

const DRAIN_MS_MAX = 60_000;
const WARM_MS = 1_000;
/** What publishers may have sent that no subscriber has, at most; above it they wait, so that no queue grows without end. */
const UNRECEIVED_MESSAGES = 10_000;
const UNRECEIVED_BYTES = 32 * 1024 * 1024;

/** What is asked of a broker. */
export interface Load {
  readonly publishers: number;
  /** Messages in flight for each publisher. */
  readonly window: number;
  readonly payloadBytes: number;
  readonly qos: Qos;
  readonly subscribers: number;
  readonly subscriberQos: Qos;
  /** Subscribers keep their sessions. */
  readonly persistent: boolean;
  /** 1: every subscriber gets every message. More: messages go round so many topics, and each has one subscription with a wildcard, shared out among the subscribers. */
  readonly topics: number;
}

/** The main row's: other loads say what differs. */
export const MAIN_LOAD: Load = { publishers: 4, window: 64, payloadBytes: 256, qos: 1, subscribers: 1, subscriberQos: 1, persistent: false, topics: 1 };

export interface LoadResult {
  readonly seconds: number;
  /** Messages a second while it was measured: acknowledged ones; at QoS 0 those that had reached a subscriber. */
  readonly perSecond: number;
  /** Deliveries a second, of all subscribers. */
  readonly deliveredPerSecond: number;
  /** Processor time of each process of the broker for one message, microseconds: steadier than the throughput on a busy machine. Empty where the system does not tell. */
  readonly cpuMicros: readonly number[];
  /** The same of the clients, all together. */
  readonly clientCpuMicros: number;
  /** From the send of a message to the end of its handshake, milliseconds. */
  readonly ackMs: Spread;
  readonly acknowledged: number;
  readonly received: number;
  readonly lost: number;
  readonly duplicates: number;
}

/** Load on one broker: warm-up, measured time, and then until everything has arrived. @throws Error when a client is refused or disconnected */
export async function runLoad(broker: Broker, load: Load, seconds: number): Promise<LoadResult> {
  const clients = new LoadClients(broker, load);
  try {
    await clients.open();
    clients.start();
    await pause(Math.min(WARM_MS, seconds * 500));
    return await clients.measure(seconds);
  } finally {
    await clients.end();
  }
}

/** The publishers and subscribers of one load. */
export class LoadClients {
  /** Part of the clients' ids: no two loads take each other's connections over. */
  private readonly name = randomUUID().slice(0, 8);
  private readonly publishers: Publisher[] = [];
  private readonly subscribers: Subscriber[] = [];
  private readonly ledgers: readonly Ledger[];
  private readonly flow: Flow;

  constructor(
    private readonly broker: Broker,
    private readonly load: Load,
  ) {
    const everywhere = load.topics === 1 ? load.subscribers : 1;
    this.ledgers = Array.from({ length: everywhere }, () => new Ledger(load.publishers));
    const unreceivedMax = Math.max(load.publishers, Math.min(UNRECEIVED_MESSAGES, Math.floor(UNRECEIVED_BYTES / load.payloadBytes)));
    // On the average of all places. Without any, nothing waits for anybody.
    this.flow = load.subscribers === 0 ? new Flow(Number.POSITIVE_INFINITY, () => 0) : new Flow(unreceivedMax, () => Math.floor(this.received / this.ledgers.length));
  }

  async open(): Promise<void> {
    const { broker, load, name, ledgers } = this;
    for (let at = 0; at < load.subscribers; at++) {
      const ledger = ledgers[at % ledgers.length] as Ledger;
      const topics = load.topics === 1 ? null : numbered(load.topics).filter((_, topic) => topic % load.subscribers === at);
      this.subscribers.push(await broker.subscriber({ name: `${name}-${at}`, persistent: load.persistent, qos: load.subscriberQos, topics, ledger }));
    }
    for (let index = 0; index < load.publishers; index++) {
      this.publishers.push(await broker.publisher({ name: `${name}-${index}`, index, qos: load.qos, payloadBytes: load.payloadBytes, window: load.window, topics: load.topics, flow: this.flow }));
    }
  }

  start(): void {
    const pump = (): void => this.publishers.forEach((one) => one.pump());
    for (const one of this.subscribers) {
      one.onProgress = () => {
        // Publishers that were not starved are woken by their acknowledgements.
        if (!this.flow.starved && this.load.qos > 0) return;
        this.flow.starved = false;
        pump();
      };
    }
    for (const one of this.publishers) one.running = true;
    pump();
  }

  /** @param span seconds, or what is done meanwhile */
  async measure(span: number | (() => Promise<void>)): Promise<LoadResult> {
    const { publishers, load } = this;
    for (const one of publishers) one.latencies = new Latencies();
    const before = this.now();
    await (typeof span === 'number' ? pause(span * 1_000) : span());
    const after = this.now();
    const latencies = new Latencies();
    for (const one of publishers) latencies.addAll(one.latencies);
    await this.settle();
    const elapsed = (after.at - before.at) / 1_000;
    const delivered = after.received - before.received;
    const count = Math.max(1, load.qos === 0 ? delivered / Math.max(1, this.ledgers.length) : after.acknowledged - before.acknowledged);
    return {
      seconds: round(elapsed),
      perSecond: Math.round(count / elapsed),
      deliveredPerSecond: Math.round(delivered / elapsed),
      cpuMicros: after.cpu.map((cpu, index) => round((cpu - (before.cpu[index] ?? 0)) / count)).filter(Number.isFinite),
      clientCpuMicros: round((after.own - before.own) / count),
      ackMs: latencies.spread(),
      acknowledged: this.acknowledged,
      received: this.received,
      lost: this.lost,
      duplicates: this.ledgers.reduce((sum, ledger) => sum + ledger.duplicates, 0),
    };
  }

  close(): void {
    for (const one of [...this.publishers, ...this.subscribers]) one.close();
  }

  /** Closes all, and ends kept sessions. */
  async end(): Promise<void> {
    this.close();
    await Promise.all(this.subscribers.map((one) => one.forget()));
  }

  /** Nothing more is sent, and what is under way arrives. @throws Error when a client was refused or disconnected */
  async settle(): Promise<void> {
    for (const one of this.publishers) one.running = false;
    await until(DRAIN_MS_MAX, () => 'the last acknowledgements', () => (this.failure !== null || this.acknowledged === this.flow.sent ? true : null));
    if (this.failure !== null) throw new Error(`${this.broker.name}: ${this.failure}`);
    const expected = this.acknowledged * this.ledgers.length;
    // What is missing in the end is counted as lost.
    await until(DRAIN_MS_MAX, () => 'the last messages', () => (this.failure !== null || this.received >= expected ? true : null)).catch(() => undefined);
    if (this.failure !== null) throw new Error(`${this.broker.name}: ${this.failure}`);
  }

  private now(): { at: number; acknowledged: number; received: number; cpu: number[]; own: number } {
    const { user, system } = process.cpuUsage();
    return { at: performance.now(), acknowledged: this.acknowledged, received: this.received, cpu: this.broker.pids.map(cpuMicrosOf), own: user + system };
  }

  get acknowledged(): number {
    return this.publishers.reduce((sum, one) => sum + one.acknowledged, 0);
  }

  /** Acknowledged and not received at some place. */
  get lost(): number {
    return this.ledgers.reduce((sum, ledger) => sum + this.publishers.reduce((missing, one, index) => missing + ledger.missing(index, one.acknowledged), 0), 0);
  }

  /** What was acknowledged so far, for a ledger of somebody else. */
  get acknowledgedOf(): number[] {
    return this.publishers.map((one) => one.acknowledged);
  }

  private get received(): number {
    return this.ledgers.reduce((sum, one) => sum + one.count, 0);
  }

  private get failure(): string | null {
    return [...this.publishers, ...this.subscribers].find((one) => one.failure !== null)?.failure ?? null;
  }
}

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, at) => String(at).padStart(TOPIC_DIGITS, '0'));
}
