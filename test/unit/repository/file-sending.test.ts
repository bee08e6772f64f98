import { createHashing } from '../../../src/adapters/repository/hashing.js';
import type { Entry } from '../../../src/core/repository/entry.js';
import type { FileResult, Want } from '../../../src/core/repository/frames.js';
import type { ContentFile, RepositoryFolder } from '../../../src/ports/repository.js';
import { FileSending, READS_MAX } from '../../../src/repository/file-sending.js';

const SIZE = 1024 * 1024;
const entry: Entry = { path: 'log', kind: 'file', mode: 0o644, mtimeUs: 1, size: SIZE, digest: null, target: '' };
const wants: readonly Want[] = [{ how: 'whole', index: 0 }, { how: 'delta', index: 0, blockBytes: 2048, blocks: 0 }, { how: 'compare', index: 0, digest: '' }, { how: 'check', index: 0, digest: '' }];

/** There is always more to read. */
class Growing implements ContentFile {
  readonly size = SIZE;
  readonly mtimeUs = 1;
  readonly mode = 0o644;

  read(into: Uint8Array): number {
    return into.fill(7).length;
  }
  piece(bytes: number, offset: number): Uint8Array {
    return new Uint8Array(Math.max(0, Math.min(bytes, SIZE - offset)));
  }
  changed(): boolean {
    return true;
  }
  record(): void {}
  close(): void {}
}

it.each(wants)('a file that grows faster than it is read comes to an end, and is called unstable: $how', async (want) => {
  const folder = { open: () => new Growing() } as unknown as RepositoryFolder;
  let sent = 0;
  const sums = want.how === 'delta' ? { blockBytes: want.blockBytes, sums: new Uint32Array() } : null;
  const sending = new FileSending({ sync: 1, folder, hashing: await createHashing(), entry, want, sums, send: (bytes) => (sent += bytes.length) });
  let result: FileResult | null = null;
  for (let steps = 0; steps < 100 && result === null; steps += 1) result = sending.step();
  expect(result).toMatchObject({ outcome: 'unstable' });
  expect(sent).toBeLessThan(READS_MAX * SIZE * 1.1);
});
