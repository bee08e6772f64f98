import type { Stats } from 'node:fs';
import { comparePaths, type Entry, type LeftOut, type Manifest, type Scope } from '../../core/repository/entry.js';
import { ENTRIES_MAX, linkFault, nameFault, pathFault, type Naming } from '../../core/repository/names.js';
import { LockstepError } from '../../core/errors.js';
import type { Hashing } from '../../ports/hashing.js';
import type { ScanOptions, Slices } from '../../ports/repository.js';
import { openContent, type NodeContent } from './content.js';
import type { DigestRecord } from './digest-record.js';
import { unlessAbsent } from './file-errors.js';
import type { FileSystem } from './file-system.js';
import type { Look, Looked } from './looking.js';
import type { Selection } from './patterns.js';
import { Places } from './places.js';
import { mayBeRaw } from './raw-names.js';
import { microseconds } from './stamps.js';

/** A step of a scan works about so long. */
export const SLICE_MS = 8;
const READ_BYTES = 256 * 1024;
/** What names and targets can be here. */
export const HERE: Naming = { windows: process.platform === 'win32', caseless: false };

export interface ScanParts {
  readonly fs: FileSystem;
  readonly look: Look;
  readonly root: string;
  readonly record: DigestRecord;
  readonly selection: Selection;
  readonly hashing: Hashing;
}

interface Open {
  readonly path: string;
  readonly names: readonly string[];
  next: number;
  readonly deep: boolean;
}

export interface Scanned extends Manifest {
  /** What is in the folder and does not belong to the repository: topmost paths. A sync leaves it where it is. */
  readonly foreign: readonly string[];
  readonly isAbsent: boolean;
}

/** Walks a folder in the order of manifests: names sorted, a folder right before what it holds. */
export class FolderScan implements Slices<Scanned> {
  private readonly entries: Entry[] = [];
  private readonly leftOut: LeftOut[] = [];
  private readonly foreign: string[] = [];
  private readonly open: Open[] = [];
  private isAbsent = false;
  private readonly starts: { readonly path: string; readonly deep: boolean }[];
  private reading: { readonly file: NodeContent; readonly entry: Entry; readonly digest: ReturnType<Hashing['begin']>; at: number } | null = null;
  private readonly buffer = new Uint8Array(READ_BYTES);

  constructor(
    private readonly parts: ScanParts,
    private readonly options: ScanOptions,
  ) {
    this.starts = startsOf(options.scope);
  }

  step(): Scanned | null {
    const { fs } = this.parts;
    const until = fs.ticks() + SLICE_MS;
    do {
      if (!this.one()) {
        const { entries, leftOut, foreign, isAbsent } = this;
        if (this.options.scope !== null) return { entries: merged(entries), leftOut, foreign, isAbsent };
        this.parts.record.retain(entries);
        return { entries, leftOut, foreign, isAbsent };
      }
    } while (fs.ticks() < until);
    return null;
  }

  close(): void {
    this.reading?.file.close();
    this.reading = null;
  }

  /** A folder, some entries, or a piece of a file. False: all is done. */
  private one(): boolean {
    if (this.reading !== null) this.readOn(this.reading);
    else {
      const top = this.open.at(-1);
      if (top === undefined) return this.begin();
      const name = top.names[top.next];
      top.next += 1;
      if (name === undefined) this.open.pop();
      else this.look(top, name);
    }
    return true;
  }

  private begin(): boolean {
    const start = this.starts.shift();
    if (start === undefined) return false;
    if (start.path === '') this.enter('', start.deep);
    else {
      // A folder of the scope is in its manifest itself; one that went meanwhile is not.
      const looked = this.reach(start.path);
      if (looked !== null) {
        this.add(folderOf(start.path, looked));
        this.enter(start.path, start.deep);
      }
    }
    return true;
  }

  /** A folder that the other server named: only one of this repository, without a link on the way to it, nor a folder that does not belong. */
  private reach(path: string): Looked | null {
    if (pathFault(path, HERE) !== null) return null;
    let looked: Looked | null = null;
    const parts = path.split('/');
    for (let count = 1; count <= parts.length; count += 1) {
      const prefix = parts.slice(0, count).join('/');
      looked = this.parts.selection.takesFolder(prefix) ? this.parts.look(Places.at(this.parts.root, prefix)) : null;
      if (looked?.kind !== 'folder') return null;
    }
    return looked;
  }

  private enter(path: string, deep: boolean): void {
    const { fs } = this.parts;
    const folder = path === '' ? this.parts.root : Places.at(this.parts.root, path);
    const names = path === '' && this.options.mayBeAbsent !== true ? fs.readdirSync(folder) : unlessAbsent(() => fs.readdirSync(folder));
    if (path === '' && names === null) this.isAbsent = true;
    this.open.push({ path, names: (names ?? []).sort(), next: 0, deep });
  }

  private look(folder: Open, name: string): void {
    const path = folder.path === '' ? name : `${folder.path}/${name}`;
    const looked = this.parts.look(Places.at(this.parts.root, path));
    if (looked === null) {
      // Gone since the folder was listed; or a name in another encoding, which cannot be asked for.
      if (mayBeRaw(name)) this.leave(path, 'a name that is no UTF-8');
      return;
    }
    const { selection } = this.parts;
    if (looked.kind === 'folder') {
      if (!selection.takesFolder(path)) this.foreign.push(path);
      else if (this.isNamed(path, name)) {
        this.add(folderOf(path, looked));
        if (folder.deep) this.enter(path, true);
      }
    } else if (!selection.takesFile(path)) this.foreign.push(path);
    else if (looked.kind === 'file') this.file(path, name, looked);
    else if (looked.kind === 'link') this.link(path, name);
    else this.leave(path, this.special(path));
  }

  private file(path: string, name: string, looked: Looked): void {
    if (!this.isNamed(path, name)) return;
    const { mode, mtimeUs, size } = looked;
    const entry: Entry = { path, kind: 'file', mode, mtimeUs, size, digest: this.options.checksum ? null : this.parts.record.find(path, looked), target: '' };
    if (!this.options.checksum) return this.add(entry);
    const file = unlessAbsent(() => openContent(this.parts, path));
    if (file !== null) this.reading = { file, entry, digest: this.parts.hashing.begin(), at: 0 };
  }

  private readOn(reading: NonNullable<FolderScan['reading']>): void {
    const { file, entry, digest } = reading;
    const bytes = file.read(this.buffer, reading.at);
    if (bytes > 0) {
      digest.update(this.buffer.subarray(0, bytes));
      reading.at += bytes;
      return;
    }
    const value = digest.digest();
    const changed = file.changed();
    if (!changed) file.record(value);
    file.close();
    this.reading = null;
    this.add({ ...entry, mtimeUs: file.mtimeUs, size: reading.at, digest: changed ? null : value });
  }

  private link(path: string, name: string): void {
    if (!this.isNamed(path, name)) return;
    const target = unlessAbsent(() => this.parts.fs.readlinkSync(Places.at(this.parts.root, path)));
    if (target === null) return;
    if (mayBeRaw(target)) return this.leave(path, 'a link to a name that is no UTF-8');
    const fault = linkFault(path, target, HERE);
    if (fault !== null) this.leave(path, fault.replace(/^is /, ''));
    else this.add({ path, kind: 'link', mode: 0, mtimeUs: 0, size: 0, digest: null, target });
  }

  private special(path: string): string {
    return kindOf(this.parts.fs.lstatSync(Places.at(this.parts.root, path), { throwIfNoEntry: false }));
  }

  private isNamed(path: string, name: string): boolean {
    const fault = nameFault(path, name, HERE);
    if (fault === null) return true;
    this.leave(path, `a name that ${fault}`);
    return false;
  }

  private leave(path: string, what: string): void {
    this.leftOut.push({ path, what });
    this.foreign.push(path);
  }

  private add(entry: Entry): void {
    this.entries.push(entry);
    if (this.entries.length <= ENTRIES_MAX) return;
    throw new LockstepError('LOCKSTEP_REPOSITORY_LARGE', `${this.parts.root} holds more than ${ENTRIES_MAX} entries`, 'Exclude what need not be on both servers, or divide it into several repositories.');
  }
}

/** Folders to begin with. One below a deep one is looked at by that one. */
function startsOf(scope: Scope | null): { path: string; deep: boolean }[] {
  if (scope === null) return [{ path: '', deep: true }];
  const deep = new Set(scope.deep);
  const isCovered = (path: string): boolean => scope.deep.some((other) => other === '' ? path !== '' : path.startsWith(`${other}/`));
  return [...new Set([...scope.folders, ...scope.deep])].filter((path) => !isCovered(path)).map((path) => ({ path, deep: deep.has(path) }));
}

function folderOf(path: string, { mode, mtimeUs }: Looked): Entry {
  return { path, kind: 'folder', mode, mtimeUs, size: 0, digest: null, target: '' };
}

export function folderEntry(path: string, stats: Stats): Entry {
  return { path, kind: 'folder', mode: stats.mode & 0o7777, mtimeUs: microseconds(stats.mtimeMs), size: 0, digest: null, target: '' };
}

/** One folder of a scope can lie in another: sorted, and each once. */
function merged(entries: Entry[]): Entry[] {
  entries.sort((a, b) => comparePaths(a.path, b.path));
  return entries.filter((entry, at) => entry.path !== entries[at - 1]?.path);
}

function kindOf(stats: Stats | undefined): string {
  if (stats === undefined) return 'no file, folder or link';
  if (stats.isSocket()) return 'a socket';
  if (stats.isFIFO()) return 'a named pipe';
  return stats.isBlockDevice() || stats.isCharacterDevice() ? 'a device' : 'no file, folder or link';
}
