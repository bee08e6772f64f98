import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checksum } from '../../../src/adapters/checksum.js';
import { createClock } from '../../../src/adapters/clock.js';
import { NodeDisk } from '../../../src/adapters/disk.js';
import { createRandom } from '../../../src/adapters/random.js';
import { openJournal } from '../../../src/server/journal/open.js';
import { lockstep } from './listening-console.js';

let folder = '';
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'lockstep-journal-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('an empty journal is one', async () => {
  const journal = await openJournal({ disk: new NodeDisk(folder), folder: 'journal', checksum, random: createRandom(), clock: createClock(), options: { cluster: 'c', segmentBytes: 64 * 1024 } });
  await journal.close();
  expect(await lockstep('journal', 'inspect', join(folder, 'journal'))).toMatchObject({ code: 0, out: [expect.any(String), '1 segment, 0 records'], err: [] });
  expect(await lockstep('journal', 'export', join(folder, 'journal'))).toMatchObject({ code: 0, out: [], err: [] });
});

it('so is a quarantined folder in which nothing is', async () => {
  writeFileSync(join(folder, 'quarantine.json'), '{}');
  expect(await lockstep('journal', 'inspect', folder)).toMatchObject({ code: 0, out: ['0 segments, 0 records'] });
});

it.each(['inspect', 'export'])('%s of a folder that is none says so', async (command) => {
  mkdirSync(join(folder, 'broker', 'journal'), { recursive: true });
  expect(await lockstep('journal', command, folder)).toMatchObject({ code: 1, out: [], err: [`lockstep: there is no journal in ${folder} (LOCKSTEP_JOURNAL_NONE)`, expect.stringContaining('broker/journal')] });
});
