import type { Copy } from '../../../src/server/copy.js';
import { INCOMING } from '../../../src/server/incoming-snapshot.js';
import { type Host, type World, peerOf, startedPair } from './brokers.js';

const TUNING = { snapshotEveryRecords: 100, snapshotEveryBytes: 1024 * 1024 * 1024 };
const partsOf = (host: Host): { copy: Copy } => (host.server as unknown as { parts: { copy: Copy } }).parts;
const stateOf = (host: Host): unknown => (partsOf(host).copy as unknown as { live: unknown }).live;

/** `two` has a state, and needs a snapshot: its shared point is compacted away. */
async function behind(used: number): Promise<{ world: World; one: Host; two: Host }> {
  const { world, one, two } = await startedPair(TUNING);
  const client = one.client();
  client.connect('a');
  await world.run(200);
  two.kill();
  one.serve(1, { peer: null });
  for (let i = 0; i < 600; i++) {
    client.publish('q', 'x'.repeat(300), true);
    if (i % 25 === 24) await world.run(15);
  }
  await world.until(() => one.image.paths().filter((path) => path.endsWith('.snap')).length === 2, 'two snapshots');
  await world.run(500);
  two.memory = { used, limit: 100 };
  await two.start();
  one.serve(1, { peer: peerOf(two) });
  return { world, one, two };
}

test.each([
  ['where two states have no room', 50, false],
  ['where two have room', 30, true],
])('%s, a snapshot that came is read with the state before it in memory or without', async (_, used, kept) => {
  const { world, one, two } = await behind(used);
  expect(stateOf(two)).not.toBeNull();
  two.image.slownessMs = 20;
  two.follow(one, 1);
  await world.until(() => partsOf(two).copy.changing, 'it is installed');
  await world.run(30);
  expect(two.image.paths()).toContain(INCOMING);
  expect(stateOf(two) !== null).toBe(kept);
  expect(partsOf(two).copy.ready).toBe(false);
  expect(two.status.trouble).toBe('the state is being built from the log');
  two.image.slownessMs = 0;
  await world.until(() => one.status.replication?.phase === 'in-step', 'in step');
  expect(two.head).toBe(one.head);
  expect(two.fatal).toEqual([]);
});

test.each(['the disk refuses it', 'the link is lost meanwhile'])('where two states have no room, nothing comes of the snapshot (%s): the state before is there again, and another try goes well', async (why) => {
  const { world, one, two } = await behind(50);
  const { head } = two;
  two.image.slownessMs = 20;
  if (why === 'the disk refuses it') two.image.failNext('rename', 'EIO', 1, 'snapshots/');
  two.follow(one, 1);
  await world.until(() => partsOf(two).copy.changing, 'it is installed');
  if (why === 'the link is lost meanwhile') {
    // What had begun is carried to its end.
    world.net.cutBoth('one', 'two');
    two.idle(false);
    await world.until(() => !partsOf(two).copy.changing, 'the change is over');
    expect(two.head).toBeGreaterThan(head);
  } else {
    await world.until(() => two.log.from('error').some((line) => line.includes('The copy could not be made')), 'refused');
    expect(two.head).toBe(head);
  }
  expect(partsOf(two).copy.ready).toBe(true);
  expect(two.status).toMatchObject({ sessions: 1, diverged: null });
  two.image.slownessMs = 0;
  world.net.healBoth('one', 'two');
  two.follow(one, 1);
  await world.until(() => one.status.replication?.phase === 'in-step', 'in step');
  expect(two.head).toBe(one.head);
  await world.run(1_500);
  expect(two.status.diverged).toBeNull();
});
