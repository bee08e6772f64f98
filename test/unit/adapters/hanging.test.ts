import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NODE_FILES, type FileSystem } from '../../../src/adapters/repository/file-system.js';
import { HANG_MS, watchedFiles } from '../../../src/adapters/repository/hanging.js';
import { FakeClock } from '../support/fake-clock.js';

type Done = (error: NodeJS.ErrnoException | null) => void;

let clock: FakeClock;
let said: string[];
/** Calls that are under way. */
let waiting: Done[];

function watched(changes: Partial<FileSystem> = {}): FileSystem {
  [clock, said, waiting] = [new FakeClock(), [], []];
  const wait = ((_: number, done: Done) => void waiting.push(done)) as typeof fs.fsync;
  return watchedFiles({ ...NODE_FILES, fsync: wait, fdatasync: wait, ...changes }, { clock, hung: ({ code, message }) => said.push(`${code}: ${message}`) });
}

/** The time goes by in small steps, as it does where a process is awake. */
function pass(ms: number): void {
  for (let passed = 0; passed < ms; passed += 10_000) clock.advance(10_000);
}

test.each(['fsync', 'fdatasync'] as const)('%s that does not end in five minutes hangs; one that ends is what it is, and nothing is looked for then', (call) => {
  const files = watched();
  const outcomes: (Error | null)[] = [];
  const failure = new Error('EIO');
  for (const error of [null, failure]) {
    files[call](3, (outcome) => outcomes.push(outcome));
    pass(HANG_MS - 10_000);
    waiting.pop()?.(error);
  }
  expect([outcomes, said, clock.pending]).toEqual([[null, failure], [], 0]);
  pass(2 * HANG_MS);
  files[call](3, () => undefined);
  pass(HANG_MS - 10_000);
  expect(said).toEqual([]);
  pass(60_000);
  expect(said).toHaveLength(1);
  expect(said[0]).toMatch(/^LOCKSTEP_REPOSITORY_HUNG: a sync to the disk has not ended in 5 minutes/);
});

test('of several syncs none hangs while one after the other ends, and all of them when none does any more', () => {
  const files = watched();
  for (let count = 0; count < 64; count += 1) (count % 2 === 0 ? files.fsync : files.fdatasync)(3, () => undefined);
  for (let ended = 0; ended < 8; ended += 1) {
    pass(HANG_MS - 10_000);
    waiting.pop()?.(ended % 2 === 0 ? null : new Error('EIO'));
  }
  expect(said).toEqual([]);
  pass(HANG_MS + 60_000);
  expect(said).toHaveLength(56);
});

test('a removal takes as long as it takes while the system answers', async () => {
  const root = fs.mkdtempSync(join(tmpdir(), 'lockstep-hanging-'));
  let end = (): void => undefined;
  const files = watched({ removeTree: () => new Promise((resolve) => (end = resolve)) });
  const removing = files.removeTree(root);
  for (let passed = 0; passed < 3 * HANG_MS; passed += 30_000) {
    pass(30_000);
    await fs.promises.lstat(root);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(said).toEqual([]);
  end();
  await removing;
  pass(2 * HANG_MS);
  expect(said).toEqual([]);
  const stuck = files.removeTree(root);
  pass(2 * HANG_MS); // No answer is heard meanwhile.
  expect(said[0]).toMatch(/the removal of .* has not ended/);
  end();
  await stuck;
  fs.rmdirSync(root);
});
