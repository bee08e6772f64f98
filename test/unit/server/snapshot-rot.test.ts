import { Host, World, startedPair, syncedPair } from './brokers.js';

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

/** Alters a byte of the payload of message `number` in the newest snapshot. */
function rot(host: Host, number: number): void {
  const newest = snapshots(host)[snapshots(host).length - 1] as string;
  const at = Buffer.from(host.image.content(newest)).indexOf(`<${number}>`);
  expect(at).toBeGreaterThan(0);
  host.image.flipBit(newest, at + 10, 1);
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
