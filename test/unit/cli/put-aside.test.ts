import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { putAsideFinding, putAsideIn } from '../../../src/cli/check/put-aside.js';

const MIB = 1024 * 1024;
const DATA = { folder: '/data', segmentBytes: 64 * MIB, snapshotEveryBytes: 512 * MIB };

test('what a broker has put aside is added up, place by place, and nothing else', async () => {
  const broker = await mkdtemp(join(tmpdir(), 'lockstep-check-'));
  expect(await putAsideIn(join(broker, 'nowhere'))).toEqual([]);
  const sizes = { 'journal/1.segment': 1, 'journal/quarantine/1-2-3/1.segment': 20, 'journal/quarantine/2-2-9/9.segment': 300, 'journal-unreadable-1/quarantine/1-1-1/1.segment': 4_000, 'journal-unreadable-1/7.snap': 50_000, 'snapshots/7.snap': 1, 'snapshots/8.snap.ahead': 600_000, 'snapshots/8.snap.ahead-2': 7_000_000, 'other/1.segment': 1 };
  for (const [path, bytes] of Object.entries(sizes)) {
    await mkdir(dirname(join(broker, path)), { recursive: true });
    await writeFile(join(broker, path), new Uint8Array(bytes));
  }
  expect(await putAsideIn(broker)).toEqual([
    { place: 'journal/quarantine', bytes: 320 },
    { place: 'journal-unreadable-1', bytes: 54_000 },
    { place: 'snapshots/8.snap.ahead', bytes: 600_000 },
    { place: 'snapshots/8.snap.ahead-2', bytes: 7_000_000 },
  ]);
  await rm(broker, { recursive: true });
});

test('what symbolic links among it lead to is not added up, but for a place that is one itself', async () => {
  const broker = await mkdtemp(join(tmpdir(), 'lockstep-check-'));
  await mkdir(join(broker, 'journal'));
  await mkdir(join(broker, 'other-disk/1-2-3'), { recursive: true });
  await writeFile(join(broker, 'journal/1.segment'), new Uint8Array(1_000));
  await writeFile(join(broker, 'other-disk/1-2-3/1.segment'), new Uint8Array(20));
  await symlink('../other-disk', join(broker, 'journal/quarantine'));
  for (const [at, target] of ['..', '../../journal', '../../journal/1.segment'].entries()) await symlink(target, join(broker, `other-disk/1-2-3/link-${at}`));
  expect(await putAsideIn(broker)).toEqual([{ place: 'journal/quarantine', bytes: 20 }]);
  await rm(broker, { recursive: true });
});

test('it is a warning where it takes as much as a journal, and nothing where there is none', () => {
  expect(putAsideFinding(DATA, [])).toEqual([]);
  expect(putAsideFinding(DATA, [{ place: 'journal/quarantine', bytes: 1 }])).toEqual([{ area: 'folder', level: 'ok', text: 'what was put aside in /data/broker takes 1 MiB (journal/quarantine 1 MiB), and stays until you remove it' }]);
  const much = [
    { place: 'journal/quarantine', bytes: 1_200 * MIB },
    { place: 'journal-unreadable-1', bytes: 16 * MIB },
  ];
  expect(putAsideFinding(DATA, much)).toMatchObject([{ level: 'warning', text: expect.stringContaining('takes 1216 MiB (journal/quarantine 1200 MiB, journal-unreadable-1 16 MiB)') as unknown }]);
});
