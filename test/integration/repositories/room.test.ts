import * as fs from 'node:fs';
import { NODE_FILES, type FileSystem } from '../../../src/adapters/repository/file-system.js';
import type { Term } from '../../../src/core/identity.js';
import type { Entry } from '../../../src/core/repository/entry.js';
import type { Applier, Commit, RepositoryFolder } from '../../../src/ports/repository.js';
import { openStore, Pair, picture, Places } from './support.js';

const FILES = 100;
/** Of which so much is left to others. */
const DISK = { total: 20_000, reserve: 1_000 };

afterEach(() => {
  Pair.stopAll();
  Places.removeAll();
});

const commit = (): Commit => ({ term: 3 as Term, mayChange: () => true, reason: 'test', at: Date.now() });
const entry = (path: string, size: number): Entry => ({ path, kind: 'file', mode: 0o644, mtimeUs: 5_000_000, size, digest: null, target: '' });

describe('what an interrupted sync had staged', () => {
  const entries = Array.from({ length: FILES }, (_, index) => entry(`file-${index}`, 10));

  /** After a sync that was interrupted when all of it was staged. */
  async function interrupted(free: number): Promise<{ applier: Applier; looks: () => number }> {
    const places = new Places();
    let looks = 0;
    let room = 1_000_000;
    const files: FileSystem = {
      ...NODE_FILES,
      roomOf: () => ({ free: room, total: DISK.total }),
      ticks: () => looks * 2.5, // Looks take their time.
      lstatSync: ((...values: Parameters<typeof fs.lstatSync>) => {
        looks += 1;
        return fs.lstatSync(...values);
      }) as typeof fs.lstatSync,
    };
    const store = await openStore({ path: places.folder('b'), fs: files });
    const first = store.apply('staged', commit());
    for (const one of entries) first.put(one, new Uint8Array(one.size));
    first.abandon();
    room = DISK.reserve + free;
    const applier = store.apply('staged', commit());
    looks = 0;
    return { applier, looks: () => looks };
  }

  it('is not looked for where there is room without it', async () => {
    const { applier, looks } = await interrupted(FILES * 10);
    expect(applier.roomFor(entries)).toBeNull();
    expect(looks()).toBe(0);
    applier.abandon();
  });

  it('is looked for in slices, until the rest has room', async () => {
    const { applier, looks } = await interrupted(FILES * 10 - 100);
    const fitting = applier.roomFor(entries);
    const before = looks();
    expect(fitting?.step()).toBeNull();
    expect(looks() - before).toBeLessThan(10);
    expect([fitting?.step(), fitting?.step(), looks() < 20]).toEqual([null, true, true]);
    applier.abandon();
  });

  it('is counted as far as it is there', async () => {
    const { applier } = await interrupted(9);
    const fitting = applier.roomFor([...entries, entry('other', 10)]);
    let steps = 0;
    expect(() => {
      while (fitting?.step() === null) steps += 1;
    }).toThrow(expect.objectContaining({ code: 'ENOSPC', message: expect.stringContaining('10 B to be written') }));
    expect(steps).toBeGreaterThan(10);
    applier.abandon();
  });

  it('need not have room a second time', async () => {
    const places = new Places();
    places.write('a/one', 'x'.repeat(500));
    places.write('a/two', 'two');
    const room = { free: 1_000_000, total: DISK.total };
    const real = await openStore({ path: places.at('a') });
    let isBroken = true;
    const from: RepositoryFolder = {
      scan: (options) => real.scan(options),
      open(path) {
        if (isBroken && path === 'two') throw Object.assign(new Error('EACCES'), { code: 'EACCES' });
        return real.open(path);
      },
    };
    const pair = new Pair(from, await openStore({ path: places.folder('b'), fs: { ...NODE_FILES, roomOf: () => room } }));
    expect(await pair.connect()).toBe('ready');
    expect((await pair.sync()).outcome).toBe('failed');
    isBroken = false;
    room.free = DISK.reserve + 3;
    expect(await pair.sync()).toMatchObject({ outcome: 'changed' });
    expect(picture(places.at('b'))).toEqual(picture(places.at('a')));
  });
});
