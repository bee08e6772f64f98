import { type Host, peerOf, startedPair, type World } from './brokers.js';

/** A pair whose follower was away while the log that both share was compacted away: it needs a snapshot. */
async function needsSnapshot(): Promise<{ world: World; one: Host; two: Host }> {
  const { world, one, two } = await startedPair({ snapshotEveryRecords: 100 });
  two.kill();
  one.serve(1, { peer: null });
  const client = one.client();
  client.connect('a');
  for (let i = 0; i < 550; i++) {
    client.publish('q', 'x'.repeat(300));
    if (i % 25 === 24) await world.run(15);
  }
  await world.until(() => one.image.paths().filter((path) => path.endsWith('.snap')).length === 2, 'two snapshots');
  await world.run(500);
  await two.start();
  return { world, one, two };
}

function follow(one: Host, two: Host): void {
  one.serve(1, { peer: peerOf(two) });
  two.follow(one, 1);
}

test.each([
  ['open', 'EMFILE'],
  ['write', 'EIO'],
] as const)('a snapshot that cannot be kept (%s: %s) is said at once, and fetched again', async (operation, code) => {
  const { world, one, two } = await needsSnapshot();
  two.image.failNext(operation, code, 1, 'incoming.tmp');
  follow(one, two);
  await world.until(() => one.status.replication?.phase === 'in-step', 'in step', 3_000);
  expect(two.statuses.some(({ trouble }) => trouble?.includes(`the snapshot cannot be kept: ${code}`))).toBe(true);
  expect(two.head).toBe(one.head);
});

test.each([
  ['the disk is full', (two: Host) => two.image.failNext('write', 'ENOSPC', 1_000, 'incoming.tmp')],
  ['the log cannot be begun anew', (two: Host) => two.image.failNext('replaceFile', 'ENOSPC', 1_000, 'journal/quarantine/')],
  ['it cannot be read back', (two: Host) => two.image.failNext('read', 'EIO', 1_000, 'incoming.tmp')],
])('nothing is left of a snapshot that was given up (%s): its room is needed for the log', async (_, trouble) => {
  const { world, one, two } = await needsSnapshot();
  trouble(two);
  follow(one, two);
  await world.run(1_000);
  one.kill();
  await world.run(1_000);
  expect(two.log.from('error').join()).toContain('The copy could not be made');
  expect(two.image.paths().filter((path) => path.startsWith('snapshots/'))).toEqual([]);
});

test('a disk here that takes nothing for longer than the link may be silent is not the silence of the leader: the snapshot goes on where it was', async () => {
  const { world, one, two } = await needsSnapshot();
  // So that it hangs before the file is open: then nothing is read from the link.
  two.image.slownessMs = 20;
  follow(one, two);
  await world.until(() => two.status.replication?.phase === 'snapshot', 'the snapshot has begun');
  two.image.hang();
  await world.run(12_000);
  expect(two.status.replication).toMatchObject({ phase: 'snapshot' });
  expect(two.status.replication?.stalledMs).toBeLessThan(1_000);
  two.image.release();
  two.image.slownessMs = 0;
  await world.until(() => one.status.replication?.phase === 'in-step', 'in step');
  expect(two.head).toBe(one.head);
  const links = one.log.from('info').filter((line) => line.startsWith('Copying to two: a snapshot'));
  expect(links).toHaveLength(1);
});

test('a leader that falls silent after such a wait is noticed, counted from the end of the wait', async () => {
  const { world, one, two } = await needsSnapshot();
  two.image.slownessMs = 20;
  follow(one, two);
  await world.until(() => two.status.replication?.phase === 'snapshot', 'the snapshot has begun');
  two.image.hang();
  await world.run(8_000);
  world.net.cutBoth('one', 'two');
  two.image.release();
  await world.run(4_000);
  expect(two.status.trouble).toBeNull();
  await world.until(() => two.status.trouble?.includes('nothing was heard') === true, 'noticed', 3_000);
});

test('a link that breaks is said with its reason, once', async () => {
  const { world, one, two } = await startedPair();
  one.kill();
  await world.run(5_000);
  const said = two.log.from('warn').filter((line) => line.startsWith('No replication link to one'));
  expect(said[0]).toBe('No replication link to one: the other side closed the connection');
  expect(new Set(said).size).toBe(said.length);
});

test('a leader that does not serve yet, as at every change of roles, is said only when that lasts', async () => {
  const { world, one, two } = await startedPair();
  const said = (): string[] => two.log.from('info').filter((line) => line.startsWith('No replication link'));
  one.idle(true);
  await world.run(3_000);
  expect(two.status.trouble).toContain('the leader refused: this server');
  expect(said()).toEqual([]);
  one.serve(2, { peer: peerOf(two) });
  two.follow(one, 2);
  await world.until(() => one.status.replication?.phase === 'in-step', 'in step', 3_000);
  expect(said()).toEqual([]);

  one.idle(true);
  await world.run(20_000);
  expect(said()).toEqual(['No replication link to one: the leader refused: this server does not serve']);
  expect(two.log.from('warn').filter((line) => line.startsWith('No replication link'))).toEqual(said());
});
