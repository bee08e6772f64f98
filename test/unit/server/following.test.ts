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

test('a snapshot that cannot be kept is said at once, and fetched again', async () => {
  const { world, one, two } = await needsSnapshot();
  two.image.failNext('open', 'EMFILE', 1, 'incoming.tmp');
  follow(one, two);
  await world.until(() => one.status.replication?.phase === 'in-step', 'in step', 3_000);
  expect(two.statuses.some(({ trouble }) => trouble?.includes('the snapshot cannot be kept: EMFILE'))).toBe(true);
  expect(two.head).toBe(one.head);
});
