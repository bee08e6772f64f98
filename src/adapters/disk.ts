import * as fs from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rmdir, statfs, unlink, type FileHandle } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { LockstepError } from '../core/errors.js';
import type { Disk, DiskFile, Done } from '../ports/disk.js';
import { missingFolders, PRIVATE_FILE, PRIVATE_FOLDER } from './folders.js';

/** The system takes at most this many pieces in one `writev` (IOV_MAX on Linux). */
const PARTS_MAX = 1024;

/** One folder of this machine's file system as a `Disk`. Symbolic links in it are followed: they are the operator's. What it makes is for this user alone. */
export class NodeDisk implements Disk {
  private readonly root: string;
  private temporaries = 0;

  /** @param openAgain for tests */
  constructor(
    root: string,
    private readonly openAgain = openSynced,
  ) {
    this.root = resolve(root);
  }

  async list(folder: string): Promise<string[]> {
    try {
      return await readdir(this.at(folder));
    } catch (error) {
      if (isCode(error, 'ENOENT')) return [];
      throw error;
    }
  }

  async readFile(path: string): Promise<Uint8Array> {
    return readFile(this.at(path)).catch((error: unknown) => {
      throw withCode(error);
    });
  }

  async replaceFile(path: string, bytes: Uint8Array): Promise<void> {
    const target = this.at(path);
    const temporary = `${target}.${++this.temporaries}.tmp`;
    const file = await open(temporary, 'w', PRIVATE_FILE);
    try {
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, target);
    } catch (error) {
      // What a full disk let it write would take room for good.
      await unlink(temporary).catch(() => undefined);
      throw error;
    }
    await syncFolder(dirname(target));
  }

  async makeFolder(path: string): Promise<void> {
    const wanted = this.at(path);
    const missing = missingFolders(wanted, fs);
    // A new folder is an entry of the one above it.
    for (const folder of missing) {
      await mkdir(folder, { mode: PRIVATE_FOLDER });
      await syncFolder(dirname(folder));
    }
    await this.syncNamesOf(wanted, missing);
  }

  /** Of the folders that were there: a process may have made them, and been killed before it came to sync their names. */
  private async syncNamesOf(wanted: string, made: readonly string[]): Promise<void> {
    let folder = wanted;
    for (; folder !== dirname(this.root); folder = dirname(folder)) if (!made.includes(folder)) await syncFolder(dirname(folder));
    // What stands above that one may be closed to this user.
    if (wanted === this.root && !made.includes(folder)) await syncFolder(dirname(folder)).catch(() => undefined);
  }

  async rename(from: string, to: string): Promise<void> {
    await rename(this.at(from), this.at(to));
  }

  async remove(path: string): Promise<void> {
    await unlink(this.at(path));
  }

  async removeFolder(path: string): Promise<void> {
    await rmdir(this.at(path));
  }

  async syncFolder(path: string): Promise<void> {
    await syncFolder(this.at(path));
  }

  async open(path: string, mode: 'create' | 'write' | 'read'): Promise<DiskFile> {
    const flags = { create: 'wx+', write: 'r+', read: 'r' }[mode];
    return new NodeFile(await open(this.at(path), flags, PRIVATE_FILE), this.openAgain);
  }

  place(path: string): string {
    return join(this.root, path);
  }

  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(this.root);
    return bavail * bsize;
  }

  /** @throws LockstepError LOCKSTEP_DISK_PATH for a path that could leave the folder */
  private at(path: string): string {
    const steps = path.split('/');
    if (path !== '.' && steps.some((step) => step === '' || step === '.' || step === '..' || /[\\\0:]/.test(step))) {
      throw new LockstepError('LOCKSTEP_DISK_PATH', `the path ${JSON.stringify(path)} does not stay in its folder`, 'Use a name below the data folder, with / between its parts.');
    }
    return join(this.root, ...steps);
  }
}

class NodeFile implements DiskFile {
  /** The same file, opened so that a write returns when its bytes are durable: one way to the disk and back instead of two. */
  private synced: FileHandle | null = null;
  private reopened = false;
  private closed = false;
  private closing: Promise<void> | null = null;
  /** Calls that were given the file's number: another file may get it as soon as this one is closed. */
  private underWay = 0;
  private idle: () => void = () => undefined;

  constructor(
    private readonly handle: FileHandle,
    private readonly openAgain: typeof openSynced,
  ) {}

  private readonly isClosed = (): boolean => this.closed;

  async size(): Promise<number> {
    return (await this.handle.stat()).size;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const bytes = allocate(length);
    let at = 0;
    while (at < length) {
      const { bytesRead } = await this.handle.read(bytes, at, length - at, offset + at);
      if (bytesRead === 0) break;
      at += bytesRead;
    }
    return bytes.subarray(0, at);
  }

  write(parts: readonly Uint8Array[], offset: number, done: Done): void {
    writeFrom(this.handle.fd, [...parts], offset, this.isClosed, this.waitedFor(done));
  }

  sync(done: Done): void {
    fs.fdatasync(this.handle.fd, this.waitedFor(done));
  }

  writeSynced(parts: readonly Uint8Array[], offset: number, done: Done): void {
    if (!this.reopened) this.reopen();
    if (this.synced !== null) writeFrom(this.synced.fd, [...parts], offset, this.isClosed, this.waitedFor(done));
    else this.write(parts, offset, (error) => (error !== null || this.closed ? done(error ?? closedMeanwhile()) : this.sync(done)));
  }

  async truncate(length: number): Promise<void> {
    await this.handle.truncate(length);
  }

  /** What is under way is waited for, and goes no further than the step that it has begun. */
  close(): Promise<void> {
    this.closed = true;
    this.closing ??= this.closeIdle();
    return this.closing;
  }

  private async closeIdle(): Promise<void> {
    while (this.underWay > 0) await new Promise<void>((resolve) => (this.idle = resolve));
    const { synced } = this;
    this.synced = null;
    try {
      await synced?.close();
    } finally {
      await this.handle.close();
    }
  }

  private waitedFor(done: Done): Done {
    this.underWay += 1;
    return (error) => {
      this.underWay -= 1;
      if (this.underWay === 0) this.idle();
      done(error);
    };
  }

  /** Linux only: elsewhere the flag means other things, or there is no way to open a file again that may have another name by now. */
  private reopen(): void {
    this.reopened = true;
    if (process.platform !== 'linux') return;
    const ended = this.waitedFor(() => undefined);
    this.openAgain(this.handle.fd).then(
      (file) => {
        this.synced = file;
        ended(null);
      },
      () => ended(null),
    );
  }
}

function openSynced(file: number): Promise<FileHandle> {
  return open(`/proc/self/fd/${file}`, fs.constants.O_WRONLY | fs.constants.O_DSYNC);
}

function closedMeanwhile(): Error {
  return new Error('the file was closed meanwhile');
}

/** The system may take fewer bytes than it was given: what is left is written again, unless the file shall be closed by then. */
function writeFrom(file: number, parts: Uint8Array[], offset: number, isClosed: () => boolean, done: Done): void {
  fs.writev(file, parts.slice(0, PARTS_MAX), offset, (error, written) => {
    if (error !== null) {
      done(error);
      return;
    }
    const left = drop(parts, written);
    if (left.length === 0) done(null);
    else if (isClosed()) done(closedMeanwhile());
    else writeFrom(file, left, offset + written, isClosed, done);
  });
}

function drop(parts: Uint8Array[], bytes: number): Uint8Array[] {
  let at = 0;
  let left = bytes;
  for (let part = parts[at]; part !== undefined && part.length <= left; part = parts[++at]) left -= part.length;
  const rest = parts.slice(at);
  const cut = rest[0];
  if (left > 0 && cut !== undefined) rest[0] = cut.subarray(left);
  return rest;
}

function allocate(length: number): Uint8Array {
  try {
    return new Uint8Array(length);
  } catch (error) {
    throw withCode(error);
  }
}

/** Of a want of memory the language tells without a code, where the system has one. */
function withCode(error: unknown): unknown {
  if (!(error instanceof RangeError) || error.message !== 'Array buffer allocation failed') return error;
  return Object.assign(new Error(`ENOMEM: ${error.message}`, { cause: error }), { code: 'ENOMEM' });
}

/** Windows has no such call, and keeps entries by its own journal. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function isCode(error: unknown, code: string): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === code;
}
