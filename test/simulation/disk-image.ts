import { Inode } from './disk-inode.js';

/** An entry that was made, moved or removed, and is not durable yet. `null`: the name is gone. */
interface EntryChange {
  readonly names: readonly (readonly [path: string, inode: Inode | null])[];
  readonly folders: ReadonlySet<string>;
}

export type DiskOperation = 'read' | 'write' | 'sync' | 'syncOfWrite' | 'open' | 'rename' | 'remove' | 'replaceFile' | 'syncFolder' | 'makeFolder';

/** An error as the system gives it. */
export function systemError(code: string, what: string): Error {
  return Object.assign(new Error(`${code}: ${what}`), { code });
}

/** The folder that a path lies in; the empty text is the disk's root. */
export function folderOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}

/**
 * A disk, as it lies in its machine: it outlives processes and power. Faults are set here. What a process does with it goes
 * through a `SimulatedDisk`.
 */
export class DiskImage {
  /** A write beyond it takes what fits and fails with ENOSPC. */
  capacityBytes = Infinity;
  /** Added to the time of every operation, milliseconds. */
  slownessMs = 0;
  /** How likely an open, of a file or a folder, is to find no descriptor left: in [0, 1]. What is open goes on. */
  fileShortage = 0;
  /** Whether a sync of this file may tell now that there is no room for what was taken before it ('syncOfWrite'), and let go of that. One of a single write always may. */
  letsGo: (path: string) => boolean = () => true;
  /** Told of each name that a file gets. */
  named: (path: string) => void = () => undefined;
  private entries = new Map<string, Inode>();
  private unreadable = new Set<Inode>();
  private durableEntries = new Map<string, Inode>();
  private folders = new Set<string>(['']);
  private pending: EntryChange[] = [];
  private failures: { operation: DiskOperation; code: string; path: string; left: number }[] = [];
  private held: (() => void)[] | null = null;

  /** The next `times` operations of this kind on paths that contain `path` fail. */
  failNext(operation: DiskOperation, code: string, times = 1, path = ''): void {
    this.failures.push({ operation, code, path, left: times });
  }

  /** A failure of this kind that was ordered has not been met yet. */
  awaitsFailure(operation: DiskOperation, path?: string): boolean {
    return this.failures.some((failure) => failure.left > 0 && failure.operation === operation && path?.includes(failure.path) !== false);
  }

  /** What a file is called now, whatever it was opened as; `null` for one that has no name any more. */
  nameOf(inode: Inode): string | null {
    for (const [path, named] of this.entries) if (named === inode) return path;
    return null;
  }

  /** Takes back those that were not met. */
  forgetFailures(operation: DiskOperation): void {
    this.failures = this.failures.filter((failure) => failure.operation !== operation);
  }

  /** Reads of these files fail with EIO, whatever names they get, until `allReadable` or until the machine starts anew. */
  makeUnreadable(paths: readonly string[]): void {
    for (const path of paths) this.unreadable.add(this.inode(path));
  }

  allReadable(): void {
    this.unreadable.clear();
  }

  get hasUnreadable(): boolean {
    return this.unreadable.size > 0;
  }

  /** Nothing is answered any more, until `release`. */
  hang(): void {
    this.held ??= [];
  }

  release(): void {
    const held = this.held ?? [];
    this.held = null;
    for (const action of held) action();
  }

  /** The disk was replaced by an empty one. */
  wipe(): void {
    this.entries.clear();
    this.durableEntries.clear();
    this.allReadable();
    this.folders = new Set(['']);
    this.pending = [];
  }

  /** All that was on it is gone, and what `other` holds is there instead, durably. */
  becomes(other: DiskImage): void {
    this.wipe();
    for (const folder of other.folders) this.folders.add(folder);
    for (const path of other.paths()) this.put(path, other.content(path));
  }

  /** @param random uniform in [0, 1) */
  losePower(random: () => number): void {
    this.allReadable();
    // Entries reach the disk in their order, some of them.
    const kept = Math.floor(random() * (this.pending.length + 1));
    for (const change of this.pending.slice(0, kept)) apply(this.durableEntries, change);
    this.pending = [];
    this.entries = new Map(this.durableEntries);
    // A folder was not removed where something in it is left.
    for (const path of this.entries.keys()) this.addFolder(folderOf(path));
    for (const inode of new Set(this.entries.values())) inode.losePower(random);
  }

  flipBit(path: string, offset: number, bit: number): void {
    this.inode(path).flip(offset, bit);
  }

  /** All files, sorted. */
  paths(): string[] {
    return [...this.entries.keys()].sort();
  }

  content(path: string): Uint8Array {
    const inode = this.inode(path);
    return inode.read(0, inode.size);
  }

  /** Puts a file there from outside, durably; the folders above it too. */
  put(path: string, bytes: Uint8Array): void {
    for (let folder = folderOf(path); folder !== ''; folder = folderOf(folder)) this.folders.add(folder);
    const inode = new Inode();
    inode.write(0, bytes);
    inode.syncNow();
    this.entries.set(path, inode);
    this.durableEntries.set(path, inode);
  }

  /** Takes a file away from outside, durably. */
  take(path: string): void {
    this.inode(path);
    this.entries.delete(path);
    this.durableEntries.delete(path);
  }

  /** Whether a loss of power now would leave the file as it is. */
  isSynced(path: string): boolean {
    return this.inode(path).isSynced;
  }

  /** Whether something before `end` is shown that the disk does not hold, and that no sync will bring there any more. */
  hasForgotten(path: string, end: number): boolean {
    return this.inode(path).hasForgotten(end);
  }

  /** All that is on the disk now, as a disk of its own on which everything is durable. */
  copy(): DiskImage {
    const image = new DiskImage();
    for (const folder of this.folders) image.folders.add(folder);
    for (const path of this.entries.keys()) image.put(path, this.content(path));
    return image;
  }

  get usedBytes(): number {
    let bytes = 0;
    for (const inode of this.entries.values()) bytes += inode.size;
    return bytes;
  }

  // What follows is for SimulatedDisk.

  /** Runs an operation's end now, or when the disk answers again. */
  arrive(action: () => void): void {
    if (this.held === null) action();
    else this.held.push(action);
  }

  /** The failure that was ordered for an operation, if any. */
  failure(operation: DiskOperation, path: string): Error | null {
    const ordered = this.failures.find((failure) => failure.left > 0 && failure.operation === operation && path.includes(failure.path));
    if (ordered === undefined) return null;
    ordered.left--;
    return systemError(ordered.code, `${operation} ${path}`);
  }

  inode(path: string): Inode {
    const inode = this.entries.get(path);
    if (inode === undefined) throw systemError('ENOENT', path);
    return inode;
  }

  /** What a process reads of a file. @throws Error EIO */
  read(path: string, inode: Inode, offset: number, length: number): Uint8Array {
    if (this.unreadable.has(inode)) throw systemError('EIO', path);
    return inode.read(offset, length);
  }

  has(path: string): boolean {
    return this.entries.has(path);
  }

  hasFolder(path: string): boolean {
    return this.folders.has(path);
  }

  addFolder(path: string): void {
    for (let folder = path; folder !== ''; folder = folderOf(folder)) this.folders.add(folder);
  }

  takeFolder(path: string): void {
    this.folders.delete(path);
  }

  namesIn(folder: string): string[] {
    const names = new Set<string>();
    const prefix = folder === '' ? '' : `${folder}/`;
    for (const path of [...this.entries.keys(), ...this.folders]) {
      if (path !== '' && path.startsWith(prefix) && path !== folder) names.add(path.slice(prefix.length).split('/')[0] ?? '');
    }
    return [...names];
  }

  /** Changes entries in one step; not durable yet. */
  change(...names: [path: string, inode: Inode | null][]): void {
    const change = { names, folders: new Set(names.map(([path]) => folderOf(path))) };
    apply(this.entries, change);
    this.pending.push(change);
    for (const [path, inode] of names) if (inode !== null) this.named(path);
  }

  syncEntries(folder: string): void {
    for (const change of this.pending.filter(({ folders }) => folders.has(folder))) apply(this.durableEntries, change);
    this.pending = this.pending.filter(({ folders }) => !folders.has(folder));
  }
}

function apply(entries: Map<string, Inode>, change: EntryChange): void {
  for (const [path, inode] of change.names) {
    if (inode === null) entries.delete(path);
    else entries.set(path, inode);
  }
}
