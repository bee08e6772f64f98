import * as fs from 'node:fs';
import { NODE_FILES, type FileSystem } from '../../../src/adapters/repository/file-system.js';
import type { Term } from '../../../src/core/identity.js';
import type { Commit, RepositoryStore } from '../../../src/ports/repository.js';
import { openStore, Pair, picture, Places } from './support.js';

const pairs: Pair[] = [];

afterEach(() => {
  for (const pair of pairs.splice(0)) pair.stop();
  Places.removeAll();
});

const commit = (): Commit => ({ term: 3 as Term, mayChange: () => true, reason: 'test', at: Date.now() });
const NAME = '2026-01-02T03-04-05.678Z';
const failing = (code: string): Error => Object.assign(new Error(code), { code });

describe('kept versions that hold a large file', () => {
  let turns = 0;
  let onTurn = (): void => undefined;
  let writes = Number.POSITIVE_INFINITY;
  const SLOW: FileSystem = {
    ...NODE_FILES,
    ticks: () => performance.now() * 1000, // Every look at the clock finds a slice used up.
    turn: async () => {
      turns += 1;
      onTurn();
      await NODE_FILES.turn();
    },
    writeSync: ((...values: Parameters<typeof fs.writeSync>) => {
      writes -= 1;
      if (writes < 0) throw failing('ENOSPC');
      return fs.writeSync(...values);
    }) as typeof fs.writeSync,
  };
  const large = 'x'.repeat(4 * 1024 * 1024);

  async function keptLarge(places: Places): Promise<{ store: RepositoryStore; kept: string }> {
    [turns, writes, onTurn] = [0, Number.POSITIVE_INFINITY, () => undefined];
    places.write('a/other', '');
    places.write('b/large', large);
    const pair = new Pair(await openStore({ path: places.folder('a') }), await openStore({ path: places.folder('b'), fs: SLOW }));
    pairs.push(pair);
    expect(await pair.connect()).toBe('ready');
    const kept = (await pair.sync()).kept ?? '';
    turns = 0;
    return { store: pair.to, kept };
  }

  it('are brought back in turns: whoever asks this process meanwhile hears from it', async () => {
    const places = new Places();
    const { store, kept } = await keptLarge(places);
    expect(await store.restore(kept, null, commit())).toBe(1);
    expect(turns).toBeGreaterThan(10);
    expect(places.read('b/large')).toBe(large);
  });

  it.each(['the right to change', 'room'])('are not brought back where %s is lost, and nothing is left of it', async (what) => {
    const places = new Places();
    const { store, kept } = await keptLarge(places);
    const open = (): number => fs.readdirSync('/proc/self/fd').length;
    const before = process.platform === 'linux' ? open() : 0;
    let may = true;
    onTurn = () => {
      if (turns === 3 && what !== 'room') may = false;
    };
    if (what === 'room') writes = 3;
    await expect(store.restore(kept, null, { ...commit(), mayChange: () => may })).rejects.toMatchObject({ code: what === 'room' ? 'ENOSPC' : 'LOCKSTEP_REPOSITORY_NOT_ALLOWED' });
    expect(fs.readdirSync(places.at('.b.lockstep/parts'))).toEqual([]);
    expect(fs.existsSync(places.at('b/large'))).toBe(false);
    if (process.platform === 'linux') expect(open()).toBe(before);
  });

  it('are not left behind ready where the right is lost in the end', async () => {
    const places = new Places();
    const { store, kept } = await keptLarge(places);
    let asked = 0;
    // Every slice has it, and the change itself has not.
    await expect(store.restore(kept, null, { ...commit(), mayChange: () => fs.readdirSync(places.at('.b.lockstep/parts')).every((name) => !name.endsWith('.ready')) && (asked += 1) > 0 })).rejects.toMatchObject({ code: 'LOCKSTEP_REPOSITORY_NOT_ALLOWED' });
    expect(asked).toBeGreaterThan(0);
    expect(fs.readdirSync(places.at('.b.lockstep/parts'))).toEqual([]);
  });
});

it('a large file is synced while it is brought back, and not only when all of it is written', async () => {
  const places = new Places();
  const size = 150 * 1024 * 1024;
  let [unsynced, most] = [0, 0];
  const files: FileSystem = {
    ...NODE_FILES,
    writeSync: ((...values: Parameters<typeof fs.writeSync>) => {
      const written = fs.writeSync(...values);
      unsynced += written;
      most = Math.max(most, unsynced);
      return written;
    }) as typeof fs.writeSync,
    fdatasync: ((_: number, done: (error: NodeJS.ErrnoException | null) => void) => {
      unsynced = 0;
      setImmediate(done, null);
    }) as typeof fs.fdatasync,
  };
  const store = await openStore({ path: places.folder('b'), fs: files });
  places.write(`.b.lockstep/kept/${NAME}/large`, '');
  fs.truncateSync(places.at('.b.lockstep/kept', NAME, 'large'), size);
  expect(await store.restore(NAME, null, commit())).toBe(1);
  expect(fs.statSync(places.at('b/large')).size).toBe(size);
  expect(most).toBeLessThanOrEqual(64 * 1024 * 1024);
});

it('what a restore had made ready whose process was killed is gone with the next start, and what a sync goes on from stays', async () => {
  const places = new Places();
  const store = await openStore({ path: places.folder('b') });
  for (const name of ['x.ready', 'y.ready', 'z.new', 'z.old']) places.write(`.b.lockstep/parts/${name}`, '');
  await store.recover();
  expect(fs.readdirSync(places.at('.b.lockstep/parts'))).toEqual(['z.new', 'z.old']);
});

it.each(['a link', 'a file'])('a kept folder comes back whole, where the repository has %s in its place, or in that of a folder above it', async (what) => {
  for (const inner of ['in', 'deep/in']) {
    const places = new Places();
    places.write('elsewhere/in/more/own', 'own');
    places.write('elsewhere/more/own', 'own');
    const before = picture(places.at('elsewhere'));
    const store = await openStore({ path: places.folder('b') });
    places.write(`.b.lockstep/kept/${NAME}/${inner}/more/file`, 'file');
    places.write(`.b.lockstep/kept/${NAME}/${inner}/other`, 'other');
    const top = inner.split('/')[0] ?? '';
    if (what === 'a link') fs.symlinkSync('../elsewhere', places.at('b', top));
    else places.write(`b/${top}`, 'own');
    expect(await store.restore(NAME, null, commit())).toBe(2);
    expect([places.read(`b/${inner}/more/file`), places.read(`b/${inner}/other`)]).toEqual(['file', 'other']);
    expect(picture(places.at('elsewhere'))).toEqual(before);
    const [kept] = store.kept();
    expect(fs.lstatSync(places.at('.b.lockstep/kept', kept?.name ?? '', top)).isDirectory()).toBe(false);
  }
});

describe('links in a kept version', () => {
  it('are not gone through, and those that no repository carries stay there', async () => {
    const places = new Places();
    places.write('secret/key', 'secret');
    const store = await openStore({ path: places.folder('b') });
    places.write(`.b.lockstep/kept/${NAME}/in/file`, 'file');
    const kept = (path: string): string => places.at('.b.lockstep/kept', NAME, path);
    fs.symlinkSync(places.at('secret'), kept('absolute'));
    fs.symlinkSync('../../../../secret', kept('in/out'));
    fs.symlinkSync('file', kept('in/link'));
    for (const path of ['absolute/key', 'in/out/key', 'in/link/file']) await expect(store.restore(NAME, [path], commit())).rejects.toMatchObject({ code: 'LOCKSTEP_REPOSITORY_KEPT' });
    const refused = (why: string): unknown => expect.objectContaining({ code: 'LOCKSTEP_REPOSITORY_KEPT', message: expect.stringContaining(why) });
    for (const paths of [['absolute'], ['in/file', 'absolute']]) await expect(store.restore(NAME, paths, commit())).rejects.toEqual(refused('"absolute" stays in the kept version'));
    await expect(store.restore(NAME, ['in/out'], commit())).rejects.toEqual(refused('it is a link to "../../../../secret", out of the repository'));
    expect(fs.readdirSync(places.at('b'))).toEqual([]);
    expect(await store.restore(NAME, null, commit())).toBe(2);
    expect(Object.keys(picture(places.at('b')))).toEqual(['in', 'in/file', 'in/link']);
  });

  it('that stand in its own place are refused', async () => {
    const places = new Places();
    places.write('secret/key', 'secret');
    const store = await openStore({ path: places.folder('b') });
    places.folder('.b.lockstep/kept');
    fs.symlinkSync(places.at('secret'), places.at('.b.lockstep/kept', NAME));
    for (const paths of [null, ['key']]) await expect(store.restore(NAME, paths, commit())).rejects.toMatchObject({ code: 'LOCKSTEP_REPOSITORY_KEPT' });
    expect(fs.readdirSync(places.at('b'))).toEqual([]);
  });
});
