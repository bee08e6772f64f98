import { EMPTY_LOG } from '../../../../src/core/journal/envelope.js';
import { sync } from '../../../../src/server/disk-io.js';
import { openJournal } from '../../../../src/server/journal/open.js';
import { SnapshotWriter } from '../../../../src/server/snapshot-file.js';
import { SNAPSHOT_FOLDER, snapshotPath, SnapshotShelf } from '../../../../src/server/snapshot-shelf.js';
import { RelaxableDisk } from '../../../../src/server/relaxable-disk.js';
import { FakeLog } from '../../support/fake-log.js';
import { append, at, checksum, fill, FOLDER, labels, range, Rig, TINY } from './rig.js';

/** A log of several segments by a server whose profile said `bothWithoutDiskSync`. */
async function unsynced(rig: Rig, end: 'closed' | 'killed', segmentBytes = 1024): Promise<void> {
  const disk = new RelaxableDisk(rig.disk);
  disk.relax();
  const journal = await rig.run(openJournal({ disk, folder: FOLDER, checksum, random: rig.prng, clock: rig.clock, options: { ...TINY, segmentBytes, preallocate: false } }));
  await fill(rig, journal, 1, 40);
  expect(journal.bytes).toBeGreaterThan(2 * 1024);
  if (end === 'closed') await rig.run(journal.close());
  else rig.kill();
}

test.each(['closed', 'killed'] as const)('what was written without syncing is synced when the journal is opened with it (%s before): a loss of power takes nothing then', async (end) => {
  for (let seed = 1; seed <= 20; seed++) {
    const rig = new Rig(undefined, seed);
    await unsynced(rig, end);
    const journal = await rig.open({ preallocate: false });
    const record = append(journal, 'r41');
    await rig.until(() => journal.durable >= record.position);
    rig.crash();
    const again = await rig.open({ preallocate: false });
    expect([seed, again.damage, await labels(rig, again)]).toEqual([seed, null, range(1, 41)]);
  }
});

test('damage that is found in a log that was written without syncing is still there after a loss of power', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const rig = new Rig(undefined, seed);
    await unsynced(rig, 'killed', 16 * 1024);
    rig.image.flipBit(`${FOLDER}/0000000000000001.segment`, 250, 1);
    const found = await rig.open({ preallocate: false });
    expect([seed, found.damage]).toEqual([seed, expect.stringContaining('offset')]);
    rig.crash();
    const again = await rig.open({ preallocate: false });
    expect([seed, again.damage]).toEqual([seed, found.damage]);
  }
});

test('a snapshot that was written without syncing is synced when it is found', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const rig = new Rig(undefined, seed);
    const disk = new RelaxableDisk(rig.disk);
    disk.relax();
    const path = snapshotPath(at(7));
    const write = async (): Promise<number> => {
      await disk.makeFolder(SNAPSHOT_FOLDER);
      const file = await disk.open(`${path}.tmp`, 'create');
      const writer = new SnapshotWriter(file, checksum);
      await writer.head({ cluster: 'test', point: { ...EMPTY_LOG, position: at(7) }, digest: 'x'.repeat(500) });
      await writer.end();
      await sync(file);
      await file.close();
      await disk.rename(`${path}.tmp`, path);
      await disk.syncFolder(SNAPSHOT_FOLDER);
      return writer.bytes;
    };
    const bytes = await rig.run(write());
    rig.kill();
    await rig.run(SnapshotShelf.open(rig.disk, checksum, 'test', new FakeLog()));
    rig.crash();
    const shelf = await rig.run(SnapshotShelf.open(rig.disk, checksum, 'test', new FakeLog()));
    expect([seed, shelf.newest?.bytes]).toEqual([seed, bytes]);
  }
});
