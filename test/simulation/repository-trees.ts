import type { FileTree, TreeNode } from './file-tree.js';
import type { Hashing } from './repository.js';

/** Something that stands in a folder; its content, if it is a file, is made of what it says. */
export interface Planned {
  readonly kind: 'file' | 'folder' | 'link';
  /** Of a file: what it is made of; of a link: where it points. */
  readonly says?: string;
  readonly bytes?: number;
  /** In the middle of a file, this instead. */
  readonly middle?: string;
  readonly mode?: number;
  /** Seconds since 1970. */
  readonly time?: number;
}

const TIME = 1_700_000_000;

/** Puts things into a tree, durably; what is not named stays. */
export function plant(tree: FileTree, root: string, things: Readonly<Record<string, Planned | null>>): void {
  const paths = Object.keys(things).sort();
  for (const path of paths) if (things[path] === null) take(tree, `${root}/${path}`);
  for (const path of paths) {
    const planned = things[path];
    if (planned != null) put(tree, `${root}/${path}`, planned);
  }
  tree.syncAll();
}

/** A folder and those above it. */
export function folderAt(tree: FileTree, path: string): TreeNode {
  let folder = tree.root;
  for (const part of path.split('/').filter((one) => one !== '')) {
    let inner = folder.entries.get(part);
    if (inner === undefined) {
      inner = tree.make('folder', 0o755);
      tree.rename([folder, part, inner]);
      tree.dress(inner, { mode: 0o755, mtimeUs: TIME * 1_000_000 });
    }
    folder = inner;
  }
  return folder;
}

function take(tree: FileTree, path: string): void {
  const { folder, name } = tree.find(path);
  tree.rename([folder, name, null]);
  tree.dress(folder, { ...folder.attributes, mtimeUs: (TIME + 60) * 1_000_000 });
}

function put(tree: FileTree, path: string, { kind, says = '', bytes, middle = '', mode, time = TIME }: Planned): void {
  const folder = folderAt(tree, path.slice(0, path.lastIndexOf('/')));
  const name = path.slice(path.lastIndexOf('/') + 1);
  const before = folder.attributes;
  const node = kind === 'folder' ? folderAt(tree, path) : tree.make(kind, 0o777, kind === 'link' ? says : '');
  if (kind === 'file') tree.write(node, 0, contentOf(says, bytes ?? says.length, middle));
  if (kind !== 'folder') tree.rename([folder, name, node]);
  if (kind !== 'link') tree.dress(node, { mode: mode ?? (kind === 'folder' ? 0o755 : 0o644), mtimeUs: time * 1_000_000 });
  tree.dress(folder, before);
}

function contentOf(says: string, bytes: number, middle: string): Uint8Array {
  if (bytes === says.length) return Buffer.from(says);
  const words = new Uint32Array(bytes >> 2);
  const { imul } = Math;
  let state = [...says].reduce((sum, letter) => (imul(sum, 31) + letter.charCodeAt(0)) >>> 0, 7);
  for (let at = 0; at < words.length; at += 1) {
    state = (imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    words[at] = state;
  }
  const content = new Uint8Array(words.buffer);
  content.set(Buffer.from(middle), bytes >> 1);
  return content;
}

/** What a reader sees of a folder, as text to compare: `full` with permissions and times. `null`: the folder is not there. */
export class Viewer {
  private readonly digests = new WeakMap<TreeNode, { readonly version: number; readonly digest: string }>();

  constructor(private readonly hashing: Hashing) {}

  see(tree: FileTree, path: string, full: boolean): Map<string, string> | null {
    let node: TreeNode | null = null;
    try {
      ({ node } = tree.find(path));
    } catch {
      node = null;
    }
    if (node?.kind !== 'folder') return null;
    const seen = new Map<string, string>();
    this.walk(node, '', full, seen);
    return seen;
  }

  digestOf(node: TreeNode): string {
    const known = this.digests.get(node);
    if (known?.version === node.version) return known.digest;
    const digest = this.hashing.digest(node.content.read(0, node.content.size));
    this.digests.set(node, { version: node.version, digest });
    return digest;
  }

  private walk(folder: TreeNode, below: string, full: boolean, seen: Map<string, string>): void {
    for (const [name, node] of [...folder.entries].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const path = below === '' ? name : `${below}/${name}`;
      const dress = full && node.kind !== 'link' ? ` ${node.attributes.mode.toString(8)} ${node.attributes.mtimeUs}` : '';
      if (node.kind === 'file') seen.set(path, `file ${this.digestOf(node)}${dress}`);
      else if (node.kind === 'link') seen.set(path, `link ${node.target}`);
      else {
        seen.set(path, `folder${dress}`);
        this.walk(node, path, full, seen);
      }
    }
  }
}

export function sameView(a: ReadonlyMap<string, string> | null, b: ReadonlyMap<string, string> | null): boolean {
  if (a === null || b === null || a.size !== b.size) return a === b;
  for (const [path, what] of a) if (b.get(path) !== what) return false;
  return true;
}
