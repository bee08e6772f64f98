import type { Submitted } from '../../../src/server/edge.js';
import { Host, World, startedPair, syncedPair, type TestClient } from './brokers.js';

/** `unadmittedBytesMax` of these brokers, and what an effect counts. */
const UNADMITTED_BYTES_MAX = 64 * 1024;
const EFFECT_BYTES = 64;
const WATCHERS = 50;
/** What one message for all watchers counts at least. */
const FOR_ALL_BYTES = WATCHERS * EFFECT_BYTES;

function watchers(host: Host, filter: string): TestClient[] {
  return Array.from({ length: WATCHERS }, (_, number) => {
    const client = host.client();
    client.connect(`watcher ${number}`);
    client.subscribe(filter, 0);
    return client;
  });
}

function connectWithWill(host: Host, clientId: string, topic = 'will'): { client: TestClient; submitted: Submitted } {
  const client = host.client();
  const will = { topic, payload: Uint8Array.of(1), qos: 0 as const, retain: false };
  return { client, submitted: client.edge.submit({ kind: 'connect', connection: client.connection, clientId, clean: true, will, user: null }, 1) };
}

function leave(client: TestClient, publishWill: boolean): void {
  expect(client.edge.submit({ kind: 'disconnect', connection: client.connection, publishWill }, 1)).toEqual({ kind: 'accepted' });
  client.edge.unregister(client.connection);
}

const delivered = (watcher: TestClient, topic: string): number => watcher.of('deliver').filter(({ message }) => message.topic === topic).length;

/** The manager is silent for so long that nothing is said any more, and not for so long that clients are sent away. */
async function gateClosed(world: World, host: Host): Promise<void> {
  host.pulsing = false;
  await world.run(1_200);
}

describe('what is admitted, and kept by a gate that is closed', () => {
  test('weighs on: nothing more is read from clients at the limit, and all is said when the gate opens', async () => {
    const { world, one } = await startedPair();
    const all = watchers(one, 't');
    const publisher = one.client();
    publisher.connect('publisher');
    await world.run(300);
    await gateClosed(world, one);
    let sent = 0;
    for (; !publisher.edge.congested && sent < 100; sent += 1) {
      publisher.publish('t', 'x');
      await world.run(5);
    }
    expect(one.status.admitted).toBeGreaterThanOrEqual(one.head - 1);
    expect(publisher.acknowledged).toBe(0);
    expect((sent - 1) * FOR_ALL_BYTES).toBeLessThanOrEqual(UNADMITTED_BYTES_MAX);
    one.pulsing = true;
    await world.until(() => publisher.acknowledged === sent, 'all acknowledged', 600);
    for (const watcher of all) expect(delivered(watcher, 't')).toBe(sent);
    expect(publisher.edge.congested).toBe(false);
    expect(publisher.resumed).toBe(1);
  });

  test('weighs with its topic, and with all the bytes that a QoS 0 payload came in', async () => {
    const { world, one } = await startedPair();
    const watcher = one.client();
    watcher.connect('watcher');
    watcher.subscribe('#', 0);
    const publisher = one.client();
    publisher.connect('publisher');
    await world.run(300);
    const { edge, connection } = publisher;
    const sentUntilCongested = async (send: (number: number) => Submitted): Promise<number> => {
      await gateClosed(world, one);
      let sent = 0;
      for (; !edge.congested && sent < 500; sent += 1) expect(send(sent)).toEqual({ kind: 'accepted' });
      one.pulsing = true;
      await world.run(300);
      expect(edge.congested).toBe(false);
      return sent;
    };
    expect(await sentUntilCongested((number) => edge.submitVolatile(`${'x'.repeat(8_000)}/${number}`, new Uint8Array(0), connection))).toBeLessThanOrEqual(9);
    expect(await sentUntilCongested(() => edge.submitVolatile('t', new Uint8Array(8_000).subarray(1, 2), connection))).toBeLessThanOrEqual(9);
    const chunk = new Uint8Array(8_000);
    expect(await sentUntilCongested((number) => edge.submitVolatile('t', chunk.subarray(number, number + 1), connection))).toBe(500);
  });
});

describe('what does not wait to be read', () => {
  test('logins and the wills of those who go at once are taken up to twice the limit, and refused beyond it', async () => {
    const { world, one, two } = await syncedPair();
    const all = watchers(one, 'will');
    await world.run(100);
    world.net.cutBoth('one', 'two');
    let taken = 0;
    for (; taken < 200; taken += 1) {
      const { client, submitted } = connectWithWill(one, `client ${taken}`);
      if (submitted.kind === 'refused') {
        expect(submitted).toEqual({ kind: 'refused', reason: 'limit', detail: 'too much waits for the disks and the other server' });
        break;
      }
      leave(client, true);
    }
    expect(taken).toBeGreaterThan(10);
    expect((taken - 1) * FOR_ALL_BYTES).toBeLessThanOrEqual(2 * UNADMITTED_BYTES_MAX);
    world.net.healBoth('one', 'two');
    await world.until(() => all.every((watcher) => delivered(watcher, 'will') === taken), 'all wills are published');
    await world.until(() => two.head === one.head, 'both have them');
    expect(connectWithWill(one, 'late').submitted).toEqual({ kind: 'accepted' });
  });

  test('the ends of many connections are told of one after the other, as there is room; who is back before has ended first', async () => {
    const unadmittedBytesMax = UNADMITTED_BYTES_MAX / 4;
    const { world, one, two } = await syncedPair({ unadmittedBytesMax });
    const all = watchers(one, '+');
    const clients = Array.from({ length: 45 }, (_, number) => connectWithWill(one, `client ${number}`).client);
    const polite = connectWithWill(one, 'polite', 'never').client;
    await world.run(300);
    world.net.cutBoth('one', 'two');
    const before = one.head;
    for (const client of clients) leave(client, true);
    leave(polite, false);
    expect(one.head - before).toBeGreaterThan(5);
    expect((one.head - before - 1) * FOR_ALL_BYTES).toBeLessThanOrEqual(2 * unadmittedBytesMax);
    const { edge } = polite;
    expect(edge.submit({ kind: 'subscribe', connection: all[0]?.connection as number, packetId: 9, subscriptions: [{ filter: 'x', qos: 0 }] }, 1)).toMatchObject({ kind: 'refused', reason: 'disk-full' });
    expect(edge.submitVolatile('t', Uint8Array.of(1))).toMatchObject({ kind: 'refused', reason: 'limit' });
    world.net.healBoth('one', 'two');
    const told = one.head;
    await world.until(() => one.head > told, 'more of them are told of');
    expect((one.head - told - 1) * FOR_ALL_BYTES).toBeLessThanOrEqual(unadmittedBytesMax);
    expect(edge.congested).toBe(true);
    const { client, submitted } = connectWithWill(one, 'polite', 'other');
    expect(submitted).toEqual({ kind: 'accepted' });
    await world.until(() => all.every((watcher) => delivered(watcher, 'will') === 45) && client.of('connack').length === 1, 'all wills are published');
    await world.until(() => two.head === one.head, 'both have them');
    expect(delivered(all[0] as TestClient, 'never')).toBe(0);
    expect(client.closed).toBeNull();
  });

  test('the wills of those who do not come back after a failover wait while too much waits', async () => {
    const world = new World();
    const one = new Host(world, 'one', { orphanGraceMs: 1_000 });
    await one.start();
    one.serve(1);
    connectWithWill(one, 'lost');
    await world.run(300);
    one.kill();
    await one.start();
    one.serve(2, { requirePeer: true });
    const watcher = one.client();
    watcher.connect('watcher');
    watcher.subscribe('will', 0);
    while (!watcher.edge.congested) watcher.publish('elsewhere', 'x');
    const { head } = one;
    await world.run(3_000);
    expect(one.head).toBe(head);
    one.serve(2);
    await world.until(() => delivered(watcher, 'will') === 1, 'the will is published', 300);
  });
});
