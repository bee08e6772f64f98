import { stackless } from './stackless.js';

/** Something on the simulated share. The number tells it from a later one of the same name. */
export type Node = FileNode | FolderNode;

export interface FileNode {
  readonly kind: 'file';
  readonly number: number;
  bytes: Uint8Array;
  /** What a restart of the gateway leaves of it. */
  durable: Uint8Array;
}

export interface FolderNode {
  readonly kind: 'folder';
  readonly number: number;
  children: Map<string, Node>;
  durable: Map<string, Node>;
}

/** A failure with the system's code, as a real file system gives it. */
export function failure(code: string, path: string): Error {
  return Object.assign(stackless(() => new Error(`${code}: ${path}`)), { code });
}

/**
 * The files of the share as its host holds them. Everything takes effect at once; what was not synced is forgotten when the host
 * restarts (as with an NFS export that is `async`, or a local disk).
 */
export class ShareTree {
  private numbers = 0;
  /** Paths that were looked up, in their parts. */
  private readonly split = new Map<string, readonly string[]>();
  private root = this.folder();

  /** @param device tells its files from those of other trees */
  constructor(private readonly device = 'sim') {}

  /** Another, empty share in the place of this one. */
  replace(): void {
    this.root = this.folder();
  }

  restart(): void {
    forget(this.root);
  }

  read(path: string): Uint8Array {
    const node = this.find(path);
    if (node.kind === 'folder') throw failure('EISDIR', path);
    return node.bytes.slice();
  }

  list(path: string): string[] {
    const node = this.find(path);
    if (node.kind === 'file') throw failure('ENOTDIR', path);
    return [...node.children.keys()];
  }

  identity(path: string): string {
    return `${this.device}:${this.find(path).number}`;
  }

  has(path: string): boolean {
    const [folder, name] = this.parent(path);
    return folder.children.has(name);
  }

  /** Written and synced; its name is durable only when the folder is synced. */
  write(path: string, bytes: Uint8Array, exclusive: boolean): void {
    const [folder, name] = this.parent(path);
    const there = folder.children.get(name);
    if (there !== undefined && exclusive) throw failure('EEXIST', path);
    if (there?.kind === 'folder') throw failure('EISDIR', path);
    if (there === undefined) folder.children.set(name, { kind: 'file', number: ++this.numbers, bytes: new Uint8Array(bytes), durable: new Uint8Array(bytes) });
    else {
      there.bytes = new Uint8Array(bytes);
      there.durable = new Uint8Array(bytes);
    }
  }

  link(from: string, to: string): void {
    const node = this.find(from);
    const [folder, name] = this.parent(to);
    if (node.kind === 'folder') throw failure('EPERM', from);
    if (folder.children.has(name)) throw failure('EEXIST', to);
    folder.children.set(name, node);
  }

  rename(from: string, to: string): void {
    const node = this.find(from);
    const [folder, name] = this.parent(to);
    const there = folder.children.get(name);
    if (there?.kind === 'folder' && node.kind === 'file') throw failure('EISDIR', to);
    if (there?.kind === 'file' && node.kind === 'folder') throw failure('ENOTDIR', to);
    if (there?.kind === 'folder' && there.children.size > 0) throw failure('ENOTEMPTY', to);
    const [source, old] = this.parent(from);
    source.children.delete(old);
    folder.children.set(name, node);
  }

  makeFolder(path: string): void {
    const [folder, name] = this.parent(path);
    if (folder.children.has(name)) throw failure('EEXIST', path);
    folder.children.set(name, this.folder());
  }

  removeFile(path: string): void {
    if (this.find(path).kind === 'folder') throw failure('EISDIR', path);
    const [folder, name] = this.parent(path);
    folder.children.delete(name);
  }

  removeFolder(path: string): void {
    const node = this.find(path);
    if (node.kind === 'file') throw failure('ENOTDIR', path);
    if (node.children.size > 0) throw failure('ENOTEMPTY', path);
    const [folder, name] = this.parent(path);
    folder.children.delete(name);
  }

  syncFolder(path: string): void {
    const node = this.find(path);
    if (node.kind === 'file') throw failure('ENOTDIR', path);
    node.durable = new Map(node.children);
  }

  private folder(): FolderNode {
    return { kind: 'folder', number: ++this.numbers, children: new Map(), durable: new Map() };
  }

  private find(path: string): Node {
    let names = this.split.get(path);
    if (names === undefined) {
      names = path.split('/').filter((name) => name !== '' && name !== '.');
      this.split.set(path, names);
    }
    let node: Node = this.root;
    for (const name of names) {
      if (node.kind === 'file') throw failure('ENOTDIR', path);
      const next = node.children.get(name);
      if (next === undefined) throw failure('ENOENT', path);
      node = next;
    }
    return node;
  }

  private parent(path: string): [FolderNode, string] {
    const at = path.lastIndexOf('/');
    const folder = this.find(at < 0 ? '.' : path.slice(0, at));
    if (folder.kind === 'file') throw failure('ENOTDIR', path);
    return [folder, path.slice(at + 1)];
  }
}

function forget(node: Node): void {
  if (node.kind === 'file') node.bytes = node.durable.slice();
  else {
    node.children = new Map(node.durable);
    for (const child of node.children.values()) forget(child);
  }
}
