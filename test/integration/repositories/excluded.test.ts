import type { StoreOptions } from '../../../src/adapters/repository/store.js';
import { openStore, Pair, picture, Places } from './support.js';

/* What `exclude` leaves out stays as it is at the receiver, whatever is synced around it. */

const pairs: Pair[] = [];

afterEach(() => {
  for (const pair of pairs.splice(0)) pair.stop();
  Places.removeAll();
});

async function pairOf(places: Places, options: Partial<StoreOptions> = {}, to: Partial<StoreOptions> = {}): Promise<Pair> {
  const pair = new Pair(await openStore({ path: places.folder('a'), ...options }), await openStore({ path: places.folder('b'), ...options, ...to }));
  pairs.push(pair);
  expect(await pair.connect()).toBe('ready');
  return pair;
}

describe('a hint of a folder in one that is excluded', () => {
  it.each([
    ['FULL', ['logs'], 'logs'],
    ['PARTIAL', ['logs'], 'logs'],
    ['FULL', ['**/.git'], 'app/.git'],
  ] as const)('changes nothing with %s and %p, where the receiver has it and where it has none', async (type, exclude, folder) => {
    const places = new Places();
    places.write('a/x', 'x');
    places.write('a/app/x', 'x');
    const pair = await pairOf(places, { exclude: [...exclude] });
    await pair.sync();
    places.write(`a/${folder}/inner/deep/x`, 'the sender\'s');
    const before = picture(places.at('b'));
    const folders = [`${folder}/inner`, `${folder}/inner/deep`];
    expect(await pair.sync({ type, folders })).toMatchObject({ outcome: 'same', detail: null });
    expect(picture(places.at('b'))).toEqual(before);
    places.write(`b/${folder}/inner/deep/x`, 'its own');
    places.write(`b/${folder}/inner/own`, 'its own');
    const withOwn = picture(places.at('b'));
    expect(await pair.sync({ type, folders })).toMatchObject({ outcome: 'same', detail: null });
    expect(picture(places.at('b'))).toEqual(withOwn);
    expect(pair.to.kept()).toEqual([]);
  });
});
