import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NodeDisk } from '../../src/adapters/disk.js';
import { DiskImage } from '../simulation/disk-image.js';
import { SimulatedDisk } from '../simulation/disk.js';
import { diskContract } from './disk.contract.js';

diskContract('of a real machine', async () => {
  const root = await mkdtemp(join(tmpdir(), 'lockstep-disk-'));
  return { disk: new NodeDisk(root), run: (promise) => promise, close: () => rm(root, { recursive: true }) };
});

test('a small file that cannot be replaced leaves nothing beside it', async () => {
  const root = await mkdtemp(join(tmpdir(), 'lockstep-disk-'));
  const disk = new NodeDisk(root);
  await disk.makeFolder('note/in-the-way');
  for (let i = 0; i < 2; i++) await expect(disk.replaceFile('note', Uint8Array.of(1))).rejects.toThrow();
  expect(await disk.list('.')).toEqual(['note']);
  await rm(root, { recursive: true });
});

diskContract('simulated', async () => {
  const disk = new SimulatedDisk({ image: new DiskImage(), schedule: (_, action) => setImmediate(action), random: () => 0.5 });
  return { disk, run: (promise) => promise, close: () => Promise.resolve() };
});
