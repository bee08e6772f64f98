import * as fs from 'node:fs';
import { NODE_FILES, type FileSystem } from '../../../src/adapters/repository/file-system.js';
import type { Term } from '../../../src/core/identity.js';
import { APPLICATION, asKeeper, asRoot, openStore, own, Pair, picture, Places } from './support.js';

/* What `exclude` leaves out stays as it is at the receiver, whatever is synced around it. */

afterEach(() => {
  Pair.stopAll();
  Places.removeAll();
});

describe('a hint of a folder in one that is excluded', () => {
  it.each([
    ['FULL', ['logs'], 'logs'],
    ['PARTIAL', ['logs'], 'logs'],
    ['FULL', ['**/.git'], 'app/.git'],
  ] as const)('changes nothing with %s and %p, where the receiver has it and where it has none', async (type, exclude, folder) => {
    const places = new Places();
    places.write('a/x', 'x');
    places.write('a/app/x', 'x');
    const pair = await Pair.between(places, { exclude: [...exclude] });
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

describe('an excluded folder of another user', () => {
  function filled(): Places {
    const places = new Places();
    places.write('a/x', 'new');
    places.write('b/x', 'old');
    places.write('b/logs/inner/app.log', 'own');
    own(places);
    return places;
  }

  asRoot.each([
    [5, 0o755],
    [0, 0o755],
    [5, 0o700],
  ])('that Lockstep cannot give to it: nothing is exchanged, and the error names it (%i versions kept, mode %p)', async (keep, mode) => {
    const places = filled();
    for (const name of ['b/logs/inner', 'b/logs/inner/app.log']) fs.chownSync(places.at(name), APPLICATION, APPLICATION);
    fs.chmodSync(places.at('b/logs/inner'), mode);
    await asKeeper(async () => {
      const pair = await Pair.between(places, { exclude: ['logs'], keep });
      for (let tries = 0; tries < 2; tries += 1) expect((await pair.sync()).detail).toContain(`${places.at('b/logs/inner')} belongs to the user ${APPLICATION}`);
      expect(pair.to.kept()).toEqual([]);
    });
    expect([places.read('b/x'), places.read('b/logs/inner/app.log'), fs.statSync(places.at('b/logs/inner')).uid]).toEqual(['old', 'own', APPLICATION]);
  });

  asRoot('stays that user\'s where Lockstep is root', async () => {
    const places = filled();
    for (const name of ['b/logs', 'b/logs/inner', 'b/logs/inner/app.log']) fs.chownSync(places.at(name), APPLICATION, APPLICATION);
    fs.chmodSync(places.at('b/logs/inner'), 0o2750);
    const pair = await Pair.between(places, { exclude: ['logs'] });
    expect((await pair.sync()).detail).toBeNull();
    const stats = ['b/logs', 'b/logs/inner', 'b/logs/inner/app.log'].map((name) => fs.statSync(places.at(name)));
    expect(stats.map(({ uid, gid }) => [uid, gid])).toEqual(Array.from({ length: 3 }, () => [APPLICATION, APPLICATION]));
    expect([places.read('b/x'), ((stats[1]?.mode ?? 0) & 0o7777).toString(8)]).toEqual(['new', '2750']);
  });
});

it('an excluded folder that is on a file system of its own keeps a sync from the exchange', async () => {
  const places = new Places();
  places.write('a/x', 'new');
  places.write('b/x', 'old');
  places.write('b/volume/data', 'own');
  const files = {
    ...NODE_FILES,
    lstatSync: ((place: string, options?: fs.StatSyncOptions) => {
      const stats = fs.lstatSync(place, options);
      return stats !== undefined && place.endsWith('/volume') && !place.includes('/stage/') ? Object.assign(stats, { dev: 1 }) : stats;
    }) as typeof fs.lstatSync,
  };
  const pair = await Pair.between(places, { exclude: ['volume'] }, { fs: files });
  expect((await pair.sync()).detail).toContain(`${places.at('b/volume')} is on a file system of its own`);
  expect([places.read('b/x'), places.read('b/volume/data')]).toEqual(['old', 'own']);
});

describe('a large excluded folder', () => {
  async function committed(mayGoOn: () => boolean): Promise<{ readonly turns: number; readonly outcome: string; readonly carried: number }> {
    const places = new Places();
    places.write('b/x', 'x');
    for (let at = 0; at < 1_000; at += 1) places.write(`b/logs/${at}`, '');
    let turns = 0;
    const files: FileSystem = {
      ...NODE_FILES,
      turn: () => {
        if (fs.existsSync(places.at('.b.lockstep/stage/logs')) && !fs.existsSync(places.at('.b.lockstep/switch.json'))) turns += 1;
        return NODE_FILES.turn();
      },
    };
    const store = await openStore({ path: places.at('b'), exclude: ['logs'], fs: files });
    const scan = store.scan({ scope: null, checksum: false });
    while (scan.step() === null);
    const applier = store.apply('staged', { term: 3 as Term, mayChange: mayGoOn, reason: 'test', at: Date.UTC(2026, 0, 2) });
    const { kind: outcome } = await applier.commit();
    const carried = outcome === 'done' ? 'b' : '.b.lockstep/stage';
    return { turns, outcome, carried: fs.readdirSync(places.at(carried, 'logs')).length };
  }

  it('is taken over in turns', async () => {
    const { turns, ...rest } = await committed(() => true);
    expect(rest).toEqual({ outcome: 'done', carried: 1_000 });
    expect(turns).toBeGreaterThan(2);
  });

  it('is not taken over any further when the right to change anything is gone', async () => {
    const { carried, ...rest } = await committed(() => false);
    expect(rest).toEqual({ outcome: 'not-allowed', turns: 1 });
    expect(carried).toBeLessThan(500);
  });
});
