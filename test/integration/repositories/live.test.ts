import * as fs from 'node:fs';
import { NODE_FILES, type FileSystem } from '../../../src/adapters/repository/file-system.js';
import type { Term } from '../../../src/core/identity.js';
import { openStore, Pair, picture, Places } from './support.js';

/* Changes that go file by file into the live folder. */

const pairs: Pair[] = [];

async function inSync(places: Places): Promise<Pair> {
  const pair = new Pair(await openStore({ path: places.folder('a') }), await openStore({ path: places.folder('b') }));
  pairs.push(pair);
  await pair.connect();
  expect((await pair.sync()).detail).toBeNull();
  return pair;
}

afterEach(() => {
  for (const pair of pairs.splice(0)) pair.stop();
  Places.removeAll();
});

describe('a continuous change', () => {
  it('replaces, adds and removes single files, keeps the old ones, and touches nothing else', async () => {
    const places = new Places();
    places.write('a/x/one', 'one');
    places.write('a/x/two', 'two');
    places.write('a/y/three', 'three');
    const pair = await inSync(places);
    const untouched = fs.statSync(places.at('b/y/three')).ino;
    places.write('a/x/one', 'one, changed');
    fs.rmSync(places.at('a/x/two'));
    places.write('a/x/new/deep/er', 'four');
    places.write('b/y/own', 'not looked at');
    const report = await pair.sync({ folders: ['x'] });
    expect(report.detail).toBeNull();
    expect(picture(places.at('b/x'))).toEqual(picture(places.at('a/x')));
    expect(places.read('b/y/own')).toBe('not looked at');
    expect(fs.statSync(places.at('b/y/three')).ino).toBe(untouched);
    const kept = pair.to.kept().flatMap(({ paths }) => paths);
    expect(kept.sort()).toEqual(['x/one', 'x/two']);
    expect((await pair.sync({ purpose: 'verify' })).differences).toEqual([
      { path: 'y', what: 'meta' },
      { path: 'y/own', what: 'extra' },
    ]);
    expect(pair.wholes.slice(0, 2)).toEqual([true, false]);
  });

  it('of a whole folder removes it, and a file in its place is put there', async () => {
    const places = new Places();
    places.write('a/x/deep/one', 'one');
    const pair = await inSync(places);
    fs.rmSync(places.at('a/x'), { recursive: true });
    places.write('a/x', 'a file now');
    expect((await pair.sync({ folders: [''] })).detail).toBeNull();
    expect(places.read('b/x')).toBe('a file now');
    expect(Object.keys(picture(places.at('.b.lockstep/kept', pair.to.kept()[0]?.name ?? '')))).toEqual(['x', 'x/deep', 'x/deep/one']);
  });

  it('follows a folder that another has taken the place of, with the folders that the watch then tells of', async () => {
    const places = new Places();
    for (const [folder, content] of [['app', 'old'], ['app.new', 'new']]) {
      places.write(`a/${folder}/conf/one`, content ?? '');
      places.write(`a/${folder}/conf/${content}/two`, content ?? '');
    }
    const pair = await inSync(places);
    fs.renameSync(places.at('a/app'), places.at('a/app.old'));
    fs.renameSync(places.at('a/app.new'), places.at('a/app'));
    expect((await pair.sync({ folders: ['', 'app.old', 'app.old/conf', 'app.old/conf/old', 'app', 'app/conf', 'app/conf/new'] })).detail).toBeNull();
    expect(picture(places.at('b'))).toEqual(picture(places.at('a')));
  });

  it('whose link is lost while new folders are made has failed: what they hold has not come', async () => {
    const places = new Places();
    const pairOf: Pair[] = [];
    let isDue = false;
    const files: FileSystem = {
      ...NODE_FILES,
      fsync: ((fd: number, callback: (error: Error | null) => void) => {
        if (isDue) pairOf[0]?.receiver?.close('the link is lost');
        NODE_FILES.fsync(fd, callback);
      }) as typeof fs.fsync,
    };
    pairOf.push(new Pair(await openStore({ path: places.folder('a') }), await openStore({ path: places.folder('b'), fs: files })));
    pairs.push(...pairOf);
    await pairOf[0]?.connect();
    await pairOf[0]?.sync();
    places.write('a/new/file', 'text');
    isDue = true;
    expect(await pairOf[0]?.sync({ folders: [''] })).toMatchObject({ outcome: 'failed', detail: expect.stringContaining('link was lost') });
    expect(Object.keys(picture(places.at('b')))).toEqual(['new']);
  });

  it('never writes through a link that stands where the other server has a folder', async () => {
    const places = new Places();
    places.write('a/x/one', 'one');
    const pair = await inSync(places);
    const outside = places.folder('outside');
    places.write('outside/one', 'precious');
    fs.rmSync(places.at('b/x'), { recursive: true });
    fs.symlinkSync(outside, places.at('b/x'));
    places.write('a/x/one', 'changed');
    const report = await pair.sync({ folders: ['x'] });
    expect(report).toMatchObject({ outcome: 'failed', detail: expect.stringContaining('link') });
    expect(places.read('outside/one')).toBe('precious');
    expect(fs.readdirSync(outside)).toEqual(['one']);
    // The whole sync puts the folder in its place, and leaves what the link leads to alone.
    expect((await pair.sync()).detail).toBeNull();
    expect(places.read('b/x/one')).toBe('changed');
    expect(places.read('outside/one')).toBe('precious');
  });

  it('stops when the right to it is gone', async () => {
    const places = new Places();
    places.write('a/one', 'one');
    const pair = await inSync(places);
    places.write('a/one', 'changed');
    const running = pair.sync({ folders: [''] });
    pair.orders.receiverTerm = null;
    expect((await running).outcome).toBe('failed');
    expect(places.read('b/one')).toBe('one');
  });

  it.each([
    ['the right to it goes', false],
    ['the disk fails', true],
  ])('leaves nothing that was made ready behind when %s at the last moment', async (_, isBroken) => {
    const places = new Places();
    const pair: Pair[] = [];
    let isDue = false;
    const failure = Object.assign(new Error('EROFS'), { code: 'EROFS' });
    const files: FileSystem = {
      ...NODE_FILES,
      fsync: ((fd: number, callback: (error: Error | null) => void) => {
        if (isDue && pair[0] !== undefined && !isBroken) pair[0].orders.receiverTerm = null;
        NODE_FILES.fsync(fd, () => callback(isDue && isBroken ? failure : null));
      }) as typeof fs.fsync,
    };
    places.write('a/one', 'one');
    pair.push(new Pair(await openStore({ path: places.folder('a') }), await openStore({ path: places.folder('b'), fs: files })));
    pairs.push(...pair);
    await pair[0]?.connect();
    await pair[0]?.sync();
    places.write('a/one', 'changed');
    isDue = true;
    expect(await pair[0]?.sync({ folders: [''] })).toMatchObject({ outcome: 'failed' });
    isDue = false;
    expect(places.read('b/one')).toBe('one');
    expect(fs.readdirSync(places.at('.b.lockstep/parts'))).toEqual([]);
  });

  it('of many files gives others their turn, and stops where that takes the right away', async () => {
    const places = new Places();
    let turns = 0;
    let isAllowed = (): boolean => true;
    const turn = async (): Promise<void> => {
      turns += 1;
      await NODE_FILES.turn();
    };
    const store = await openStore({ path: places.folder('b'), fs: { ...NODE_FILES, turn } });
    const make = async (prefix: string): Promise<string> => {
      turns = 0;
      const applier = store.apply('live', { term: 3 as Term, mayChange: () => isAllowed(), reason: 'test', at: Date.now() });
      for (let count = 0; count < 1_200; count += 1) applier.folder({ path: `${prefix}${count}`, kind: 'folder', mode: 0o755, mtimeUs: 1_000_000, size: 0, digest: null, target: '' });
      return (await applier.commit()).kind;
    };
    expect([await make('x'), turns]).toEqual(['done', 4]);
    isAllowed = () => turns < 3;
    expect(await make('y')).toBe('not-allowed');
    expect(fs.readdirSync(places.at('b')).filter((name) => name.startsWith('y')).length).toBe(499);
  });

  it('fails, and nothing else does, on a disk that takes nothing any more and does not let go of what it has', async () => {
    const places = new Places();
    let writes = Number.POSITIVE_INFINITY;
    const check = (): void => {
      if (writes <= 0) throw Object.assign(new Error('EROFS'), { code: 'EROFS' });
    };
    const files: FileSystem = {
      ...NODE_FILES,
      writeSync: ((...values: Parameters<typeof fs.writeSync>) => {
        check();
        writes -= 1;
        return fs.writeSync(...values);
      }) as typeof fs.writeSync,
      rmSync: (...values) => {
        check();
        fs.rmSync(...values);
      },
    };
    for (const name of ['a/one', 'a/two']) places.write(name, '');
    const pair = new Pair(await openStore({ path: places.folder('a') }), await openStore({ path: places.folder('b'), fs: files }));
    pairs.push(pair);
    await pair.connect();
    await pair.sync();
    for (const name of ['a/one', 'a/two']) places.write(name, 'changed');
    writes = 1;
    expect(await pair.sync({ folders: [''] })).toMatchObject({ outcome: 'failed', detail: expect.stringContaining('read-only') });
    writes = Number.POSITIVE_INFINITY;
    expect((await pair.sync()).detail).toBeNull();
    expect(places.read('b/two')).toBe('changed');
    expect(fs.existsSync(places.at('.b.lockstep/parts'))).toBe(false);
  });
});

it('a continuous change that is cut short leaves new folders with the permissions that they shall have', async () => {
  const places = new Places();
  const store = await openStore({ path: places.folder('b') });
  let left = 3;
  const applier = store.apply('live', { term: 3 as Term, mayChange: () => left-- > 0, reason: 'a change', at: Date.UTC(2026, 0, 2) });
  const modes = { open: 0o775, shared: 0o2755, closed: 0o555, late: 0o755 };
  for (const [path, mode] of Object.entries(modes)) applier.folder({ path, kind: 'folder', mode, mtimeUs: 1, size: 0, digest: null, target: '' });
  expect(await applier.commit()).toEqual({ kind: 'not-allowed' });
  const { late: _, ...made } = modes;
  expect(Object.fromEntries(fs.readdirSync(places.at('b')).map((name) => [name, fs.statSync(places.at('b', name)).mode & 0o7777]))).toEqual(made);
});
