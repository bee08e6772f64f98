import { mkdir, mkdtemp, open, rm, stat, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
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

/** Runs `work`. @returns the folders, among those above `path` and itself, that were synced meanwhile, by their names */
async function syncedAbove(path: string, work: () => Promise<void>): Promise<string[]> {
  const handle = await open(path, 'r');
  const methods = Object.getPrototypeOf(handle) as { sync: (this: FileHandle) => Promise<void> };
  await handle.close();
  const real = methods.sync;
  const synced = new Set<number>();
  methods.sync = async function (this: FileHandle) {
    synced.add((await this.stat()).ino);
    return real.call(this);
  };
  try {
    await work();
  } finally {
    methods.sync = real;
  }
  const names: string[] = [];
  for (let folder = path; folder !== dirname(folder); folder = dirname(folder)) if (synced.has((await stat(folder)).ino)) names.push(folder);
  return names;
}

test('the name of a folder that is there, and of those above it, is made durable as well: who made it may have been killed before', async () => {
  const above = await mkdtemp(join(tmpdir(), 'lockstep-disk-'));
  const root = join(above, 'data/broker');
  await mkdir(join(root, 'a/b'), { recursive: true });
  const disk = new NodeDisk(root);
  expect(await syncedAbove(join(root, 'a/b'), () => disk.makeFolder('a/b'))).toEqual([join(root, 'a'), root, join(above, 'data')]);
  expect(await syncedAbove(root, () => disk.makeFolder('.'))).toEqual([join(above, 'data'), above]);
  expect(await syncedAbove(join(root, 'a/b'), () => disk.makeFolder('a/b/c/d'))).toEqual([join(root, 'a/b'), join(root, 'a'), root, join(above, 'data')]);
  expect(await disk.list('a/b/c')).toEqual(['d']);
  await rm(above, { recursive: true });
});

test('a write in several steps ends where its file is closed meanwhile: no step of it goes to a file that has got its number', async () => {
  const root = await mkdtemp(join(tmpdir(), 'lockstep-disk-'));
  const disk = new NodeDisk(root);
  for (let round = 0; round < 5; round++) {
    const file = await disk.open(`first-${round}`, 'create');
    const parts = Array.from({ length: 5_000 }, () => new Uint8Array(100).fill(7));
    const ended = new Promise<Error | null>((resolve) => file.write(parts, 0, resolve));
    await file.close();
    const others = await Promise.all(Array.from({ length: 4 }, (_, at) => disk.open(`other-${round}-${at}`, 'create')));
    expect(await ended).toMatchObject({ message: 'the file was closed meanwhile' });
    for (const other of others) {
      expect(await other.size()).toBe(0);
      await other.close();
    }
  }
  await rm(root, { recursive: true });
});

test('a file is closed only when its second opening has ended: another file may have its number by then', async () => {
  const root = await mkdtemp(join(tmpdir(), 'lockstep-disk-'));
  const asked: number[] = [];
  let fail = (_error: Error): void => undefined;
  const disk = new NodeDisk(root, (number) => {
    asked.push(number);
    return new Promise((_, reject) => (fail = reject));
  });
  const steps: string[] = [];
  const file = await disk.open('f', 'create');
  await new Promise((resolve) => file.writeSynced([Uint8Array.of(7)], 0, resolve));
  const closing = file.close().then(() => steps.push('closed'));
  for (let i = 0; i < 5; i++) await disk.list('.');
  steps.push('opened');
  fail(new Error('not now'));
  await closing;
  expect(asked).toHaveLength(process.platform === 'linux' ? 1 : 0);
  expect(steps).toEqual(process.platform === 'linux' ? ['opened', 'closed'] : ['closed', 'opened']);
  await rm(root, { recursive: true });
});

diskContract('simulated', async () => {
  const disk = new SimulatedDisk({ image: new DiskImage(), schedule: (_, action) => setImmediate(action), random: () => 0.5 });
  return { disk, run: (promise) => promise, close: () => Promise.resolve() };
});
