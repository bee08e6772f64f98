import mqtt from 'mqtt';
import type { IClientOptions, MqttClient } from 'mqtt';
import type { History } from './history.js';
import { until } from './until.js';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Between two messages of one publisher: enough traffic to be caught in every phase, little enough to leave the cores to the servers. */
const PACE_MS = 5;
const IN_FLIGHT_MAX = 10;

/** A stock client that has all addresses of the pair and a session that outlives its connections. */
export function connect(addresses: readonly Address[], clientId: string, options: IClientOptions = {}): MqttClient {
  const client = mqtt.connect({
    servers: addresses.map((address) => ({ ...address, protocol: 'mqtt' as const })),
    clientId,
    clean: false,
    reconnectPeriod: 50,
    connectTimeout: 2_000,
    keepalive: 2,
    ...options,
  });
  client.on('error', () => undefined); // it tries the next address
  return client;
}

/** Publishes without pause, QoS 1 and 2 in turn, until it is told to stop. */
export class Publisher {
  readonly client: MqttClient;
  private number = 0;
  private inFlight = 0;
  private readonly timer: NodeJS.Timeout;

  constructor(
    addresses: readonly Address[],
    private readonly name: string,
    private readonly topic: string,
    private readonly history: History,
  ) {
    this.client = connect(addresses, name);
    this.timer = setInterval(() => this.publish(), PACE_MS);
  }

  /** Sends nothing new, and waits until everything sent is acknowledged. */
  async finish(): Promise<void> {
    clearInterval(this.timer);
    await until(`everything that ${this.name} sent is acknowledged (${this.inFlight} are not)`, () => this.inFlight === 0);
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.client.endAsync(true);
  }

  private publish(): void {
    if (this.inFlight >= IN_FLIGHT_MAX) return;
    this.number += 1;
    const qos = this.number % 2 === 0 ? 2 : 1;
    const id = `${this.name}-${this.number}`;
    this.inFlight += 1;
    this.history.sent(id, qos);
    this.client.publish(this.topic, id, { qos }, (error) => {
      this.inFlight -= 1;
      if (!error) this.history.acknowledged(id);
    });
  }
}

/** Receives everything under a filter into the history, over a session that stays when the client is away. */
export class Consumer {
  /** The client's half of the QoS 2 handshake. It belongs to the session: what PUBREC was said for is the client's to remember. */
  private readonly incomingStore = new mqtt.Store({ clean: false });
  private client: MqttClient | null = null;

  constructor(
    private readonly addresses: readonly Address[],
    private readonly name: string,
    private readonly filter: string,
    private readonly history: History,
  ) {}

  /** Resolves when the subscription is granted. */
  async open(): Promise<void> {
    // Nor may it repeat subscriptions by itself: it calls one granted that it only means to repeat.
    const client = connect(this.addresses, this.name, { incomingStore: this.incomingStore, resubscribe: false });
    this.client = client;
    client.on('message', (_topic, payload) => this.history.received(payload.toString()));
    // The library fails what it had queued when a connection closes, also that to a server which was not there.
    await until('the subscription is granted', async () => await client.subscribeAsync(this.filter, { qos: 2 }).then(() => true, () => false));
  }

  /** Takes nothing any more; what comes waits in its session. */
  async leave(): Promise<void> {
    await this.client?.endAsync(false);
    this.client = null;
  }

  async close(): Promise<void> {
    await this.client?.endAsync(true);
    this.client = null;
  }
}
