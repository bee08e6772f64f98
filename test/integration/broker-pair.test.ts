import { connect, connectAsync, type MqttClient } from 'mqtt';
import { BrokerProcess } from './broker-process.js';
import { until } from './support/until.js';

const LIMIT_MS = 60_000;

const clients: MqttClient[] = [];
const brokers: BrokerProcess[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.end(true);
  for (const broker of brokers.splice(0)) await broker.dispose();
});

async function broker(name: string): Promise<BrokerProcess> {
  const made = await BrokerProcess.create(name);
  brokers.push(made);
  await made.start();
  return made;
}

async function client(port: number, clientId: string, clean = false): Promise<MqttClient> {
  const made = await connectAsync({ host: '127.0.0.1', port, protocol: 'mqtt', clientId, clean, reconnectPeriod: 0 });
  made.on('error', () => undefined);
  clients.push(made);
  return made;
}

async function pair(): Promise<[BrokerProcess, BrokerProcess]> {
  const one = await broker('primary');
  const two = await broker('secondary');
  one.serve(1, two, false);
  two.follow(one, 1);
  await one.until((status) => status.replication?.phase === 'in-step' && status.clientPort === 'accepting', 'in step');
  one.serve(2, two, true);
  two.follow(one, 2);
  await one.until((status) => status.term === 2 && status.replication?.peerDurable === status.journal.position, 'admitted');
  return [one, two];
}

test('a killed broker: the other has every acknowledged message, and the killed one comes back with what it missed', async () => {
  const [one, two] = await pair();
  const subscriber = await client(one.mqttPort, 'subscriber');
  await subscriber.subscribeAsync('orders/#', { qos: 1 });
  subscriber.end(true);
  const publisher = await client(one.mqttPort, 'publisher', true);
  const acknowledged: string[] = [];
  const sending = (async () => {
    for (let i = 0; i < 5_000; i += 50) {
      const batch = Array.from({ length: 50 }, (_, j) => `${i + j}`);
      await Promise.all(batch.map(async (text) => {
        await publisher.publishAsync(`orders/${text}`, text.padEnd(200, '.'), { qos: 1 });
        acknowledged.push(text);
      }));
    }
  })().catch(() => undefined);
  await until('it is in the midst of it', () => acknowledged.length >= 500);
  one.kill();
  await one.gone();
  publisher.end(true);
  await sending;
  expect(acknowledged.length).toBeGreaterThan(100);

  two.become({ kind: 'idle', keepClients: false }, 2);
  await two.until((status) => status.fencedThrough === 2 && status.role === 'idle', 'fenced');
  two.serve(3, null, false);
  await two.until((status) => status.clientPort === 'accepting', 'serves');
  const received = new Set<string>();
  // Heard from the first packet on: what waited comes right behind the CONNACK.
  const again = connect({ host: '127.0.0.1', port: two.mqttPort, protocol: 'mqtt', clientId: 'subscriber', clean: false, reconnectPeriod: 0 });
  clients.push(again);
  again.on('message', (_, payload) => received.add(payload.toString().replaceAll('.', '')));
  await two.until((status) => status.queued === 0 && acknowledged.every((text) => received.has(text)), 'all received');

  const fresh = await client(two.mqttPort, 'publisher2', true);
  await fresh.publishAsync('orders/new', 'new', { qos: 2 });
  await one.start();
  two.serve(3, one, false);
  one.follow(two, 3);
  await two.until((status) => status.replication?.phase === 'in-step', 'the killed one is in step again');
  await one.until((status) => status.journal.durable === two.now.journal.position, 'and has it all');
  expect(two.now.diverged).toBeNull();
}, LIMIT_MS);

test('a clean end: the journal is closed, the process exits with 0, and everything is there at the next start', async () => {
  const one = await broker('primary');
  one.serve(1, null, false);
  await one.until((status) => status.clientPort === 'accepting', 'serves');
  const publisher = await client(one.mqttPort, 'publisher', true);
  const subscriber = await client(one.mqttPort, 'subscriber');
  await subscriber.subscribeAsync('t', { qos: 2 });
  await subscriber.endAsync();
  await one.until((status) => status.clients === 1, 'the subscriber is gone');
  for (let i = 0; i < 300; i++) await publisher.publishAsync('t', `${i}`, { qos: i % 2 === 0 ? 1 : 2, retain: i === 7 });
  const { position } = one.now.journal;
  one.shutDown();
  expect(await one.gone()).toBe('code 0');
  const restarted = one;
  (restarted as unknown as { order: { shutdown: boolean } }).order.shutdown = false;
  await restarted.start();
  expect(restarted.now.journal.position).toBeGreaterThanOrEqual(position);
  expect(restarted.now.queued).toBe(300);
}, LIMIT_MS);

test('a broker whose manager is gone ends by itself', async () => {
  const one = await broker('primary');
  one.disconnect();
  expect(await one.gone()).toBe('SIGKILL');
}, LIMIT_MS);

test('a taken replication port is said, and the client port too', async () => {
  const one = await broker('primary');
  const two = await BrokerProcess.create('secondary');
  brokers.push(two);
  Object.assign(two, { replicationPort: one.replicationPort });
  await two.start();
  await two.until((status) => status.trouble?.includes('replication port cannot be bound') === true, 'said');
}, LIMIT_MS);
