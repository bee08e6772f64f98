import * as fs from 'node:fs';
import { join } from 'node:path';
import type { Exchange } from '../../../src/adapters/repository/exchange.js';
import { loadExchange } from '../../../src/adapters/repository/exchange.js';
import { NODE_FILES } from '../../../src/adapters/repository/file-system.js';
import { NOTHING } from '../../../src/adapters/repository/patterns.js';
import { prune } from '../../../src/adapters/repository/pruning.js';
import type { NodeRepository } from '../../../src/adapters/repository/store.js';
import type { Term } from '../../../src/core/identity.js';
import type { Applier, Commit } from '../../../src/ports/repository.js';
import { APPLICATION, asKeeper, asRoot, openStore, own, Pair, picture, Places } from './support.js';

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

  it('right behind the exchange leaves names that the next start makes durable before it forgets of it', async () => {
    const real = loadExchange();
    if (real === null) return; // Only where there is one.
    const places = old();
    let calls = 0;
    const store = await openStore({ path: places.at('b'), exchange: (a, b) => (calls++ === 0 ? real(a, b) : crashingExchange(real, 'after')(a, b)) });
    await expect((await staged(store, places)).commit()).rejects.toThrow(Crash);
    const synced: string[] = [];
    const files = {
      ...NODE_FILES,
      fsync: ((fd: number, done: (error: Error | null) => void) => {
        if (fs.existsSync(places.at('.b.lockstep/switch.json'))) synced.push(fs.readlinkSync(`/proc/self/fd/${fd}`));
        NODE_FILES.fsync(fd, done);
      }) as typeof fs.fsync,
    };
    await openStore({ path: places.at('b'), fs: files });
    expect(synced).toEqual(expect.arrayContaining([places.root, places.at('.b.lockstep')]));
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

  it.each([5, 0])('between two renames, after which somebody made the folder anew, leaves both trees: the old one is kept until somebody removes it (%i versions kept)', async (keep) => {
    const places = old();
    const store = await openStore({ path: places.at('b'), exchange: null, keep });
    const before = picture(places.at('b'));
    const applier = await staged(store, places);
    fs.mkdirSync(places.at('.b.lockstep/old/in-the-way'), { recursive: true });
    await expect(applier.commit()).rejects.toThrow();
    fs.rmSync(places.at('.b.lockstep/old'), { recursive: true });
    fs.renameSync(places.at('b'), places.at('.b.lockstep/old'));
    places.write('b/made', 'anew');
    const again = await openStore({ path: places.at('b'), exchange: null, keep });
    expect(contents(places)).toEqual(['made']);
    const [found] = again.kept();
    expect(found?.reason).toContain('could not be ended');
    const isThere = (): void => expect(picture(places.at('.b.lockstep/kept', found?.name ?? ''))).toEqual(before);
    isThere();
    expect(await again.recover()).toEqual([]);
    scanned(again);
    const next = again.apply('staged', ALLOWED);
    next.folder({ path: 'new', kind: 'folder', mode: 0o755, mtimeUs: 1, size: 0, digest: null, target: '' });
    expect(await next.commit()).toMatchObject({ kind: 'done' });
    isThere();
    expect(again.kept()).toHaveLength(keep === 0 ? 1 : 2);
  });

  it('after the exchange, before which somebody put another folder there, keeps the old tree as well', async () => {
    const real = loadExchange();
    if (real === null) return; // Only where there is one.
    const places = old();
    let calls = 0;
    const store = await openStore({ path: places.at('b'), exchange: (a, b) => (calls++ === 0 ? real(a, b) : crashingExchange(real, 'after')(a, b)) });
    const before = picture(places.at('b'));
    await expect((await staged(store, places)).commit()).rejects.toThrow(Crash);
    fs.renameSync(places.at('b'), places.at('aside'));
    places.write('b/made', 'anew');
    const again = await openStore({ path: places.at('b') });
    expect(contents(places)).toEqual(['made']);
    expect(picture(places.at('.b.lockstep/kept', again.kept()[0]?.name ?? ''))).toEqual(before);
  });
});

describe('after an exchange', () => {
  it('that could not be ended no other is begun, and what was replaced is kept once it can', async () => {
    const places = old();
    let full = true;
    const files = {
      ...NODE_FILES,
      writeFileSync: ((file: string, ...rest: [string]) => {
        if (full && String(file).includes('/kept/')) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
        fs.writeFileSync(file, ...rest);
      }) as typeof fs.writeFileSync,
    };
    const store = await openStore({ path: places.at('b'), fs: files });
    await expect((await staged(store, places)).commit()).rejects.toThrow('ENOSPC');
    expect(() => store.apply('staged', { ...ALLOWED, mayChange: () => false })).toThrow(expect.objectContaining({ code: 'LOCKSTEP_REPOSITORY_UNENDED' }) as Error);
    await expect(store.recover()).rejects.toThrow('ENOSPC');
    full = false;
    await store.recover();
    expect(store.kept()).toMatchObject([{ files: 2, paths: ['changed', 'gone/deep'] }]);
    expect(fs.readdirSync(places.at('.b.lockstep'))).toEqual(['kept']);
  });

  asRoot('what may not be removed stays beside the folder, and fails nothing (0 versions kept)', async () => {
    const places = new Places();
    places.write('b/theirs/y', 'y');
    own(places);
    for (const name of ['b/theirs', 'b/theirs/y']) fs.chownSync(places.at(name), APPLICATION, APPLICATION);
    await asKeeper(async () => {
      const store = await openStore({ path: places.at('b'), keep: 0 });
      for (const name of ['one', 'two']) {
        scanned(store);
        const applier = store.apply('staged', ALLOWED);
        applier.folder({ path: name, kind: 'folder', mode: 0o755, mtimeUs: 1, size: 0, digest: null, target: '' });
        expect(await applier.commit()).toEqual({ kind: 'done', kept: null });
      }
    });
    expect(contents(places)).toEqual(['two']);
  });
});

test.each([[false, 'own, newer'], [true, 'put there since']])('what changed while a new tree was made goes back by its time, and not when the new one has stood there for a while (late: %s)', async (isLate, expected) => {
  const places = new Places();
  const [old, live] = [places.folder('old'), places.folder('live')];
  fs.writeFileSync(join(old, 'a.conf'), 'own, newer');
  fs.writeFileSync(join(old, 'new.conf'), 'own');
  fs.writeFileSync(join(live, 'a.conf'), 'put there since');
  fs.utimesSync(join(live, 'a.conf'), 1, 1);
  await prune(NODE_FILES, old, live, 10, NOTHING, isLate);
  expect(fs.readFileSync(join(live, 'a.conf'), 'utf8')).toBe(expected);
  expect(fs.readFileSync(join(live, 'new.conf'), 'utf8')).toBe('own');
  expect(fs.existsSync(join(old, 'a.conf'))).toBe(isLate);
});

describe.each(MODES)('a link that has come into the place of the folder: $name', ({ exchange }) => {
  const options = exchange === undefined ? {} : { exchange };
  const become = (places: Places): void => {
    fs.renameSync(places.at('b'), places.at('elsewhere'));
    fs.symlinkSync('elsewhere', places.at('b'));
  };
  const isUntouched = (places: Places, before: unknown): void => {
    expect(picture(places.at('elsewhere'))).toEqual(before);
    expect(fs.readlinkSync(places.at('b'))).toBe('elsewhere');
  };

  it('stays, with what it leads to, and the sync is refused', async () => {
    const places = old();
    const store = await openStore({ path: places.at('b'), ...options });
    const applier = await staged(store, places);
    become(places);
    const before = picture(places.at('elsewhere'));
    const refused = expect.objectContaining({ code: 'LOCKSTEP_REPOSITORY_FOLDER' });
    await expect(applier.commit()).rejects.toEqual(refused);
    expect(() => store.apply('staged', ALLOWED)).toThrow(refused);
    expect(() => store.apply('live', ALLOWED)).toThrow(refused);
    expect(() => store.scan({ scope: null, mayBeAbsent: true, checksum: false }).step()).toThrow(refused);
    isUntouched(places, before);
    fs.rmSync(places.at('b'));
    fs.renameSync(places.at('elsewhere'), places.at('b'));
    await store.recover();
    await (await staged(store, places)).commit();
    expect(places.read('b/changed')).toBe('new');
  });

  it('at the last moment stays as well', async () => {
    const places = old();
    let isDue = false;
    const files = {
      ...NODE_FILES,
      fsync: ((fd: number, done: (error: Error | null) => void) => {
        if (isDue && fs.existsSync(places.at('.b.lockstep/switch.json.tmp'))) {
          isDue = false;
          become(places);
        }
        NODE_FILES.fsync(fd, done);
      }) as typeof fs.fsync,
    };
    const store = await openStore({ path: places.at('b'), fs: files, ...options });
    const applier = await staged(store, places);
    const before = picture(places.at('b'));
    isDue = true;
    await expect(applier.commit()).rejects.toMatchObject({ code: 'LOCKSTEP_REPOSITORY_FOLDER' });
    isUntouched(places, before);
    expect(await store.recover()).toEqual([]);
  });

  it('and that was exchanged all the same is kept as it is, and nothing behind it is removed', async () => {
    const places = old();
    const store = await openStore({ path: places.at('b'), ...options });
    places.write('outside/kept', 'kept');
    fs.symlinkSync(places.at('outside'), places.folder('.b.lockstep') + '/old');
    const inode = (path: string): string => fs.lstatSync(places.at(path), { bigint: true }).ino.toString();
    places.write('.b.lockstep/switch.json', JSON.stringify({ term: 4, reason: 'test', at: ALLOWED.at, liveInode: inode('.b.lockstep/old'), stageInode: inode('b') }));
    fs.linkSync(places.at('outside/kept'), places.at('b/kept'));
    expect(await store.recover()).toEqual(['the exchange of the folders had taken place', expect.stringMatching(/was no folder; it is kept as \S+, and stays there/)]);
    expect(places.read('outside/kept')).toBe('kept');
    expect(fs.readdirSync(places.at('.b.lockstep')).sort()).toEqual(['kept']);
    expect(fs.readlinkSync(places.at('.b.lockstep/kept', store.kept()[0]?.name ?? ''))).toBe(places.at('outside'));
    expect(await store.recover()).toEqual([]);
  });
});

it.each(MODES)('a link that comes into the place of the folder in the very moment of the exchange is kept, and told of: $name', async ({ exchange }) => {
  const places = old();
  const become = (): void => {
    fs.renameSync(places.at('b'), places.at('elsewhere'));
    fs.symlinkSync('elsewhere', places.at('b'));
  };
  const real = loadExchange();
  const swap: Exchange = (a, b) => {
    become();
    real?.(a, b);
  };
  const files = {
    ...NODE_FILES,
    renameSync: ((from: string, to: string) => {
      if (to === places.at('.b.lockstep/old') && from === places.at('b')) become();
      fs.renameSync(from, to);
    }) as typeof fs.renameSync,
  };
  let isDue = false;
  const late: Exchange = (a, b) => (isDue ? swap(a, b) : real?.(a, b));
  const store = await openStore({ path: places.at('b'), fs: files, exchange: exchange === null || real === null ? null : late });
  const applier = await staged(store, places);
  isDue = true;
  const outcome = await applier.commit();
  const [kept] = fs.readdirSync(places.at('.b.lockstep/kept')).filter((name) => !name.endsWith('.json'));
  expect(outcome).toEqual({ kind: 'done', kept: null, said: expect.stringContaining(`was no folder; it is kept as ${kept}`) });
  expect(fs.readlinkSync(places.at('.b.lockstep/kept', kept ?? ''))).toBe('elsewhere');
  expect([places.read('elsewhere/changed'), places.read('b/changed')]).toEqual(['old', 'new']);
  expect(fs.readdirSync(places.at('.b.lockstep'))).toEqual(['kept']);
});

it('a sync says so', async () => {
  const places = old();
  places.write('a/changed', 'new');
  const files = {
    ...NODE_FILES,
    renameSync: ((from: string, to: string) => {
      if (to === places.at('.b.lockstep/old') && from === places.at('b')) {
        fs.renameSync(from, places.at('elsewhere'));
        fs.symlinkSync('elsewhere', from);
      }
      fs.renameSync(from, to);
    }) as typeof fs.renameSync,
  };
  const pair = await Pair.between(places, {}, { fs: files, exchange: null });
  expect(await pair.sync()).toMatchObject({ outcome: 'changed' });
  expect(pair.log.filter((line) => line.includes('no folder'))).toEqual([expect.stringMatching(/^Repository apps: what stood in the folder's place .* is kept as /)]);
  Pair.stopAll();
});

it('a link that is found where an old tree would stand is kept as it is, and no sync fails for it', async () => {
  const places = old();
  const store = await openStore({ path: places.at('b') });
  fs.symlinkSync('nowhere', places.at('.b.lockstep/old'));
  expect(await store.recover()).toEqual([expect.stringContaining('was found beside it')]);
  await (await staged(store, places)).commit();
  expect(places.read('b/changed')).toBe('new');
});

describe('while a commit is under way', () => {
  /** `meanwhile` is done once, when its first file is being synced. */
  async function begun(places: Places, meanwhile: (store: NodeRepository) => void): Promise<NodeRepository> {
    const stores: NodeRepository[] = [];
    let isDue = true;
    const files = {
      ...NODE_FILES,
      fsync: ((fd: number, done: (error: Error | null) => void) => {
        const [store] = stores;
        if (isDue && store !== undefined) {
          isDue = false;
          meanwhile(store);
        }
        NODE_FILES.fsync(fd, done);
      }) as typeof fs.fsync,
    };
    stores.push(await openStore({ path: places.at('b'), fs: files }));
    return stores[0] as NodeRepository;
  }

  it.each(['recover', 'discard'] as const)('%s waits for its end', async (what) => {
    const places = old();
    const ended: string[] = [];
    const waiting: Promise<unknown>[] = [];
    const store = await begun(places, (one) => waiting.push(one[what]().then(() => ended.push(what))));
    const applier = await staged(store, places);
    expect(await applier.commit().finally(() => ended.push('commit'))).toMatchObject({ kind: 'done' });
    await Promise.all(waiting);
    expect(ended).toEqual(['commit', what]);
    expect(places.read('b/changed')).toBe('new');
    expect(fs.readdirSync(places.at('.b.lockstep'))).toEqual(['kept']);
  });

  it('a restore waits for its end, and recover for that of the restore', async () => {
    const places = old();
    places.write('.b.lockstep/kept/2025-01-02T03-04-05.678Z/changed', 'before');
    const waiting: Promise<unknown>[] = [];
    const store = await begun(places, (one) => waiting.push(one.restore('2025-01-02T03-04-05.678Z', null, ALLOWED), one.recover()));
    await (await staged(store, places)).commit();
    expect(places.read('b/changed')).toBe('new');
    expect(await Promise.all(waiting)).toEqual([1, []]);
    expect(places.read('b/changed')).toBe('before');
  });
});
