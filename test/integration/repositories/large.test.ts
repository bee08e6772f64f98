import * as fs from 'node:fs';
import { NODE_FILES, type FileSystem } from '../../../src/adapters/repository/file-system.js';
import type { Term } from '../../../src/core/identity.js';
import { openStore, Pair, picture, Places } from './support.js';

const LARGE_BYTES = 65 * 1024 * 1024;
afterEach(() => {
  Pair.stopAll();
  Places.removeAll();
});

describe('a large file of which only permissions or time differ', () => {
  let turns = 0;
  let onTurn = (): void => undefined;
  let [isChosen, onceChosen] = [false, (): void => undefined];
  /** Of a file system that cannot share contents between files. */
  const FILES: FileSystem = {
    ...NODE_FILES,
    copyFileSync: (from, to, mode) => {
      isChosen ||= fs.statSync(from).size >= LARGE_BYTES;
      if (isChosen) throw Object.assign(new Error('the copy takes a minute'), { code: 'ENOTSUP' });
      fs.copyFileSync(from, to, mode);
    },
    mountsBelow: (folder) => {
      if (isChosen) onceChosen();
      return NODE_FILES.mountsBelow(folder);
    },
    // What was just written counts as resting.
    now: () => NODE_FILES.now() + 1_000,
    turn: async () => {
      turns += 1;
      onTurn();
      await NODE_FILES.turn();
    },
  };

  async function pairOf(places: Places): Promise<Pair> {
    [turns, onTurn, isChosen, onceChosen] = [0, () => undefined, false, () => undefined];
    for (const folder of ['a', 'b']) {
      places.write(`${folder}/large`, '');
      fs.truncateSync(places.at(`${folder}/large`), LARGE_BYTES);
      fs.utimesSync(places.at(`${folder}/large`), 1, folder === 'a' ? 2 : 3);
    }
    fs.chmodSync(places.at('a/large'), 0o600);
    const pair = new Pair(await openStore({ path: places.at('a') }), await openStore({ path: places.at('b'), fs: FILES }));
    expect(await pair.connect()).toBe('ready');
    return pair;
  }

  it('is copied in turns: whoever asks this process meanwhile hears from it', async () => {
    const places = new Places();
    const pair = await pairOf(places);
    expect(await pair.sync()).toMatchObject({ outcome: 'changed' });
    expect(turns).toBeGreaterThan(0);
    expect(picture(places.at('b'))).toEqual(picture(places.at('a')));
    expect(await pair.sync()).toMatchObject({ outcome: 'same' });
  });

  it('is not taken over when it changes meanwhile', async () => {
    const places = new Places();
    const pair = await pairOf(places);
    onTurn = () => fs.appendFileSync(places.at('b/large'), 'x');
    expect(await pair.sync()).toMatchObject({ outcome: 'failed', detail: expect.stringContaining('"large" was changed') });
    onTurn = () => undefined;
    expect(await pair.sync()).toMatchObject({ outcome: 'changed' });
    expect(picture(places.at('b'))).toEqual(picture(places.at('a')));
  });

  it('is not taken over when it has changed between the choice and the copy, to as many bytes', async () => {
    const places = new Places();
    const pair = await pairOf(places);
    onceChosen = () => {
      onceChosen = () => undefined;
      const [fd, { atime, mtime }] = [fs.openSync(places.at('b/large'), 'r+'), fs.statSync(places.at('b/large'))];
      fs.writeSync(fd, 'x', 1000);
      fs.closeSync(fd);
      fs.utimesSync(places.at('b/large'), atime, mtime);
    };
    expect(await pair.sync()).toMatchObject({ outcome: 'failed', detail: expect.stringContaining('"large" was changed') });
    isChosen = false;
    expect(await pair.sync()).toMatchObject({ outcome: 'changed' });
    expect(picture(places.at('b'))).toEqual(picture(places.at('a')));
  });

  it('of which nothing is recorded is read while it is copied, and not taken over with another content', async () => {
    const places = new Places();
    const pair = await pairOf(places);
    const file = fs.statSync(places.at('b/large'));
    const scan = pair.to.scan({ scope: null, checksum: true });
    let manifest = scan.step();
    while (manifest === null) manifest = scan.step();
    const [large] = manifest.entries;
    if (large === undefined) throw new Error('nothing was found');
    const fd = fs.openSync(places.at('b/large'), 'r+');
    fs.writeSync(fd, 'x', 1000);
    fs.closeSync(fd);
    fs.utimesSync(places.at('b/large'), file.atime, file.mtime);
    const applier = pair.to.apply('staged', { term: 3 as Term, mayChange: () => true, reason: 'test', at: 0 });
    expect(applier.touch({ ...large, mode: 0o600 })).toBe(true);
    await expect(applier.commit()).rejects.toMatchObject({ code: 'LOCKSTEP_REPOSITORY_UNSTABLE' });
    applier.abandon();
  });

  it('is left as it is when the right to change it goes', async () => {
    const places = new Places();
    const pair = await pairOf(places);
    const before = picture(places.at('b'));
    onTurn = () => (pair.orders.receiverTerm = null);
    expect(await pair.sync()).toMatchObject({ outcome: 'failed' });
    expect(picture(places.at('b'))).toEqual(before);
  });
});
