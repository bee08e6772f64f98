import type { Message } from '../../../src/core/broker/effects.js';
import type { Position } from '../../../src/core/identity.js';
import { Host, leaveSession, peerOf, snapshots, startedPair, syncedPair, World } from './brokers.js';

const SMALL_SNAPSHOTS = { snapshotEveryRecords: 100, snapshotEveryBytes: 1024 * 1024 * 1024 };

async function fill(world: World, host: Host, count: number): Promise<void> {
  const client = host.client();
  client.connect('publisher');
  for (let i = 0; i < count; i++) {
    client.publish('q', `<${i}>${'x'.repeat(300)}`);
    if (i % 25 === 24) await world.run(15);
  }
  await world.run(100);
}

/** Alters a byte of the state in the newest snapshot: of a session's client id, which nobody reads as long as the server runs. */
function rotState(host: Host): string {
  const path = snapshots(host)[snapshots(host).length - 1] as string;
  const at = Buffer.from(host.image.content(path)).indexOf('away');
  expect(at).toBeGreaterThan(0);
  host.image.flipBit(path, at, 0);
  return path;
}

const FIRST_TEN = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

/** Alters a byte of the payload of each of these messages in these snapshots. Some of them may be in memory as well. */
function rot(host: Host, numbers: readonly number[], paths: readonly string[]): void {
  for (const path of paths) {
    for (const number of numbers) {
      const at = Buffer.from(host.image.content(path)).indexOf(`<${number}>`);
      expect(at).toBeGreaterThan(0);
      host.image.flipBit(path, at + 10, 1);
    }
  }
}

/** All that wait for the session that was away are there, the first ones with their payloads. */
async function expectsAll(world: World, host: Host, count: number): Promise<void> {
  const client = host.client();
  client.connect('away');
  await world.run(50);
  const payloads: string[] = [];
  for (const { message } of client.of('deliver')) host.edge?.loadPayload(message, (payload) => payloads.push(payload === null ? 'LOST' : new TextDecoder().decode(payload).slice(0, 4)));
  await world.until(() => payloads.length === 10, 'ten payloads');
  expect(payloads).toEqual(['<0>x', '<1>x', '<2>x', '<3>x', '<4>x', '<5>x', '<6>x', '<7>x', '<8>x', '<9>x']);
  expect(host.status.queued + payloads.length).toBe(count);
}

/** `two` was away while the log that both share was compacted away. */
async function apart(snapshotCapturedItemsMax: number): Promise<{ world: World; one: Host; two: Host }> {
  const { world, one, two } = await startedPair({ ...SMALL_SNAPSHOTS, snapshotCapturedItemsMax });
  two.kill();
  one.serve(1, { peer: null });
  leaveSession(one);
  await fill(world, one, 600);
  await world.until(() => snapshots(one).length === 2, 'two snapshots');
  await world.run(500);
  await two.start();
  return { world, one, two };
}

function follow(leader: Host, follower: Host, term: number): void {
  leader.serve(term, { peer: peerOf(follower) });
  follower.follow(leader, term);
}

/** `two` follows with a copy that began with a snapshot: nothing from before it is in its log. */
async function following(): Promise<{ world: World; one: Host; two: Host }> {
  const { world, one, two } = await apart(1_000_000);
  follow(one, two, 1);
  await world.until(() => one.status.replication?.phase === 'in-step', 'in step');
  expect(snapshots(two)).toHaveLength(1);
  return { world, one, two };
}

/** The same, and the leader is lost. */
async function onlySnapshot(): Promise<{ world: World; two: Host }> {
  const { world, one, two } = await following();
  one.kill();
  two.idle(false, 1);
  return { world, two };
}

/** With 600 messages for a session that is away, two snapshots, and a process that was started on the newer one. */
async function startedAnew(): Promise<{ world: World; one: Host }> {
  const { world, one } = await startedPair(SMALL_SNAPSHOTS);
  leaveSession(one);
  await fill(world, one, 600);
  await world.until(() => snapshots(one).length === 2, 'two snapshots');
  await world.run(500);
  one.kill();
  await one.start();
  one.serve(2);
  await world.until(() => one.status.role === 'serve', 'serves again');
  return { world, one };
}

describe('a payload that has changed in a snapshot while the server runs', () => {
  test('is read from the older snapshot, or from the log: the server goes on, and the next snapshot is whole', async () => {
    const { world, one } = await startedPair(SMALL_SNAPSHOTS);
    leaveSession(one);
    await fill(world, one, 600);
    await world.until(() => snapshots(one).length === 2, 'two snapshots');
    const last = snapshots(one)[1] as string;
    rot(one, FIRST_TEN, [last]);
    await fill(world, one, 2_000);
    await world.until(() => snapshots(one).length === 2 && !snapshots(one).includes(last), 'a new snapshot', 5_000);
    expect(one.log.from('error').join()).toContain(`Snapshot /${last} cannot be used`);
    expect(one.status).toMatchObject({ role: 'serve', journal: { damage: null } });
    one.kill();
    await one.start();
    one.serve(2);
    await world.until(() => one.status.role === 'serve', 'serves again');
    await expectsAll(world, one, 2_600);
  });

  test('is read from the older snapshot also when this process was started on the newer one', async () => {
    const { world, one } = await startedAnew();
    const [older, newer] = snapshots(one) as [string, string];
    expect(Buffer.from(one.image.content(older)).indexOf('<9>')).toBeGreaterThan(0);
    rot(one, FIRST_TEN, [newer]);
    await expectsAll(world, one, 600);
    expect(one.log.from('error').join()).toContain(`Snapshot /${newer} cannot be used`);
    expect(one.status).toMatchObject({ role: 'serve', journal: { damage: null } });
  });

  test('is lost when it has changed in both, also after a restart', async () => {
    const { world, one } = await startedAnew();
    rot(one, FIRST_TEN, snapshots(one));
    const client = one.client();
    client.connect('away');
    await world.run(50);
    let told: Uint8Array | null | undefined;
    const first = client.of('deliver')[0];
    if (first !== undefined) one.edge?.loadPayload(first.message, (payload) => (told = payload));
    await world.until(() => told !== undefined, 'an answer');
    expect(told).toBeNull();
    expect(one.status).toMatchObject({ role: 'idle', journal: { damage: expect.stringContaining('stands nowhere else') as unknown } });
  });

  test('is not delivered where it stands nowhere else: the copy is damaged, and this server serves no more', async () => {
    const { world, two } = await onlySnapshot();
    two.serve(2);
    await world.run(100);
    rot(two, FIRST_TEN, snapshots(two));
    const client = two.client();
    client.connect('away');
    await world.run(50);
    const payloads: (string | null)[] = [];
    for (const { message } of client.of('deliver')) two.edge?.loadPayload(message, (payload) => payloads.push(payload === null ? null : new TextDecoder().decode(payload)));
    await world.run(50);
    expect(payloads).toContain(null);
    for (const payload of payloads) expect(payload === null || /^<\d>x{300}$/.test(payload)).toBe(true);
    expect(two.status).toMatchObject({ role: 'idle', journal: { damage: expect.stringContaining('stands nowhere else') as unknown } });
    expect(two.log.from('error').join()).toContain('a payload with a wrong checksum');
    expect(two.fatal).toEqual([]);
  });

  test('does not come into the next snapshot', async () => {
    const { world, two } = await onlySnapshot();
    two.serve(2);
    await world.run(100);
    const before = snapshots(two);
    rot(two, FIRST_TEN, before);
    await fill(world, two, 2_000);
    await world.until(() => two.status.journal.damage !== null, 'damaged', 2_000);
    expect(snapshots(two)).toEqual(before);
    expect(two.log.from('warn').join()).toContain('No snapshot was written');
  });

  test('at the follower, and nowhere else: it takes a whole copy of the leader', async () => {
    const { world, one, two } = await following();
    const id = two.journal;
    rot(two, FIRST_TEN, snapshots(two));
    await fill(world, one, 2_000);
    await world.until(() => two.journal !== id && one.status.replication?.phase === 'in-step', 'a new copy');
    expect(two.log.from('error').join()).toContain('stands nowhere else');
    expect(two.status.journal.damage).toBeNull();
    expect(two.head).toBe(one.head);
  });
});

describe.each([
  ['captured', 1_000_000],
  ['built a second time', 0],
])('a snapshot that has changed on the disk of the leader, with new ones %s', (_, snapshotCapturedItemsMax) => {
  test('is not sent: the follower gets the older one, and a new one takes its place', async () => {
    const { world, one, two } = await apart(snapshotCapturedItemsMax);
    const damaged = rotState(one);
    follow(one, two, 1);
    await world.until(() => one.status.replication?.phase === 'in-step', 'in step', 3_000);
    expect(one.log.from('error').join()).toContain(`Snapshot /${damaged} cannot be used`);
    expect(two.log.from('error')).toEqual([]);
    expect(two.head).toBe(one.head);
    await world.run(1_500);
    expect(two.status.diverged).toBeNull();
    await fill(world, one, 1);
    await world.until(() => snapshots(one).length === 2 && !snapshots(one).includes(damaged), 'a new one', 3_000);
    one.kill();
    await one.start();
    expect(one.log.from('error').join()).not.toContain(`Snapshot ${snapshots(one)[1]} cannot be used`);
    expect(one.status.queued).toBe(601);
  });

  test('is not sent where it is the only one, either: the follower waits for a new one, and no payload is lost', async () => {
    const { world, one, two } = await apart(snapshotCapturedItemsMax);
    follow(one, two, 1);
    await world.until(() => one.status.replication?.phase === 'in-step', 'in step');
    one.kill();
    one.image.wipe();
    two.idle(false, 1);
    two.serve(2);
    await world.run(100);
    expect(snapshots(two)).toHaveLength(1);
    const damaged = rotState(two);
    await one.start();
    follow(two, one, 2);
    await world.until(() => one.status.trouble?.includes('there is no good snapshot yet') === true, 'refused', 3_000);
    expect(two.status).toMatchObject({ role: 'serve', journal: { damage: null } });
    await fill(world, two, 1);
    await world.until(() => two.status.replication?.phase === 'in-step', 'in step', 5_000);
    expect(snapshots(two)).not.toContain(damaged);
    expect(one.head).toBe(two.head);
    two.kill();
    one.idle(false, 2);
    one.serve(3);
    await expectsAll(world, one, 601);
  });
});

test('a damaged snapshot from which no second state can be built stays for its payloads, until a new one is there', async () => {
  const { world, one, two } = await apart(0);
  follow(one, two, 1);
  await world.until(() => one.status.replication?.phase === 'in-step', 'in step');
  one.kill();
  two.idle(false, 1);
  two.serve(2);
  await world.run(100);
  expect(snapshots(two)).toHaveLength(1);
  const damaged = rotState(two);
  await fill(world, two, 1_300);
  await world.run(15_000);
  await fill(world, two, 1);
  await world.until(() => !snapshots(two).includes(damaged), 'a new one', 3_000);
  await expectsAll(world, two, 1_901);
});

test('a record that cannot be read for want of files, beside a snapshot that has rotted, is not lost', async () => {
  const world = new World();
  const one = new Host(world, 'one', SMALL_SNAPSHOTS);
  await one.start();
  one.serve(1);
  const away = one.client();
  away.connect('away');
  away.subscribe('q');
  away.edge.submit({ kind: 'disconnect', connection: away.connection, publishWill: false }, 1);
  away.edge.unregister(away.connection);
  const client = one.client();
  client.connect('publisher');
  for (let i = 0; i < 400 && !one.image.paths().some((path) => path.endsWith('.snap')); i++) {
    client.publish('q', `<${i}>${'x'.repeat(300)}`);
    if (i % 25 === 24 || i >= 130) await world.run(30);
  }
  const path = one.image.paths().find((name) => name.endsWith('.snap')) as string;
  one.kill();
  await one.start();
  one.serve(2);
  await world.until(() => one.status.role === 'serve', 'it serves');
  one.image.flipBit(path, Buffer.from(one.image.content(path)).indexOf('<0>') + 10, 1);
  one.image.failNext('open', 'EMFILE', 1, '.segment');
  const reader = one.client();
  reader.connect('away');
  await world.run(50);
  const message = reader.of('deliver')[0]?.message;
  const got: (string | null)[] = [];
  for (let n = 0; n < 2; n++) {
    if (message) one.edge?.loadPayload(message, (payload) => got.push(payload === null ? null : new TextDecoder().decode(payload).slice(0, 3)));
    await world.run(50);
  }
  expect({ got, damage: one.status.journal.damage, role: one.status.role }).toEqual({ got: [null, '<0>'], damage: null, role: 'serve' });
});

test('payloads that are still being asked for when the log that had them is cut are no damage, beside a snapshot that has rotted', async () => {
  const { world, one, two } = await syncedPair(SMALL_SNAPSHOTS);
  leaveSession(one);
  await fill(world, one, 200);
  await world.until(() => snapshots(one).length > 0, 'a snapshot');
  await world.run(500);
  world.net.cutBoth('one', 'two');
  rot(one, FIRST_TEN, snapshots(one));
  const away = one.client();
  away.connect('away');
  const publisher = one.client();
  publisher.connect('publisher');
  for (let i = 0; i < 60; i++) publisher.publish('q', `late ${'y'.repeat(300)}`);
  await world.run(200);
  expect(one.head).toBeGreaterThan(two.head + 60);
  const message = (id: number, size: number): Message => ({ id: id as Position, topic: 'q', qos: 1, payload: null, size }) as unknown as Message;
  let answers = 0;
  for (let i = 0; i < 3_000; i++) one.edge?.loadPayload(message(one.head - 20, 305), () => (answers += 1));
  const waiting = away.of('deliver')[0]?.message;
  if (waiting !== undefined) one.edge?.loadPayload(message(waiting.id, waiting.size), () => undefined);
  one.idle(false);
  two.serve(3, { peer: peerOf(one) });
  await world.run(10);
  world.net.healBoth('one', 'two');
  one.follow(two, 3);
  await world.until(() => two.status.replication?.phase === 'in-step', 'in step');
  await world.until(() => answers === 3_000, 'all answers');
  const lines = one.log.from('error').filter((line) => !line.startsWith('The payload of message'));
  expect(lines).toEqual([expect.stringContaining('cannot be used')]);
  expect(one.status.journal.damage).toBeNull();
});

test('no state is built on a snapshot of another log that has got the name of one of this', async () => {
  const { world, one } = await apart(0);
  const other = new Host(world, 'two', { ...SMALL_SNAPSHOTS, snapshotCapturedItemsMax: 0 });
  other.image.wipe();
  await other.start();
  other.serve(9);
  leaveSession(other);
  await fill(world, other, 130);
  await world.until(() => snapshots(other).length === 1, 'a snapshot');
  const newest = snapshots(one)[1] as string;
  one.image.put(newest, other.image.content(snapshots(other)[0] as string));
  await fill(world, one, 1_000);
  await world.until(() => one.log.from('error').join().includes(`Snapshot /${newest} cannot be used`), 'said', 15_000);
  await world.until(() => !snapshots(one).includes(newest), 'a new one', 30_000);
  one.kill();
  await one.start();
  await world.until(() => one.status.queued === 1_600, 'all of them', 60_000);
  expect(one.status.journal.damage).toBeNull();
});
