import { syncedPair } from './brokers.js';

const TICKS_MS = 1_000;

test('of a disk that hangs the status says for how long nothing has got durable, and the follower gets what waits: its confirmation shows that its own disk goes on', async () => {
  const { world, one, two } = await syncedPair();
  const client = one.client();
  client.connect('a');
  client.publish('t', 'before');
  await world.run(200);
  expect(client.acknowledged).toBe(1);
  expect(one.status.journal.stalledMs).toBe(0);
  one.image.hang();
  client.publish('t', 'in the commit that hangs');
  await world.run(20);
  // Behind that commit: nothing of it is begun.
  client.publish('t', 'appended later');
  await world.run(TICKS_MS);
  const { journal, replication, trouble } = one.status;
  expect(journal.stalledMs).toBeGreaterThan(TICKS_MS / 2);
  expect(trouble).toContain('made nothing durable');
  expect(replication?.peerDurable).toBe(journal.position);
  expect(journal.durable).toBeLessThan(journal.position - 1);
  expect(two.status.journal.stalledMs).toBe(0);
  expect(client.acknowledged).toBe(1);
  one.image.release();
  await world.run(50);
  expect(client.acknowledged).toBe(3);
  expect(one.status.journal.stalledMs).toBe(0);
});

test('of a full disk it says the same, and the follower gets what waits for a segment', async () => {
  const { world, one } = await syncedPair();
  const client = one.client();
  client.connect('a');
  one.image.capacityBytes = one.image.usedBytes;
  client.publish('t', 'x'.repeat(500));
  await world.run(TICKS_MS);
  const { journal, replication, trouble } = one.status;
  expect(journal.stalledMs).toBeGreaterThan(TICKS_MS / 2);
  expect(trouble).toContain('no room on the disk');
  expect(replication?.peerDurable).toBeGreaterThan(journal.durable);
  one.image.capacityBytes = Infinity;
  await world.run(2_000);
  expect(client.acknowledged).toBe(1);
  expect(one.status.journal.stalledMs).toBe(0);
});

test('a follower that waits for its disk says so, and one with nothing to do does not', async () => {
  const { world, one, two } = await syncedPair();
  const client = one.client();
  client.connect('a');
  await world.run(3_000);
  expect([one, two].map(({ status }) => status.journal.stalledMs)).toEqual([0, 0]);
  two.image.hang();
  client.publish('t', 'waits');
  await world.run(TICKS_MS);
  expect(two.status.journal.stalledMs).toBeGreaterThan(TICKS_MS / 2);
  expect(one.status.journal.stalledMs).toBe(0);
  two.image.release();
  await world.run(200);
  expect(two.status.journal.stalledMs).toBe(0);
  expect(client.acknowledged).toBe(1);
});
