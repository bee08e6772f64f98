import { promises as fs } from 'node:fs';
import path from 'node:path';
import properLockfile from 'proper-lockfile';
import type { Random } from '../ports/random.js';
import type { LockAnswer, LockPrimitive } from '../ports/share.js';
import { identityOf } from './share-files.js';

/*
 * proper-lockfile decides who holds the lock (by mkdir), and nothing else of it is relied on. It gets a file system of our own making:
 * - Its clock plays no part: the lock's time is presented as fresh, or as ancient when the keeper, who watched the
 *   heartbeat, says that the holder is gone. Its renewals touch only that presented time, so they cannot hang or fail.
 * - Taking over and releasing never delete by name. The lock is renamed to a name that only we know, and looked at there: if it
 *   is not the one that was meant, it is put back.
 * - Its exit hook removes nothing: it would block on a hung mount, and remove a successor's lock.
 */

/** A file in the lock's folder that says whose it is, whatever inode numbers the share makes up. */
const OWNER = 'holder-';
const FRESH = new Date(8.64e15);
const ANCIENT = new Date(0);
const LOCKED = 'ELOCKED';
/** proper-lockfile's least. They time nothing but its renewal of the presented time. */
const STALE_MS = 60_000;

type Callback<T> = (error: unknown, value?: T) => void;

/** @param lockFile absolute path of the lockfile; the lock is the folder `<lockFile>.lock` */
export function createLock(lockFile: string, random: Random): LockPrimitive {
  return new LockFolder(`${lockFile}.lock`, random);
}

class LockFolder implements LockPrimitive {
  /** The owner file's name in the lock that we took, or may have taken. */
  private owner: string | null = null;
  private releaseLibrary: (() => Promise<void>) | null = null;

  constructor(
    private readonly folder: string,
    private readonly random: Random,
  ) {}

  async standing(): Promise<string | null> {
    return standingAt(this.folder);
  }

  async stillOurs(): Promise<boolean> {
    return this.owner !== null && (await this.standing()) === this.owner;
  }

  async acquire(mayTakeOver: (standing: string) => boolean): Promise<LockAnswer> {
    // An earlier try that got no answer, or a hold that the keeper gave up relying on, may stand there still.
    if (await this.stillOurs()) return 'left';
    await this.forgetLibrary();
    const owner = `${OWNER}${this.random.id()}`;
    this.owner = owner;
    const own = new PresentedFolder(this.folder, owner, mayTakeOver, () => `${this.folder}.${this.random.id()}.tmp`);
    try {
      this.releaseLibrary = await properLockfile.lock(`${this.folder}#${owner}`, {
        lockfilePath: this.folder,
        realpath: false,
        retries: 0,
        stale: STALE_MS,
        fs: own.fs,
        onCompromised: () => undefined, // Cannot happen: the presented times always agree. The keeper's own check decides.
      });
      return 'taken';
    } catch (error) {
      if (codeOf(error) !== LOCKED) throw error;
      this.owner = null;
      return 'held';
    }
  }

  async release(): Promise<void> {
    const { owner } = this;
    await this.forgetLibrary();
    if (owner === null) return;
    await removeIf(this.folder, `${this.folder}.${this.random.id()}.tmp`, owner);
    this.owner = null;
  }

  /** Ends the library's renewals. Its own removal does nothing. */
  private async forgetLibrary(): Promise<void> {
    const { releaseLibrary } = this;
    this.releaseLibrary = null;
    await releaseLibrary?.().catch(() => undefined); // It has forgotten the lock already, which is what we want.
  }
}

/** What proper-lockfile sees of the file system during one try and the hold that follows from it. */
class PresentedFolder {
  private observed: string | null = null;
  private mine = false;
  private presented = FRESH;

  constructor(
    private readonly folder: string,
    private readonly owner: string,
    private readonly mayTakeOver: (standing: string) => boolean,
    private readonly aside: () => string,
  ) {}

  /** A new, extensible object for each try: the library keeps a note of its own in it. */
  readonly fs = {
    mkdir: (_: string, done: Callback<undefined>) => settle(this.make(), done),
    stat: (_: string, done: Callback<{ mtime: Date }>) => settle(this.look(), done),
    utimes: (_: string, __: Date, mtime: Date, done: Callback<undefined>) => {
      this.presented = mtime;
      settle(Promise.resolve(undefined), done);
    },
    rmdir: (_: string, done: Callback<undefined>) => settle(this.clear(), done),
    rmdirSync: () => undefined,
  };

  private async make(): Promise<undefined> {
    await fs.mkdir(this.folder);
    // If we are late, this is another's folder by now; then neither of us is alone in it, and both see that it is not theirs.
    await fs.writeFile(path.join(this.folder, this.owner), '', { flag: 'wx' }).catch((error: unknown) => {
      // Another has put it aside already: it had been there for too long without an owner.
      throw codeOf(error) === 'ENOENT' ? locked() : error;
    });
    if ((await standingAt(this.folder)) !== this.owner) {
      await fs.unlink(path.join(this.folder, this.owner)).catch(() => undefined);
      throw locked();
    }
    this.mine = true;
    return undefined;
  }

  private async look(): Promise<{ mtime: Date }> {
    if (this.mine) return { mtime: this.presented };
    this.observed = await standingAt(this.folder);
    if (this.observed === null) throw Object.assign(new Error('ENOENT: the lock is free'), { code: 'ENOENT' });
    return { mtime: this.mayTakeOver(this.observed) ? ANCIENT : FRESH };
  }

  /** Asked for by the library before it takes a stale lock over, and when it lets go of ours: that one we do ourselves. */
  private async clear(): Promise<undefined> {
    if (this.mine || this.observed === null) return undefined;
    if (!(await removeIf(this.folder, this.aside(), this.observed))) throw locked();
    return undefined;
  }
}

/** What stands there: the owner file's name (all of them, if several), or for a folder of another making what the file system says. */
async function standingAt(folder: string): Promise<string | null> {
  try {
    const owners = (await fs.readdir(folder)).filter((name) => name.startsWith(OWNER));
    return owners.length > 0 ? owners.sort().join(' ') : await identityOf(folder);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    if (codeOf(error) === 'ENOTDIR') return identityOf(folder);
    throw error;
  }
}

/** Removes the lock if it is the one that `meant` describes. False: it is another, and stands as before. */
async function removeIf(folder: string, aside: string, meant: string): Promise<boolean> {
  if ((await standingAt(folder)) !== meant) return false;
  try {
    await fs.rename(folder, aside);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
  const got = await standingAt(aside);
  if (got === meant) {
    await discard(aside);
    return true;
  }
  // Another took the lock between the look and the rename. Its folder is not empty, so this cannot replace a third one.
  await fs.rename(aside, folder).catch(() => discard(aside));
  return false;
}

/** The contents of a lock that nobody holds any more. What cannot be removed is a leftover that no rule reads. */
async function discard(aside: string): Promise<void> {
  await fs.rm(aside, { recursive: true, force: true }).catch(() => undefined);
}

function settle<T>(work: Promise<T>, done: Callback<T>): void {
  work.then(
    (value) => done(null, value),
    (error: unknown) => done(error ?? new Error('no reason given')),
  );
}

function locked(): Error {
  return Object.assign(new Error('the lock is held'), { code: LOCKED });
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
}
