import * as fs from 'node:fs';
import type { Exchange } from '../../../src/adapters/repository/exchange.js';
import { loadExchange } from '../../../src/adapters/repository/exchange.js';
import type { NodeRepository } from '../../../src/adapters/repository/store.js';
import type { Term } from '../../../src/core/identity.js';
import type { Applier, Commit } from '../../../src/ports/repository.js';
import { openStore, picture, Places } from './support.js';

/* The exchange of the folders, and what becomes of one that was interrupted. */

afterEach(() => Places.removeAll());

const ALLOWED: Commit = { term: 4 as Term, mayChange: () => true, reason: 'test', at: Date.UTC(2026, 0, 2, 3, 4, 5, 678) };
const MODES: readonly { readonly name: string; readonly exchange?: null }[] = [{ name: 'atomic' }, { name: 'two renames', exchange: null }];

function scanned(store: NodeRepository): void {
  const scan = store.scan({ scope: null, checksum: false });
  while (scan.step() === null);
}

/** Stages: `same` is taken over, `changed` is new, `gone` is left out. */
async function staged(store: NodeRepository, places: Places): Promise<Applier> {
  scanned(store);
  const applier = store.apply('staged', ALLOWED);
  const same = fs.statSync(places.at('b/same'));
  applier.put({ path: 'changed', kind: 'file', mode: 0o644, mtimeUs: 9_000_000, size: 3, digest: 'f'.repeat(32), target: '' }, Buffer.from('new'));
  expect(applier.keep({ path: 'same', kind: 'file', mode: same.mode & 0o7777, mtimeUs: Math.round(same.mtimeMs * 1000), size: same.size, digest: null, target: '' })).toBe(true);
  return applier;
}

function old(): Places {
  const places = new Places();
  places.write('b/same', 'same');
  places.write('b/changed', 'old');
  places.write('b/gone/deep', 'gone');
  return places;
}

const contents = (places: Places): string[] => fs.readdirSync(places.at('b')).sort();

describe.each(MODES)('an exchange: $name', ({ exchange }) => {
  const options = exchange === undefined ? {} : { exchange };

  it('is seen whole, keeps what it replaced, and leaves nothing behind', async () => {
    const places = old();
    const store = await openStore({ path: places.at('b'), ...options });
    expect(store.exchange).toBe(exchange === null || process.platform !== 'linux' ? 'two-renames' : 'atomic');
    const applier = await staged(store, places);
    expect(places.read('b/changed')).toBe('old');
    const outcome = await applier.commit();
    expect(outcome).toMatchObject({ kind: 'done', kept: { name: '2026-01-02T03-04-05.678Z', files: 2, paths: ['changed', 'gone/deep'], term: 4 } });
    expect(contents(places)).toEqual(['changed', 'same']);
    expect(places.read('b/changed')).toBe('new');
    expect(fs.readdirSync(places.at('.b.lockstep')).sort()).toEqual(['kept']);
    expect(fs.statSync(places.at('b/same')).nlink).toBe(1);
  });

  it('does not happen when the right to it is gone, and what was staged serves the next', async () => {
    const places = old();
    const store = await openStore({ path: places.at('b'), ...options });
    const before = picture(places.at('b'));
    scanned(store);
    let asked = 0;
    const applier = store.apply('staged', { ...ALLOWED, mayChange: () => (asked++, false) });
    applier.put({ path: 'changed', kind: 'file', mode: 0o644, mtimeUs: 9_000_000, size: 3, digest: 'f'.repeat(32), target: '' }, Buffer.from('new'));
    expect(await applier.commit()).toEqual({ kind: 'not-allowed' });
    expect(asked).toBe(1);
    expect(picture(places.at('b'))).toEqual(before);
    const next = store.apply('staged', ALLOWED);
    const left = next.left({ path: 'changed', kind: 'file', mode: 0o644, mtimeUs: 9_000_000, size: 3, digest: null, target: '' });
    expect(left?.size).toBe(3);
    left?.close();
  });

  it('holds only so many kept versions', async () => {
    const places = old();
    const store = await openStore({ path: places.at('b'), keep: 2, ...options });
    for (let round = 0; round < 4; round += 1) {
      scanned(store);
      const applier = store.apply('staged', { ...ALLOWED, at: ALLOWED.at + round });
      applier.put({ path: 'changed', kind: 'file', mode: 0o644, mtimeUs: round, size: 1, digest: 'f'.repeat(32), target: '' }, Buffer.from(String(round)));
      await applier.commit();
    }
    expect(store.kept().map(({ name }) => name)).toEqual(['2026-01-02T03-04-05.681Z', '2026-01-02T03-04-05.680Z']);
  });
});

class Crash extends Error {}

/** As if the process had ended right before or right after the exchange. */
function crashingExchange(real: Exchange | null, when: 'before' | 'after'): Exchange {
  return (a, b) => {
    if (when === 'before') throw new Crash();
    real?.(a, b);
    throw new Crash();
  };
}

describe('a crash', () => {
  it.each(['before', 'after'] as const)('%s the exchange leaves one of the two trees, and the next start ends it', async (when) => {
    const real = loadExchange();
    if (real === null) return; // Only where there is one.
    const places = old();
    let calls = 0;
    // The first call is the trial at the opening.
    const store = await openStore({ path: places.at('b'), exchange: (a, b) => (calls++ === 0 ? real(a, b) : crashingExchange(real, when)(a, b)) });
    const before = picture(places.at('b'));
    const applier = await staged(store, places);
    await expect(applier.commit()).rejects.toThrow(Crash);
    if (when === 'before') expect(picture(places.at('b'))).toEqual(before);
    else expect(contents(places)).toEqual(['changed', 'same']);
    const again = await openStore({ path: places.at('b') });
    expect(fs.existsSync(places.at('.b.lockstep/switch.json'))).toBe(false);
    if (when === 'before') expect(picture(places.at('b'))).toEqual(before);
    else {
      expect(places.read('b/changed')).toBe('new');
      expect(again.kept()).toMatchObject([{ files: 2, paths: ['changed', 'gone/deep'] }]);
      expect(fs.existsSync(places.at('.b.lockstep/old'))).toBe(false);
    }
  });

  it('between two renames is completed forwards', async () => {
    const places = old();
    const store = await openStore({ path: places.at('b'), exchange: null });
    const applier = await staged(store, places);
    // What stands in the way of the first rename lets it fail, with everything before it done.
    fs.mkdirSync(places.at('.b.lockstep/old/in-the-way'), { recursive: true });
    await expect(applier.commit()).rejects.toThrow();
    expect(places.read('b/changed')).toBe('old');
    fs.rmSync(places.at('.b.lockstep/old'), { recursive: true });
    // Then the first rename, and no second one.
    fs.renameSync(places.at('b'), places.at('.b.lockstep/old'));
    const again = await openStore({ path: places.at('b'), exchange: null });
    expect(contents(places)).toEqual(['changed', 'same']);
    expect(again.kept()).toMatchObject([{ files: 2 }]);
    expect(fs.readdirSync(places.at('.b.lockstep'))).toEqual(['kept']);
  });
});
