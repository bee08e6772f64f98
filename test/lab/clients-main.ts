import { createHash } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import mqtt from 'mqtt';
import type { HistoryEvent } from '../../src/core/history/events.js';
import { connect } from '../integration/support/clients.js';
import type { ClientsConfig, ClientsProgress } from './client-process.js';

/*
 * The client host: stock MQTT clients that have both addresses and sessions that outlive their connections, and a history of what they did and met.
 * Runs in the lab's network namespace. Lines on standard input: `mark TEXT`, `finish` (publish no more), `end`.
 */

/** Between two messages of one publisher. */
const PACE_MS = 40;
const IN_FLIGHT_MAX = 20;
const PROGRESS_MS = 100;
const PAYLOAD_BYTES = 200;
const RECONNECT_MS = 100;

const config = JSON.parse(process.argv[2] ?? '{}') as ClientsConfig;
const filter = `lab/${config.name}/#`;
const file = openSync(config.historyFile, 'a');
const counts = { acknowledged: 0, inFlight: 0 };
/** Acknowledged, and not yet seen at all consumers. */
const acknowledged = new Set<string>();
const consumers = [
  { name: `${config.name}-consumer-1`, qos: 1 as const, received: new Set<string>() },
  { name: `${config.name}-consumer-2`, qos: 2 as const, received: new Set<string>() },
];
let ready = false;
let publishing = true;

type Unstamped = HistoryEvent extends infer E ? (E extends HistoryEvent ? Omit<E, 'at'> : never) : never;

/** Written before anything else happens: what is acknowledged is in the file, whatever becomes of this process. */
function note(event: Unstamped): void {
  writeSync(file, `${JSON.stringify({ at: performance.now(), ...event })}\n`);
}

function digestOf(payload: Buffer): string {
  return createHash('sha256').update(payload).digest('hex').slice(0, 16);
}

function open(client: string, store: mqtt.IClientOptions = {}): mqtt.MqttClient {
  const connection = connect(config.addresses, client, { username: config.username, password: config.password, reconnectPeriod: RECONNECT_MS, ...store });
  let connected = false;
  connection.on('connect', ({ sessionPresent }) => {
    connected = true;
    note({ event: 'connected', client, clean: false, sessionPresent });
  });
  connection.on('close', () => {
    if (connected) note({ event: 'disconnected', client });
    connected = false;
  });
  return connection;
}

/** Resolves when the subscription is granted. The library is not to repeat it by itself: it calls one done that it only means to repeat. */
function consume({ name, qos, received }: (typeof consumers)[number]): Promise<void> {
  const connection = open(name, { incomingStore: new mqtt.Store({ clean: false }), resubscribe: false });
  connection.on('message', (topic, payload, packet) => {
    const message = payload.toString().trimEnd();
    note({ event: 'received', client: name, message, topic, qos: packet.qos, retain: packet.retain, digest: digestOf(payload) });
    received.add(message);
  });
  let granted = false;
  return new Promise((resolve) => {
    connection.on('packetsend', (packet) => {
      if (packet.cmd === 'subscribe') note({ event: 'subscribe', client: name, filter });
    });
    connection.on('packetreceive', (packet) => {
      if (packet.cmd !== 'suback') return;
      granted = packet.granted[0] === qos;
      note({ event: 'subscribed', client: name, filter, qos: granted ? qos : null });
      if (granted) resolve();
    });
    connection.on('connect', () => {
      if (!granted) connection.subscribe(filter, { qos }, () => undefined);
    });
  });
}

function publish(client: string, qos: 1 | 2): void {
  const connection = open(client);
  const topic = `lab/${config.name}/${client}`;
  let number = 0;
  let inFlight = 0;
  const timer = setInterval(() => {
    if (!publishing) return clearInterval(timer);
    if (inFlight >= IN_FLIGHT_MAX) return;
    const message = `${client}-${++number}`;
    const payload = Buffer.from(message.padEnd(PAYLOAD_BYTES));
    inFlight += 1;
    counts.inFlight += 1;
    note({ event: 'send', client, message, topic, qos, retain: false, digest: digestOf(payload) });
    connection.publish(topic, payload, { qos }, (error) => {
      inFlight -= 1;
      counts.inFlight -= 1;
      if (error) return; // whether it arrives is not known
      note({ event: 'acknowledged', client, message });
      counts.acknowledged += 1;
      acknowledged.add(message);
    });
  }, PACE_MS);
}

function caughtUp(): boolean {
  for (const id of acknowledged) if (consumers.every(({ received }) => received.has(id))) acknowledged.delete(id);
  return !publishing && counts.inFlight === 0 && acknowledged.size === 0;
}

function ended(): never {
  // Otherwise what is missing is late, as far as anybody can say here.
  if (caughtUp()) for (const { name } of consumers) note({ event: 'drained', client: name });
  note({ event: 'end' });
  process.exit(0);
}

createInterface({ input: process.stdin })
  .on('line', (line) => {
    if (line.startsWith('mark ')) note({ event: 'mark', text: line.slice('mark '.length) });
    if (line === 'finish') publishing = false;
    if (line === 'end') ended();
  })
  .on('close', () => process.exit(0)); // the lab is gone
process.on('exit', () => closeSync(file));
setInterval(() => process.stdout.write(`${JSON.stringify({ ready, ...counts, caughtUp: caughtUp() } satisfies ClientsProgress)}\n`), PROGRESS_MS);

writeSync(file, `${JSON.stringify({ lockstep: 'history', version: 1, clock: 'lab', uncertaintyMs: 0 })}\n`);
await Promise.all(consumers.map(consume));
publish(`${config.name}-publisher-1`, 1);
publish(`${config.name}-publisher-2`, 2);
ready = true;
