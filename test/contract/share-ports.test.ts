import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createLock } from '../../src/adapters/lockfile.js';
import { createRandom } from '../../src/adapters/random.js';
import { createShareFiles } from '../../src/adapters/share-files.js';
import { encodeText } from '../../src/core/wire/bytes.js';
import type { LockPrimitive, ShareFiles } from '../../src/ports/share.js';
import { preflight } from '../../src/share/preflight.js';
import { SharePaths } from '../../src/share/paths.js';
import { MountedClient } from '../simulation/mounts.js';
import { Prng } from '../simulation/prng.js';
import { SimShare, type SimShareClient } from '../simulation/share.js';

/** One share, as two servers reach it. */
interface Ground {
  readonly files: readonly [ShareFiles, ShareFiles];
  readonly locks: readonly [LockPrimitive, LockPrimitive];
  end(): void;
}

const grounds: Readonly<Record<string, () => Ground>> = {
  'a folder of this host'() {
    const folder = mkdtempSync(path.join(tmpdir(), 'lockstep-share-'));
    const lock = (): LockPrimitive => createLock(path.join(folder, 'pair.lck'), createRandom());
    return { files: [createShareFiles(folder), createShareFiles(folder)], locks: [lock(), lock()], end: () => rmSync(folder, { recursive: true }) };
  },
  'the simulated share'() {
    const share = simulated();
    const [one, other] = [share('primary'), share('secondary')];
    return { files: [one.files, other.files], locks: [one.lock, other.lock], end: () => undefined };
  },
  'the simulated share, where it is mounted'() {
    const [share, folder] = [simulated(), simulated()];
    return mounted(['primary', 'secondary'], (name) => new MountedClient(share(name), folder(name), () => true, true));
  },
  // What two processes of one host then have in common is the folder below.
  'what stands in the place of the simulated share, where it is not mounted'() {
    const [share, folder] = [simulated(), simulated()];
    return mounted(['keeper 1', 'keeper 2'], (name) => new MountedClient(share(name), folder(name), () => false, true));
  },
};

/** Real turns in the place of virtual time: what is tested here is order, not duration. */
function simulated(): (name: string) => SimShareClient {
  const random = new Prng(5);
  const schedule = (_: number, run: () => void): unknown => setImmediate(run);
  const share = new SimShare({ schedule, now: () => 0, fraction: () => random.fraction() });
  return (name) => share.client(name, schedule);
}

function mounted(names: readonly [string, string], client: (name: string) => MountedClient): Ground {
  const [one, other] = [client(names[0]), client(names[1])];
  return { files: [one.files, other.files], locks: [one.lock, other.lock], end: () => undefined };
}

const ONE = encodeText('one');
const TWO = encodeText('two');
const code = (expected: string): object => expect.objectContaining({ code: expected });

describe.each(Object.keys(grounds))('ShareFiles on %s', (name) => {
  let ground: Ground;
  let files: ShareFiles;
  let theirs: ShareFiles;
  beforeEach(() => {
    ground = (grounds[name] as () => Ground)();
    [files, theirs] = ground.files;
  });
  afterEach(() => ground.end());

  it('creates a file exclusively, which the other reads', async () => {
    await files.createSynced('a', ONE);
    expect(await theirs.read('a')).toEqual(ONE);
    await expect(theirs.createSynced('a', TWO)).rejects.toEqual(code('EEXIST'));
    expect(await files.read('a')).toEqual(ONE);
  });

  it('says ENOENT for what is absent', async () => {
    await expect(files.read('a')).rejects.toEqual(code('ENOENT'));
    await expect(files.list('a')).rejects.toEqual(code('ENOENT'));
    await expect(files.identity('a')).rejects.toEqual(code('ENOENT'));
    await expect(files.removeFile('a')).rejects.toEqual(code('ENOENT'));
    await expect(files.link('a', 'b')).rejects.toEqual(code('ENOENT'));
    await expect(files.createSynced('folder/a', ONE)).rejects.toEqual(code('ENOENT'));
  });

  it('rewrites in place: the same file, and one that is absent', async () => {
    await files.rewriteInPlace('a', ONE);
    const before = await files.identity('a');
    await files.rewriteInPlace('a', TWO);
    expect(await theirs.read('a')).toEqual(TWO);
    expect(await files.identity('a')).toBe(before);
    await files.rewriteInPlace('a', encodeText('x'));
    expect(await theirs.read('a')).toEqual(encodeText('x'));
  });

  it('holds what was written, whatever becomes of the memory that it came from or was read into', async () => {
    const from = Buffer.from('-one-').subarray(1, 4);
    await files.createSynced('a', from);
    await files.rewriteInPlace('b', from);
    from.fill(0);
    for (const path of ['a', 'b']) {
      expect(new Uint8Array(await theirs.read(path))).toEqual(ONE);
      (await files.read(path)).fill(0);
      expect(new Uint8Array(await theirs.read(path))).toEqual(ONE);
    }
  });

  it('links exclusively: of two, one wins, and the loser reads the winner', async () => {
    await files.createSynced('a', ONE);
    await theirs.createSynced('b', TWO);
    const results = await Promise.allSettled([files.link('a', 'term'), theirs.link('b', 'term')]);
    expect(results.filter((result) => result.status === 'rejected')).toEqual([{ status: 'rejected', reason: code('EEXIST') }]);
    expect(await files.read('term')).toEqual(results[0]?.status === 'fulfilled' ? ONE : TWO);
    await files.removeFile('a');
    expect((await theirs.read('term')).length).toBe(3);
  });

  it('renames a prepared folder exclusively', async () => {
    for (const [folder, bytes] of [['a', ONE], ['b', TWO]] as const) {
      await files.makeFolder(folder);
      await files.createSynced(`${folder}/record`, bytes);
      await files.syncFolder(folder);
    }
    await files.rename('a', 'term');
    const error = (await theirs.rename('b', 'term').catch((thrown: unknown) => thrown)) as { code: string };
    expect(['ENOTEMPTY', 'EEXIST']).toContain(error.code);
    expect(await theirs.read('term/record')).toEqual(ONE);
  });

  it('makes and removes folders', async () => {
    await files.makeFolder('f');
    await expect(theirs.makeFolder('f')).rejects.toEqual(code('EEXIST'));
    await files.createSynced('f/a', ONE);
    expect(await theirs.list('f')).toEqual(['a']);
    await expect(files.read('f')).rejects.toEqual(code('EISDIR'));
    await expect(files.removeFolder('f')).rejects.toEqual(code('ENOTEMPTY'));
    await files.removeFile('f/a');
    await files.removeFolder('f');
    await files.syncFolder('.');
    expect(await theirs.list('.')).toEqual([]);
  });

  it('says that a file or a folder can be written, and changes nothing by that', async () => {
    await files.makeFolder('f');
    await files.createSynced('f/a', ONE);
    const before = await files.identity('f/a');
    await theirs.checkWritable('f/a');
    await theirs.checkWritable('f');
    expect(await files.read('f/a')).toEqual(ONE);
    expect(await files.identity('f/a')).toBe(before);
    expect(await files.list('f')).toEqual(['a']);
    await expect(files.checkWritable('f/b')).rejects.toEqual(code('ENOENT'));
    expect(await files.list('f')).toEqual(['a']);
  });

  it('tells a thing from a later one of the same name', async () => {
    await files.makeFolder('a');
    const before = await files.identity('a');
    expect(await theirs.identity('a')).toBe(before);
    await files.rename('a', 'b');
    await files.makeFolder('a');
    expect(await files.identity('a')).not.toBe(before);
  });

  it('passes the preflight, which leaves nothing behind', async () => {
    let time = 0;
    const clock = { monotonic: () => (time += 1) as never, sinceBoot: () => 0, wall: () => 0, after: () => () => undefined, soon: () => undefined, next: () => undefined };
    const report = await preflight(files, new SharePaths('pair.lck'), { clock, random: new Prng(3), user: 'uid 0' });
    expect(report).toMatchObject({ trouble: null, methods: ['link', 'rename'] });
    expect(report.checks.filter((check) => !check.ok)).toEqual([]);
    expect(await files.list('.')).toEqual([]);
  });
});

describe.each(Object.keys(grounds))('LockPrimitive on %s', (name) => {
  const never = (): boolean => false;
  let ground: Ground;
  let ours: LockPrimitive;
  let theirs: LockPrimitive;
  beforeEach(() => {
    ground = (grounds[name] as () => Ground)();
    [ours, theirs] = ground.locks;
  });
  afterEach(async () => {
    await ours.release();
    await theirs.release();
    ground.end();
  });

  it('is held by one', async () => {
    expect(await ours.standing()).toBeNull();
    expect(await ours.acquire(never)).toBe('taken');
    expect(await theirs.acquire(never)).toBe('held');
    expect([await ours.stillOurs(), await theirs.stillOurs()]).toEqual([true, false]);
    expect(await theirs.standing()).toBe(await ours.standing());
  });

  it('is free after its release, and looks different the next time', async () => {
    await ours.acquire(never);
    const before = await theirs.standing();
    await ours.release();
    expect(await theirs.standing()).toBeNull();
    expect(await theirs.acquire(never)).toBe('taken');
    expect(await theirs.standing()).not.toBe(before);
  });

  it('is taken over from a holder that is gone, who then neither holds it nor releases it', async () => {
    await ours.acquire(never);
    const stood = await theirs.standing();
    const asked: string[] = [];
    expect(await theirs.acquire((standing) => asked.push(standing) > 0)).toBe('taken');
    expect(asked).toEqual([stood]);
    expect([await ours.stillOurs(), await theirs.stillOurs()]).toEqual([false, true]);
    await ours.release();
    expect(await theirs.stillOurs()).toBe(true);
  });

  it('found by its holder is its own, left from before', async () => {
    await ours.acquire(never);
    const stood = await ours.standing();
    expect(await ours.acquire(never)).toBe('left');
    expect(await ours.standing()).toBe(stood);
  });

  it('met at once by two is taken by one at most, free or stale', async () => {
    for (let i = 0; i < 25; i += 1) {
      const stood = i % 2 === 0 ? null : 'stale';
      if (stood !== null) {
        await ours.acquire(() => true);
      }
      const answers = await Promise.all([ours.acquire(() => true), theirs.acquire((standing) => standing !== 'x')]);
      const holding = [await ours.stillOurs(), await theirs.stillOurs()];
      expect(holding.filter(Boolean).length).toBeLessThanOrEqual(1);
      // Both may have given way to each other; then it is to be had for whoever comes next.
      if (!answers.includes('taken')) expect(await ours.acquire(() => true)).toBe('taken');
      await ours.release();
      await theirs.release();
      expect(await ours.standing()).toBeNull();
    }
  });

  it('never acquired has nothing to release', async () => {
    await theirs.acquire(never);
    await ours.release();
    expect(await theirs.stillOurs()).toBe(true);
  });
});
