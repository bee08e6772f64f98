import * as fs from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { NODE_FILES, type FileSystem } from '../../../src/adapters/repository/file-system.js';
import type { ContentFile, RepositoryFolder, RepositoryStore } from '../../../src/ports/repository.js';
import { openStore, Pair, picture, Places } from './support.js';

const FILES = 20;
const pairs: Pair[] = [];

afterEach(() => {
  for (const pair of pairs.splice(0)) pair.stop();
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

it('a sync that fails time and again does not read time and again what it takes over', async () => {
  const places = new Places();
  for (let count = 0; count < FILES; count += 1) {
    for (const folder of ['a', 'b']) {
      places.write(`${folder}/same-${count}`, String(count));
      fs.utimesSync(places.at(`${folder}/same-${count}`), 5, 5);
    }
  }
  places.write('a/unreadable', '');
  let isBroken = true;
  const real = await openStore({ path: places.at('a') });
  const from: RepositoryFolder = {
    scan: (options) => real.scan(options),
    open(path) {
      if (isBroken && path === 'unreadable') throw Object.assign(new Error('EACCES'), { code: 'EACCES' });
      return real.open(path);
    },
  };
  const opened: string[] = [];
  const pair = new Pair(from, counting(await openStore({ path: places.at('b') }), opened));
  pairs.push(pair);
  expect(await pair.connect()).toBe('ready');
  await pause(50); // What was just written is not believed to rest.
  expect((await pair.sync()).outcome).toBe('failed');
  expect(opened).toHaveLength(FILES);
  for (let tries = 0; tries < 3; tries += 1) {
    await pause(50);
    expect((await pair.sync()).outcome).toBe('failed');
  }
  expect(opened).toHaveLength(FILES);
  isBroken = false;
  expect((await pair.sync()).outcome).toBe('changed');
  expect(opened).toHaveLength(FILES);
  expect(picture(places.at('b'))).toEqual(picture(places.at('a')));
  await pause(50);
  expect((await pair.sync()).outcome).toBe('same');
  expect(opened).toHaveLength(FILES);
});

it('what failed syncs had staged is removed in turns, and none of it stays', async () => {
  const places = new Places();
  places.write('a/one', 'one');
  places.write('a/unreadable', '');
  let isBroken = true;
  const real = await openStore({ path: places.folder('a') });
  const from: RepositoryFolder = {
    scan: (options) => real.scan(options),
    open(path) {
      if (isBroken && path === 'unreadable') throw Object.assign(new Error('EACCES'), { code: 'EACCES' });
      return real.open(path);
    },
  };
  const files: FileSystem = {
    ...NODE_FILES,
    rmSync: (place, options) => {
      if (options?.recursive === true && String(place).endsWith('left')) throw new Error(`${String(place)} is removed in one call, whatever it holds`);
      fs.rmSync(place, options);
    },
  };
  const pair = new Pair(from, await openStore({ path: places.folder('b'), fs: files }));
  pairs.push(pair);
  expect(await pair.connect()).toBe('ready');
  for (let tries = 0; tries < 4; tries += 1) expect(await pair.sync()).toMatchObject({ outcome: 'failed', detail: expect.stringContaining('cannot read') });
  isBroken = false;
  expect((await pair.sync()).outcome).toBe('changed');
  expect(fs.readdirSync(places.at('.b.lockstep'))).toEqual(['kept']);
});
