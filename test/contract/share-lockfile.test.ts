import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import properLockfile from 'proper-lockfile';
import { createLock } from '../../src/adapters/lockfile.js';
import { createRandom } from '../../src/adapters/random.js';

/** What only the production lock promises: how it lives with the real folder and the real library. */
describe('the lock on proper-lockfile', () => {
  let root: string;
  let lockFile: string;
  let folder: string;
  beforeEach(() => {
    root = mkdtempSync(path.join(tmpdir(), 'lockstep-lock-'));
    lockFile = path.join(root, 'pair.lck');
    folder = `${lockFile}.lock`;
  });
  afterEach(() => rmSync(root, { recursive: true }));
  const lock = () => createLock(lockFile, createRandom());

  it('is not taken for stale by its times, however old they are', async () => {
    const [ours, theirs] = [lock(), lock()];
    await ours.acquire(() => false);
    utimesSync(folder, 1, 1);
    expect(await theirs.acquire(() => false)).toBe('held');
    expect(await ours.stillOurs()).toBe(true);
    await ours.release();
  });

  it('of somebody else who uses the library is respected, and taken over when he is gone', async () => {
    await properLockfile.lock(lockFile, { realpath: false });
    const ours = lock();
    expect(await ours.acquire(() => false)).toBe('held');
    expect(await ours.acquire(() => true)).toBe('taken');
    await ours.release();
    await properLockfile.unlock(lockFile, { realpath: false });
  });

  it('that was changed for another between the look and the take-over is not touched', async () => {
    const [ours, theirs] = [lock(), lock()];
    mkdirSync(folder);
    const answer = await ours.acquire(() => {
      // As if another contender had come first.
      rmSync(folder, { recursive: true });
      mkdirSync(folder);
      writeFileSync(path.join(folder, 'holder-theirs'), '');
      return true;
    });
    expect(answer).toBe('held');
    expect(readdirSync(folder)).toEqual(['holder-theirs']);
    expect(await theirs.standing()).toBe('holder-theirs');
  });

  it('is not removed by the library, at the end of the process or when it believes to have lost it', async () => {
    const ours = lock();
    await ours.acquire(() => false);
    process.emit('exit' as never, 0 as never);
    expect(await ours.stillOurs()).toBe(true);
    await ours.release();
    expect(readdirSync(root)).toEqual([]);
  });

  it('that cannot be reached is an error and not an answer', async () => {
    rmSync(root, { recursive: true });
    await expect(lock().acquire(() => true)).rejects.toMatchObject({ code: 'ENOENT' });
    mkdirSync(root);
  });

  it('in the place of which a file stands is held by somebody unknown', async () => {
    writeFileSync(folder, 'x');
    const ours = lock();
    expect(await ours.acquire(() => false)).toBe('held');
    expect(await ours.standing()).not.toBeNull();
    expect(await ours.acquire(() => true)).toBe('taken');
    await ours.release();
  });
});
