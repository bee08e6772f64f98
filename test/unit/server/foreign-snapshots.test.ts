import { crc32 } from 'node:zlib';
import { Host, World, leaveSession, peerOf, snapshots } from './brokers.js';

const TUNING = { snapshotEveryRecords: 100, snapshotEveryBytes: 1024 * 1024 * 1024 };

/** With snapshots, and a log that does not reach back to the beginning; switched off. */
async function filled(): Promise<{ world: World; one: Host; kept: number[] }> {
  const world = new World();
  const one = new Host(world, 'one', TUNING);
  await one.start();
  one.serve(1);
  leaveSession(one);
  const client = one.client();
  client.connect('a');
  for (let i = 0; i < 500; i++) {
    client.publish('q', 'x'.repeat(300));
    if (i % 25 === 24) await world.run(15);
    if (i % 125 === 124) await world.run(150);
  }
  await world.until(() => snapshots(one).length === 2, 'two snapshots');
  await world.run(500);
  one.kill();
  const kept = contents(one);
  expect(kept).toHaveLength(2);
  return { world, one, kept };
}

/** Of every snapshot on the disk, wherever and however it is called. */
const contents = (host: Host): number[] => host.image.paths().filter((path) => path.includes('.snap') && !path.endsWith('.tmp')).map((path) => crc32(host.image.content(path)));

function lose(host: Host, isLost: (path: string) => boolean): void {
  const { entries, durableEntries } = host.image as unknown as { entries: Map<string, unknown>; durableEntries: Map<string, unknown> };
  for (const path of [...entries.keys()].filter(isLost)) {
    entries.delete(path);
    durableEntries.delete(path);
  }
}

const isMeta = (path: string): boolean => path === 'journal/journal.json';

test('the snapshots of a journal that has lost its id are put aside with it, and stay there', async () => {
  const { world, one, kept } = await filled();
  lose(one, isMeta);
  await one.start();
  expect(one.status.journal.damage).toContain('its snapshots were moved to');
  expect(snapshots(one).every((path) => path.startsWith('journal-unreadable-1/'))).toBe(true);
  one.kill();
  await one.start();
  expect(one.status.journal.damage).toBeNull();
  expect(contents(one)).toEqual(kept);
  // Also when the other server's copy comes.
  const two = new Host(world, 'two', TUNING);
  await two.start();
  two.serve(9, { peer: peerOf(one) });
  one.follow(two, 9);
  await world.until(() => two.status.replication?.phase === 'in-step', 'in step');
  expect(contents(one)).toEqual(expect.arrayContaining(kept));
});

test('however far it came with that, a kill or a loss of power costs no snapshot, and neither do further starts', async () => {
  for (const how of ['kill', 'losePower'] as const) {
    for (let changes = 1; changes < 60; changes += 1) {
      const { world, one, kept } = await filled();
      lose(one, isMeta);
      const { image } = one;
      const change = image.change.bind(image);
      let left = changes;
      image.change = (...names) => {
        change(...names);
        left -= 1;
        if (left === 0) one[how]();
      };
      void one.start().catch(() => undefined);
      await world.run(300);
      image.change = change;
      const wasKilled = left <= 0;
      for (let starts = 0; starts < 2; starts += 1) {
        one.kill();
        one.fatal.length = 0;
        await one.start();
        expect([how, changes, one.fatal, contents(one).sort()]).toEqual([how, changes, [], [...kept].sort()]);
      }
      if (!wasKilled) break;
      expect(changes).toBeLessThan(59);
    }
  }
}, 60_000);

test('a snapshot that cannot be put aside keeps the log where it is: the broker ends, and tries again', async () => {
  const { world, one, kept } = await filled();
  lose(one, isMeta);
  one.image.failNext('rename', 'EIO', 1, snapshots(one)[1]);
  await one.start().catch(() => undefined);
  await world.run(50);
  expect(one.fatal.join()).toContain('EIO');
  one.kill();
  one.fatal.length = 0;
  await one.start();
  expect(one.status.journal.damage).toContain('its snapshots were moved to');
  expect(contents(one).sort()).toEqual([...kept].sort());
});

test('snapshots of a log that is gone, or has lost its end, are put aside under names that nobody takes away', async () => {
  const { world, one, kept } = await filled();
  const before = snapshots(one);
  lose(one, (path) => path.startsWith('journal/'));
  await one.start();
  expect(one.log.from('warn').filter((line) => line.includes('and this log ends at record 0: it is put aside as '))).toHaveLength(2);
  const aside = one.image.paths().filter((path) => path.startsWith('snapshots/'));
  expect(aside).toEqual(before.map((path) => `${path}.ahead`));
  // It goes on alone, past their positions, with snapshots of its own that get the same names.
  for (let round = 0; round < 2; round += 1) {
    one.serve(2 + round);
    const client = one.client();
    client.connect('a');
    for (let i = 0; i < 700; i++) {
      client.publish('q', 'y'.repeat(300));
      if (i % 25 === 24) await world.run(15);
    }
    await world.run(500);
    one.kill();
    await one.start();
  }
  expect(contents(one)).toEqual(expect.arrayContaining(kept));
  one.kill();
  // Once more, while others stand there.
  const second = contents(one);
  lose(one, (path) => path.startsWith('journal/'));
  await one.start();
  expect(contents(one).sort()).toEqual(second.sort());
});

test('two snapshots of one position are put aside beside each other', async () => {
  const { one, kept } = await filled();
  const [path] = snapshots(one) as [string];
  one.image.put(`${path}.ahead`, Uint8Array.of(1));
  lose(one, (name) => name.startsWith('journal/'));
  await one.start();
  expect(one.image.paths()).toContain(`${path}.ahead-2`);
  expect([...one.image.content(`${path}.ahead`)]).toEqual([1]);
  expect(contents(one)).toEqual(expect.arrayContaining(kept));
});
