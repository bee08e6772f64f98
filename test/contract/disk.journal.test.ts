import { randomBytes } from 'node:crypto';
import { appendFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checksum } from '../../src/adapters/checksum.js';
import { NodeDisk } from '../../src/adapters/disk.js';
import type { Monotonic, Position, Term } from '../../src/core/identity.js';
import type { Clock } from '../../src/ports/clock.js';
import type { Journal } from '../../src/server/journal/api.js';
import { openJournal } from '../../src/server/journal/open.js';

/** The journal on a real file system: what the simulated disk cannot show is whether the adapter does as it says. */
let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'lockstep-journal-'));
});
afterEach(() => rm(root, { recursive: true }));

const clock: Clock = {
  monotonic: () => performance.now() as Monotonic,
  sinceBoot: () => performance.now(),
  wall: () => Date.now(),
  after: (delayMs, action) => {
    const timer = setTimeout(action, delayMs);
    return () => clearTimeout(timer);
  },
  soon: (action) => void setImmediate(action),
  next: queueMicrotask,
};
const random = { id: () => randomBytes(16).toString('hex'), fraction: () => Math.random() };
const open = (): Promise<Journal> => openJournal({ disk: new NodeDisk(root), folder: 'journal', checksum, random, clock, options: { cluster: 'c', segmentBytes: 64 * 1024 } });

function durable(journal: Journal, position: Position): Promise<void> {
  return new Promise((resolve, reject) => {
    journal.handle({ durable: (reached) => reached >= position && resolve(), records: () => undefined, failed: (reason) => reject(new Error(reason)), room: () => undefined });
  });
}

test('records over several segments, a torn tail, a truncation and a restart', async () => {
  let journal = await open();
  for (let at = 1; at <= 1000; at++) journal.append(5, 1, 1, 1 as Term, Buffer.from(`record ${at}`.padEnd(256)));
  await durable(journal, journal.head.position);
  expect((await readdir(join(root, 'journal'))).filter((name) => name.endsWith('.segment')).length).toBeGreaterThan(3);
  expect(Buffer.from((await journal.recordAt(777 as Position)).payload).toString().trim()).toBe('record 777');
  await journal.close();
  const last = (await readdir(join(root, 'journal'))).filter((name) => name.endsWith('.segment')).sort().at(-1) ?? '';
  await appendFile(join(root, 'journal', last), Buffer.from('half a write'));
  journal = await open();
  expect(journal).toMatchObject({ damage: null, durable: 1000 });
  expect(await journal.truncateAfter(500 as Position)).toBe('journal/quarantine/2-1-500');
  expect(journal.durable).toBe(500);
  expect(await journal.restart({ term: 9 as Term, position: 7 as Position, chain: 3 }, true)).toBe('journal/quarantine/3-0-0');
  journal.append(5, 1, 1, 9 as Term, Buffer.from('new'));
  await journal.close();
  journal = await open();
  expect(journal).toMatchObject({ damage: null, durable: 8 });
  expect(Buffer.from((await journal.recordAt(8 as Position)).payload).toString()).toBe('new');
  await journal.close();
});
