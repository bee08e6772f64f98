import mqtt, { type MqttClient } from 'mqtt';
import type { Tally } from './tally.js';
import { until } from '../waiting.js';

/** What the failover is seen by. */
export interface Observers {
  readonly tally: Tally;
  /** Publishes nothing more and waits for what is under way. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

const BETWEEN_MESSAGES_MS = 5;
/** The application's own limit: it publishes nothing more while so many are not acknowledged. */
const UNACKNOWLEDGED_MAX = 200;
const RECONNECT_MS = 100;
const CONNECT_MS_MAX = 2_000;
const SETTLE_MS_MAX = 20_000;

/** MQTT.js with both addresses: a publisher at QoS 1 and a consumer with a persistent session. */
export async function startJsClients(servers: readonly { host: string; port: number }[], name: string, tally: Tally): Promise<Observers> {
  const topic = `bench/${name}`;
  const open = (role: string): MqttClient => {
    const client = mqtt.connect({
      servers: servers.map((server) => ({ ...server, protocol: 'mqtt' as const })),
      clientId: `bench-${role}-${name}`,
      clean: false,
      reconnectPeriod: RECONNECT_MS,
      connectTimeout: CONNECT_MS_MAX,
    });
    // It connects again by itself; without a listener the error would end the run.
    client.on('error', () => undefined);
    return client;
  };
  const consumer = open('consumer');
  consumer.on('message', (_topic, payload) => tally.receive(Number(payload.toString())));
  // The address that does not serve may end a connection while the subscription waits in it: MQTT.js gives it up then.
  await until(SETTLE_MS_MAX, () => 'MQTT.js to subscribe', () => consumer.subscribeAsync(topic, { qos: 1 }).then(() => true, () => null));
  const publisher = open('publisher');
  let next = 0;
  let unacknowledged = 0;
  const timer = setInterval(() => {
    if (unacknowledged >= UNACKNOWLEDGED_MAX) return;
    const sequence = next++;
    unacknowledged += 1;
    publisher.publish(topic, String(sequence), { qos: 1 }, (error) => {
      unacknowledged -= 1;
      if (error === undefined || error === null) tally.acknowledge(sequence);
    });
  }, BETWEEN_MESSAGES_MS);
  return {
    tally,
    async settle() {
      clearInterval(timer);
      await until(SETTLE_MS_MAX, () => 'the acknowledgements of MQTT.js', () => (unacknowledged === 0 ? true : null)).catch(() => undefined);
      await until(SETTLE_MS_MAX, () => 'the messages of MQTT.js', () => (tally.missing === 0 ? true : null)).catch(() => undefined);
    },
    async close() {
      clearInterval(timer);
      await Promise.all([publisher.endAsync(true), consumer.endAsync(true)]);
    },
  };
}
