import { createConnection } from 'node:net';
import type { Socket } from 'node:net';
import mqtt from 'mqtt';
import type { IClientOptions, MqttClient } from 'mqtt';
import { createClock } from '../../src/adapters/clock.js';
import { createPlainNetwork } from '../../src/adapters/network.js';
import { createRandom } from '../../src/adapters/random.js';
import { BrokerCore } from '../../src/core/broker/core.js';
import type { Effect, Message } from '../../src/core/broker/effects.js';
import type { Operation } from '../../src/core/broker/operations.js';
import { encodeOperation } from '../../src/core/broker/records.js';
import type { Position, Term } from '../../src/core/identity.js';
import { AnonymousAuthenticator } from '../../src/protocols/mqtt/anonymous.js';
import { MqttProtocol } from '../../src/protocols/mqtt/protocol.js';
import { ClientListener } from '../../src/server/clients/client-listener.js';
import type { ClientEdge, ClientHandler, Submitted } from '../../src/server/edge.js';
import { FakeLog } from '../unit/support/fake-log.js';

/*
 * MQTT.js over loopback, the client listener, the protocol, and the real broker core; between the last two a broker that admits everything
 * a turn later, in groups.
 */

const ACCEPTED: Submitted = { kind: 'accepted' };

class InstantBroker implements ClientEdge {
  readonly serving = true;
  readonly congested = false;
  readonly scarce = false;
  readonly core = new BrokerCore({
    inflightMessagesMax: 20,
    sessionsMax: 6_000,
    subscriptionsPerSessionMax: 100,
    queuedMessagesPerSessionMax: 10_000,
    storedBytesMax: 100_000_000,
    retainedMessagesMax: 100,
  });
  readonly handlers = new Map<number, ClientHandler>();
  private position = 0;
  private connections = 0;
  private held: Effect[] = [];

  register(handler: ClientHandler): number {
    this.handlers.set(++this.connections, handler);
    return this.connections;
  }

  unregister(connection: number): void {
    this.handlers.delete(connection);
  }

  submit(operation: Operation, origin: number): Submitted {
    const refusal = this.core.refusal(operation);
    if (refusal !== null) return { kind: 'refused', reason: 'limit', detail: refusal.detail };
    const { type, version, payload } = encodeOperation(operation);
    const position = ++this.position as Position;
    this.core.apply({ type, version, origin, term: 1 as Term, position, chain: 0, payload }, (effect) => this.hold(effect));
    return ACCEPTED;
  }

  submitVolatile(topic: string, payload: Uint8Array): Submitted {
    this.core.deliverVolatile(topic, payload, (effect) => this.hold(effect));
    return ACCEPTED;
  }

  loadPayload(_message: Message, done: (payload: Uint8Array | null) => void): void {
    done(null);
  }

  private hold(effect: Effect): void {
    this.held.push(effect);
    if (this.held.length > 1) return;
    setImmediate(() => {
      const effects = this.held;
      this.held = [];
      for (const each of effects) this.handlers.get(each.connection)?.effect(each);
    });
  }
}

describe('MQTT clients over loopback', () => {
  const broker = new InstantBroker();
  const clock = createClock();
  const log = new FakeLog();
  const protocol = new MqttProtocol({ edge: broker, clock, log, random: createRandom(), authenticator: new AnonymousAuthenticator() });
  const listener = new ClientListener({
    doors: [{ name: 'mqtt', network: createPlainNetwork({ log, loopbackOnly: true }), endpoint: { host: '127.0.0.1', port: 0 } }],
    limits: { connectionsMax: 6_000 },
    start: (stream) => protocol.start(stream),
    clock,
    log,
  });
  const open: MqttClient[] = [];
  let port = 0;

  beforeAll(async () => {
    await listener.bind();
    listener.accept();
    port = listener.ports[0]?.port ?? 0;
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((client) => client.endAsync(true)));
  });
  afterAll(() => listener.close('the end of the test'));

  async function connect(options: IClientOptions = {}): Promise<MqttClient> {
    const client = await mqtt.connectAsync({ host: '127.0.0.1', port, protocolVersion: 4, reconnectPeriod: 0, ...options });
    open.push(client);
    return client;
  }

  /** Resolves when so many messages have come. */
  function messages(client: MqttClient, count: number): Promise<{ topic: string; text: string; qos: number; retain: boolean }[]> {
    return new Promise((resolve) => {
      const all: { topic: string; text: string; qos: number; retain: boolean }[] = [];
      client.on('message', (topic, payload, { qos, retain }) => {
        all.push({ topic, text: payload.toString(), qos, retain });
        if (all.length === count) resolve(all);
      });
    });
  }

  test.each([0, 1, 2] as const)('500 messages of QoS %i arrive in order', async (qos) => {
    const subscriber = await connect();
    expect(await subscriber.subscribeAsync(`order/${qos}/+`, { qos })).toMatchObject([{ qos }]);
    const arrived = messages(subscriber, 500);
    const publisher = await connect();
    const sent = Array.from({ length: 500 }, (_, i) => publisher.publishAsync(`order/${qos}/${i % 3}`, `${i}`, { qos }));
    await Promise.all(sent);
    expect((await arrived).map(({ text }) => Number(text))).toEqual(Array.from({ length: 500 }, (_, i) => i));
  });

  test('a payload of 3 MB, retained, for a later subscriber', async () => {
    const publisher = await connect();
    const text = 'x'.repeat(3_000_000);
    await publisher.publishAsync('big', text, { qos: 1, retain: true });
    const subscriber = await connect();
    const arrived = messages(subscriber, 1);
    await subscriber.subscribeAsync('big', { qos: 1 });
    expect(await arrived).toEqual([{ topic: 'big', text, qos: 1, retain: true }]);
    await publisher.publishAsync('big', '', { qos: 1, retain: true });
  });

  test('a persistent session gets what came while it was away', async () => {
    const first = await connect({ clientId: 'keeper', clean: false });
    await first.subscribeAsync('away/#', { qos: 2 });
    await first.endAsync();
    const publisher = await connect();
    await publisher.publishAsync('away/1', 'one', { qos: 1 });
    await publisher.publishAsync('away/2', 'two', { qos: 2 });
    const second = mqtt.connect({ host: '127.0.0.1', port, clientId: 'keeper', clean: false, protocolVersion: 4, reconnectPeriod: 0 });
    open.push(second);
    const present = new Promise((resolve) => second.on('connect', ({ sessionPresent }) => resolve(sessionPresent)));
    expect(await messages(second, 2)).toMatchObject([{ text: 'one', qos: 1 }, { text: 'two', qos: 2 }]);
    expect(await present).toBe(true);
  });

  test('the will of a client that vanishes is published, that of one that leaves is not', async () => {
    const subscriber = await connect();
    await subscriber.subscribeAsync('wills/#', { qos: 1 });
    const arrived = messages(subscriber, 1);
    const leaver = await connect({ will: { topic: 'wills/leaver', payload: Buffer.from('no'), qos: 1, retain: false } });
    await leaver.endAsync();
    const vanisher = await connect({ will: { topic: 'wills/vanisher', payload: Buffer.from('yes'), qos: 1, retain: false } });
    vanisher.stream.destroy();
    expect(await arrived).toMatchObject([{ topic: 'wills/vanisher', text: 'yes' }]);
  });

  test('a client id that is taken over: the older connection is closed', async () => {
    const older = await connect({ clientId: 'twin' });
    const closed = new Promise((resolve) => older.on('close', () => resolve('closed')));
    const newer = await connect({ clientId: 'twin' });
    expect(await closed).toBe('closed');
    expect(newer.connected).toBe(true);
  });

  test('MQTT 5 is refused', async () => {
    await expect(connect({ protocolVersion: 5 })).rejects.toThrow();
    expect(log.from('warn').join()).toMatch(/MQTT 5; this server speaks MQTT 3\.1\.1/);
  });

  test('1,000 idle connections beside a working one', async () => {
    const sockets: Socket[] = [];
    const hello = Buffer.from([0x10, 12, 0, 4, 77, 81, 84, 84, 4, 2, 0, 60, 0, 0]);
    const answered = Array.from(
      { length: 1_000 },
      () =>
        new Promise<void>((resolve, reject) => {
          const socket = createConnection({ host: '127.0.0.1', port }, () => socket.write(hello));
          socket.once('data', () => resolve());
          socket.once('error', reject);
          sockets.push(socket);
        }),
    );
    await Promise.all(answered);
    const client = await connect();
    await client.subscribeAsync('echo', { qos: 1 });
    const arrived = messages(client, 1);
    await client.publishAsync('echo', 'still here', { qos: 1 });
    expect(await arrived).toMatchObject([{ text: 'still here' }]);
    expect(listener.connections).toBeGreaterThanOrEqual(1_001);
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('close', resolve).destroy())));
  });
});
