import { systemError } from './disk-image.js';
import { Inode } from './disk-inode.js';

/** What a file, folder or link is dressed in. */
export interface Attributes {
  readonly mode: number;
  readonly mtimeUs: number;
}

/** Something in a tree, whatever names it has. */
export class TreeNode {
  /** Of a folder: as the system shows it. */
  entries = new Map<string, TreeNode>();
  /** Of a folder: as the disk holds it. */
  durableEntries = new Map<string, TreeNode>();
  readonly content = new Inode();
  durable: Attributes;
  ctimeUs: number;
  /** So many names lead here. */
  names = 0;
  /** Grows with every change of the content. */
  version = 0;

  constructor(
    readonly inode: number,
    readonly kind: 'file' | 'folder' | 'link',
    public attributes: Attributes,
    /** Of a link. */
    readonly target = '',
  ) {
    this.durable = attributes;
    this.ctimeUs = attributes.mtimeUs;
  }
}

/** Something that is done and not durable yet. */
interface Pending {
  /** Order is kept among changes of the same node. */
  readonly touches: readonly TreeNode[];
  readonly apply: () => void;
}

/**
 * What a file system promises of names that nobody synced. `ordered`: changes reach the disk in their order (ext4, XFS): after a crash the first so many are there.
 * `loose`: each folder and file for itself: some are there and others, that came before in other folders, are not (btrfs, NFS).
 */
export type Promised = 'ordered' | 'loose';

/** A file system as it lies in its machine: it outlives processes and power. What a process does with it goes through a `SimulatedFiles`. */
export class FileTree {
  readonly root: TreeNode;
  /** Told after every change. */
  onChange: () => void = () => undefined;
  /** So often the power was lost. */
  losses = 0;
  private inodes = 0;
  private pending: Pending[] = [];

  constructor(
    private readonly promised: Promised,
    /** Wall time, milliseconds. */
    readonly now: () => number,
  ) {
    this.root = this.make('folder', 0o755);
  }

  make(kind: TreeNode['kind'], mode: number, target = ''): TreeNode {
    this.inodes += 1;
    return new TreeNode(this.inodes, kind, { mode, mtimeUs: this.nowUs }, target);
  }

  get nowUs(): number {
    return Math.floor(this.now() * 1000);
  }

  /** Gives names to nodes, or takes them away, in one step. */
  rename(...names: readonly (readonly [folder: TreeNode, name: string, node: TreeNode | null])[]): void {
    const at = this.nowUs;
    const touched = new Set<TreeNode>();
    for (const [folder, name, node] of names) {
      const before = folder.entries.get(name);
      if (before !== undefined) touched.add(before.ctimeUs < at ? Object.assign(before, { ctimeUs: at }) : before).add(folder);
      if (before !== undefined) before.names -= 1;
      if (node === null) folder.entries.delete(name);
      else {
        folder.entries.set(name, node);
        node.names += 1;
        node.ctimeUs = at;
        touched.add(node);
      }
      folder.attributes = { ...folder.attributes, mtimeUs: at };
      folder.ctimeUs = at;
      touched.add(folder);
    }
    this.change([...touched], () => {
      for (const [folder, name, node] of names) {
        if (node === null) folder.durableEntries.delete(name);
        else folder.durableEntries.set(name, node);
        folder.durable = { ...folder.durable, mtimeUs: at };
      }
    });
  }

  dress(node: TreeNode, attributes: Attributes): void {
    node.attributes = attributes;
    node.ctimeUs = this.nowUs;
    this.change([node], () => (node.durable = attributes));
  }

  write(node: TreeNode, at: number, bytes: Uint8Array): void {
    node.content.write(at, bytes);
    node.version += 1;
    node.attributes = { ...node.attributes, mtimeUs: this.nowUs };
    node.ctimeUs = this.nowUs;
    this.onChange();
  }

  /** The content, the attributes and the name of a file; or the names in a folder. */
  sync(node: TreeNode): void {
    node.content.syncNow();
    node.durable = node.attributes;
    this.reach((change) => change.touches.includes(node));
  }

  /** Everything that was done becomes durable. */
  syncAll(): void {
    this.reach(() => true);
    for (const node of this.nodes()) this.sync(node);
  }

  /** @param random uniform in [0, 1) */
  losePower(random: () => number): void {
    if (this.promised === 'ordered') for (const { apply } of this.pending.slice(0, Math.floor(random() * (this.pending.length + 1)))) apply();
    else this.loseSome(random);
    this.pending = [];
    this.losses += 1;
    const seen = new Set<TreeNode>();
    const restore = (node: TreeNode): void => {
      node.names += 1;
      if (seen.has(node)) return;
      seen.add(node);
      node.names = 1;
      node.attributes = node.durable;
      node.version += 1;
      if (node.kind === 'file') node.content.losePower(random);
      node.entries = new Map(node.durableEntries);
      for (const inner of node.entries.values()) restore(inner);
    };
    restore(this.root);
  }

  private loseSome(random: () => number): void {
    const lost = new Set<TreeNode>();
    const share = random();
    for (const { touches, apply } of this.pending) {
      if (touches.some((node) => lost.has(node)) || random() < share) for (const node of touches) lost.add(node);
      else apply();
    }
  }

  private change(touches: readonly TreeNode[], apply: () => void): void {
    this.pending.push({ touches, apply });
    this.onChange();
  }

  /** Makes durable what is asked for, and what must be before it. */
  private reach(asked: (change: Pending) => boolean): void {
    const last = this.pending.findLastIndex(asked);
    if (last < 0) return;
    const taken = new Set<Pending>();
    if (this.promised === 'ordered') for (const change of this.pending.slice(0, last + 1)) taken.add(change);
    else {
      const needed = new Set<TreeNode>();
      for (const change of this.pending.slice(0, last + 1).reverse()) {
        if (!asked(change) && !change.touches.some((node) => needed.has(node))) continue;
        taken.add(change);
        for (const node of change.touches) needed.add(node);
      }
    }
    for (const change of this.pending) if (taken.has(change)) change.apply();
    this.pending = this.pending.filter((change) => !taken.has(change));
  }

  private nodes(): Set<TreeNode> {
    const found = new Set<TreeNode>();
    const walk = (node: TreeNode): void => {
      if (found.has(node)) return;
      found.add(node);
      for (const inner of node.entries.values()) walk(inner);
    };
    walk(this.root);
    return found;
  }

  /** What stands at an absolute path, following links on the way to it; `null`: nothing. @throws ENOENT, ENOTDIR for what leads there */
  find(path: string): { readonly folder: TreeNode; readonly name: string; readonly node: TreeNode | null } {
    return findFrom(this.root, path);
  }
}

const LINKS_MAX = 40;

/** Follows `path` from a folder; the last part itself is not followed. An empty path is the folder itself, under no name. */
export function findFrom(start: TreeNode, path: string, links = 0): { readonly folder: TreeNode; readonly name: string; readonly node: TreeNode | null } {
  const parts = path.split('/').filter((part) => part !== '');
  let folder = start;
  let node: TreeNode | null = start;
  for (const [at, part] of parts.entries()) {
    if (node === null) throw systemError('ENOENT', path);
    if (node.kind === 'link') node = followed(folder, node, links);
    if (node === null) throw systemError('ENOENT', path);
    if (node.kind !== 'folder') throw systemError('ENOTDIR', path);
    folder = node;
    node = folder.entries.get(part) ?? null;
    if (at === parts.length - 1) return { folder, name: part, node };
  }
  return { folder, name: '', node };
}

/** What a link in `folder` leads to. */
export function followed(folder: TreeNode, link: TreeNode, links: number): TreeNode | null {
  if (links >= LINKS_MAX) throw systemError('ELOOP', link.target);
  // Links of a repository are relative, and lead down or beside; others lead nowhere here.
  if (link.target.startsWith('/') || link.target.includes('..')) return null;
  const found = findFrom(folder, link.target, links + 1);
  return found.node?.kind === 'link' ? followed(found.folder, found.node, links + 1) : found.node;
}
