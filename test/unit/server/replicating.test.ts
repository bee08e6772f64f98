import { linkTimes, type BrokerTuning } from '../../../src/server/config.js';
import { Host, World, peerOf, startedPair, syncedPair } from './brokers.js';

describe('one server serves', () => {
  test('what is durable here is acknowledged while only this copy counts', async () => {
    const world = new World();
    const one = new Host(world, 'one');
    await one.start();
    one.serve(1);
    const client = one.client();
    expect(client.connect('a')).toEqual({ kind: 'accepted' });
    client.publish('t', 'x');
    expect(client.effects).toEqual([]);
    await world.run(20);
    expect(client.effects.map(({ kind }) => kind)).toEqual(['connack', 'puback']);
    expect(one.status).toMatchObject({ role: 'serve', term: 1, clientPort: 'accepting', journal: { term: 1, position: 3, durable: 3 } });
  });

  test('an order that does not name this copy is refused, and said', async () => {
    const world = new World();
    const one = new Host(world, 'one');
    await one.start();
    one.serve(1, { inSync: [{ ...one.member, journal: 'other' as never }] });
    expect(one.status).toMatchObject({ role: 'idle', trouble: expect.stringContaining('does not name this copy') });
    expect(one.client().connect('a')).toMatchObject({ kind: 'refused', reason: 'not-serving' });
  });

  test('a restarted process does not serve in the term of its log (R1), but in a higher one with its state', async () => {
    const world = new World();
    const one = new Host(world, 'one');
    await one.start();
    one.serve(1);
    const before = one.client();
    before.connect('a');
    before.subscribe('t');
    await world.run(20);
    one.kill();
    await one.start();
    expect(one.status).toMatchObject({ role: 'idle', sessions: 1, trouble: expect.stringContaining('did not serve in') });
    one.serve(2);
    const client = one.client();
    client.connect('a');
    client.publish('t', 'x');
    await world.run(20);
    expect(client.of('connack')).toMatchObject([{ sessionPresent: true }]);
    expect(client.of('deliver')).toHaveLength(1);
  });
});

describe('two servers', () => {
  test('the follower has the same log and the same state', async () => {
    const { world, one, two } = await startedPair();
    const client = one.client();
    client.connect('a');
    client.subscribe('t/#');
    for (let i = 0; i < 50; i++) client.publish(`t/${i}`, `message ${i}`);
    await world.run(100);
    expect(client.acknowledged).toBe(50);
    expect(two.status.journal).toMatchObject({ term: 1, position: one.head, durable: one.head });
    expect(two.status.sessions).toBe(1);
    await world.run(2_000);
    expect(two.status.diverged).toBeNull();
    expect(one.status.replication).toMatchObject({ phase: 'in-step', peerDurable: one.head, peerJournal: two.journal, stalledMs: 0, lagRecords: 0 });
  });

  test('with both in the in-sync set nothing is acknowledged that the peer does not have', async () => {
    const { world, one, two } = await syncedPair();
    const client = one.client();
    client.connect('a');
    await world.run(50);
    expect(client.of('connack')).toHaveLength(1);
    world.net.cutBoth('one', 'two');
    client.publish('t', 'x');
    await world.run(1_500);
    expect(client.acknowledged).toBe(0);
    expect(one.status.journal.durable).toBe(one.head);
    expect(one.status.replication?.stalledMs).toBeGreaterThan(1_000);
    world.net.healBoth('one', 'two');
    await world.until(() => client.acknowledged === 1, 'acknowledged after the link is back');
    expect(two.head).toBe(one.head);
  });

  test('the link breaks and comes back within a term: the follower goes on where it was', async () => {
    const { world, one, two } = await syncedPair();
    const client = one.client();
    client.connect('a');
    await world.run(50);
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 20; i++) client.publish('t', `${round}/${i}`);
      await world.run(3);
      world.net.reset('one', 'two');
      await world.until(() => client.acknowledged === (round + 1) * 20, `round ${round}`);
    }
    expect(two.head).toBe(one.head);
    expect(two.log.lines.some(({ message }) => message.includes('moved to'))).toBe(false);
  });

  test('a follower that was away is served from the journal, then live', async () => {
    const { world, one, two } = await startedPair();
    two.kill();
    await world.run(50);
    one.serve(1, { peer: null });
    const client = one.client();
    client.connect('a');
    for (let i = 0; i < 400; i++) {
      client.publish('t', 'x'.repeat(200));
      if (i % 50 === 0) await world.run(20);
    }
    await world.run(100);
    await two.start();
    one.serve(1, { peer: peerOf(two) });
    two.follow(one, 1);
    await world.until(() => one.status.replication?.phase === 'in-step', 'in step again');
    expect(two.head).toBe(one.head);
    client.publish('t', 'live');
    await world.run(50);
    expect(two.status.journal.durable).toBe(one.head);
  });

  test('only the expected peer is fed', async () => {
    const { world, one, two } = await startedPair();
    one.serve(1, { peer: { ...peerOf(two), brokerRun: 'another' as never } });
    await world.run(500);
    expect(one.status.replication?.phase).toBe('connecting');
    expect(two.status.trouble).toContain('is expected');
  });

  test('switching the term in place: clients stay, the follower is told, records are of the new term', async () => {
    const { world, one, two } = await startedPair();
    const client = one.client();
    client.connect('a');
    client.publish('t', '1');
    await world.run(50);
    one.serve(1, { peer: peerOf(two), requirePeer: true });
    expect(one.status.peerRequiredFrom).toBe(one.head + 1);
    one.serve(2, { peer: peerOf(two), requirePeer: true, inSync: [one.member, two.member] });
    client.publish('t', '2');
    await world.run(50);
    expect(client.closed).toBeNull();
    expect(client.acknowledged).toBe(2);
    expect(two.status).toMatchObject({ term: 2, journal: { term: 2, position: one.head } });
    // The peer is lost: alone in term 3, what waited is let go without it.
    two.kill();
    client.publish('t', '3');
    await world.run(200);
    expect(client.acknowledged).toBe(2);
    one.idle(true, 2);
    expect(one.status).toMatchObject({ role: 'idle', fencedThrough: 2 });
    await world.run(200);
    expect(client.acknowledged).toBe(2);
    one.order = { ...one.order };
    one.serve(3);
    await world.run(50);
    expect(client.closed).toBeNull();
    expect(client.acknowledged).toBe(3);
    expect(one.status.journal.term).toBe(3);
  });
});

test.each([500, 10_000, 60_000])('a pair that pings every %i ms keeps its replication link while nothing is to be sent', async (pingIntervalMs) => {
  const { world, one, two } = await syncedPair(linkTimes(pingIntervalMs, pingIntervalMs));
  await world.run(300_000);
  expect([...one.log.from('info'), ...two.log.from('info'), ...two.log.from('warn')].filter((line) => line.includes('nothing was heard'))).toEqual([]);
  expect(one.status.replication?.phase).toBe('in-step');
});

test('QoS 0 messages that came while the manager was not heard weigh no more when they have left: clients are read again', async () => {
  const world = new World();
  const one = new Host(world, 'one');
  await one.start();
  one.serve(1);
  await world.run(500);
  const watcher = one.client();
  watcher.connect('w');
  watcher.subscribe('t', 0);
  await world.run(500);
  const { edge } = watcher;
  one.pulsing = false;
  await world.run(1_300);
  let sent = 0;
  while (!edge.congested && sent < 1_000) {
    edge.submitVolatile('t', new Uint8Array(64 * 1024));
    sent += 1;
  }
  expect(edge.congested).toBe(true);
  one.pulsing = true;
  await world.run(5_000);
  expect(watcher.of('deliver')).toHaveLength(sent);
  expect(edge.congested).toBe(false);
});

test('a follower in step whose disk hangs counts as stalled for longer than the longest stallLimit: its link is not made anew before', async () => {
  const stallLimitMs = 300_000;
  const { world, one, two } = await syncedPair(linkTimes(500, stallLimitMs));
  const client = one.client();
  client.connect('a');
  await world.run(100);
  two.image.hang();
  client.publish('t', 'x');
  await world.run(stallLimitMs + 5_000);
  expect(one.status.replication?.stalledMs).toBeGreaterThan(stallLimitMs);
});

describe('a stall', () => {
  /** Both are members of term 2. `own`: tuning of the follower alone. */
  async function members(tuning: Partial<BrokerTuning>, own: Partial<BrokerTuning> = {}): Promise<{ world: World; one: Host; two: Host }> {
    const world = new World();
    const [one, two] = [new Host(world, 'one', tuning), new Host(world, 'two', { ...tuning, ...own })];
    for (const host of [one, two]) await host.start();
    one.serve(1, { peer: peerOf(two) });
    two.follow(one, 1);
    await world.until(() => one.status.replication?.phase === 'in-step', 'in step');
    one.serve(1, { peer: peerOf(two), requirePeer: true });
    one.serve(2, { peer: peerOf(two), requirePeer: true, inSync: [one.member, two.member] });
    two.follow(one, 2);
    await world.run(50);
    return { world, one, two };
  }
  const longest = (host: Host): number => Math.max(...host.statuses.map(({ replication }) => replication?.stalledMs ?? 0));

  test('is not what lies behind a connection that a newer one takes the place of', async () => {
    const { world, one, two } = await members({ pingIntervalMs: 100 }, { linkSilenceMs: 500 });
    await world.run(60_000);
    one.statuses.length = 0;
    const newer = (): boolean => one.log.from('info').some((line) => line.includes('has connected anew'));
    // The follower's goodbye is lost, and sent again at some time: now and then its new connection is there first.
    for (let round = 0; round < 20 && !newer(); round += 1) {
      world.net.cutBoth('one', 'two');
      await world.run(600 + round);
      world.net.healBoth('one', 'two');
      await world.run(4_000);
    }
    expect(newer()).toBe(true);
    expect(one.status.replication?.phase).toBe('in-step');
    expect(longest(one)).toBeLessThan(5_000);
    expect([...one.log.from('warn'), ...two.log.from('warn')].filter((line) => line.includes('before it said who it is'))).toEqual([]);
  });

  test('is not a record that is longer on its way than the silence that is allowed', async () => {
    const { world, one, two } = await members({ pingIntervalMs: 100, linkSilenceMs: 700 });
    const client = one.client();
    client.connect('a');
    await world.run(100);
    const follows = (): number => two.log.from('info').filter((line) => line.startsWith('Follows one')).length;
    const before = follows();
    world.net.narrow('one', 'two', 1_500);
    client.publish('t', 'x'.repeat(3_000));
    await world.until(() => client.acknowledged === 1, 'acknowledged', 10_000);
    expect(follows()).toBe(before);
  });

  test('goes on over connections that bring nothing', async () => {
    const { world, one, two } = await members({ pingIntervalMs: 100, linkSilenceMs: 700 });
    const client = one.client();
    client.connect('a');
    await world.run(100);
    world.net.limit('one', 'two', 500);
    client.publish('t', 'x'.repeat(1_000));
    await world.run(10_000);
    expect(two.log.from('info').filter((line) => line.startsWith('Follows one')).length).toBeGreaterThan(5);
    expect(one.status.replication?.stalledMs).toBeGreaterThan(9_000);
  });

  test('is over with the first record that the peer makes durable, and begins anew when nothing is owed', async () => {
    const { world, one } = await members({ pingIntervalMs: 100 });
    const client = one.client();
    client.connect('a');
    await world.run(1_000);
    world.net.reset('one', 'two');
    await world.run(60_000); // Nothing is owed.
    one.statuses.length = 0;
    client.publish('t', 'x');
    await world.run(1_000);
    world.net.cutBoth('one', 'two');
    client.publish('t', 'y');
    await world.run(2_000);
    world.net.reset('one', 'two');
    world.net.healBoth('one', 'two');
    await world.until(() => client.acknowledged === 2, 'acknowledged');
    await world.run(500);
    one.statuses.length = 0;
    client.publish('t', 'z');
    await world.run(500);
    expect(client.acknowledged).toBe(3);
    expect(longest(one)).toBeLessThan(200);
  });
});
