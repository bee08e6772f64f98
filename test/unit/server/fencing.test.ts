import type { Monotonic } from '../../../src/core/identity.js';
import { Host, World, peerOf, startedPair, syncedPair } from './brokers.js';

/** The journal has no room until the answer is called. */
function withoutRoom(host: Host): () => void {
  const { journal } = (host.server as unknown as { parts: { copy: { journal: { canAppend: (bytes: number) => boolean } } } }).parts.copy;
  const canAppend = journal.canAppend.bind(journal);
  journal.canAppend = () => false;
  return () => {
    journal.canAppend = canAppend;
  };
}

describe('the fence (R4)', () => {
  test('a fenced follower gives the old leader no acknowledgement, however the stream is just then', async () => {
    for (let at = 0; at < 12; at++) {
      const { world, one, two } = await syncedPair();
      const client = one.client();
      client.connect('a');
      await world.run(30);
      const before = one.head;
      for (let i = 0; i < 40; i++) client.publish('t', `${i}`);
      await world.run(at * 0.3);
      two.idle(false, 2);
      // Said at once: nothing of it waits for anything.
      expect(two.status).toMatchObject({ fencedThrough: 2, role: 'idle', term: 0 });
      const fencedHead = two.head;
      for (let i = 0; i < 10; i++) client.publish('t', `late ${i}`);
      await world.run(1_500);
      // What was acknowledged was on the fenced server when it was fenced: it is in the log that goes on.
      expect(client.acknowledged).toBeLessThanOrEqual(fencedHead - before);
      expect(two.head).toBe(fencedHead);
      expect(two.status.journal.durable).toBe(fencedHead);
      expect(client.acknowledged).toBeLessThan(50);
    }
  });

  test('fenced terms are refused for good: to follow, and to serve', async () => {
    const { one, two, world } = await startedPair();
    two.idle(false, 5);
    two.follow(one, 1);
    expect(two.status).toMatchObject({ role: 'idle', trouble: 'term 1 is fenced' });
    two.serve(4);
    expect(two.status).toMatchObject({ role: 'idle', trouble: 'term 4 is fenced' });
    two.order = { ...two.order, fenceThrough: 0 as never };
    two.serve(5);
    expect(two.status).toMatchObject({ role: 'idle', fencedThrough: 5 });
    two.serve(6);
    expect(two.status).toMatchObject({ role: 'serve', term: 6 });
    await world.run(100);
  });

  test('a serving server that is fenced says nothing more, and goes on in a higher term with its clients', async () => {
    const world = new World();
    const one = new Host(world, 'one');
    await one.start();
    one.serve(1);
    const client = one.client();
    client.connect('a');
    client.publish('t', 'x');
    one.idle(true, 1);
    await world.run(500);
    expect(client.effects).toEqual([]);
    expect(client.edge.congested).toBe(true);
    expect(one.status.clientPort).toBe('bound');
    one.serve(2);
    await world.run(50);
    expect(client.effects.map(({ kind }) => kind)).toEqual(['connack', 'puback']);
    expect(client.resumed).toBe(1);
  });

  test('a client that left while nothing could be written is gone afterwards', async () => {
    const world = new World();
    const one = new Host(world, 'one');
    await one.start();
    one.serve(1);
    const client = one.client();
    client.connect('a', true);
    await world.run(50);
    one.idle(true, 1);
    expect(client.edge.submit({ kind: 'disconnect', connection: client.connection, publishWill: true }, 1)).toEqual({ kind: 'accepted' });
    expect(client.publish('t', 'x')).toMatchObject({ kind: 'refused', reason: 'not-serving' });
    expect(one.status.sessions).toBe(1);
    one.serve(2);
    expect(one.status.sessions).toBe(0);
  });
});

describe('the gate', () => {
  test('without a recent pulse nothing is said; with the next one it is', async () => {
    const world = new World();
    const one = new Host(world, 'one');
    await one.start();
    one.serve(1);
    const client = one.client();
    client.connect('a');
    await world.run(20);
    one.pulsing = false;
    await world.run(1_300);
    client.publish('t', 'x');
    await world.run(500);
    expect(client.acknowledged).toBe(0);
    expect(one.status.journal.durable).toBe(one.head);
    one.pulsing = true;
    await world.run(300);
    expect(client.acknowledged).toBe(1);
  });

  test('without a pulse for long, clients are sent away, and the port is closed; both are back with the next pulse, in the same term', async () => {
    const { world, one, two } = await syncedPair();
    const client = one.client();
    client.connect('a');
    await world.run(50);
    one.pulsing = false;
    await world.run(1_900);
    expect(client.closed).toBeNull();
    await world.run(500);
    expect(client.closed).toContain('the HA manager has given no sign of life for 2000 ms');
    expect(one.status).toMatchObject({ role: 'idle', clientPort: 'closed' });
    expect(one.client().connect('b')).toMatchObject({ kind: 'refused' });
    one.pulsing = true;
    await world.run(300);
    expect(one.status).toMatchObject({ role: 'serve', term: 2, clientPort: 'accepting' });
    const again = one.client();
    again.connect('a');
    again.publish('t', 'x');
    await world.run(1_000);
    expect(again.acknowledged).toBe(1);
    expect(two.status.journal.durable).toBe(one.head);
  });

  test('a follower goes on following without a pulse: what it confirms needs no authority', async () => {
    const { world, one, two } = await syncedPair();
    two.pulsing = false;
    await world.run(5_000);
    expect(two.status.role).toBe('follow');
    const client = one.client();
    client.connect('a');
    client.publish('t', 'x');
    await world.run(100);
    expect(client.acknowledged).toBe(1);
  });

  test('alone, nothing is said after the lease; a renewed one opens the gate again', async () => {
    const world = new World();
    const one = new Host(world, 'one');
    await one.start();
    const now = world.clock.monotonic();
    one.serve(1, { soloUntil: (now + 1_000) as Monotonic });
    const client = one.client();
    client.connect('a');
    client.publish('t', 'before');
    await world.run(100);
    expect(client.acknowledged).toBe(1);
    await world.run(1_000);
    client.publish('t', 'after');
    await world.run(500);
    expect(client.acknowledged).toBe(1);
    one.serve(1, { soloUntil: (now + 5_000) as Monotonic });
    expect(client.acknowledged).toBe(2);
  });

  test('the end of serving closes the clients and drops what was held', async () => {
    const { world, one, two } = await syncedPair();
    const client = one.client();
    client.connect('a');
    await world.run(50);
    world.net.cutBoth('one', 'two');
    client.publish('t', 'x');
    await world.run(50);
    one.idle(false);
    expect(client.closed).not.toBeNull();
    world.net.healBoth('one', 'two');
    await world.run(5_000);
    expect(client.acknowledged).toBe(0);
    expect(one.client().connect('b')).toMatchObject({ kind: 'refused' });
    void two;
  });

  test('within a term no order makes fewer copies count', async () => {
    const { world, one, two } = await syncedPair();
    const client = one.client();
    client.connect('a');
    await world.run(50);
    two.kill();
    client.publish('t', 'x');
    one.serve(2, { peer: null, requirePeer: false, inSync: [one.member] });
    await world.run(500);
    expect(client.acknowledged).toBe(0);
    expect(one.log.from('error').join()).toContain('goes on counting');
  });

  test('an acknowledgement from another journal than the term names counts nothing', async () => {
    const { world, one, two } = await startedPair();
    one.serve(2, { peer: peerOf(two), requirePeer: true, inSync: [one.member, { ...two.member, journal: 'lost' as never }] });
    const client = one.client();
    client.connect('a');
    await world.run(1_000);
    expect(client.effects).toEqual([]);
    expect(one.status.replication?.peerDurable).toBe(one.head);
  });
});

test('a term that is begun anew needs the peer from where it needed it before: nothing counts as admitted that it lacks', async () => {
  const { world, one, two } = await startedPair();
  const peer = peerOf(two);
  one.serve(1, { peer });
  two.follow(one, 1);
  await world.until(() => one.status.replication?.phase === 'in-step', 'in step');
  one.serve(1, { peer, requirePeer: true });
  await world.run(50);
  const { peerRequiredFrom } = one.status;
  two.kill();
  const client = one.client();
  client.connect('a');
  client.publish('t', 'x');
  await world.run(100);
  const { admitted } = one.status;
  expect(admitted).toBe((peerRequiredFrom as number) - 1);
  one.pulsing = false;
  await world.until(() => one.status.role === 'idle', 'without a manager it ends');
  one.pulsing = true;
  await world.until(() => one.status.role === 'serve', 'it begins anew');
  await world.run(400);
  expect(one.status).toMatchObject({ term: 1, peerRequiredFrom, admitted });
});

describe('drain (R10)', () => {
  test('drained only when both logs are equal and nothing is under way', async () => {
    const { world, one, two } = await syncedPair();
    const client = one.client();
    client.connect('a');
    await world.run(50);
    for (let i = 0; i < 20; i++) client.publish('t', `${i}`);
    const draining = { peer: peerOf(two), requirePeer: true, inSync: [one.member, two.member], drain: true };
    one.serve(2, draining);
    expect(one.status.drained).toBe(false);
    expect(client.edge.congested).toBe(true);
    expect(client.publish('t', 'late')).toMatchObject({ kind: 'refused', reason: 'not-serving' });
    await world.until(() => one.statuses.some(({ drained }) => drained), 'drained is said');
    expect(client.acknowledged).toBe(20);
    expect(two.head).toBe(one.head);
    one.serve(2, { ...draining, drain: false });
    expect(one.status.drained).toBe(false);
    expect(client.publish('t', 'again')).toEqual({ kind: 'accepted' });
    expect(client.resumed).toBe(1);
    await world.run(50);
    expect(client.acknowledged).toBe(21);
  });

  test('is said at once, also when what was admitted together had to be said in several turns', async () => {
    const { world, one, two } = await syncedPair({ unadmittedBytesMax: 64 * 1024 * 1024 });
    const watchers = Array.from({ length: 80 }, (_, at) => {
      const watcher = one.client();
      watcher.connect(`watcher ${at}`);
      watcher.subscribe('t', 0);
      return watcher;
    });
    // Nothing is said without a pulse.
    one.pulsing = false;
    await world.run(1_200);
    for (let at = 0; at < 1_800; at++) expect(watchers[0]?.publish('t', 'x')).toEqual({ kind: 'accepted' });
    await world.run(500);
    one.serve(2, { peer: peerOf(two), requirePeer: true, inSync: [one.member, two.member], drain: true });
    expect(one.status.drained).toBe(false);
    await world.until(() => one.status.drained, 'drained');
    expect(watchers[79]?.of('deliver')).toHaveLength(1_800);
    await world.run(2);
    expect(one.statuses.some(({ drained }) => drained)).toBe(true);
  });

  test('a server that has ended by itself writes nothing while its term is handed over, and begins anew when that came to nothing', async () => {
    const { world, one, two } = await syncedPair();
    one.client().connect('a');
    await world.run(50);
    const draining = { peer: peerOf(two), requirePeer: true, inSync: [one.member, two.member], drain: true };
    one.serve(2, draining);
    await world.until(() => one.status.drained, 'drained');
    const { head } = one;
    one.idle(false);
    one.serve(2, draining);
    await world.run(50);
    expect(one.head).toBe(head);
    expect(one.status).toMatchObject({ role: 'idle', drained: false, trouble: 'term 2 is being handed over, and this server has stopped serving in it' });
    one.serve(2, { ...draining, drain: false });
    expect(one.status).toMatchObject({ role: 'serve', term: 2 });
    expect(one.head).toBe(head + 1);
  });

  test('a client that left during a drain that was given up is gone afterwards, and its will is published', async () => {
    const { world, one, two } = await syncedPair();
    const watcher = one.client();
    watcher.connect('watcher');
    watcher.subscribe('will');
    const leaver = one.client();
    const will = { topic: 'will', qos: 1, retain: false, payload: new Uint8Array([1]) } as const;
    one.edge?.submit({ kind: 'connect', connection: leaver.connection, clientId: 'leaver', clean: true, user: null, will }, 1);
    await world.run(50);
    const draining = { peer: peerOf(two), requirePeer: true, inSync: [one.member, two.member], drain: true };
    one.serve(2, draining);
    expect(one.edge?.submit({ kind: 'disconnect', connection: leaver.connection, publishWill: true }, 1)).toEqual({ kind: 'accepted' });
    await world.until(() => one.status.drained, 'drained');
    expect(one.status.sessions).toBe(2);
    one.serve(2, { ...draining, drain: false });
    await world.run(50);
    expect(one.status.sessions).toBe(1);
    expect(watcher.of('deliver').map(({ message }) => message.topic)).toEqual(['will']);
  });

  test('a client that left while the disk had no room for that is gone when it has', async () => {
    const { world, one } = await syncedPair();
    const client = one.client();
    client.connect('a', true);
    await world.run(50);
    const makeRoom = withoutRoom(one);
    expect(client.edge.submit({ kind: 'disconnect', connection: client.connection, publishWill: false }, 1)).toEqual({ kind: 'accepted' });
    await world.run(500);
    expect(one.status.sessions).toBe(1);
    makeRoom();
    await world.run(500);
    expect(one.status.sessions).toBe(0);
  });

  test('a client that left during a drain is gone afterwards, also when the disk had no room for that at first', async () => {
    const { world, one, two } = await syncedPair();
    const client = one.client();
    client.connect('a', true);
    await world.run(50);
    const draining = { peer: peerOf(two), requirePeer: true, inSync: [one.member, two.member], drain: true };
    one.serve(2, draining);
    client.edge.submit({ kind: 'disconnect', connection: client.connection, publishWill: false }, 1);
    const makeRoom = withoutRoom(one);
    one.serve(2, { ...draining, drain: false });
    expect(one.status.sessions).toBe(1);
    makeRoom();
    await world.run(500);
    expect(one.status.sessions).toBe(0);
  });

  test('the switchover: the other serves, this one follows, no record is lost and none is cut', async () => {
    const { world, one, two } = await syncedPair();
    const client = one.client();
    client.connect('a');
    client.subscribe('t');
    for (let i = 0; i < 20; i++) client.publish('t', `${i}`);
    const both = [one.member, two.member];
    one.serve(2, { peer: peerOf(two), requirePeer: true, inSync: both, drain: true });
    await world.until(() => one.status.drained, 'drained');
    two.idle(false, 2);
    two.serve(3, { peer: peerOf(one), requirePeer: true, inSync: both });
    one.follow(two, 3);
    expect(client.closed).not.toBeNull();
    await world.until(() => two.status.replication?.phase === 'in-step', 'the old server follows');
    const again = two.client();
    again.connect('a');
    await world.run(50);
    expect(again.of('connack')).toMatchObject([{ sessionPresent: true }]);
    expect(again.of('deliver').length).toBe(10);
    expect(one.head).toBe(two.head);
    expect([...one.log.lines, ...two.log.lines].filter(({ message }) => message.includes('moved to'))).toEqual([]);
  });
});
