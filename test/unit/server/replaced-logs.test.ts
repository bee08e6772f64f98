import { REPLACED_SAID_MS, ReplacedLogs } from '../../../src/server/replaced-logs.js';
import { FakeClock } from '../support/fake-clock.js';
import { peerOf, snapshots, startedPair } from './brokers.js';

const MIB = 1024 * 1024;

test('logs that were replaced are told of until there was none for a day', () => {
  const clock = new FakeClock();
  const replaced = new ReplacedLogs(clock);
  expect(replaced.notice).toBeNull();
  replaced.add(3 * MIB, '/data/quarantine');
  expect(replaced.notice).toContain('(1 log, 3.0 MiB of records) stays in /data/quarantine until');
  clock.advance(REPLACED_SAID_MS - 1);
  replaced.add(MIB, '/data/quarantine');
  expect(replaced.notice).toContain('(2 logs, 4.0 MiB of records)');
  clock.advance(REPLACED_SAID_MS);
  expect(replaced.notice).toBeNull();
  replaced.add(MIB, '/data/quarantine');
  expect(replaced.notice).toContain('(1 log, 1.0 MiB of records)');
});

test('a passive server that falls too far behind says what it leaves in quarantine, as often as it happens, and follows at once', async () => {
  const { world, one, two } = await startedPair({ snapshotEveryRecords: 100, snapshotEveryBytes: 1024 * 1024 * 1024 });
  const client = one.client();
  client.connect('a');
  await world.run(200);
  for (const times of ['1 log', '2 logs']) {
    const id = two.journal;
    client.publish('q', 'both have it');
    await world.run(200);
    world.net.cutBoth('one', 'two');
    two.idle(false);
    one.serve(1, { peer: null });
    const written = snapshots(one).length;
    for (let i = 0; i < 800; i++) {
      client.publish('q', 'x'.repeat(300));
      if (i % 25 === 24) await world.run(15);
    }
    await world.until(() => snapshots(one).length >= Math.min(2, written + 1), 'snapshots');
    await world.run(500);
    world.net.healBoth('one', 'two');
    one.serve(1, { peer: peerOf(two) });
    two.follow(one, 1);
    await world.until(() => one.status.replication?.phase === 'in-step', 'in step');
    expect(two.journal).toBe(id);
    expect(two.status.notice).toContain(`took a whole copy: what it had before (${times}, `);
    expect(two.status.notice).toContain(' stays in /journal/quarantine until it is removed by hand');
  }
});
