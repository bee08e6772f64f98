import type { Endpoint } from '../../src/core/control/broker.js';
import type { Qos } from '../../src/core/broker/effects.js';
import type { Network } from '../../src/ports/stream.js';
import { Consumer } from './consumer.js';
import type { History } from './history.js';
import type { LinkOptions } from './mqtt-link.js';
import type { Prng } from './prng.js';
import type { SimHost } from './host.js';
import { SimProcess } from './process.js';
import { Publisher, type LongPayloads } from './publisher.js';

/** Pids of client processes begin here; those of servers are below. */
const CLIENT_PID_FIRST = 10_000;
/** A client away for a moment only lets its session be taken up again at once. */
const AWAY_MS = { low: 20, high: 15_000 };

export interface WorkloadShape {
  /** Mean milliseconds between two messages of all publishers together, and when they hurry. */
  readonly everyMs: number;
  readonly busyEveryMs: number;
  /** So long they hurry, each time. */
  readonly busyForMs: number;
  /** Mean milliseconds between two incidents (crash, leave, take-over) of all clients together. */
  readonly incidentEveryMs: number;
  /** Of publishers at QoS 1 and 2; `null`: payloads are short. */
  readonly long: LongPayloads | null;
}

interface Client {
  start(): void;
  crash(awayMs: number): void;
  leave(awayMs: number): void;
  takeOver(): void;
  wander?(): void;
}

/**
 * The clients of one run: publishers and consumers of every quality of service, with persistent and clean sessions, retained
 * messages, wills and take-overs, all drawn from the seed. They live on a machine of their own that has no faults but these.
 */
export class Workload {
  readonly publishers: Publisher[] = [];
  readonly consumers: Consumer[] = [];
  private readonly chaos: SimProcess;
  private readonly wills: string[] = [];
  private auditor: Consumer | null = null;
  private healing = false;
  private started = false;
  private pid = CLIENT_PID_FIRST;

  constructor(
    private readonly host: SimHost,
    private readonly networkFor: (process: SimProcess) => Network,
    private readonly servers: readonly { readonly name: string; readonly endpoint: Endpoint }[],
    private readonly random: Prng,
    private readonly shape: WorkloadShape,
    private readonly history: History,
  ) {
    this.chaos = new SimProcess(host, 'client', (this.pid += 1), random.fork('chaos'));
    this.makePublishers();
    this.makeConsumers();
  }

  start(): void {
    const clients: readonly Client[] = [...this.consumers, ...this.publishers];
    for (const client of clients) this.chaos.clock.after(this.random.between(1, 4_000), () => client.start());
    this.chaos.clock.after(4_000, () => {
      this.started = true;
    });
    this.incident(clients, this.random.fork('incidents'));
  }

  /** Something goes wrong, or works again: whatever is under way now is what could be lost. */
  hurry(forMs = this.shape.busyForMs): void {
    if (this.started) for (const publisher of this.publishers) publisher.hurry(forMs);
  }

  /** All consumers are gone at once, and come back after so long: what waits for them is asked for then. */
  consumersAway(awayMs: number): void {
    if (this.started && !this.healing) for (const consumer of this.consumers) consumer.crash(awayMs);
  }

  /** No incidents any more, and nothing new to publish. */
  finish(): void {
    this.healing = true;
    for (const publisher of this.publishers) publisher.finish();
  }

  /** Everything published was acknowledged, and every persistent consumer has all of it. */
  get caughtUp(): boolean {
    if (this.auditor !== null && this.auditor.inbox.subscribedAt === null) return false;
    return this.publishers.every((publisher) => publisher.idle) && this.consumers.every((consumer) => consumer.inbox.subscribedAt !== null && this.history.missing(consumer.inbox).length === 0);
  }

  /** Sends in a consumer that was never there before, when nobody publishes any more: it finds what is retained. True when it was there already. */
  sendAuditor(): boolean {
    if (this.auditor !== null) return true;
    const { process, link } = this.client('auditor', true, false);
    const shape = { qos: 1 as const, filters: ['t/#', 'r/#'], wants: () => true, thinkMs: 1 };
    this.auditor = new Consumer(process, this.networkFor(process), process.random.fork('link'), link, shape, this.history);
    this.auditor.start();
    return false;
  }

  /** To be asked in the end, when everything is quiet. */
  judgeRetained(): void {
    if (this.auditor !== null) this.history.checkRetained(this.auditor.inbox);
  }

  /** What is still missing, for the message of a failure. */
  lag(): string {
    const parts = this.publishers.filter((publisher) => !publisher.idle).map((publisher) => `${publisher.name} waits for acknowledgements`);
    for (const consumer of this.consumers) {
      const missing = this.history.missing(consumer.inbox);
      const first = missing[0];
      if (first !== undefined) parts.push(`${consumer.inbox.consumer} lacks ${missing.length}, first ${first.id}${consumer.connectedNow ? '' : ' (not connected)'}`);
      if (consumer.inbox.subscribedAt === null) parts.push(`${consumer.inbox.consumer} has no subscription`);
    }
    return parts.join('; ');
  }

  private makePublishers(): void {
    const { random } = this;
    const kinds: Qos[] = [1, 2, random.pick([0, 1, 2] as const), random.pick([1, 2] as const)];
    kinds.forEach((qos, index) => {
      const name = `pub${index + 1}`;
      const { process, link } = this.client(name, qos < 2 && random.chance(0.4), random.chance(0.5));
      const topics = [`t/${name}`, `t/${name}/${random.pick(['a', 'b'])}`, ...(random.chance(0.6) ? [`r/${name}`] : [])];
      const share = kinds.length * random.between(0.6, 1.4);
      const shape = {
        qos,
        window: random.pick([1, 3, 10]),
        everyMs: this.shape.everyMs * share,
        busyEveryMs: this.shape.busyEveryMs * share,
        topics,
        retained: random.chance(0.5) ? 0.3 : 0,
        payloadBytesMax: Math.floor(random.logBetween(2, 600)),
        long: qos === 0 ? null : this.shape.long,
      };
      this.publishers.push(new Publisher(process, this.networkFor(process), process.random.fork('link'), link, shape, this.history));
    });
  }

  private makeConsumers(): void {
    const { random } = this;
    const kinds: { qos: Qos; clean: boolean }[] = [
      { qos: 1, clean: false },
      { qos: 2, clean: false },
      { qos: random.pick([0, 1, 2] as const), clean: true },
    ];
    kinds.forEach(({ qos, clean }, index) => {
      const name = `con${index + 1}`;
      const { process, link } = this.client(name, clean, random.chance(0.2));
      const broad = random.chance(0.7);
      const filters = broad ? ['t/#', 'r/+', 'will/#'] : ['t/+', 't/+/a', 't/pub2/#', 'will/#'];
      const wants = broad
        ? (topic: string): boolean => topic.startsWith('t/') || topic.startsWith('r/')
        : (topic: string): boolean => /^t\/[^/]+(\/a)?$/.test(topic) || topic.startsWith('t/pub2');
      // Overlapping filters: the broker delivers once, at the highest QoS (MQTT 3.1.1 §3.3.5).
      const shape = { qos, filters, wants, thinkMs: random.logBetween(0.5, 60) };
      this.consumers.push(new Consumer(process, this.networkFor(process), process.random.fork('link'), link, shape, this.history));
    });
  }

  private client(name: string, clean: boolean, will: boolean): { process: SimProcess; link: LinkOptions } {
    const process = new SimProcess(this.host, 'client', (this.pid += 1), this.random.fork(name), name);
    if (will) this.wills.push(name);
    const link: LinkOptions = {
      clientId: name,
      clean,
      keepaliveSeconds: this.random.pick([0, 5, 10]),
      will: will ? { topic: `will/${name}`, qos: this.random.pick([0, 1, 2] as const), payload: `will of ${name}` } : null,
      servers: this.random.chance(0.5) ? this.servers : [...this.servers].reverse(),
    };
    return { process, link };
  }

  private incident(clients: readonly Client[], random: Prng): void {
    this.chaos.clock.after(-Math.log(1 - random.fraction()) * this.shape.incidentEveryMs, () => {
      if (this.healing) return;
      const client = random.pick(clients);
      const away = random.logBetween(AWAY_MS.low, AWAY_MS.high);
      const kind = random.below(4);
      if (kind === 0) client.crash(away);
      else if (kind === 1) client.leave(away);
      else if (kind === 2) client.takeOver();
      else client.wander?.();
      this.incident(clients, random);
    });
  }
}
