import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { NODE_FILES, type FileSystem } from '../../../src/adapters/repository/file-system.js';
import type { Commit, RepositoryStore } from '../../../src/ports/repository.js';
import type { Term } from '../../../src/core/identity.js';
import { APPLICATION, asKeeper, asRoot, KEEPER, openStore, own, Pair, picture, Places } from './support.js';

/* What is seldom in a folder, and must neither be lost nor keep a repository from being synced. */

afterEach(() => {
  Pair.stopAll();
  Places.removeAll();
});

const commit = (at = Date.now()): Commit => ({ term: 3 as Term, mayChange: () => true, reason: 'test', at });
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const failing = (code: string): Error => Object.assign(new Error(code), { code });

/** One file changes, or goes: as a continuous sync makes it. */
async function changed(store: RepositoryStore, path: string, content: string | null, at: number, reason = 'a change'): Promise<void> {
  const applier = store.apply('live', { ...commit(at), reason });
  const bytes = new TextEncoder().encode(content ?? '');
  const entry = { path, kind: 'file', mode: 0o644, mtimeUs: at * 1000, size: bytes.length, digest: null, target: '' } as const;
  if (content === null) applier.remove(entry);
  else applier.put(entry, bytes);
  await applier.commit();
}

describe('what is no part of the repository', () => {
  it.each([
    [5, ['']],
    [0, ['']],
    [0, ['', 'app']],
  ])('stays where a folder is removed continuously (%i versions kept, %p)', async (keep, folders) => {
    const places = new Places();
    places.write('a/app/x', 'x');
    const pair = await Pair.between(places, { exclude: ['log'], keep });
    await pair.sync();
    places.write('b/app/log/1', 'own');
    fs.rmSync(places.at('a/app'), { recursive: true });
    expect((await pair.sync({ folders })).detail).toBeNull();
    expect(places.read('b/app/log/1')).toBe('own');
    expect(fs.existsSync(places.at('b/app/x'))).toBe(false);
  });

  it('does not keep a folder that holds nothing else from being equal', async () => {
    const places = new Places();
    places.write('a/app/x', 'x');
    places.write('b/gone/y', 'y');
    places.write('b/gone/log/2', 'own');
    const pair = await Pair.between(places, { exclude: ['log'] });
    await pair.sync();
    expect((await pair.sync()).outcome).toBe('same');
    expect(places.read('b/gone/log/2')).toBe('own');
    expect(fs.existsSync(places.at('b/gone/y'))).toBe(false);
  });

  it.each([5, 0])('is there as it is when it is rotated while the new tree is made durable (%i versions kept)', async (keep) => {
    const places = new Places();
    for (let at = 0; at < 5; at += 1) places.write(`a/x${at}`, 'x');
    places.write('b/log/app.log', 'first');
    let rotated = false;
    const files: FileSystem = {
      ...NODE_FILES,
      fsync: ((fd: number, done: (error: Error | null) => void) => {
        if (!rotated && fs.readlinkSync(`/proc/self/fd/${fd}`).includes('/stage/')) {
          rotated = true;
          fs.renameSync(places.at('b/log/app.log'), places.at('b/log/app.log.1'));
          fs.writeFileSync(places.at('b/log/app.log'), 'second');
        }
        fs.fsync(fd, done);
      }) as typeof fs.fsync,
    };
    const pair = await Pair.between(places, { exclude: ['log'], keep }, { fs: files });
    expect((await pair.sync()).detail).toBeNull();
    expect(rotated).toBe(true);
    expect([places.read('b/log/app.log'), places.read('b/log/app.log.1')]).toEqual(['second', 'first']);
  });

  it('is not replaced with PARTIAL', async () => {
    const places = new Places();
    places.write('a/conf', 'from a');
    places.write('a/data/1', 'from a');
    places.write('elsewhere/file', 'own');
    places.folder('b');
    fs.symlinkSync(places.at('elsewhere/file'), places.at('b/conf'));
    fs.symlinkSync(places.at('elsewhere'), places.at('b/data'));
    const pair = await Pair.between(places);
    expect((await pair.sync({ type: 'PARTIAL' })).outcome).toBe('same');
    expect(['conf', 'data'].map((name) => fs.lstatSync(places.at('b', name)).isSymbolicLink())).toEqual([true, true]);
  });
});

describe('after the exchange of the trees', () => {
  it('a failure of what is left to do is made good by the next try, as after a crash', async () => {
    const places = new Places();
    places.write('a/x', 'new');
    places.write('b/x', 'old');
    let full = true;
    const files = {
      ...NODE_FILES,
      writeFileSync: ((file: string, ...rest: [string]) => {
        if (full && String(file).includes('/kept/')) throw failing('ENOSPC');
        fs.writeFileSync(file, ...rest);
      }) as typeof fs.writeFileSync,
    };
    const pair = await Pair.between(places, {}, { fs: files });
    expect((await pair.sync()).outcome).toBe('failed');
    full = false;
    await pair.to.recover();
    places.write('a/y', 'y');
    expect((await pair.sync()).detail).toBeNull();
    expect([places.read('b/x'), places.read('b/y')]).toEqual(['new', 'y']);
    await openStore({ path: places.at('b') });
  });
});

describe('other owners, where Lockstep is not root', () => {
  asRoot('a folder of the application that is removed', async () => {
    const places = new Places();
    places.write('a/x', 'x');
    places.write('b/made-by-it/y', 'y');
    own(places);
    for (const name of ['b/made-by-it', 'b/made-by-it/y']) fs.chownSync(places.at(name), APPLICATION, APPLICATION);
    await asKeeper(async () => {
      const pair = await Pair.between(places);
      expect((await pair.sync()).detail).toBeNull();
      await openStore({ path: places.at('b') });
      fs.writeFileSync(places.at('a/z'), 'z');
      expect((await pair.sync()).detail).toBeNull();
    });
    expect(places.read('b/z')).toBe('z');
  });

  asRoot('an excluded log of the application', async () => {
    const places = new Places();
    places.write('a/x', 'x');
    places.write('b/app.log', 'own');
    own(places);
    fs.chownSync(places.at('b/app.log'), APPLICATION, APPLICATION);
    await asKeeper(async () => {
      const pair = await Pair.between(places, { exclude: ['*.log'] });
      expect((await pair.sync()).detail).toBeNull();
    });
    expect([places.read('b/app.log'), fs.statSync(places.at('b/app.log')).uid]).toEqual(['own', APPLICATION]);
  });

  asRoot('the folder itself: the error says whose it is and what to do', async () => {
    const places = new Places();
    places.write('a/x', 'x');
    places.write('b/y', 'y');
    own(places);
    fs.chownSync(places.at('b'), APPLICATION, KEEPER);
    fs.chmodSync(places.at('b'), 0o2775);
    await asKeeper(async () => {
      const pair = await Pair.between(places);
      expect((await pair.sync()).detail).toContain(`belongs to the user ${APPLICATION}`);
    });
    expect(places.read('b/y')).toBe('y');
  });

  asRoot('what may not be read or written is named where it lies', async () => {
    const places = new Places();
    for (const name of ['a/x/one', 'b/x/one']) places.write(name, 'one');
    own(places);
    await asKeeper(async () => {
      const pair = await Pair.between(places);
      await pair.sync();
      fs.writeFileSync(places.at('a/x/one'), 'changed');
      process.seteuid?.(0);
      fs.chownSync(places.at('b/x'), APPLICATION, APPLICATION);
      process.seteuid?.(KEEPER);
      expect((await pair.sync({ folders: ['x'] })).detail).toContain(`'${places.at('b/x/one')}'`);
      fs.chmodSync(places.at('a/x/one'), 0);
      const detail = (await pair.sync()).detail ?? '';
      expect([detail.includes(`'${places.at('a/x/one')}'`), detail.includes('/proc/')]).toEqual([true, false]);
    });
  });

  asRoot('kept folders that may not be written do not fail what comes after them', async () => {
    const places = new Places();
    places.write('a/x/still/f', 'x');
    places.write('a/y', '0');
    own(places);
    fs.chmodSync(places.at('a/x/still'), 0o555);
    await asKeeper(async () => {
      const pair = await Pair.between(places, { keep: 1 });
      await pair.sync();
      fs.chmodSync(places.at('a/x/still'), 0o755);
      fs.rmSync(places.at('a/x'), { recursive: true });
      await pair.sync({ folders: [''] });
      for (let at = 1; at < 4; at += 1) {
        fs.writeFileSync(places.at('a/y'), String(at));
        expect((await pair.sync({ folders: [''] })).detail).toBeNull();
      }
      expect(pair.to.kept()).toHaveLength(1);
    });
  });

  asRoot('a program that runs as its owner is copied as one that does not', async () => {
    const places = new Places();
    places.write('a/tool', 'x');
    fs.chownSync(places.at('a/tool'), APPLICATION, APPLICATION);
    fs.chmodSync(places.at('a/tool'), 0o4755);
    const pair = await Pair.between(places);
    await pair.sync();
    expect((fs.statSync(places.at('b/tool')).mode & 0o7777).toString(8)).toBe('755');
    expect((await pair.sync()).outcome).toBe('same');
  });
});

describe('kept versions', () => {
  it('the newest is not removed for a clock that stands far behind', async () => {
    const places = new Places();
    places.write('b/x', '0');
    const store = await openStore({ path: places.at('b'), keep: 2 });
    for (const at of [Date.UTC(2026, 0, 2), Date.UTC(2026, 0, 3), Date.UTC(1970, 0, 1, 0, 1)]) {
      const applier = store.apply('live', commit(at));
      applier.put({ path: 'x', kind: 'file', mode: 0o644, mtimeUs: at * 1000, size: 1, digest: null, target: '' }, new TextEncoder().encode('1'));
      await applier.commit();
    }
    expect(store.kept().map(({ name }) => name)).toEqual([expect.stringContaining('2026-01-03'), expect.stringContaining('1970')]);
  });

  it('continuous changes of one minute count as one', async () => {
    const places = new Places();
    places.write('a/x', '0');
    places.write('b/own', 'what only this server has');
    const pair = await Pair.between(places, { keep: 3 });
    const first = (await pair.sync()).kept;
    expect(first).not.toBeNull();
    for (let change = 1; change <= 5; change += 1) {
      places.write('a/x', String(change));
      await pair.sync({ folders: [''], reason: 'a change' });
    }
    expect(pair.to.kept().map(({ name }) => name)).toContain(first);
  });

  it('of continuous changes hold what stood there before the minute, and once, however often it was written', async () => {
    const places = new Places();
    places.write('a/x', 'before');
    places.write('a/z/y', 'before');
    const pair = await Pair.between(places);
    await pair.sync();
    const at = Date.UTC(2026, 0, 2, 3, 4);
    const change = (path: string, content: string, seconds: number): Promise<void> => changed(pair.to, path, content, at + seconds * 1000);
    for (let second = 0; second < 20; second += 1) await change('x', String(second), second);
    await change('brief', 'came in this minute', 21);
    await changed(pair.to, 'brief', null, at + 22_000);
    await changed(pair.to, 'z/y', null, at + 23_000);
    expect(pair.to.kept()).toEqual([{ name: '2026-01-02T03-04-00.000Z', at, term: 3, reason: 'a change', files: 2, bytes: 12, paths: ['x', 'z/y'] }]);
    expect(picture(places.at('.b.lockstep/kept/2026-01-02T03-04-00.000Z'))).toEqual({ x: expect.stringContaining(base64('before')), z: expect.anything(), 'z/y': expect.stringContaining(base64('before')) });
    // What this server's own users wrote is no step of the serving server's.
    places.write('b/x', 'written here');
    await change('x', 'on', 24);
    expect(pair.to.kept().map(({ paths }) => paths)).toEqual([['x'], ['x', 'z/y']]);
    expect(places.read(`.b.lockstep/kept/${pair.to.kept()[0]?.name ?? ''}/x`)).toBe('written here');
    // The next minute begins with what the last one left.
    await change('x', 'later', 61);
    await change('x', 'still later', 62);
    expect(places.read('.b.lockstep/kept/2026-01-02T03-05-01.000Z/x')).toBe('on');
    expect(pair.to.kept()).toHaveLength(3);
  });

  it('of continuous changes take each kind of thing in the place of another', async () => {
    const places = new Places();
    places.write('b/x', 'file');
    const store = await openStore({ path: places.at('b') });
    const at = Date.UTC(2026, 0, 2, 3, 4);
    await changed(store, 'x', null, at);
    fs.mkdirSync(places.at('b/x'));
    places.write('b/x/own', 'own');
    await changed(store, 'x/own', 'other', at + 1);
    await changed(store, 'x/own', null, at + 2);
    fs.rmdirSync(places.at('b/x'));
    places.write('b/x', 'file again');
    await changed(store, 'x', 'end', at + 3);
    expect(store.kept().map(({ name }) => Object.keys(picture(places.at('.b.lockstep/kept', name))))).toEqual([['x'], ['x', 'x/own'], ['x']]);
  });

  it.each(['a change', 'a look at everything', 'trying again'])('of a joining stay when many of %s follow; a newer joining pushes out the oldest', async (reason) => {
    const places = new Places();
    places.write('b/x', '0');
    const store = await openStore({ path: places.at('b'), keep: 3 });
    const minute = (count: number): number => Date.UTC(2026, 0, 2, 3, count);
    await changed(store, 'x', '1', minute(0), 'joining');
    for (let count = 1; count < 8; count += 1) await changed(store, 'x', String(count), minute(count), reason);
    expect(store.kept().map((version) => [version.at, version.reason])).toEqual([[minute(7), reason], [minute(6), reason], [minute(0), 'joining']]);
    for (let count = 8; count < 11; count += 1) await changed(store, 'x', String(count), minute(count), 'joining');
    expect(store.kept().map((version) => [version.at, version.reason])).toEqual([[minute(10), 'joining'], [minute(9), 'joining'], [minute(7), reason]]);
    const one = await openStore({ path: places.at('b'), keep: 1 });
    await changed(one, 'x', 'x', minute(11), reason);
    expect(one.kept().map((version) => version.at)).toEqual([minute(11)]);
  });

  it('are brought back also where a file stands in the place of a folder', async () => {
    const places = new Places();
    places.write('a/x', 'file');
    places.write('b/x/1', 'one');
    const pair = await Pair.between(places);
    const kept = (await pair.sync()).kept ?? '';
    expect(await pair.to.restore(kept, null, commit())).toBe(1);
    expect(places.read('b/x/1')).toBe('one');
  });
});

describe('many at once', () => {
  it('a hint of more folders than one may name does not end the link, nor the sync under way', async () => {
    const places = new Places();
    places.write('a/x', new Uint8Array(8 * 1024 * 1024).map((_, at) => at * 31));
    const pair = await Pair.between(places);
    pair.allowance = 1024 * 1024;
    const begun = pair.sync();
    while (pair.allowance > 0) await new Promise((resolve) => setImmediate(resolve));
    pair.sender?.hint({ repository: 'apps', purpose: 'sync', folders: Array.from({ length: 1_001 }, (_, at) => `d${at}`) });
    pair.allowance = Number.POSITIVE_INFINITY;
    pair.sender?.wake();
    expect((await begun).detail).toBeNull();
  });

  it('thousands of new folders in one continuous change', async () => {
    const places = new Places();
    places.write('a/x', 'x');
    const pair = await Pair.between(places);
    await pair.sync();
    for (let at = 0; at < 10_001; at += 1) fs.mkdirSync(places.at(`a/d${at}`));
    expect((await pair.sync({ folders: [''] })).detail).toBeNull();
    expect(fs.readdirSync(places.at('b'))).toHaveLength(10_002);
  });
});

describe('a folder becomes something else, continuously', () => {
  it.each(['link', 'file'])('%s', async (what) => {
    const places = new Places();
    places.write('a/releases/1/f', '1');
    places.write('a/current/f', '0');
    const pair = await Pair.between(places);
    await pair.sync();
    fs.rmSync(places.at('a/current'), { recursive: true });
    if (what === 'link') fs.symlinkSync('releases/1', places.at('a/current'));
    else places.write('a/current', 'file');
    const report = await pair.sync({ folders: ['', 'current'] });
    expect(report.detail).toBeNull();
    expect(pair.to.kept()[0]).toMatchObject({ files: 1, term: expect.any(Number) as unknown });
  });
});

describe('times', () => {
  it.each(['2150-01-01 00:00:00.123457', '2300-01-01'])('of %s are carried once', async (time) => {
    const places = new Places();
    places.write('a/x', 'x');
    execFileSync('touch', ['-d', time, places.at('a/x')]);
    const pair = await Pair.between(places);
    expect((await pair.sync()).detail).toBeNull();
    expect((await pair.sync()).outcome).toBe('same');
  });
});

it('nothing is read through a link that has come in the middle of a path', async () => {
  const places = new Places();
  places.write('a/d/file', 'own');
  places.write('outside/file', 'of another');
  const store = await openStore({ path: places.at('a') });
  fs.rmSync(places.at('a/d'), { recursive: true });
  fs.symlinkSync(places.at('outside'), places.at('a/d'));
  expect(() => store.open('d/file')).toThrow(expect.objectContaining({ code: 'LOCKSTEP_REPOSITORY_LINK' }) as Error);
});

describe('a mount inside the folder', () => {
  asRoot.each([
    ['at the receiver', 'b'],
    ['at the sender', 'a'],
  ])('%s: nothing is synced, nothing is changed, and the reason is said', async (_where, side) => {
    const places = new Places();
    places.write('a/x', 'new');
    places.write('a/data/y', 'new');
    places.write('b/x', 'old');
    places.write('outside/on the mount', 'of the site');
    places.folder(`${side}/data`);
    try {
      execFileSync('mount', ['--bind', places.at('outside'), places.at(`${side}/data`)], { stdio: 'pipe' });
    } catch (error) {
      return void process.stderr.write(`Not tried: nothing can be mounted here (${String(error)}).\n`);
    }
    try {
      const pair = new Pair(await openStore({ path: places.at('a') }), await openStore({ path: places.at('b'), exclude: ['data'] }));
      await pair.connect();
      const report = await pair.sync();
      expect(report).toMatchObject({ outcome: 'failed', detail: expect.stringContaining(`${places.at(`${side}/data`)} is a mount point inside`) });
      expect(places.read('b/x')).toBe('old');
      expect(places.read(`${side}/data/on the mount`)).toBe('of the site');
    } finally {
      execFileSync('umount', [places.at(`${side}/data`)]);
    }
    expect(places.read('outside/on the mount')).toBe('of the site');
  });
});

it('a folder that was absent, and is mounted later, can be opened', async () => {
  const places = new Places();
  const mount = places.folder('mnt');
  const store = await openStore({ path: places.at('mnt/apps') });
  fs.renameSync(mount, places.at('below'));
  places.write('mnt/apps/x', 'x');
  await store.recover();
  expect(places.read('mnt/apps/x')).toBe('x');
});
