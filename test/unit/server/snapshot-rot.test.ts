import { Host, World, peerOf, startedPair, syncedPair } from './brokers.js';

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

/** A session that is away, so that messages wait for it. */
function leaveSession(host: Host): void {
  const client = host.client();
  client.connect('away');
  client.subscribe('q');
  client.edge.submit({ kind: 'disconnect', connection: client.connection, publishWill: false }, 1);
  client.edge.unregister(client.connection);
}

const snapshots = (host: Host): string[] => host.image.paths().filter((path) => path.endsWith('.snap'));

/** Alters a byte of the state in the newest snapshot: of a session's client id, which nobody reads as long as the server runs. */
function rotState(host: Host): string {
  const newest = snapshots(host)[snapshots(host).length - 1] as string;
  const at = Buffer.from(host.image.content(newest)).indexOf('away');
  expect(at).toBeGreaterThan(0);
  host.image.flipBit(newest, at, 0);
  return newest;
}

/** Alters a byte of the payload of message `number` in the newest snapshot. */
function rot(host: Host, number: number): void {
  const newest = snapshots(host)[snapshots(host).length - 1] as string;
  const at = Buffer.from(host.image.content(newest)).indexOf(`<${number}>`);
  expect(at).toBeGreaterThan(0);
  host.image.flipBit(newest, at + 10, 1);
}

/** All that wait for the session that was away are there, the first ones with their payloads. */
async function expectsAll(world: World, host: Host, count: number): Promise<void> {
  const client = host.client();
  client.connect('away');
  await world.run(50);
  const payloads: string[] = [];
  for (const { message } of client.of('deliver')) host.edge?.loadPayload(message, (payload) => payloads.push(payload === null ? 'LOST' : new TextDecoder().decode(payload).slice(0, 4)));
  await world.run(50);
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

describe('a payload that has changed in a snapshot while the server runs', () => {
  test('is not delivered: the copy is damaged, and this server serves no more', async () => {
    const world = new World();
    const one = new Host(world, 'one', SMALL_SNAPSHOTS);
    await one.start();
    one.serve(1);
    leaveSession(one);
    await fill(world, one, 600);
    await world.until(() => snapshots(one).length === 2, 'two snapshots');
    rot(one, 5);
    const client = one.client();
    client.connect('away');
    await world.run(50);
    const payloads: (string | null)[] = [];
    for (const { message } of client.of('deliver')) one.edge?.loadPayload(message, (payload) => payloads.push(payload === null ? null : new TextDecoder().decode(payload)));
    await world.run(50);
    expect(payloads.slice(0, 5).map((payload) => payload?.slice(0, 4))).toEqual(['<0>x', '<1>x', '<2>x', '<3>x', '<4>x']);
    expect(payloads[5]).toBeNull();
    expect(one.status).toMatchObject({ role: 'idle', journal: { damage: expect.stringContaining('a payload with a wrong checksum') as unknown } });
    expect(one.fatal).toEqual([]);
    // The older snapshot is whole, and the log behind it: a new process has all of it.
    one.kill();
    await one.start();
    one.serve(2);
    await world.until(() => one.status.role === 'serve', 'serves again');
    const again = one.client();
    again.connect('away');
    await world.run(50);
    const [, , , , , sixth] = again.of('deliver');
    let payload = '';
    if (sixth !== undefined) one.edge?.loadPayload(sixth.message, (bytes) => (payload = new TextDecoder().decode(bytes ?? new Uint8Array(0))));
    await world.run(50);
    expect(payload).toBe(`<5>${'x'.repeat(300)}`);
  });

  test('does not come into the next snapshot', async () => {
    const { world, one } = await startedPair(SMALL_SNAPSHOTS);
    leaveSession(one);
    await fill(world, one, 600);
    await world.until(() => snapshots(one).length === 2, 'two snapshots');
    const before = snapshots(one);
    rot(one, 5);
    await fill(world, one, 2_000);
    await world.until(() => one.status.journal.damage !== null, 'damaged', 2_000);
    expect(snapshots(one)).toEqual(before);
    expect(one.log.from('warn').join()).toContain('No snapshot was written');
  });

  test('at the follower: it takes a whole copy of the leader', async () => {
    const { world, one, two } = await syncedPair(SMALL_SNAPSHOTS);
    leaveSession(one);
    for (let round = 0; round < 3; round++) await fill(world, one, 300);
    await world.until(() => snapshots(two).length === 2, 'two snapshots');
    const id = two.journal;
    rot(two, 5);
    await fill(world, one, 2_000);
    await world.until(() => two.journal !== id && one.status.replication?.phase === 'in-step', 'a new copy');
    expect(two.log.from('error').join()).toContain('a payload with a wrong checksum');
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
    expect(one.log.from('error').join()).toContain(`Snapshot ${damaged} cannot be used`);
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
