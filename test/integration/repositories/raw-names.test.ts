import * as fs from 'node:fs';
import type { Term } from '../../../src/core/identity.js';
import { openStore, Pair, picture, Places } from './support.js';

/* Names, and targets of links, that are no UTF-8: no repository carries them, and none takes them away. */

afterEach(() => {
  Pair.stopAll();
  Places.removeAll();
});

/** Each character is a byte. */
const raw = (path: string): Buffer => Buffer.from(path, 'latin1');
const CAFE = 'caf\xe9';

function listed(folder: string): string[] {
  return fs.readdirSync(folder, 'latin1').sort();
}

async function pairOf(places: Places, keep: number): Promise<Pair> {
  const options = { exclude: ['logs'], keep };
  const pair = new Pair(await openStore({ path: places.folder('a'), ...options }), await openStore({ path: places.folder('b'), ...options }));
  expect(await pair.connect()).toBe('ready');
  return pair;
}

const onLinux = process.platform === 'linux' ? it : it.skip;

onLinux.each([
  ['FULL', 5],
  ['FULL', 0],
  ['PARTIAL', 5],
] as const)('%s leaves them where they are, in excluded folders too, and is equal (%i versions kept)', async (type, keep) => {
  const places = new Places();
  places.write('a/x', 'new');
  places.write('a/both/inner', 'new');
  places.write('b/gone', 'old');
  places.write('b/both/inner', 'old');
  places.folder('b/logs/deep');
  for (const folder of ['b', 'b/both', 'b/logs', 'b/logs/deep']) {
    fs.writeFileSync(raw(`${places.at(folder)}/${CAFE}`), 'own');
    fs.mkdirSync(raw(`${places.at(folder)}/folder-${CAFE}`));
    fs.writeFileSync(raw(`${places.at(folder)}/folder-${CAFE}/${CAFE}`), 'own');
    fs.symlinkSync(raw(CAFE), places.at(folder, 'link'));
  }
  const pair = await pairOf(places, keep);
  for (const outcome of ['changed', 'same']) expect((await pair.sync({ type })).outcome).toBe(outcome);
  for (const folder of ['b', 'b/both', 'b/logs', 'b/logs/deep']) {
    expect(listed(places.at(folder))).toEqual(expect.arrayContaining([CAFE, `folder-${CAFE}`, 'link']));
    expect(fs.readFileSync(raw(`${places.at(folder)}/folder-${CAFE}/${CAFE}`), 'utf8')).toBe('own');
    expect(fs.readlinkSync(places.at(folder, 'link'), 'latin1')).toBe(CAFE);
  }
  expect(fs.existsSync(places.at('b/gone'))).toBe(type === 'PARTIAL');
  const kept = pair.to.kept()[0];
  if (kept !== undefined) expect(listed(places.at('.b.lockstep/kept', kept.name))).toEqual(['both', 'gone']);
  await pair.to.recover();
});

onLinux('a link to such a name is not carried, and is named', async () => {
  const places = new Places();
  places.write('a/x', 'x');
  fs.symlinkSync(raw(CAFE), places.at('a/link'));
  const report = await (await pairOf(places, 5)).sync();
  expect(report).toMatchObject({ outcome: 'changed', leftOut: ['link: a link to a name that is no UTF-8'] });
  expect(listed(places.at('b'))).toEqual(['x']);
});

onLinux('a folder that holds one stays where it is removed continuously', async () => {
  const places = new Places();
  places.write('a/x/y', 'y');
  const pair = await pairOf(places, 5);
  await pair.sync();
  fs.writeFileSync(raw(`${places.at('b/x')}/${CAFE}`), 'own');
  fs.rmSync(places.at('a/x'), { recursive: true });
  expect((await pair.sync({ folders: [''] })).detail).toBeNull();
  expect(listed(places.at('b/x'))).toEqual([CAFE]);
});

onLinux('what cannot be named in a kept version keeps nothing else of it from being brought back', async () => {
  const places = new Places();
  places.folder('b');
  const store = await openStore({ path: places.at('b') });
  const version = '2026-01-02T03-04-05.678Z';
  places.write(`.b.lockstep/kept/${version}/folder/x`, 'x');
  for (const folder of ['', '/folder']) {
    fs.writeFileSync(raw(`${places.at('.b.lockstep/kept', version)}${folder}/${CAFE}`), 'own');
    fs.symlinkSync(raw(CAFE), places.at('.b.lockstep/kept', version, folder, 'link'));
  }
  expect(await store.restore(version, null, { term: 3 as Term, mayChange: () => true, reason: 'test', at: Date.UTC(2026, 0, 3) })).toBe(1);
  expect(Object.keys(picture(places.at('b')))).toEqual(['folder', 'folder/x']);
});

onLinux('an old tree that holds one is removed', async () => {
  const places = new Places();
  places.folder('b');
  fs.mkdirSync(raw(`${places.folder('.b.lockstep/old.gone-1')}/${CAFE}`));
  fs.writeFileSync(raw(`${places.at('.b.lockstep/old.gone-1')}/${CAFE}/${CAFE}`), '');
  await openStore({ path: places.at('b') });
  expect(fs.readdirSync(places.at('.b.lockstep'))).toEqual([]);
});
