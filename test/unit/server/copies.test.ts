import { EMPTY_LOG } from '../../../src/core/journal/envelope.js';
import type { Copy } from '../../../src/server/copy.js';
import { Cancelled } from '../../../src/server/rebuild.js';
import { Host, World, peerOf, startedPair, syncedPair, type TestClient } from './brokers.js';

async function fill(world: World, client: TestClient, count: number, bytes = 300): Promise<void> {
  for (let i = 0; i < count; i++) {
    client.publish('q', `${i}:${'x'.repeat(bytes)}`);
    if (i % 25 === 24) await world.run(15);
  }
  await world.run(100);
}

/** A session that is away, so that messages wait for it. */
function leaveSession(host: Host, clientId = 'away'): void {
  const client = host.client();
  client.connect(clientId);
  client.subscribe('q');
  client.edge.submit({ kind: 'disconnect', connection: client.connection, publishWill: false }, 1);
  client.edge.unregister(client.connection);
}

async function drainQueue(world: World, host: Host, clientId = 'away'): Promise<{ payloads: string[]; position: number }> {
  const client = host.client();
  client.connect(clientId);
  const payloads: string[] = [];
  for (let taken = 0, idle = 0; idle < 5; ) {
    await world.run(20);
    const deliveries = client.of('deliver');
    if (deliveries.length === taken) idle += 1;
    else idle = 0;
    for (; taken < deliveries.length; taken += 1) {
      const { message, packetId } = deliveries[taken] as (typeof deliveries)[number];
      host.edge?.loadPayload(message, (payload) => payloads.push(payload === null ? 'LOST' : new TextDecoder().decode(payload)));
      await world.run(3);
      client.edge.submit({ kind: 'acknowledge', connection: client.connection, packetId }, 1);
    }
  }
  return { payloads, position: host.head };
}

const folders = (host: Host): string[] => host.image.paths();
const snapshots = (host: Host): string[] => folders(host).filter((path) => path.endsWith('.snap'));

/** Snapshots of a state as it stands, and by building it a second time. */
describe.each([
  ['captured', 1_000_000],
  ['built a second time', 0],
])('snapshots, %s', (_, snapshotCapturedItemsMax) => {
  const SMALL_SNAPSHOTS = { snapshotEveryRecords: 100, snapshotEveryBytes: 1024 * 1024 * 1024, snapshotCapturedItemsMax };

  test('are written beside the service, the two newest are kept, the log is compacted, and a restart builds on them', async () => {
    const world = new World();
    const one = new Host(world, 'one', SMALL_SNAPSHOTS);
    await one.start();
    one.serve(1);
    leaveSession(one);
    const client = one.client();
    client.connect('a');
    for (let round = 0; round < 5; round++) await fill(world, client, 110);
    await world.until(() => snapshots(one).length === 2, 'two snapshots');
    expect(client.acknowledged).toBe(550);
    expect(one.log.from('warn')).toEqual([]);
    const segments = folders(one).filter((path) => path.endsWith('.log') || path.includes('journal/0'));
    expect(segments.length).toBeLessThan(12);
    one.kill();
    await one.start();
    one.serve(2);
    await world.until(() => one.status.role === 'serve', 'it serves');
    const { payloads } = await drainQueue(world, one);
    expect(payloads).toHaveLength(550);
    payloads.forEach((payload, i) => expect(payload.startsWith(`${i % 110}:`)).toBe(true));
  }, 30_000);

  test('a damaged newest snapshot is passed over', async () => {
    const world = new World();
    const one = new Host(world, 'one', SMALL_SNAPSHOTS);
    await one.start();
    one.serve(1);
    leaveSession(one);
    const client = one.client();
    client.connect('a');
    for (let round = 0; round < 5; round++) await fill(world, client, 110);
    await world.until(() => snapshots(one).length === 2, 'two snapshots');
    const newest = snapshots(one)[1] as string;
    one.kill();
    one.image.flipBit(newest, 5_000, 3);
    await one.start();
    await world.until(() => one.status.queued === 550, 'the state is built');
    expect(one.log.from('error').join()).toContain('damaged at byte');
    expect(one.status.trouble).toContain('did not serve in');
    expect(one.status.journal.damage).toBeNull();
  }, 30_000);

  test('a follower whose shared point is compacted away gets a snapshot, then the tail', async () => {
    const { world, one, two } = await startedPair(SMALL_SNAPSHOTS);
    two.kill();
    one.serve(1, { peer: null });
    leaveSession(one);
    const client = one.client();
    client.connect('a');
    for (let round = 0; round < 5; round++) await fill(world, client, 110);
    await world.until(() => snapshots(one).length === 2, 'two snapshots');
    await world.run(500);
    const idBefore = two.statuses[two.statuses.length - 1]?.journal.id;
    await two.start();
    one.serve(1, { peer: peerOf(two) });
    two.follow(one, 1);
    await world.until(() => one.status.replication?.phase === 'in-step', 'in step');
    expect(two.statuses.some(({ replication }) => replication?.phase === 'snapshot')).toBe(true);
    expect(two.journal).toBe(idBefore);
    expect(two.head).toBe(one.head);
    expect(two.status.queued).toBe(550);
    await world.run(1_500);
    expect(two.status.diverged).toBeNull();
    // It can take over with all of it, and also after a restart.
    two.kill();
    await two.start();
    two.serve(2);
    expect((await drainQueue(world, two)).payloads).toHaveLength(550);
  }, 30_000);
});

test('a long queue that is emptied is not written down for every so many records', async () => {
  const world = new World();
  const one = new Host(world, 'one', { snapshotEveryRecords: 100, snapshotEveryBytes: 1024 * 1024 * 1024, snapshotCapturedItemsMax: 1_000_000 });
  await one.start();
  one.serve(1);
  leaveSession(one);
  const client = one.client();
  client.connect('a');
  await fill(world, client, 1_800);
  await world.run(1_000);
  const written = (): number => one.log.from('info').filter((line) => line.startsWith('Snapshot written')).length;
  const whileFilled = written();
  // Of a state that grows: each when it has doubled, roughly.
  expect(whileFilled).toBeGreaterThan(1);
  expect(whileFilled).toBeLessThan(5);
  await drainQueue(world, one);
  await world.run(1_000);
  expect(one.status.queued).toBe(0);
  // By and by, as it gets shorter, and not 18 times.
  expect(written() - whileFilled).toBeLessThanOrEqual(5);
  // A small state is written down after as many records as ever.
  const before = written();
  for (let round = 0; round < 5; round++) {
    await fill(world, client, 110);
    await drainQueue(world, one);
  }
  expect(written() - before).toBeGreaterThan(3);
}, 30_000);

describe('a snapshot of records that are not shared yet', () => {
  const TUNING = { snapshotEveryRecords: 100, snapshotEveryBytes: 1024 * 1024 * 1024 };
  const unfinished = (host: Host): string[] => folders(host).filter((path) => path.endsWith('.snap.tmp'));

  /** Of 110 records that both have and 20 that only the leader has. */
  async function captured(): Promise<{ world: World; one: Host; two: Host; shared: number }> {
    const { world, one, two } = await syncedPair(TUNING);
    leaveSession(one);
    const client = one.client();
    client.connect('a');
    for (let i = 0; i < 110; i++) client.publish('q', `${i}`);
    await world.until(() => client.acknowledged === 110, 'acknowledged', 90);
    expect(snapshots(one)).toEqual([]);
    world.net.cutBoth('one', 'two');
    const shared = two.head;
    for (let i = 0; i < 20; i++) client.publish('q', `late ${i}`);
    await world.run(1_000);
    expect(one.head).toBeGreaterThan(shared);
    expect(client.acknowledged).toBe(110);
    return { world, one, two, shared };
  }

  test('gets its name when they are', async () => {
    const { world, one, two, shared } = await captured();
    expect(snapshots(one)).toEqual([]);
    expect(unfinished(one)).toHaveLength(1);
    world.net.healBoth('one', 'two');
    await world.until(() => snapshots(one).length === 1, 'the snapshot');
    expect(Number(/\d+/.exec(snapshots(one)[0] as string)?.[0])).toBeGreaterThan(shared);
    expect(two.head).toBe(one.head);
    expect(unfinished(one)).toEqual([]);
  }, 30_000);

  test('is gone when they are cut off the log', async () => {
    const { world, one, two, shared } = await captured();
    one.idle(false);
    two.serve(3, { peer: peerOf(one) });
    await world.run(100);
    world.net.healBoth('one', 'two');
    one.follow(two, 3);
    await world.until(() => two.status.replication?.phase === 'in-step', 'in step');
    expect(unfinished(one)).toEqual([]);
    expect(snapshots(one).filter((path) => Number(/\d+/.exec(path)?.[0]) > shared)).toEqual([]);
    one.kill();
    await one.start();
    one.serve(4);
    const { payloads } = await drainQueue(world, one);
    expect(payloads).toEqual(Array.from({ length: 110 }, (_, i) => `${i}`));
  }, 30_000);
});

describe('logs that differ (R7)', () => {
  test('what lies beyond the shared point goes to quarantine, and the state is wound back', async () => {
    const { world, one, two } = await startedPair();
    const client = one.client();
    client.connect('a');
    await fill(world, client, 20);
    // The link is cut: the old leader writes on, unacknowledged; the other takes over.
    one.serve(1, { peer: peerOf(two), requirePeer: true });
    one.serve(2, { peer: peerOf(two), requirePeer: true, inSync: [one.member, two.member] });
    await world.run(50);
    const shared = two.head;
    world.net.cutBoth('one', 'two');
    const before = client.acknowledged;
    leaveSession(one, 'never');
    for (let i = 0; i < 10; i++) client.publish('q', 'lost');
    await world.run(200);
    expect(client.acknowledged).toBe(before);
    expect(one.head).toBe(shared + 13);
    two.idle(false, 2);
    two.serve(3);
    const other = two.client();
    other.connect('b');
    other.publish('q', 'kept');
    await world.run(100);
    one.idle(false);
    world.net.healBoth('one', 'two');
    two.serve(3, { peer: peerOf(one) });
    one.follow(two, 3);
    await world.until(() => two.status.replication?.phase === 'in-step', 'in step');
    expect(one.head).toBe(two.head);
    expect(one.status.sessions).toBe(two.status.sessions);
    expect(one.log.from('warn').join()).toContain(': 13 records beyond position');
    expect(folders(one).some((path) => path.includes('quarantine'))).toBe(true);
    await world.run(1_500);
    expect(one.status.diverged).toBeNull();
    two.idle(false);
    one.idle(false, 3);
    one.serve(4);
    expect(one.status).toMatchObject({ role: 'serve', term: 4 });
  });

  test('what was admitted under a position that was cut away admits nothing in a later term', async () => {
    const world = new World();
    const one = new Host(world, 'one');
    const two = new Host(world, 'two');
    await one.start();
    await two.start();
    one.serve(1);
    const client = one.client();
    client.connect('a');
    await fill(world, client, 40, 10);
    expect(client.acknowledged).toBe(40);
    // The operator promotes the other, accepting loss.
    two.serve(2, { peer: peerOf(one) });
    one.idle(false);
    one.follow(two, 2);
    await world.until(() => two.status.replication?.phase === 'in-step', 'in step');
    expect(one.head).toBeLessThan(5);
    one.idle(false, 2);
    one.serve(3);
    await world.run(50);
    one.image.hang();
    const again = one.client();
    again.connect('b');
    again.publish('t', 'not durable');
    await world.run(300);
    expect(again.effects).toEqual([]);
    one.image.release();
    await world.run(100);
    expect(again.acknowledged).toBe(1);
  });

  test('the same position with another checksum is not acknowledged: the copy is taken anew, under a new id', async () => {
    const { world, one, two } = await startedPair();
    const client = one.client();
    client.connect('a');
    await fill(world, client, 5);
    two.kill();
    // A second leader of the same term: what must never be, and must be noticed.
    const three = new Host(world, 'two');
    await three.start();
    three.serve(1);
    const forger = three.client();
    forger.connect('x');
    for (let i = 0; i < 6; i++) forger.publish('q', 'other');
    await world.run(50);
    three.idle(false);
    const id = three.journal;
    const records = three.head;
    one.serve(1, { peer: peerOf(three) });
    three.follow(one, 1);
    await world.until(() => one.status.replication?.phase === 'in-step', 'in step');
    expect(three.log.from('error').join()).toContain('is not the same here');
    expect(three.journal).not.toBe(id);
    expect(three.head).toBe(one.head);
    expect(folders(three).some((path) => path.includes('quarantine'))).toBe(true);
    expect(records).toBeGreaterThan(0);
  });

  test('states that differ at one position are noticed, and a resync mends it', async () => {
    const { world, one, two } = await startedPair();
    const client = one.client();
    client.connect('a');
    await world.run(50);
    const id = two.journal;
    // Memory that changed by itself.
    (two.server as unknown as { parts: { copy: { replica: { core: { state: { continueSerials(n: number): void } } } } } }).parts.copy.replica.core.state.continueSerials(99);
    await world.until(() => two.status.diverged !== null, 'noticed');
    expect(two.statuses.some(({ diverged }) => diverged !== null)).toBe(true);
    two.follow(one, 1, { resync: true });
    await world.until(() => two.status.diverged === null && one.status.replication?.phase === 'in-step', 'mended');
    expect(two.journal).not.toBe(id);
    two.follow(one, 1, { resync: true });
    await world.run(2_000);
    expect(two.status.diverged).toBeNull();
    expect(two.log.from('info').filter((line) => line.includes('begins anew'))).toHaveLength(1);
  });
});

describe('damage', () => {
  test('a damaged journal keeps the process running, serves nobody, and is replaced by a copy of the peer', async () => {
    const { world, one, two } = await startedPair();
    const client = one.client();
    client.connect('a');
    await fill(world, client, 60);
    const id = two.journal;
    two.kill();
    const segment = folders(two).find((path) => path.startsWith('journal/0')) as string;
    two.image.flipBit(segment, 2_000, 1);
    await two.start();
    expect(two.fatal).toEqual([]);
    expect(two.status.journal.damage).not.toBeNull();
    two.serve(9);
    expect(two.status).toMatchObject({ role: 'idle', trouble: expect.stringContaining('damaged') });
    one.serve(1, { peer: peerOf(two) });
    two.follow(one, 1);
    await world.until(() => one.status.replication?.phase === 'in-step', 'in step');
    expect(two.status.journal).toMatchObject({ damage: null, position: one.head });
    expect(two.journal).not.toBe(id);
  });

  test('a journal that lost its id is put aside', async () => {
    const { world, one, two } = await startedPair();
    const client = one.client();
    client.connect('a');
    await fill(world, client, 10);
    two.kill();
    const disk = two.image as unknown as { entries: Map<string, unknown> };
    disk.entries.delete('journal/journal.json');
    await two.start();
    expect(two.status.journal.damage).toContain('journal.json');
    expect(folders(two).some((path) => path.startsWith('journal-unreadable-1/'))).toBe(true);
    one.serve(1, { peer: peerOf(two) });
    two.follow(one, 1);
    await world.until(() => one.status.replication?.phase === 'in-step', 'in step');
    expect(two.status.journal).toMatchObject({ damage: null, position: one.head });
  });

  test('a failed sync here: nothing more is acknowledged on this copy, and the manager is told', async () => {
    const { world, one } = await syncedPair();
    const client = one.client();
    client.connect('a');
    await world.run(50);
    one.image.failNext('sync', 'EIO', 1);
    client.publish('t', 'x');
    await world.run(100);
    expect(client.acknowledged).toBe(0);
    expect(one.status.journal.damage).not.toBeNull();
    expect(one.statuses.some(({ journal }) => journal.damage !== null)).toBe(true);
    expect(client.publish('t', 'y')).toMatchObject({ kind: 'refused' });
    expect(one.fatal).toEqual([]);
  });

  test('a failed sync at the follower: its acknowledgements end, and it takes a new copy', async () => {
    const { world, one, two } = await startedPair();
    const client = one.client();
    client.connect('a');
    await world.run(50);
    const id = two.journal;
    two.image.failNext('sync', 'EIO', 1);
    client.publish('t', 'x');
    await world.until(() => two.journal !== id && one.status.replication?.phase === 'in-step', 'a new copy');
    expect(two.head).toBe(one.head);
  });

  test('a failed sync while the next records are there already: also on a link that brought a whole copy', async () => {
    const { world, one, two } = await startedPair();
    const client = one.client();
    client.connect('a');
    await world.run(50);
    for (let round = 0; round < 3; round += 1) {
      const id = two.journal;
      two.image.failNext('sync', 'EIO', 1);
      for (let i = 0; i < 40; i += 1) {
        client.publish('t', `${round} ${i}`);
        await world.run(1);
      }
      await world.until(() => two.journal !== id && one.status.replication?.phase === 'in-step', 'a new copy');
    }
    expect(two.fatal).toEqual([]);
    await world.until(() => two.head === one.head && two.status.journal.durable === one.head, 'the last record is there, too', 100);
  });

  test('a log that the host does not let read, for want of files: the broker ends and says what to do, and the next one is whole', async () => {
    const { world, one, two } = await startedPair({ snapshotEveryRecords: 10 });
    const client = one.client();
    client.connect('a');
    await fill(world, client, 60);
    await world.run(500);
    const id = two.journal;
    expect(two.image.paths().some((path) => path.startsWith('snapshots/'))).toBe(true);
    for (const file of ['.segment', 'snapshots/']) {
      two.kill();
      two.fatal.length = 0;
      two.image.failNext('open', 'EMFILE', 1, file);
      await two.start().catch(() => undefined);
      await world.run(100);
      expect(JSON.stringify(two.fatal)).toContain('LOCKSTEP_JOURNAL_UNREADABLE');
      expect(JSON.stringify(two.fatal)).toContain('EMFILE');
    }
    two.kill();
    two.fatal.length = 0;
    await two.start();
    expect(two.status.journal).toMatchObject({ id, damage: null, position: one.head });
  });

  test('a full disk: nothing is acknowledged, it is said, and it goes on by itself', async () => {
    const world = new World();
    const one = new Host(world, 'one');
    await one.start();
    one.serve(1);
    const client = one.client();
    client.connect('a');
    await world.run(50);
    one.image.capacityBytes = one.image.usedBytes + 3_000;
    for (let i = 0; i < 40; i++) client.publish('t', 'x'.repeat(500));
    await world.run(200);
    expect(client.acknowledged).toBeLessThan(40);
    expect(one.status.trouble).toContain('no room');
    expect(client.edge.congested).toBe(true);
    one.image.capacityBytes = Infinity;
    await world.run(2_000);
    expect(client.acknowledged).toBe(40);
    expect(one.status.trouble).toBeNull();
    expect(client.edge.congested).toBe(false);
  });
});

describe('limits', () => {
  test('clients are not read from while too much waits for admission, and are again when half of it is gone', async () => {
    const { world, one, two } = await syncedPair();
    const client = one.client();
    client.connect('a');
    await world.run(50);
    world.net.cutBoth('one', 'two');
    let sent = 0;
    while (!client.edge.congested && sent < 1_000) {
      client.publish('t', 'x'.repeat(1_000));
      sent += 1;
    }
    expect(sent).toBeGreaterThan(40);
    expect(sent).toBeLessThan(90);
    await world.run(300);
    expect(client.resumed).toBe(0);
    world.net.healBoth('one', 'two');
    await world.until(() => client.acknowledged === sent, 'all acknowledged');
    expect(client.resumed).toBe(1);
    expect(two.head).toBe(one.head);
  });

  test('a follower with a slow disk is not sent more than may be in flight, and catches up from the journal', async () => {
    const { world, one, two } = await startedPair();
    two.image.slownessMs = 40;
    const client = one.client();
    client.connect('a');
    for (let i = 0; i < 300; i++) {
      client.publish('t', 'x'.repeat(1_000));
      if (i % 10 === 0) await world.run(5);
    }
    expect(client.acknowledged).toBeGreaterThan(200);
    expect(one.status.replication?.lagRecords).toBeGreaterThan(50);
    two.image.slownessMs = 0;
    await world.until(() => one.status.replication?.lagRecords === 0, 'caught up');
    expect(two.head).toBe(one.head);
  });

  test('after a failover, clients that do not come back lose their wills and clean sessions', async () => {
    const { world, one, two } = await startedPair({ orphanGraceMs: 2_000 });
    const watcher = one.client();
    watcher.connect('watcher');
    watcher.subscribe('will/#');
    for (const clientId of ['back', 'gone']) {
      const client = one.client();
      one.edge?.submit({ kind: 'connect', connection: client.connection, clientId, clean: true, user: null, will: { topic: `will/${clientId}`, qos: 1, retain: false, payload: new Uint8Array([1]) } }, 1);
    }
    await world.run(100);
    one.kill();
    two.idle(false, 1);
    two.serve(2);
    const watching = two.client();
    watching.connect('watcher');
    two.client().connect('back', true);
    await world.run(1_500);
    expect(two.status.sessions).toBe(3);
    expect(watching.of('deliver')).toEqual([]);
    await world.run(1_000);
    expect(watching.of('deliver').map(({ message }) => message.topic)).toEqual(['will/gone']);
    expect(two.status.sessions).toBe(2);
  });

  test('a shutdown closes the journal and ends the process', async () => {
    const { world, one } = await startedPair();
    const client = one.client();
    client.connect('a');
    one.shutDown();
    await world.until(() => one.exited !== null, 'exited');
    expect(one.exited).toBe(0);
    expect(client.closed).not.toBeNull();
  });
});

test('a copy that found no room for a quarantine has its state again: who is promoted then serves', async () => {
  const { world, one, two } = await startedPair();
  const client = one.client();
  client.connect('a');
  for (let i = 0; i < 20; i++) client.publish('q', `m${i}`);
  await world.run(200);
  two.image.failNext('makeFolder', 'ENOSPC', 1_000, 'quarantine');
  two.follow(one, 1, { resync: true });
  await world.run(500);
  one.kill();
  two.idle(false, 1);
  await world.run(100);
  two.image.forgetFailures('makeFolder');
  await world.run(5_000);
  two.serve(9);
  await world.run(30_000);
  expect({ role: two.status.role, trouble: two.status.trouble }).toEqual({ role: 'serve', trouble: null });
});

test('a copy whose state cannot be built again for want of files ends its broker: the next one builds it', async () => {
  const { world, one, two } = await startedPair();
  const client = one.client();
  client.connect('a');
  for (let i = 0; i < 20; i++) client.publish('q', `m${i}`);
  await world.run(200);
  two.image.failNext('makeFolder', 'EMFILE', 1, 'quarantine');
  two.image.failNext('read', 'EMFILE', 100, 'journal/');
  two.follow(one, 1, { resync: true });
  await world.until(() => two.exited !== null, 'it has ended');
  expect([two.exited, JSON.stringify(two.fatal)]).toEqual([1, expect.stringContaining('LOCKSTEP_JOURNAL_UNREADABLE')]);
});

test('a change of the log that waits behind another one is for the session that asked for it alone', async () => {
  const { world, one, two } = await startedPair();
  const client = one.client();
  client.connect('a');
  client.publish('q', 'm');
  await world.run(200);
  const { copy } = (two.server as unknown as { parts: { copy: Copy } }).parts;
  const before = copy.head;
  two.image.hang();
  void copy.settle();
  let wanted = true;
  const rewound = copy.rewind(EMPTY_LOG, () => wanted).then(
    () => 'done',
    (error: unknown) => error,
  );
  expect(copy.changing).toBe(true);
  wanted = false;
  two.image.release();
  await world.run(500);
  expect(await rewound).toBeInstanceOf(Cancelled);
  expect([copy.changing, copy.ready, copy.head]).toEqual([false, true, before]);
});

test.each(['snapshot', 'catching-up'] as const)('a follower whose disk hangs (%s) is let go, so that the log that is kept for it does not fill the disk of the leader', async (phase) => {
  const world = new World();
  const tuning = { snapshotEveryRecords: 100, snapshotEveryBytes: 2 ** 30 };
  const [one, two] = [new Host(world, 'one', tuning), new Host(world, 'two', tuning)];
  await one.start();
  await two.start();
  one.serve(1);
  const client = one.client();
  client.connect('a');
  await fill(world, client, phase === 'snapshot' ? 600 : 90);
  one.serve(1, { peer: peerOf(two) });
  if (phase === 'snapshot') two.image.hang();
  two.follow(one, 1);
  await world.until(() => one.status.replication?.phase === phase, phase);
  two.image.hang();
  for (let round = 0; round < 20; round++) await fill(world, client, 100);
  await world.run(90_000);
  expect(one.log.from('info').filter((line) => line.includes('link to two ended: the follower has taken nothing in for'))).not.toEqual([]);
  const segments = (): number => one.image.paths().filter((path) => path.endsWith('.segment')).length;
  // It connects again and again, and the log is kept for it for so long each time.
  const counts: number[] = [];
  for (let round = 0; round < 30; round++) {
    await fill(world, client, 200);
    await world.run(20_000);
    counts.push(segments());
  }
  expect(Math.min(...counts.slice(15))).toBeLessThanOrEqual(Math.max(...counts.slice(0, 15)));
  expect(Math.min(...counts.slice(15))).toBeLessThan(15);
});
