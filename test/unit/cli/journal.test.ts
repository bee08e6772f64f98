import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checksum } from '../../../src/adapters/checksum.js';
import { createClock } from '../../../src/adapters/clock.js';
import { NodeDisk } from '../../../src/adapters/disk.js';
import { createRandom } from '../../../src/adapters/random.js';
import { RecordOrigin } from '../../../src/core/journal/envelope.js';
import type { Term } from '../../../src/core/identity.js';
import { LOG_MARK_VERSION, LogMark } from '../../../src/core/replication/log-marks.js';
import { openJournal } from '../../../src/server/journal/open.js';
import { lockstep } from './listening-console.js';

let folder = '';
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'lockstep-journal-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function journalWith(marks: number): Promise<void> {
  const journal = await openJournal({ disk: new NodeDisk(folder), folder: 'journal', checksum, random: createRandom(), clock: createClock(), options: { cluster: 'c', segmentBytes: 64 * 1024 } });
  for (let i = 0; i < marks; i += 1) journal.append(LogMark.termContinued, LOG_MARK_VERSION, RecordOrigin.lockstep, (i + 1) as Term, new Uint8Array());
  await journal.close();
}

it('an empty journal is one', async () => {
  await journalWith(0);
  expect(await lockstep('journal', 'inspect', join(folder, 'journal'))).toMatchObject({ code: 0, out: [expect.any(String), '1 segment, 0 records'], err: [] });
  expect(await lockstep('journal', 'export', join(folder, 'journal'))).toMatchObject({ code: 0, out: [], err: ['No records were written: none are there'] });
});

it('so is a quarantined folder in which nothing is', async () => {
  writeFileSync(join(folder, 'quarantine.json'), '{}');
  expect(await lockstep('journal', 'inspect', folder)).toMatchObject({ code: 0, out: ['0 segments, 0 records'] });
});

it.each(['inspect', 'export'])('%s of a folder that is none says so', async (command) => {
  mkdirSync(join(folder, 'broker', 'journal'), { recursive: true });
  expect(await lockstep('journal', command, folder)).toMatchObject({ code: 1, out: [], err: [`lockstep: there is no journal in ${folder} (LOCKSTEP_JOURNAL_NONE)`, expect.stringContaining('broker/journal')] });
});

it.each(['inspect', 'export'])('%s of a folder that cannot be seen says why', async (command) => {
  const loop = join(folder, 'loop');
  symlinkSync(loop, loop);
  expect(await lockstep('journal', command, loop)).toMatchObject({ code: 1, out: [], err: [expect.stringMatching(/cannot be read: .*ELOOP/), expect.any(String)] });
  expect(await lockstep('journal', command, join(folder, 'nothing'))).toMatchObject({ code: 2, err: [expect.stringContaining('is not a folder'), expect.any(String)] });
});

it('marks of the log have their names', async () => {
  await journalWith(1);
  expect((await lockstep('journal', 'inspect', '--records', join(folder, 'journal'))).out[0]).toMatch(/^1 {2}term 1 {2}termContinued {2}lockstep {2}0 bytes/);
  const { out } = await lockstep('journal', 'export', join(folder, 'journal'));
  expect(JSON.parse(out[0] ?? '')).toMatchObject({ position: 1, type: 64, name: 'termContinued' });
});

it('positions that hold nothing are said, and those the wrong way round are refused', async () => {
  await journalWith(3);
  const exported = (...options: string[]): ReturnType<typeof lockstep> => lockstep('journal', 'export', join(folder, 'journal'), ...options);
  expect((await exported('--from', '2', '--to', '2')).out).toHaveLength(1);
  expect(await exported('--from', '9')).toEqual({ code: 0, out: [], err: ['No records were written: the positions there are 1 to 3'] });
  expect(await exported('--from', '3', '--to', '2')).toMatchObject({ code: 2, out: [], err: ['lockstep: --from 3 lies behind --to 2 (LOCKSTEP_JOURNAL_POSITION)', expect.any(String)] });
});
