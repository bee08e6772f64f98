import type { Will } from '../../../src/core/broker/operations.js';
import { TURN_WORK_BYTES } from '../../../src/server/turn-work.js';
import { REMOVED_BYTES } from '../../../src/server/backlog.js';
import { Host, type TestClient, World } from './brokers.js';

const SUBSCRIBERS = 500;
/** Each reaches all subscribers: together some two turns of the event loop. */
const WILLS = 250;
const WILL: Will = { topic: 'will', payload: Uint8Array.of(1), qos: 1, retain: false };

/** A server whose subscribers are away, and clients with wills. */
async function withWills(): Promise<{ world: World; one: Host; clients: TestClient[] }> {
  const world = new World();
  const one = new Host(world, 'one', { unadmittedBytesMax: 64 * 1024 * 1024, orphanGraceMs: 5_000 });
  one.limits = { ...one.limits, sessionsMax: 10_000 };
  await one.start();
  one.serve(1);
  await world.run(500);
  for (let at = 0; at < SUBSCRIBERS; at++) {
    const subscriber = one.client();
    subscriber.connect(`s${at}`);
    subscriber.subscribe('will', 1);
    end(subscriber, false);
  }
  const clients = Array.from({ length: WILLS }, (_, at) => {
    const client = one.client();
    client.edge.submit({ kind: 'connect', connection: client.connection, clientId: `c${at}`, clean: true, will: WILL, user: null }, 1);
    return client;
  });
  await world.run(2_000);
  return { world, one, clients };
}

function end(client: TestClient, publishWill: boolean): void {
  expect(client.edge.submit({ kind: 'disconnect', connection: client.connection, publishWill }, 1)).toEqual({ kind: 'accepted' });
  client.edge.unregister(client.connection);
}

/** How many wills were published in each turn of the event loop from now on, until all are. */
async function perTurn({ world, one }: { world: World; one: Host }): Promise<number[]> {
  const turns: number[] = [];
  let sum = 0;
  const look = (): void => {
    const wills = one.status.queued / SUBSCRIBERS - sum;
    if (wills > 0) turns.push(wills);
    sum += wills;
    if (sum < WILLS) world.clock.after(sum === 0 ? 1 : 0, look);
  };
  look();
  await world.until(() => sum === WILLS, 'all wills are published');
  return turns;
}

test('many connections that end together publish their wills a bounded number in a turn, and all of them', async () => {
  const { world, one, clients } = await withWills();
  for (const client of clients) end(client, true);
  const turns = await perTurn({ world, one });
  expect(turns.length).toBeGreaterThan(1);
  expect(Math.max(...turns) * SUBSCRIBERS).toBeLessThan(100_000);
  expect(one.status.sessions).toBe(SUBSCRIBERS);
});

test('one of them that is back before its turn has published its will before it is let in', async () => {
  const { world, one, clients } = await withWills();
  for (const client of clients) end(client, true);
  const queued = one.status.queued;
  const back = one.client();
  back.connect(`c${WILLS - 1}`);
  expect(one.status.queued).toBe(queued + SUBSCRIBERS);
  await world.run(500);
  expect(back.of('connack')).toMatchObject([{ sessionPresent: false }]);
  expect(one.status).toMatchObject({ queued: WILLS * SUBSCRIBERS, sessions: SUBSCRIBERS + 1, clients: 1 });
});

test('a client that says DISCONNECT is gone in the same turn, however many have ended in it', async () => {
  const { one, clients } = await withWills();
  for (const client of clients.slice(1)) end(client, true);
  const { sessions, queued } = one.status;
  end(clients[0] as TestClient, false);
  expect(one.status).toMatchObject({ sessions: sessions - 1, queued });
});

test('so do the clients of the server before that did not come back', async () => {
  const { world, one } = await withWills();
  one.kill();
  await one.start();
  one.serve(2);
  await world.run(4_900);
  expect(one.status.queued).toBe(0);
  const turns = await perTurn({ world, one });
  expect(turns.length).toBeGreaterThan(1);
  expect(Math.max(...turns) * SUBSCRIBERS).toBeLessThan(120_000);
});

describe('clean sessions that end together, with all that they have', () => {
  const CLIENTS = 50;
  const QUEUED = 100;
  const DEEP = '/a'.repeat(198);
  const OF_ONE = 1_011 * 19 + QUEUED;
  /** What a turn takes of them at most, and one more that was begun. */
  const REMOVED_MAX = (1.8 * TURN_WORK_BYTES) / REMOVED_BYTES;

  async function withSubscriptions(): Promise<{ world: World; one: Host; clients: TestClient[] }> {
    const world = new World();
    const one = new Host(world, 'one', { unadmittedBytesMax: 64 * 1024 * 1024, orphanGraceMs: 5_000 });
    one.memory = { used: 0, limit: 2 ** 40 };
    await one.start();
    one.serve(1);
    await world.run(500);
    const clients = Array.from({ length: CLIENTS }, (_, at) => {
      const client = one.client();
      client.connect(`c${at}`, true);
      expect(client.subscribeAll(['t', ...Array.from({ length: 19 }, (_, filter) => `${at}-${filter}${DEEP}`)])).toEqual({ kind: 'accepted' });
      return client;
    });
    const publisher = one.client();
    publisher.connect('publisher');
    for (let at = 0; at < QUEUED; at++) expect(publisher.publish('t', 'x')).toEqual({ kind: 'accepted' });
    end(publisher, false);
    await world.run(2_000);
    expect(one.status).toMatchObject({ sessions: CLIENTS + 1, queued: CLIENTS * (QUEUED - one.limits.inflightMessagesMax) });
    return { world, one, clients };
  }

  /** How many sessions were removed in each turn of the event loop from now on, until all are. */
  async function removedPerTurn({ world, one }: { world: World; one: Host }): Promise<number[]> {
    const turns: number[] = [];
    let left = CLIENTS + 1;
    const look = (): void => {
      const removed = left - one.status.sessions;
      if (removed > 0) turns.push(removed);
      left -= removed;
      if (left > 1) world.clock.after(left === CLIENTS + 1 ? 1 : 0, look);
    };
    look();
    await world.until(() => left === 1, 'all are removed');
    return turns;
  }

  test('are removed a bounded number in a turn, also without wills, and all of them', async () => {
    const { world, one, clients } = await withSubscriptions();
    for (const client of clients) end(client, false);
    const turns = await removedPerTurn({ world, one });
    expect(turns.length).toBeGreaterThan(1);
    expect(Math.max(...turns) * OF_ONE).toBeLessThan(REMOVED_MAX);
    expect(one.status).toMatchObject({ sessions: 1, queued: 0 });
  });

  test('so are those of the server before, in records of their own', async () => {
    const { world, one } = await withSubscriptions();
    one.kill();
    await one.start();
    one.serve(2);
    await world.run(4_900);
    const before = one.head;
    const turns = await removedPerTurn({ world, one });
    expect(turns.length).toBeGreaterThan(1);
    expect(Math.max(...turns) * OF_ONE).toBeLessThan(REMOVED_MAX);
    expect(one.head - before).toBeGreaterThan(1);
    expect(one.status).toMatchObject({ sessions: 1, queued: 0 });
  });

  test('one of them that is back before its turn has a new session', async () => {
    const { world, one, clients } = await withSubscriptions();
    for (const client of clients) end(client, false);
    expect(one.status.sessions).toBeGreaterThan(2);
    const back = one.client();
    back.connect(`c${CLIENTS - 1}`);
    await world.run(500);
    expect(back.of('connack')).toMatchObject([{ sessionPresent: false }]);
    expect(one.status).toMatchObject({ sessions: 2, queued: 0, clients: 1 });
  });
});
