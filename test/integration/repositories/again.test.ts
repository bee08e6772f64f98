import * as fs from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { NODE_FILES, type FileSystem } from '../../../src/adapters/repository/file-system.js';
import type { ContentFile, RepositoryFolder, RepositoryStore } from '../../../src/ports/repository.js';
import { openStore, Pair, picture, Places } from './support.js';

const FILES = 20;

afterEach(() => {
  Pair.stopAll();
  Places.removeAll();
});

/** Counts what is read of it. */
function counting(store: RepositoryStore, opened: string[]): RepositoryStore {
  const open = (path: string): ContentFile => {
    opened.push(path);
    return store.open(path);
  };
  return new Proxy(store, { get: (target, key) => (key === 'open' ? open : ((value: unknown) => (typeof value === 'function' ? value.bind(target) : value))(Reflect.get(target, key))) });
}

/** One of its files cannot be read until that is mended. */
class Broken implements RepositoryFolder {
  isBroken = true;

  constructor(private readonly real: RepositoryStore) {}

  scan(...args: Parameters<RepositoryFolder['scan']>): ReturnType<RepositoryFolder['scan']> {
    return this.real.scan(...args);
  }

  open(path: string): ContentFile {
    if (this.isBroken && path === 'unreadable') throw Object.assign(new Error('EACCES'), { code: 'EACCES' });
    return this.real.open(path);
  }
}

it('a sync that fails time and again does not read time and again what it takes over', async () => {
  const places = new Places();
  for (let count = 0; count < FILES; count += 1) {
    for (const folder of ['a', 'b']) {
      places.write(`${folder}/same-${count}`, String(count));
      fs.utimesSync(places.at(`${folder}/same-${count}`), 5, 5);
    }
  }
  places.write('a/unreadable', '');
  const from = new Broken(await openStore({ path: places.at('a') }));
  const opened: string[] = [];
  const to = counting(await openStore({ path: places.at('b') }), opened);
  const pair = new Pair(from, to);
  expect(await pair.connect()).toBe('ready');
  await pause(50); // What was just written is not believed to rest.
  expect((await pair.sync()).outcome).toBe('failed');
  expect(opened).toHaveLength(FILES);
  for (let tries = 0; tries < 5; tries += 1) {
    await pause(50);
    // As the keeper does before each; every second one begins with an empty stage, as after a full disk.
    if (tries % 2 === 1) await to.discard();
    await to.recover();
    expect((await pair.sync()).outcome).toBe('failed');
  }
  expect(opened).toHaveLength(FILES);
  from.isBroken = false;
  expect((await pair.sync()).outcome).toBe('changed');
  expect(opened).toHaveLength(FILES);
  expect(picture(places.at('b'))).toEqual(picture(places.at('a')));
  await pause(50);
  expect((await pair.sync()).outcome).toBe('same');
  expect(opened).toHaveLength(FILES);
});

it('what has rested counts as that also when a sync gave it another name, and is written while all goes on', async () => {
  const places = new Places();
  for (const folder of ['a', 'b']) {
    places.write(`${folder}/same`, 'same');
    fs.utimesSync(places.at(`${folder}/same`), 5, 5);
  }
  places.write('a/new', 'new');
  await pause(50);
  const then = Date.now();
  await pause(50);
  const store = await openStore({ path: places.at('b') });
  const pair = new Pair(await openStore({ path: places.at('a') }), store);
  expect(await pair.connect()).toBe('ready');
  expect((await pair.sync()).outcome).toBe('changed');
  expect(fs.statSync(places.at('b/same')).ctimeMs).toBeGreaterThan(then);
  await pause(50);
  expect((await pair.sync({ purpose: 'verify' })).outcome).toBe('same'); // Reads it again.
  store.save(Date.now() - then);
  const scan = (await openStore({ path: places.at('b') })).scan({ scope: null, checksum: false });
  let manifest = scan.step();
  while (manifest === null) manifest = scan.step();
  expect(manifest.entries.map(({ path, digest }) => [path, digest !== null])).toEqual([['new', false], ['same', true]]);
});

it('what failed syncs had staged is removed in turns, and none of it stays', async () => {
  const places = new Places();
  places.write('a/one', 'one');
  places.write('a/unreadable', '');
  const from = new Broken(await openStore({ path: places.folder('a') }));
  const files: FileSystem = {
    ...NODE_FILES,
    rmSync: (place, options) => {
      if (options?.recursive === true && String(place).endsWith('left')) throw new Error(`${String(place)} is removed in one call, whatever it holds`);
      fs.rmSync(place, options);
    },
  };
  const pair = new Pair(from, await openStore({ path: places.folder('b'), fs: files }));
  expect(await pair.connect()).toBe('ready');
  for (let tries = 0; tries < 4; tries += 1) expect(await pair.sync()).toMatchObject({ outcome: 'failed', detail: expect.stringContaining('cannot read') });
  from.isBroken = false;
  expect((await pair.sync()).outcome).toBe('changed');
  expect(fs.readdirSync(places.at('.b.lockstep'))).toEqual(['kept']);
});

it('what the system does not let go fails no sync', async () => {
  const places = new Places();
  places.write('a/one', 'one');
  const removed: string[] = [];
  const files: FileSystem = {
    ...NODE_FILES,
    removeTree: (place) => {
      if (!place.includes('.gone-')) return NODE_FILES.removeTree(place);
      removed.push(place);
      return Promise.reject(Object.assign(new Error('EACCES'), { code: 'EACCES' }));
    },
  };
  const to = await openStore({ path: places.folder('b'), fs: files });
  fs.mkdirSync(places.at('.b.lockstep/left.gone-1/sub'), { recursive: true });
  const pair = new Pair(await openStore({ path: places.folder('a') }), to);
  await to.recover();
  expect(await pair.connect()).toBe('ready');
  expect((await pair.sync()).outcome).toBe('changed');
  expect(new Set(removed)).toEqual(new Set([places.at('.b.lockstep/left.gone-1')]));
});
