import type { Message } from '../../../src/core/broker/effects.js';
import { leaveSession, peerOf, snapshots, startedPair, type Host, type World } from './brokers.js';

const SMALL_SNAPSHOTS = { snapshotEveryRecords: 100, snapshotEveryBytes: 1024 * 1024 * 1024 };
const ALWAYS = 1_000_000;

async function fill(world: World, host: Host, count: number, topic = 'q'): Promise<void> {
  const client = host.client();
  client.connect('publisher');
  for (let i = 0; i < count; i++) {
    client.publish(topic, `<${i}>${'x'.repeat(300)}`);
    if (i % 25 === 24) await world.run(15);
  }
  await world.run(100);
}

/** What comes of the payloads of the first ten messages that wait for the session that was away. */
async function firstTen(world: World, host: Host): Promise<string[]> {
  const client = host.client();
  client.connect('away');
  await world.run(50);
  const payloads: string[] = [];
  for (const { message } of client.of('deliver')) host.edge?.loadPayload(message, (payload) => payloads.push(payload === null ? 'LOST' : new TextDecoder().decode(payload).slice(0, 3)));
  await world.until(() => payloads.length === 10, 'ten answers');
  return payloads;
}

const TEN = ['<0>', '<1>', '<2>', '<3>', '<4>', '<5>', '<6>', '<7>', '<8>', '<9>'];

test.each(['EIO', 'ENOENT'])('a snapshot that the disk does not give any more (%s): payloads come from the older one or the log, and a new one takes its place', async (code) => {
  const { world, one } = await startedPair(SMALL_SNAPSHOTS);
  leaveSession(one);
  await fill(world, one, 600);
  await world.until(() => snapshots(one).length === 2, 'two snapshots');
  await world.run(500);
  const newest = snapshots(one)[1] as string;
  one.image.failNext(code === 'EIO' ? 'read' : 'open', code, ALWAYS, newest);
  expect(await firstTen(world, one)).toEqual(TEN);
  expect(one.status).toMatchObject({ role: 'serve', journal: { damage: null } });
  await fill(world, one, 1);
  await world.until(() => !snapshots(one).includes(newest), 'a new one', 15_000);
});

test.each(['EIO', 'ENOENT'])('a snapshot of the leader that its disk does not give (%s) is not sent: the follower gets the older one', async (code) => {
  const { world, one, two } = await startedPair(SMALL_SNAPSHOTS);
  two.kill();
  one.serve(1, { peer: null });
  leaveSession(one);
  await fill(world, one, 600);
  await world.until(() => snapshots(one).length === 2, 'two snapshots');
  await world.run(500);
  one.image.failNext(code === 'EIO' ? 'read' : 'open', code, ALWAYS, snapshots(one)[1] as string);
  await two.start();
  one.serve(1, { peer: peerOf(two) });
  two.follow(one, 1);
  await world.until(() => one.status.replication?.phase === 'in-step', 'in step', 10_000);
  expect(two.head).toBe(one.head);
});

test.each(['EIO', 'ENOENT'])('records that the disk does not give any more (%s) are damage of this copy, as at a start: it serves no more', async (code) => {
  const { world, one } = await startedPair({ ...SMALL_SNAPSHOTS, snapshotEveryRecords: 100_000 });
  leaveSession(one);
  await fill(world, one, 300);
  one.image.failNext(code === 'EIO' ? 'read' : 'open', code, ALWAYS, '.segment');
  expect(await firstTen(world, one)).toContain('LOST');
  await world.run(100);
  expect(one.status).toMatchObject({ role: 'idle', journal: { damage: expect.stringContaining(code) as unknown } });
  // Another process reads it anew, and believes what it sees.
  one.image.forgetFailures(code === 'EIO' ? 'read' : 'open');
  one.kill();
  await one.start();
  expect(one.status.journal.damage).toBeNull();
});

test('records that the disk does not give at the first try are read again', async () => {
  const { world, one } = await startedPair({ ...SMALL_SNAPSHOTS, snapshotEveryRecords: 100_000 });
  leaveSession(one);
  await fill(world, one, 300);
  one.image.failNext('read', 'EIO', 1, '.segment');
  expect(await firstTen(world, one)).toEqual(TEN);
  expect(one.status).toMatchObject({ role: 'serve', journal: { damage: null } });
});

test('a follower that lacks what the disk of the leader does not give: the leader says that its copy is damaged', async () => {
  const { world, one, two } = await startedPair({ ...SMALL_SNAPSHOTS, snapshotEveryRecords: 100_000 });
  two.kill();
  one.serve(1, { peer: null });
  leaveSession(one);
  await fill(world, one, 300);
  one.image.failNext('read', 'EIO', ALWAYS, '.segment');
  await two.start();
  one.serve(1, { peer: peerOf(two) });
  two.follow(one, 1);
  await world.until(() => one.status.journal.damage !== null, 'damage', 5_000);
});

test('the folder of the snapshots is gone while the server runs: it is made again', async () => {
  const { world, one, two } = await startedPair(SMALL_SNAPSHOTS);
  leaveSession(one);
  one.image.takeFolder('snapshots');
  two.kill();
  one.serve(1, { peer: null });
  await fill(world, one, 600);
  await world.until(() => snapshots(one).length === 2, 'two snapshots', 15_000);
  await world.run(500);
  two.image.wipe();
  await two.start();
  one.serve(1, { peer: peerOf(two) });
  two.image.takeFolder('snapshots');
  two.follow(one, 1);
  await world.until(() => one.status.replication?.phase === 'in-step', 'in step', 10_000);
  expect(snapshots(two)).toHaveLength(1);
});

test('a will in a snapshot that the disk does not give comes from the record of its CONNECT, and into the next snapshot', async () => {
  const { world, one } = await startedPair(SMALL_SNAPSHOTS);
  leaveSession(one);
  await fill(world, one, 150);
  await world.until(() => snapshots(one).length === 1, 'a snapshot');
  const leaving = one.client();
  const payload = new TextEncoder().encode(`<will>${'w'.repeat(300)}`);
  leaving.edge.submit({ kind: 'connect', connection: leaving.connection, clientId: 'leaving', clean: true, will: { topic: 'w', qos: 1, retain: true, payload }, user: null }, 1);
  await world.run(50);
  leaving.edge.submit({ kind: 'disconnect', connection: leaving.connection, publishWill: true }, 1);
  leaving.edge.unregister(leaving.connection);
  await fill(world, one, 500);
  await world.until(() => snapshots(one).length === 2, 'two snapshots');
  await world.run(500);
  one.kill();
  await one.start();
  one.serve(2);
  await world.until(() => one.status.role === 'serve', 'serves again');
  const newest = snapshots(one)[1] as string;
  one.image.failNext('read', 'EIO', ALWAYS, newest);
  const subscriber = one.client();
  subscriber.connect('subscriber');
  subscriber.subscribe('w');
  await world.run(50);
  const message = subscriber.of('deliver')[0]?.message;
  expect(message).toMatchObject({ topic: 'w', payload: null });
  const got: (Uint8Array | null)[] = [];
  if (message !== undefined) one.edge?.loadPayload(message, (found) => got.push(found));
  await world.until(() => got.length === 1, 'an answer');
  expect(Buffer.from(got[0] ?? [])).toEqual(Buffer.from(payload));
  await fill(world, one, 1);
  await world.until(() => !snapshots(one).includes(newest), 'a new snapshot', 15_000);
  expect(one.status.journal.damage).toBeNull();
});

test('the payload of a will is kept in memory until two snapshots have it, and is read back from either of them then', async () => {
  const { world, one } = await startedPair(SMALL_SNAPSHOTS);
  const leaving = one.client();
  const payload = new TextEncoder().encode(`<will>${'w'.repeat(300)}`);
  leaving.edge.submit({ kind: 'connect', connection: leaving.connection, clientId: 'leaving', clean: true, will: { topic: 'w', qos: 1, retain: true, payload }, user: null }, 1);
  await fill(world, one, 400, 'nobody');
  await world.until(() => snapshots(one).length === 2, 'two snapshots that have it as a will only');
  await world.run(500);
  // More than the payloads in memory may take.
  leaveSession(one);
  await fill(world, one, 40);
  const retained = async (clientId: string): Promise<Message> => {
    const reader = one.client();
    reader.connect(clientId, true);
    reader.subscribe('w');
    await world.run(50);
    return reader.of('deliver')[0]?.message as Message;
  };
  leaving.edge.submit({ kind: 'disconnect', connection: leaving.connection, publishWill: true }, 1);
  leaving.edge.unregister(leaving.connection);
  for (const snapshot of ['first', 'second']) {
    expect((await retained(snapshot)).payload).toEqual(payload);
    const [, newest] = snapshots(one);
    await fill(world, one, 150, 'nobody');
    await world.until(() => snapshots(one)[1] !== newest, 'another snapshot', 15_000);
    await world.run(500);
    await fill(world, one, 40);
  }
  const message = await retained('last');
  expect(message.payload).toBeNull();
  for (const at of [1, 0]) {
    const got: (Uint8Array | null)[] = [];
    one.edge?.loadPayload(message, (found) => got.push(found));
    await world.until(() => got.length === 1, 'an answer');
    expect(Buffer.from(got[0] ?? [])).toEqual(Buffer.from(payload));
    one.image.failNext('read', 'EIO', ALWAYS, snapshots(one)[at] as string);
  }
});
