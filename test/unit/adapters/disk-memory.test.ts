import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NodeDisk } from '../../../src/adapters/disk.js';

const TOO_MUCH = 54_321;

test('where there is no memory for what shall be read, a file says ENOMEM, and goes on afterwards', async () => {
  const root = await mkdtemp(join(tmpdir(), 'lockstep-disk-'));
  await writeFile(join(root, 'f'), 'content');
  const file = await new NodeDisk(root).open('f', 'read');
  const real = globalThis.Uint8Array;
  globalThis.Uint8Array = new Proxy(real, {
    construct: (target, given: unknown[], newTarget) => {
      if (given[0] === TOO_MUCH) throw new RangeError('Array buffer allocation failed');
      return Reflect.construct(target, given, newTarget) as Uint8Array;
    },
  });
  try {
    await expect(file.read(0, TOO_MUCH)).rejects.toMatchObject({ code: 'ENOMEM', message: 'ENOMEM: Array buffer allocation failed' });
    expect(new TextDecoder().decode(await file.read(0, 100))).toBe('content');
  } finally {
    globalThis.Uint8Array = real;
    await file.close();
    await rm(root, { recursive: true });
  }
});
