import { closeSync, openSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import mqtt from 'mqtt';
import { connect } from '../integration/support/clients.js';
import { until } from '../integration/support/until.js';
import type { ClientEvent, ClientsConfig, ClientsProgress } from './client-events.js';

/*
 * The client host: stock MQTT clients that have both addresses and sessions that outlive their connections. Runs in the lab's network namespace.
 * The word `finish` on standard input ends the publishing, `end` the process.
 */

/** Between two messages of one publisher. */
const PACE_MS = 40;
const IN_FLIGHT_MAX = 20;
const PROGRESS_MS = 100;
const PAYLOAD_BYTES = 200;
const SUBSCRIBE_LIMIT_MS = 60_000;
const RECONNECT_MS = 100;

const config = JSON.parse(process.argv[2] ?? '{}') as ClientsConfig;
const file = openSync(config.historyFile, 'a');
const counts = { sent: 0, acknowledged: 0, inFlight: 0 };
/** Acknowledged or received, and not yet both for all consumers. */
const acknowledged = new Set<string>();
const consumers = [
  { name: `${config.name}-consumer-1`, qos: 1 as const, received: new Set<string>() },
  { name: `${config.name}-consumer-2`, qos: 2 as const, received: new Set<string>() },
];
let ready = false;
let publishing = true;

type Bare = ClientEvent extends infer E ? (E extends ClientEvent ? Omit<E, 'at'> : never) : never;

function note(event: Bare): void {
  writeSync(file, `${JSON.stringify({ at: performance.now(), ...event })}\n`);
}

function open(name: string, store: mqtt.IClientOptions = {}): mqtt.MqttClient {
  const client = connect(config.addresses, name, { username: config.username, password: config.password, reconnectPeriod: RECONNECT_MS, ...store });
  client.on('connect', () => note({ client: name, op: 'connected' }));
  client.on('close', () => note({ client: name, op: 'disconnected' }));
  return client;
}

async function consume({ name, qos, received }: (typeof consumers)[number]): Promise<void> {
  const client = open(name, { incomingStore: new mqtt.Store({ clean: false }) });
  client.on('message', (_topic, payload, packet) => {
    const id = payload.toString().trimEnd();
    note({ client: name, op: 'receive', id, qos: packet.qos, dup: packet.dup });
    received.add(id);
  });
  await until(`${name} is subscribed`, async () => await client.subscribeAsync(`lab/${config.name}/#`, { qos }).then(() => true, () => false), SUBSCRIBE_LIMIT_MS);
  note({ client: name, op: 'subscribed' });
}

function publish(name: string, qos: 1 | 2): void {
  const client = open(name);
  let number = 0;
  let inFlight = 0;
  const timer = setInterval(() => {
    if (!publishing) return clearInterval(timer);
    if (inFlight >= IN_FLIGHT_MAX) return;
    const id = `${name}-${++number}`;
    inFlight += 1;
    counts.inFlight += 1;
    counts.sent += 1;
    note({ client: name, op: 'publish', id, qos });
    client.publish(`lab/${config.name}/${name}`, id.padEnd(PAYLOAD_BYTES), { qos }, (error) => {
      inFlight -= 1;
      counts.inFlight -= 1;
      if (error) return; // whether it arrives is not known
      note({ client: name, op: 'acknowledged', id });
      counts.acknowledged += 1;
      acknowledged.add(id);
    });
  }, PACE_MS);
}

function awaited(): number {
  for (const id of acknowledged) if (consumers.every(({ received }) => received.has(id))) acknowledged.delete(id);
  return acknowledged.size;
}

createInterface({ input: process.stdin })
  .on('line', (line) => {
    if (line === 'finish') publishing = false;
    if (line === 'end') process.exit(0);
  })
  .on('close', () => process.exit(0)); // the lab is gone
process.on('exit', () => closeSync(file));
setInterval(() => process.stdout.write(`${JSON.stringify({ ready, ...counts, awaited: awaited() } satisfies ClientsProgress)}\n`), PROGRESS_MS);

await Promise.all(consumers.map(consume));
publish(`${config.name}-publisher-1`, 1);
publish(`${config.name}-publisher-2`, 2);
ready = true;
