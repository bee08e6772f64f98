import { LockstepError } from '../../src/core/errors.js';
import type { Disk, DiskFile, Done } from '../../src/ports/disk.js';
import { folderOf, systemError, type DiskImage, type DiskOperation } from './disk-image.js';
import { Inode, type SyncMark } from './disk-inode.js';

/** How long operations take, milliseconds: at least and at most. */
export interface DiskLatency {
  readonly quick: readonly [number, number];
  readonly write: readonly [number, number];
  readonly sync: readonly [number, number];
}

export const SSD: DiskLatency = { quick: [0.02, 0.2], write: [0.02, 0.3], sync: [0.1, 2] };

export interface SimulatedDiskSetup {
  /** What lies in the machine; one image may be used by one process after another. */
  readonly image: DiskImage;
  /** Runs `action` after `delayMs`, in the world's time. Must not call it at once. */
  schedule(delayMs: number, action: () => void): void;
  /** Uniform in [0, 1). */
  random(): number;
  readonly latency?: DiskLatency;
}

/** What an operation that was under way at a crash leaves behind. */
type Torn = () => void;

/**
 * A process's way to a `DiskImage`, with the promises of `Disk` and nothing more: what was not synced may be lost or torn.
 * `kill` ends it with its process; `crash` with the power.
 */
export class SimulatedDisk implements Disk {
  readonly image: DiskImage;
  private dead = false;
  private readonly underWay = new Set<Torn>();
  private readonly latency: DiskLatency;

  constructor(private readonly setup: SimulatedDiskSetup) {
    this.image = setup.image;
    this.latency = setup.latency ?? SSD;
  }

  /** The process is gone: nothing answers any more. What was under way may have happened, in part. What was written stays in the system's cache. */
  kill(): void {
    if (this.dead) return;
    this.dead = true;
    for (const torn of this.underWay) torn();
    this.underWay.clear();
  }

  /** The power is gone, and the process with it: what was not synced is lost, kept or torn, sector by sector. */
  crash(): void {
    this.kill();
    this.image.losePower(() => this.setup.random());
  }

  list(folder: string): Promise<string[]> {
    return this.opening('read', folder, () => this.image.namesIn(checked(folder)));
  }

  readFile(path: string): Promise<Uint8Array> {
    return this.opening('read', path, () => {
      const inode = this.image.inode(checked(path));
      return this.image.read(path, inode, 0, inode.size);
    });
  }

  replaceFile(path: string, bytes: Uint8Array): Promise<void> {
    const content = new Uint8Array(bytes);
    const put = (): void => {
      this.needFolder(checked(path));
      this.needRoom(content.length, path);
      const inode = new Inode();
      inode.write(0, content);
      inode.syncNow();
      this.image.change([path, inode]);
    };
    const act = (): void => {
      put();
      // The folder is opened, too: the new content may stand there, and not be durable.
      this.needFile(path);
      this.image.syncEntries(folderOf(path));
    };
    // Its process may have come to the new name, and not to making that durable.
    return this.opening('replaceFile', path, act, () => (this.setup.random() < 0.5 ? put() : act()));
  }

  makeFolder(path: string): Promise<void> {
    const act = (): void => this.image.addFolder(checked(path));
    return this.perform('makeFolder', path, act, act);
  }

  rename(from: string, to: string): Promise<void> {
    const act = (): void => {
      this.needFolder(checked(to));
      const inode = this.image.inode(checked(from));
      this.image.change([from, null], [to, inode]);
    };
    return this.perform('rename', from, act, act);
  }

  remove(path: string): Promise<void> {
    const act = (): void => {
      this.image.inode(checked(path));
      this.image.change([path, null]);
    };
    return this.perform('remove', path, act, act);
  }

  removeFolder(path: string): Promise<void> {
    const act = (): void => {
      if (!this.image.hasFolder(checked(path))) throw systemError('ENOENT', path);
      if (this.image.namesIn(path).length > 0) throw systemError('ENOTEMPTY', path);
      this.image.takeFolder(path);
    };
    return this.perform('remove', path, act, act);
  }

  syncFolder(path: string): Promise<void> {
    return this.opening('syncFolder', path, () => {
      if (!this.image.hasFolder(checked(path))) throw systemError('ENOENT', path);
      this.image.syncEntries(checked(path));
    });
  }

  open(path: string, mode: 'create' | 'write' | 'read'): Promise<DiskFile> {
    return this.opening('open', path, () => {
      this.needFolder(checked(path));
      if (mode === 'create') {
        if (this.image.has(path)) throw systemError('EEXIST', path);
        this.image.change([path, new Inode()]);
      }
      return new SimulatedFile(this, path, this.image.inode(path), mode !== 'read');
    });
  }

  place(path: string): string {
    return `/${path}`;
  }

  freeBytes(): Promise<number> {
    return this.perform('read', '', () => Math.max(0, Math.min(this.image.capacityBytes, Number.MAX_SAFE_INTEGER) - this.image.usedBytes));
  }

  /** As `perform`, of what needs a descriptor of its own. */
  private opening<T>(operation: DiskOperation, path: string, act: () => T, torn?: () => void): Promise<T> {
    const withFile = <R>(then: () => R): R => {
      this.needFile(path);
      return then();
    };
    return this.perform(operation, path, () => withFile(act), torn === undefined ? undefined : () => withFile(torn));
  }

  // What follows is for the files.

  perform<T>(operation: DiskOperation, path: string, act: () => T, torn?: () => void): Promise<T> {
    return new Promise((resolve, reject) => {
      this.begin(
        operation,
        path,
        (failure) => {
          if (failure !== null) {
            reject(failure);
            return;
          }
          try {
            resolve(act());
          } catch (error) {
            reject(error instanceof Error ? error : new Error(String(error)));
          }
        },
        torn,
      );
    });
  }

  /** @param torn what happens when the process or the power goes meanwhile, in half of the cases */
  begin(operation: DiskOperation, path: string, end: (failure: Error | null) => void, torn?: () => void): void {
    if (this.dead) return;
    const half: Torn = () => {
      if (torn === undefined || this.setup.random() < 0.5) return;
      try {
        torn();
      } catch {
        // It would have failed; its process will never know.
      }
    };
    this.underWay.add(half);
    const [least, most] = operation === 'write' ? this.latency.write : operation === 'sync' || operation === 'replaceFile' ? this.latency.sync : this.latency.quick;
    this.setup.schedule(least + (most - least) * this.setup.random() + this.image.slownessMs, () => {
      this.image.arrive(() => {
        if (this.dead) return;
        this.underWay.delete(half);
        end(this.image.failure(operation, path));
      });
    });
  }

  /** How many of `bytes` more fit on the disk. */
  room(bytes: number): number {
    return Math.max(0, Math.min(bytes, this.image.capacityBytes - this.image.usedBytes));
  }

  fraction(): number {
    return this.setup.random();
  }

  private needRoom(bytes: number, path: string): void {
    if (this.room(bytes) < bytes) throw systemError('ENOSPC', path);
  }

  private needFile(path: string): void {
    const { fileShortage } = this.image;
    if (fileShortage > 0 && this.setup.random() < fileShortage) throw systemError('EMFILE', path);
  }

  private needFolder(path: string): void {
    if (!this.image.hasFolder(folderOf(path))) throw systemError('ENOENT', path);
  }
}

class SimulatedFile implements DiskFile {
  private closed = false;

  constructor(
    private readonly disk: SimulatedDisk,
    private readonly path: string,
    private readonly inode: Inode,
    private readonly writable: boolean,
  ) {}

  size(): Promise<number> {
    return this.disk.perform('read', this.path, () => this.open().size);
  }

  read(offset: number, length: number): Promise<Uint8Array> {
    return this.disk.perform('read', this.path, () => this.disk.image.read(this.path, this.open(), offset, length));
  }

  write(parts: readonly Uint8Array[], offset: number, done: Done): void {
    const whole = (): Uint8Array => Buffer.concat(parts);
    const torn = (): void => this.inode.write(offset, whole().subarray(0, Math.floor(whole().length * this.disk.fraction())));
    this.disk.begin(
      'write',
      this.path,
      (failure) => {
        done(failure ?? this.put(whole(), offset));
      },
      torn,
    );
  }

  sync(done: Done): void {
    if (this.closed) throw systemError('EBADF', this.path);
    const { image } = this.disk;
    const isOwed = !this.inode.isSynced;
    const findsOut = (): boolean => isOwed && image.awaitsFailure('syncOfWrite', this.path) && image.letsGo(image.nameOf(this.inode) ?? this.path);
    this.settle(this.inode.beginSync(), () => (findsOut() ? image.failure('syncOfWrite', this.path) : null), done);
  }

  /** Durable is what it has written itself, and nothing else of the file: less than a real disk may do. */
  writeSynced(parts: readonly Uint8Array[], offset: number, done: Done): void {
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    this.write(parts, offset, (failure) => {
      if (failure !== null) done(failure);
      else this.settle(this.inode.beginSync(offset, offset + bytes), () => this.disk.image.failure('syncOfWrite', this.path), done);
    });
  }

  private settle(mark: SyncMark, alsoFails: () => Error | null, done: Done): void {
    const end = (failure: Error | null): void => {
      if (failure === null) this.inode.endSync(mark);
      else this.inode.failSync();
    };
    this.disk.begin(
      'sync',
      this.path,
      (fails) => {
        const failure = fails ?? alsoFails();
        end(failure);
        done(failure);
      },
      // The system goes on with it after its process is gone, and nobody hears how it ended.
      () => end(this.disk.image.failure('sync', this.path)),
    );
  }

  truncate(length: number): Promise<void> {
    return this.disk.perform('write', this.path, () => this.open().truncate(length));
  }

  close(): Promise<void> {
    return this.disk.perform('open', this.path, () => {
      this.open();
      this.closed = true;
    });
  }

  private put(bytes: Uint8Array, offset: number): Error | null {
    if (this.closed || !this.writable) return systemError('EBADF', this.path);
    const growth = Math.max(0, offset + bytes.length - this.inode.size);
    const fits = bytes.length - (growth - this.disk.room(growth));
    if (fits > 0) this.inode.write(offset, bytes.subarray(0, fits));
    return fits < bytes.length ? systemError('ENOSPC', this.path) : null;
  }

  private open(): Inode {
    if (this.closed) throw systemError('EBADF', this.path);
    return this.inode;
  }
}

function checked(path: string): string {
  if (path !== '.' && path.split('/').some((step) => step === '' || step === '.' || step === '..' || /[\\\0:]/.test(step))) {
    throw new LockstepError('LOCKSTEP_DISK_PATH', `the path ${JSON.stringify(path)} does not stay in its folder`, 'Use a name below the data folder.');
  }
  return path === '.' ? '' : path;
}
