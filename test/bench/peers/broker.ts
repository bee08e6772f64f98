import type { Flow, Publisher, Subscriber } from '../clients/client.js';
import type { Ledger } from '../clients/ledger.js';
import { MqttPublisher } from '../clients/mqtt-publisher.js';
import { MqttSubscriber } from '../clients/mqtt-subscriber.js';
import type { Qos } from '../clients/packets.js';

/** What load asks of a publisher, whatever the protocol. */
export interface PublisherWish {
  readonly name: string;
  readonly index: number;
  readonly qos: Qos;
  readonly payloadBytes: number;
  readonly window: number;
  readonly topics: number;
  readonly flow: Flow;
}

export interface SubscriberWish {
  readonly name: string;
  /** Keeps its session when it goes. */
  readonly persistent: boolean;
  readonly qos: Qos;
  /** `null`: everything; else those numbered topics. */
  readonly topics: readonly string[] | null;
  readonly ledger: Ledger;
}

/** A broker that load can be put on. */
export interface Broker {
  readonly name: string;
  /** What it promises when it acknowledges, in a few words. */
  readonly promise: string;
  /** Process ids of those that carry messages, the one that clients are connected to first. */
  readonly pids: readonly number[];
  publisher(wish: PublisherWish): Promise<Publisher>;
  subscriber(wish: SubscriberWish): Promise<Subscriber>;
  stop(): Promise<void>;
}

const TOPIC = 'bench/load';

/** The clients of any broker that speaks MQTT 3.1.1. */
export function mqttClients(port: number): Pick<Broker, 'publisher' | 'subscriber'> {
  return {
    publisher: (wish) => MqttPublisher.open({ ...wish, port, clientId: `bench-publisher-${wish.name}`, topic: `${TOPIC}/${wish.index}` }),
    subscriber: ({ name, persistent, qos, topics, ledger }) =>
      MqttSubscriber.open({
        port,
        clientId: `bench-subscriber-${name}`,
        clean: !persistent,
        filters: topics === null ? [`${TOPIC}/#`] : topics.map((topic) => `${TOPIC}/+/${topic}`),
        qos,
        ledger,
      }),
  };
}
