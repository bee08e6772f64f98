import { Host, World, leaveSession, peerOf, snapshots, startedPair } from './brokers.js';

const TUNING = { snapshotEveryRecords: 100, snapshotEveryBytes: 1024 * 1024 * 1024 };
/** Changes of names in an install, and some behind it. */
const STEPS = 20;
const INCOMING = 'snapshots/incoming.tmp';

async function fill(world: World, host: Host, topic: string): Promise<void> {
  const client = host.client();
  client.connect('a');
  for (let i = 0; i < 150; i++) {
    client.publish(topic, 'x'.repeat(300));
    if (i % 25 === 24) await world.run(15);
  }
  await world.run(100);
}

/** A server that has a log and snapshots of its own, and has fallen so far behind that a whole copy is due. */
async function behind(): Promise<{ world: World; one: Host; two: Host; before: number }> {
  const { world, one, two } = await startedPair(TUNING);
  leaveSession(one);
  await fill(world, one, 'q');
  await world.until(() => snapshots(two).length > 0, 'a snapshot of its own');
  const before = two.head;
  two.kill();
  one.serve(1, { peer: null });
  for (let rounds = 0; snapshots(one)[0] === snapshots(two)[0] || snapshots(one).length < 2; rounds++) {
    expect(rounds).toBeLessThan(20);
    await fill(world, one, 'elsewhere');
    await world.run(300);
  }
  await world.run(500);
  return { world, one, two, before };
}

async function copied({ world, one, two }: { world: World; one: Host; two: Host }): Promise<void> {
  one.serve(1, { peer: peerOf(two) });
  two.follow(one, 1);
  await world.until(() => one.status.replication?.phase === 'in-step' && two.head === one.head, 'in step');
  await world.run(500);
  expect(two.status).toMatchObject({ diverged: null, queued: one.status.queued });
}

/** The process ends behind so many changes of names on its disk, from the one on by which the snapshot that came gets a name. @returns whether it did */
async function interrupted({ world, one, two }: { world: World; one: Host; two: Host }, how: 'kill' | 'losePower', changes: number): Promise<boolean> {
  await two.start();
  const { image } = two;
  const change = image.change.bind(image);
  let left = Infinity;
  image.change = (...names) => {
    const isNamed = names.length > 1 && names.some(([path, inode]) => path === INCOMING && inode === null);
    if (isNamed) left = changes;
    change(...names);
    left -= 1;
    if (left === 0) two[how]();
  };
  one.serve(1, { peer: peerOf(two) });
  two.follow(one, 1);
  await world.until(() => left <= 0 || one.status.replication?.phase === 'in-step', 'it ends, or is in step');
  image.change = change;
  return left <= 0;
}

const left = (host: Host): string[] => host.image.paths().filter((path) => path.startsWith('snapshots/') && !path.endsWith('.snap'));

test.each(['kill', 'losePower'] as const)('wherever a whole copy is cut off in its last step (%s), the next start finds the old log or the new one whole, and nothing beside it', async (how) => {
  const seen: string[] = [];
  for (let changes = 1; changes <= STEPS; changes += 1) {
    const pair = await behind();
    const { one, two, before } = pair;
    if (!(await interrupted(pair, how, changes))) break;
    for (let starts = 0; starts < 2; starts += 1) {
      two.kill();
      await two.start();
      expect([changes, two.fatal, left(two), two.status.journal.damage]).toEqual([changes, [], [], null]);
      seen.push(two.head === before ? 'old' : 'new');
      expect([two.head >= before, two.status.queued, snapshots(two).length > 0]).toEqual([true, 150, true]);
    }
    await copied(pair);
    expect(left(two)).toEqual([]);
    expect(one.fatal).toEqual([]);
  }
  expect(seen).toEqual(expect.arrayContaining(['old', 'new']));
}, 120_000);

test('a name that the disk refuses behind the last step costs no record: the next start gives it', async () => {
  const pair = await behind();
  const { world, one, two, before } = pair;
  await two.start();
  two.image.failNext('rename', 'EIO', 1, '.coming');
  one.serve(1, { peer: peerOf(two) });
  two.follow(one, 1);
  await world.until(() => two.log.from('error').some((line) => line.includes('EIO')), 'it was refused');
  two.kill();
  await two.start();
  expect([two.status.journal.damage, left(two), two.head > before]).toEqual([null, [], true]);
  await copied(pair);
}, 30_000);

test('one that came and does not say of which record it speaks is removed; one that the host does not let read ends the broker, and stays', async () => {
  const world = new World();
  const one = new Host(world, 'one', TUNING);
  const path = 'snapshots/0000000000000001.snap.coming';
  one.image.put(path, Uint8Array.of(1, 2, 3));
  one.image.failNext('open', 'EMFILE', 1, path);
  await one.start().catch(() => undefined);
  expect(one.fatal.join()).toContain('LOCKSTEP_JOURNAL_UNREADABLE');
  expect(left(one)).toEqual([path]);
  one.kill();
  one.fatal.length = 0;
  await one.start();
  expect([one.fatal, left(one)]).toEqual([[], []]);
});
