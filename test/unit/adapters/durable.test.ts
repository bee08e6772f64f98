import type * as fs from 'node:fs';
import { SYNCED_BYTES_AT_ONCE, SYNCS_AT_ONCE, syncAll, syncFiles } from '../../../src/adapters/repository/durable.js';
import { NODE_FILES, type FileSystem } from '../../../src/adapters/repository/file-system.js';
import { settle } from '../support/fake-clock.js';

type Done = (error: NodeJS.ErrnoException | null) => void;

/** A system whose syncs end when the test says so. */
class Slow {
  readonly begun: string[] = [];
  readonly waiting: Done[] = [];
  open = 0;
  readonly files: FileSystem = {
    ...NODE_FILES,
    openSync: ((path: string) => {
      this.open += 1;
      this.begun.push(path);
      return 3;
    }) as typeof fs.openSync,
    closeSync: () => void (this.open -= 1),
    fsync: ((_: number, done: Done) => void this.waiting.push(done)) as typeof fs.fsync,
  };

  async end(error: NodeJS.ErrnoException | null = null): Promise<void> {
    this.waiting.shift()?.(error);
    await settle();
  }
}

const MIB = 1024 * 1024;

test('large files are synced so many at one time that a slow disk ends some of them in time, and small ones beside them', async () => {
  const slow = new Slow();
  const sizes = [64, 64, 64, 60, 64, 300, 1, 1].map((mib, index) => ({ path: String(index), bytes: mib * MIB }));
  expect(SYNCED_BYTES_AT_ONCE).toBe(256 * MIB);
  const done = syncFiles(slow.files, sizes);
  expect(slow.begun).toEqual(['0', '1', '2', '3']);
  await slow.end();
  expect(slow.begun).toEqual(['0', '1', '2', '3', '4']);
  for (let ended = 0; ended < 3; ended += 1) await slow.end();
  expect(slow.waiting).toHaveLength(1);
  await slow.end();
  expect(slow.begun.slice(5)).toEqual(['5']);
  await slow.end();
  expect(slow.begun.slice(6)).toEqual(['6', '7']);
  await slow.end();
  await slow.end();
  await done;
  expect(slow.open).toBe(0);
});

test('of small files 64 are synced at one time; a failure is that of all, when those that were begun have ended', async () => {
  const slow = new Slow();
  let failed: unknown = null;
  const done = syncAll(slow.files, Array.from({ length: 100 }, (_, index) => String(index))).catch((error: unknown) => (failed = error));
  expect(slow.begun).toHaveLength(SYNCS_AT_ONCE);
  await slow.end();
  expect(slow.begun).toHaveLength(SYNCS_AT_ONCE + 1);
  const failure = new Error('EIO');
  await slow.end(failure);
  while (slow.waiting.length > 1) await slow.end();
  expect([slow.begun.length, failed]).toEqual([SYNCS_AT_ONCE + 1, null]);
  await slow.end();
  await done;
  expect([failed, slow.open]).toEqual([failure, 0]);
  await syncAll(slow.files, []);
});
