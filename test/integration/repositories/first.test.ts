import * as fs from 'node:fs';
import { NODE_FILES } from '../../../src/adapters/repository/file-system.js';
import type { StoreOptions } from '../../../src/adapters/repository/store.js';
import { openStore, Pair, picture, Places } from './support.js';

/* The first sync of a server that has no folder yet. */


afterEach(() => {
  Pair.stopAll();
  Places.removeAll();
});

async function linked(places: Places, to: Partial<StoreOptions> = {}): Promise<Pair> {
  const store = await openStore({ path: places.at('srv/b'), recordFile: places.at('digests'), ...to });
  const pair = new Pair(await openStore({ path: places.folder('a') }), store);
  expect(await pair.connect()).toBe('ready');
  return pair;
}

/** As the deposed server meets it that follows this one. */
async function follow(places: Places): Promise<Pair> {
  const pair = new Pair(await openStore({ path: places.at('srv/b'), recordFile: places.at('digests') }), await openStore({ path: places.at('a') }));
  await pair.connect();
  return pair;
}

const MODES: readonly { readonly name: string; readonly options: Partial<StoreOptions> }[] = [{ name: 'atomic', options: {} }, { name: 'two renames', options: { exchange: null } }];

describe.each(MODES)('with an exchange: $name', ({ options }) => {
  it.each(['FULL', 'PARTIAL'] as const)('%s puts the whole tree in its place, as a new folder, and keeps nothing', async (type) => {
    const places = new Places();
    places.write('a/x/y', 'x');
    const pair = await linked(places, options);
    expect(fs.readdirSync(places.at('srv'))).toEqual(['.b.lockstep']);
    expect(await pair.sync({ type })).toMatchObject({ outcome: 'changed', kept: null, detail: null });
    expect(picture(places.at('srv/b'))).toEqual(picture(places.at('a')));
    expect(fs.statSync(places.at('srv/b')).mode).toBe(fs.statSync(places.folder('new')).mode);
    expect(fs.readdirSync(places.at('srv/.b.lockstep'))).toEqual([]);
    expect((await pair.sync({ type })).outcome).toBe('same');
  });

  it('that failed has made no folder: the other server is sent nothing from it', async () => {
    const places = new Places();
    places.write('a/x', 'x');
    const pair = await linked(places, { ...options, fs: { ...NODE_FILES, renameSync: (from, to) => (to === places.at('srv/b') ? fail() : fs.renameSync(from, to)) } });
    expect((await pair.sync()).outcome).toBe('failed');
    const back = await follow(places);
    expect(await back.sync()).toMatchObject({ outcome: 'failed', detail: expect.stringContaining('the folder is not there') });
    expect([places.read('a/x'), fs.existsSync(places.at('srv/b'))]).toEqual(['x', false]);
    // What was staged serves the next.
    const again = await linked(places, options);
    expect(await again.sync()).toMatchObject({ outcome: 'changed', detail: null });
    expect(places.read('srv/b/x')).toBe('x');
  });

  it('does not take the place of what has come there meanwhile', async () => {
    const places = new Places();
    places.write('a/x', 'x');
    let came = false;
    const files = { ...NODE_FILES, fsync: ((fd: number, done: (error: Error | null) => void) => {
      if (!came) places.write('srv/b/own', 'its own');
      came = true;
      fs.fsync(fd, done);
    }) as typeof fs.fsync };
    const pair = await linked(places, { ...options, fs: files });
    expect((await pair.sync()).outcome).toBe('failed');
    expect(fs.readdirSync(places.at('srv/b'))).toEqual(['own']);
    await pair.to.recover();
    expect(await pair.sync()).toMatchObject({ outcome: 'changed', kept: expect.any(String) as string });
    expect(fs.readdirSync(places.at('srv/b'))).toEqual(['x']);
  });
});

it('of an empty folder makes one, and one that an operator made empty counts', async () => {
  const places = new Places();
  const pair = await linked(places);
  expect((await pair.sync()).outcome).toBe('changed');
  expect(fs.readdirSync(places.at('srv/b'))).toEqual([]);
  places.write('a/x', 'x');
  expect((await (await follow(places)).sync()).outcome).toBe('changed');
  expect(fs.readdirSync(places.at('a'))).toEqual([]);
});

it('that is only compared makes none', async () => {
  const places = new Places();
  const pair = await linked(places);
  expect((await pair.sync({ type: 'NO' })).outcome).toBe('same');
  expect((await pair.sync({ purpose: 'verify' })).outcome).toBe('same');
  places.write('a/x', 'x');
  expect((await pair.sync({ type: 'NO' })).outcome).toBe('differs');
  expect((await pair.sync({ folders: [''] })).outcome).toBe('failed');
  expect(fs.existsSync(places.at('srv/b'))).toBe(false);
});

function fail(): never {
  throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
}
