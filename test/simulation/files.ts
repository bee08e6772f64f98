import { constants } from 'node:fs';
import type { FileSystem } from '../../src/adapters/repository/file-system.js';
import { systemError } from './disk-image.js';
import { followed, findFrom, type FileTree, type TreeNode } from './file-tree.js';

/** The process is gone: nothing that it still does has any effect. */
export class Crashed extends Error {}

/** Calls that change what is there, and those that make it durable. */
const CHANGES: ReadonlySet<string> = new Set([
  'chmod', 'chown', 'copy', 'fchmod', 'fdatasync', 'fsync', 'futimes', 'link', 'mkdir', 'create', 'rename', 'rmdir', 'symlink', 'unlink', 'utimes', 'write', 'exchange',
]);

export interface FilesSetup {
  readonly tree: FileTree;
  /** Runs `action` after `delayMs`, in the world's time; never at once, and never when the process is gone. */
  schedule(delayMs: number, action: () => void): void;
  /** Before each call. What it throws is thrown to the process. `change`: it changes something, or makes it durable. */
  calling(call: string, change: boolean): void;
  /** A flaw for a test of the tests: what is synced does not become durable. */
  readonly syncsNothing?: boolean;
}

interface OpenFile {
  readonly node: TreeNode;
  at: number;
}

const SYNC_MS = 1;
const PROC = /^\/proc\/self\/fd\/(\d+)(\/.*)?$/;

/**
 * A process's way to a `FileTree`: the calls of `node:fs` that a repository makes, in the forms in which it makes them. `kill` ends it with its process.
 */
export class SimulatedFiles {
  private readonly open = new Map<number, OpenFile>();
  private fds = 10;
  private dead = false;
  private ticked = 0;
  /** What the system tells of its room. */
  room: { readonly free: number; readonly total: number } | null = null;

  constructor(private readonly setup: FilesSetup) {}

  get openFiles(): number {
    return this.open.size;
  }

  kill(): void {
    this.dead = true;
  }

  /** Changes the places of two things in one step, as Linux does. */
  readonly exchange = (a: string, b: string): void => {
    this.call('exchange');
    const [one, other] = [this.place(a), this.place(b)];
    if (one.node === null || other.node === null) throw systemError('ENOENT', `${a} and ${b}`);
    this.setup.tree.rename([one.folder, one.name, other.node], [other.folder, other.name, one.node]);
  };

  /** As the adapter has it. */
  get files(): FileSystem {
    return this.calls as unknown as FileSystem;
  }

  private readonly calls = {
    chmodSync: (path: string, mode: number) => this.redress('chmod', this.there(path), { mode }),
    chownSync: () => this.call('chown'),
    utimesSync: (path: string, _: number, time: number) => this.redress('utimes', this.there(path), { mtimeUs: Math.floor(time * 1_000_000) }),
    fchmodSync: (fd: number, mode: number) => this.redress('fchmod', this.at(fd).node, { mode }),
    futimesSync: (fd: number, _: number, time: number) => this.redress('futimes', this.at(fd).node, { mtimeUs: Math.floor(time * 1_000_000) }),
    existsSync: (path: string) => this.exists(path),
    lstatSync: (path: string, options?: { bigint?: boolean; throwIfNoEntry?: boolean }) => this.stat(path, false, options),
    statSync: (path: string, options?: { bigint?: boolean; throwIfNoEntry?: boolean }) => this.stat(path, true, options),
    fstatSync: (fd: number) => {
      this.call('fstat');
      return statsOf(this.at(fd).node, false);
    },
    realpathSync: (path: string) => {
      this.there(path);
      return path;
    },
    readlinkSync: (path: string) => {
      this.call('readlink');
      const { node } = this.place(path);
      if (node?.kind !== 'link') throw systemError(node === null ? 'ENOENT' : 'EINVAL', path);
      return node.target;
    },
    readdirSync: (path: string, options?: { withFileTypes?: boolean }) => this.list(path, options?.withFileTypes === true),
    mkdirSync: (path: string, options?: { recursive?: boolean; mode?: number }) => this.makeFolder(path, options ?? {}),
    openSync: (path: string, flags: number | string, mode = 0o666) => this.openFile(path, typeof flags === 'number' ? flags : FLAGS[flags] ?? 0, mode),
    closeSync: (fd: number) => {
      // A process that is gone has no open files; whoever closes one in passing need not hear of it.
      this.open.delete(fd);
    },
    readSync: (fd: number, into: Uint8Array, offset: number, length: number, position: number | null) => this.read(fd, into, offset, length, position),
    writeSync: (fd: number, bytes: Uint8Array, offset = 0, length = bytes.length - offset, position: number | null = null) => this.write(fd, bytes.subarray(offset, offset + length), position),
    readFileSync: (path: string) => {
      this.call('readFile');
      const node = this.there(path);
      if (node.kind !== 'file') throw systemError('EISDIR', path);
      return Buffer.from(node.content.read(0, node.content.size));
    },
    writeFileSync: (path: string, text: string | Uint8Array, options: { mode?: number; flag?: string } = {}) => {
      const fd = this.openFile(path, constants.O_WRONLY | constants.O_CREAT | (options.flag === 'wx' ? constants.O_EXCL : constants.O_TRUNC), options.mode ?? 0o644);
      this.write(fd, typeof text === 'string' ? Buffer.from(text) : text, 0);
      this.open.delete(fd);
    },
    copyFileSync: (from: string, to: string, flags = 0) => this.copy(from, to, flags),
    linkSync: (from: string, to: string) => {
      this.call('link');
      const source = this.place(from);
      const target = this.place(to);
      if (source.node === null) throw systemError('ENOENT', from);
      if (target.node !== null) throw systemError('EEXIST', to);
      if (source.node.kind === 'folder') throw systemError('EPERM', from);
      this.setup.tree.rename([target.folder, target.name, source.node]);
    },
    symlinkSync: (target: string, path: string) => {
      this.call('symlink');
      const { folder, name, node } = this.place(path);
      if (node !== null) throw systemError('EEXIST', path);
      this.setup.tree.rename([folder, name, this.setup.tree.make('link', 0o777, target)]);
    },
    renameSync: (from: string, to: string) => this.rename(from, to),
    unlinkSync: (path: string) => this.unlink(path),
    rmdirSync: (path: string) => this.removeFolder(path),
    rmSync: (path: string, options: { recursive?: boolean; force?: boolean } = {}) => this.remove(path, options),
    mountsBelow: () => [],
    roomOf: () => this.room,
    removeTree: async (path: string) => this.remove(path, { recursive: true, force: true }),
    fsyncSync: (fd: number) => {
      this.call('fsync');
      if (this.setup.syncsNothing !== true) this.setup.tree.sync(this.at(fd).node);
    },
    fsync: (fd: number, done: (error: Error | null) => void) => this.sync('fsync', fd, done),
    fdatasync: (fd: number, done: (error: Error | null) => void) => this.sync('fdatasync', fd, done),
    now: () => this.setup.tree.now(),
    // Each look at it is a millisecond later: slices of work are short, and the same each time.
    ticks: () => (this.ticked += 1),
    turn: () => new Promise<void>((resolve) => this.setup.schedule(0, resolve)),
  };

  private call(name: string): void {
    if (this.dead) throw new Crashed();
    this.setup.calling(name, CHANGES.has(name));
    // It may have been the last that the process did not come to.
    if (this.dead) throw new Crashed();
  }

  private place(path: string): ReturnType<FileTree['find']> {
    const held = PROC.exec(path);
    return held === null ? this.setup.tree.find(path) : findFrom(this.at(Number(held[1])).node, held[2] ?? '');
  }

  /** What a path leads to, the last link followed too. */
  private there(path: string): TreeNode {
    const { folder, node } = this.place(path);
    const found = node?.kind === 'link' ? followed(folder, node, 0) : node;
    if (found === null) throw systemError('ENOENT', path);
    return found;
  }

  private at(fd: number): OpenFile {
    if (this.dead) throw new Crashed();
    const open = this.open.get(fd);
    if (open === undefined) throw systemError('EBADF', String(fd));
    return open;
  }

  private redress(call: string, node: TreeNode, change: Partial<TreeNode['attributes']>): void {
    this.call(call);
    this.setup.tree.dress(node, { ...node.attributes, ...change });
  }

  private exists(path: string): boolean {
    this.call('exists');
    try {
      this.there(path);
      return true;
    } catch {
      return false;
    }
  }

  private stat(path: string, follow: boolean, { bigint = false, throwIfNoEntry = true }: { bigint?: boolean; throwIfNoEntry?: boolean } = {}): Stats | undefined {
    this.call('stat');
    let node: TreeNode | null = null;
    try {
      node = follow ? this.there(path) : this.place(path).node;
    } catch (error) {
      // As Node.js has it on Linux: what leads there is not there. Where it is no folder, that is thrown.
      if (throwIfNoEntry || (error as { code?: string }).code !== 'ENOENT') throw error;
    }
    if (node === null && throwIfNoEntry) throw systemError('ENOENT', path);
    return node === null ? undefined : statsOf(node, bigint);
  }

  private list(path: string, withKinds: boolean): string[] | { name: string; isDirectory: () => boolean }[] {
    this.call('readdir');
    const node = this.there(path);
    if (node.kind !== 'folder') throw systemError('ENOTDIR', path);
    const names = [...node.entries.keys()].sort();
    return withKinds ? names.map((name) => ({ name, isDirectory: () => node.entries.get(name)?.kind === 'folder' })) : names;
  }

  private makeFolder(path: string, { recursive = false, mode = 0o777 }: { recursive?: boolean; mode?: number }): void {
    if (recursive) {
      if (this.exists(path)) {
        if (this.there(path).kind !== 'folder') throw systemError('EEXIST', path);
        return;
      }
      const above = path.slice(0, path.lastIndexOf('/'));
      if (above !== '') this.makeFolder(above, { recursive, mode });
    }
    this.call('mkdir');
    const { folder, name, node } = this.place(path);
    if (node !== null) throw systemError('EEXIST', path);
    this.setup.tree.rename([folder, name, this.setup.tree.make('folder', mode & ~0o022)]);
  }

  private openFile(path: string, flags: number, mode: number): number {
    const creates = (flags & constants.O_CREAT) !== 0;
    const { folder, name, node: named } = this.place(path);
    let node = named;
    if (node?.kind === 'link') {
      if (creates && (flags & constants.O_EXCL) !== 0) throw systemError('EEXIST', path);
      if ((flags & constants.O_NOFOLLOW) !== 0) throw systemError((flags & constants.O_DIRECTORY) !== 0 ? 'ENOTDIR' : 'ELOOP', path);
      node = followed(folder, node, 0);
    }
    this.call(creates && node === null ? 'create' : 'open');
    if (node === null && !creates) throw systemError('ENOENT', path);
    if (node !== null && creates && (flags & constants.O_EXCL) !== 0) throw systemError('EEXIST', path);
    if (node !== null && (flags & constants.O_DIRECTORY) !== 0 && node.kind !== 'folder') throw systemError('ENOTDIR', path);
    if (node === null) {
      node = this.setup.tree.make('file', mode & ~0o022);
      this.setup.tree.rename([folder, name, node]);
    } else if ((flags & constants.O_TRUNC) !== 0) {
      node.content.truncate(0);
      this.setup.tree.write(node, 0, new Uint8Array(0));
    }
    this.fds += 1;
    this.open.set(this.fds, { node, at: 0 });
    return this.fds;
  }

  private read(fd: number, into: Uint8Array, offset: number, length: number, position: number | null): number {
    this.call('read');
    const open = this.at(fd);
    const bytes = open.node.content.read(position ?? open.at, length);
    into.set(bytes, offset);
    if (position === null) open.at += bytes.length;
    return bytes.length;
  }

  private write(fd: number, bytes: Uint8Array, position: number | null): number {
    const open = this.at(fd);
    const { losses } = this.setup.tree;
    try {
      this.call('write');
    } catch (error) {
      // A process that ends in the middle of a write leaves a part of it; of what is lost with the power nothing more comes.
      if (error instanceof Crashed && losses === this.setup.tree.losses) this.setup.tree.write(open.node, position ?? open.at, bytes.subarray(0, bytes.length >> 1));
      throw error;
    }
    this.setup.tree.write(open.node, position ?? open.at, bytes);
    if (position === null) open.at += bytes.length;
    return bytes.length;
  }

  private copy(from: string, to: string, flags: number): void {
    const source = this.there(from);
    const { folder, name, node } = this.place(to);
    if (node !== null && (flags & constants.COPYFILE_EXCL) !== 0) throw systemError('EEXIST', to);
    this.call('copy');
    const made = this.setup.tree.make('file', source.attributes.mode);
    this.setup.tree.rename([folder, name, made]);
    this.setup.tree.write(made, 0, source.content.read(0, source.content.size));
  }

  private rename(from: string, to: string): void {
    this.call('rename');
    const source = this.place(from);
    const target = this.place(to);
    if (source.node === null) throw systemError('ENOENT', from);
    if (source.node === target.node) return;
    if (target.node !== null && source.node.kind === 'folder') {
      if (target.node.kind !== 'folder') throw systemError('ENOTDIR', to);
      if (target.node.entries.size > 0) throw systemError('ENOTEMPTY', to);
    } else if (target.node?.kind === 'folder') throw systemError('EISDIR', to);
    this.setup.tree.rename([source.folder, source.name, null], [target.folder, target.name, source.node]);
  }

  private unlink(path: string): void {
    const { folder, name, node } = this.place(path);
    if (node === null) throw systemError('ENOENT', path);
    if (node.kind === 'folder') throw systemError('EISDIR', path);
    this.call('unlink');
    this.setup.tree.rename([folder, name, null]);
  }

  private removeFolder(path: string): void {
    const { folder, name, node } = this.place(path);
    if (node === null) throw systemError('ENOENT', path);
    if (node.kind !== 'folder') throw systemError('ENOTDIR', path);
    if (node.entries.size > 0) throw systemError('ENOTEMPTY', path);
    this.call('rmdir');
    this.setup.tree.rename([folder, name, null]);
  }

  /** One name after the other, as the system does. */
  private remove(path: string, { recursive = false, force = false }: { recursive?: boolean; force?: boolean }): void {
    let node: TreeNode | null = null;
    try {
      ({ node } = this.place(path));
    } catch (error) {
      if (!force) throw error;
    }
    if (node === null && force) return;
    if (node === null) throw systemError('ENOENT', path);
    if (node.kind !== 'folder') return this.unlink(path);
    if (!recursive) throw systemError('ERR_FS_EISDIR', path);
    for (const name of [...node.entries.keys()].sort()) this.remove(`${path}/${name}`, { recursive, force });
    this.removeFolder(path);
  }

  private sync(call: 'fsync' | 'fdatasync', fd: number, done: (error: Error | null) => void): void {
    this.call(call);
    const { node } = this.at(fd);
    this.setup.schedule(SYNC_MS, () => {
      if (this.dead) return;
      if (this.setup.syncsNothing !== true) this.setup.tree.sync(node);
      done(null);
    });
  }
}

const FLAGS: Readonly<Record<string, number>> = { r: constants.O_RDONLY, w: constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC };

interface Stats {
  readonly [name: string]: unknown;
}

function statsOf(node: TreeNode, bigint: boolean): Stats {
  const number = (value: number): number | bigint => (bigint ? BigInt(value) : value);
  const { mode, mtimeUs } = node.attributes;
  const size = node.kind === 'file' ? node.content.size : node.target.length;
  return {
    dev: number(1), ino: number(node.inode), mode: number(mode), nlink: number(node.names), size: number(size), uid: number(0), gid: number(0),
    mtimeMs: mtimeUs / 1000, ctimeMs: node.ctimeUs / 1000,
    isFile: () => node.kind === 'file', isDirectory: () => node.kind === 'folder', isSymbolicLink: () => node.kind === 'link',
    isSocket: () => false, isFIFO: () => false, isBlockDevice: () => false, isCharacterDevice: () => false,
  };
}
