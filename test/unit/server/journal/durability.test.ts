import { EMPTY_LOG } from '../../../../src/core/journal/envelope.js';
import { sync } from '../../../../src/server/disk-io.js';
import type { Journal } from '../../../../src/server/journal/api.js';
import { openJournal } from '../../../../src/server/journal/open.js';
import type { JournalOptions } from '../../../../src/server/journal/options.js';
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

describe('a disk that finds out at a sync that it is full, while what counts is not synced,', () => {
  /** What counts without a sync fills most of a segment, and from now on everything is synced. */
  async function owing(rig: Rig, options: Partial<JournalOptions> = {}): Promise<Journal> {
    const disk = new RelaxableDisk(rig.disk);
    disk.relax();
    const journal = await rig.openOn(disk, { segmentBytes: 16 * 1024, preallocate: false, ...options });
    await fill(rig, journal, 1, 40);
    disk.insist();
    return journal;
  }

  // Before a seal, the header of the next segment is synced.
  test.each([['commit', 1], ['seal', 2]] as const)('may have let go of it: a %s is not written again, and no later opening takes the log for whole', async (what, which) => {
    for (let seed = 1; seed <= 20; seed++) {
      const rig = new Rig(undefined, seed);
      const journal = await owing(rig);
      let asked = 0;
      rig.image.letsGo = () => (asked += 1) === which;
      rig.image.failNext('syncOfWrite', 'ENOSPC', 1, FOLDER);
      append(journal, 'r41', what === 'seal' ? 14 * 1024 : undefined);
      await rig.until(() => rig.heard.failed.length > 0);
      expect(asked).toBe(which);
      expect([journal.damage, journal.waitsFor]).toEqual([expect.stringMatching(/what counted before it was synced may be lost: ENOSPC/), null]);
      // The system shows all of it until the power goes, and every further sync would end well.
      await rig.run(journal.close());
      const again = await rig.open();
      expect(again.damage).toMatch(/^it failed before: .*ENOSPC/);
    }
  });

  test('takes nothing that counts when a segment cannot be begun: that waits', async () => {
    const rig = new Rig();
    const journal = await owing(rig);
    rig.image.failNext('sync', 'ENOSPC', 1, 'spare.tmp');
    append(journal, 'r41', 14 * 1024);
    await rig.until(() => journal.full);
    await rig.until(() => journal.durable === 41);
    expect(journal.damage).toBeNull();
  });
});

describe('that a journal has failed is written down', () => {
  /** … and its disk has refused the note so far. */
  async function failed(rig: Rig, code = 'EIO'): Promise<Journal> {
    const journal = await rig.open({ preallocate: false });
    await fill(rig, journal, 1, 3);
    rig.image.failNext('replaceFile', code, 2, 'journal.json');
    journal.giveUp('a reason');
    await rig.pass(100);
    expect(rig.image.awaitsFailure('replaceFile')).toBe(false);
    return journal;
  }

  test('when the disk takes it, be it later', async () => {
    const rig = new Rig();
    const journal = await rig.open({ preallocate: false });
    await fill(rig, journal, 1, 3);
    rig.image.failNext('replaceFile', 'EIO', 3, 'journal.json');
    journal.giveUp('a reason');
    await rig.until(() => !rig.image.awaitsFailure('replaceFile'));
    await rig.pass(5_000);
    rig.kill();
    expect((await rig.open()).damage).toBe('it failed before: a reason');
  });

  test('on a full disk with the room of the segment that was made ready', async () => {
    const rig = new Rig();
    const journal = await rig.open({ segmentBytes: 64 * 1024 });
    await rig.pass(1_000);
    expect(rig.image.paths()).toContain(`${FOLDER}/spare.tmp`);
    rig.image.capacityBytes = rig.image.usedBytes;
    journal.giveUp('a reason');
    await rig.pass(100);
    rig.kill();
    expect((await rig.open()).damage).toBe('it failed before: a reason');
  });

  test.each(['EIO', 'ENOSPC'])('at the latest when it is closed (%s before)', async (code) => {
    const rig = new Rig();
    const journal = await failed(rig, code);
    await rig.run(journal.close());
    expect((await rig.open()).damage).toBe('it failed before: a reason');
  });

  test('not where another log has taken its place', async () => {
    const rig = new Rig();
    const journal = await failed(rig);
    await rig.run(journal.restart(EMPTY_LOG, true));
    await rig.pass(5_000);
    await rig.run(journal.close());
    expect((await rig.open()).damage).toBeNull();
  });

  test('nor on what takes its place and cannot be finished: the next opening finishes that', async () => {
    const rig = new Rig();
    const journal = await failed(rig);
    rig.image.failNext('rename', 'ENOSPC', 1, '.segment');
    await expect(rig.run(journal.restart(EMPTY_LOG, true))).rejects.toMatchObject({ code: 'ENOSPC' });
    await rig.pass(5_000);
    rig.kill();
    expect((await rig.open()).damage).toBeNull();
  });

  test('once, also when it fails again in the same words before the disk has taken the note', async () => {
    const rig = new Rig();
    const journal = await failed(rig);
    await rig.run(journal.restart(EMPTY_LOG, true));
    rig.image.failNext('replaceFile', 'EIO', 2, 'journal.json');
    journal.giveUp('a reason');
    await rig.pass(100);
    await rig.run(journal.close());
    rig.image.take(`${FOLDER}/journal.json`);
    await rig.pass(10_000);
    expect(rig.image.paths()).not.toContain(`${FOLDER}/journal.json`);
  });

  test('also that of an opening, whose first try finds no room', async () => {
    for (const [times, room] of [[1, false], [2, false], [4, false], [0, true]] as const) {
      const rig = new Rig();
      await owedLog(rig);
      rig.image.failNext('sync', 'ENOSPC', 1, '.segment');
      if (times > 0) rig.image.failNext('replaceFile', 'EIO', times, 'journal.json');
      if (room) rig.image.capacityBytes = rig.image.usedBytes;
      const journal = await rig.open();
      expect(journal.damage).toMatch(/could not be made durable: ENOSPC/);
      await rig.pass(5_000);
      rig.kill();
      rig.image.capacityBytes = Infinity;
      expect([times, room, (await rig.open()).damage]).toEqual([times, room, expect.stringMatching(/^it failed before: .*ENOSPC/)]);
    }
  });

  test('a journal that is closed, and hears then that what counts may be lost, has failed', async () => {
    const rig = new Rig();
    const disk = new RelaxableDisk(rig.disk);
    disk.relax();
    const journal = await rig.openOn(disk, { preallocate: false });
    await fill(rig, journal, 1, 3);
    disk.insist();
    rig.image.failNext('syncOfWrite', 'ENOSPC', 1, FOLDER);
    await expect(rig.run(journal.close())).rejects.toThrow(/may be lost: ENOSPC/);
    expect((await rig.open()).damage).toMatch(/^it failed before: .*ENOSPC/);
  });
});

/** What was written without syncing by a process that was killed, with a segment that it had made ready. */
async function owedLog(rig: Rig): Promise<void> {
  const disk = new RelaxableDisk(rig.disk);
  disk.relax();
  const journal = await rig.openOn(disk, { segmentBytes: 16 * 1024 });
  await fill(rig, journal, 1, 10);
  await rig.pass(1_000);
  expect(rig.image.paths()).toContain(`${FOLDER}/spare.tmp`);
  rig.kill();
}
