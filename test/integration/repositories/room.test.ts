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
    expect(applier.roomFor({ fetched: entries, kept: [], touched: [] })).toBeNull();
    expect(looks()).toBe(0);
    applier.abandon();
  });

  it('is looked for in slices, until the rest has room', async () => {
    const { applier, looks } = await interrupted(FILES * 10 - 100);
    const fitting = applier.roomFor({ fetched: entries, kept: [], touched: [] });
    const before = looks();
    expect(fitting?.step()).toBeNull();
    expect(looks() - before).toBeLessThan(10);
    expect([fitting?.step(), fitting?.step(), looks() < 20]).toEqual([null, true, true]);
    applier.abandon();
  });

  it('is counted as far as it is there', async () => {
    const { applier } = await interrupted(9);
    const fitting = applier.roomFor({ fetched: [...entries, entry('other', 10)], kept: [], touched: [] });
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

describe('what a sync copies instead of fetching it', () => {
  const refused = (code: string) => (): never => {
    throw Object.assign(new Error(code), { code });
  };
  const copy = ((from: string, to: string, flags = 0) => {
    if ((flags & fs.constants.COPYFILE_FICLONE_FORCE) !== 0) return refused('ENOTSUP')();
    fs.copyFileSync(from, to, flags & fs.constants.COPYFILE_EXCL);
  }) as typeof fs.copyFileSync;
  const clone = ((from: string, to: string, flags = 0) => fs.copyFileSync(from, to, flags & fs.constants.COPYFILE_EXCL)) as typeof fs.copyFileSync;

  /** Of two files of 100 bytes one stays as it is, and the other gets other permissions; a third of 10 comes. */
  async function synced(free: number, changes: Partial<FileSystem>): Promise<{ outcome: string; detail: string | null; written: number; beside: string[] }> {
    const places = new Places();
    for (const side of ['a', 'b']) {
      for (const name of ['kept', 'touched']) {
        places.write(`${side}/${name}`, 'x'.repeat(100));
        fs.utimesSync(places.at(side, name), 5, 5);
      }
    }
    fs.chmodSync(places.at('a/touched'), 0o600);
    places.write('a/new', 'x'.repeat(10));
    const room = { free: 1_000_000, total: DISK.total };
    let written = 0;
    const counting = {
      copyFileSync: ((...values: Parameters<typeof fs.copyFileSync>) => {
        if (String(values[1]).includes('stage')) written += 1;
        (changes.copyFileSync ?? copy)(...values);
      }) as typeof fs.copyFileSync,
    };
    const pair = new Pair(await openStore({ path: places.at('a') }), await openStore({ path: places.at('b'), fs: { ...NODE_FILES, roomOf: () => room, ...changes, ...counting } }));
    expect(await pair.connect()).toBe('ready');
    room.free = DISK.reserve + free;
    const { outcome, detail } = await pair.sync();
    return { outcome, detail, written, beside: fs.readdirSync(places.at('.b.lockstep')).filter((name) => name.includes('Probe')) };
  }

  it.each<[string, number, Partial<FileSystem>]>([
    ['where two files cannot share what they hold', 110, {}],
    ['and all of it where there are no hard links either', 210, { linkSync: refused('EPERM') }],
  ])('has room, or nothing of it is begun: %s', async (_where, needed, changes) => {
    expect(await synced(needed - 1, changes)).toEqual({ outcome: 'failed', detail: expect.stringContaining(`ENOSPC: no space left on device, ${needed} B to be written`), written: 0, beside: [] });
    expect(await synced(needed, changes)).toMatchObject({ outcome: 'changed' });
  });

  it('needs no room where two files share what they hold', async () => {
    expect(await synced(100, { copyFileSync: clone, linkSync: refused('EPERM') })).toMatchObject({ outcome: 'changed', beside: [] });
  });
});
