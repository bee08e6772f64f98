import { constants } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { parentOf, SyncReason, type Entry } from '../../core/repository/entry.js';
import type { Applier, Coming, Commit, CommitOutcome, ContentFile, ContentWriter } from '../../ports/repository.js';
import type { Burst } from './burst.js';
import { noteChanging, settleChanging } from './changing.js';
import type { DigestRecord } from './digest-record.js';
import { syncFiles, type Unsynced } from './durable.js';
import { codeOf, unlessAbsent } from './file-errors.js';
import type { FileSystem } from './file-system.js';
import { FolderHolder, noFolder, NOT_THERE } from './held-folder.js';
import { Keeping } from './keeping.js';
import { refuseLink } from './mounts.js';
import { basisOf, PartWriter } from './part-writer.js';
import type { Selection } from './patterns.js';
import type { Places } from './places.js';
import { bytesOf } from './room.js';
import { microseconds, seconds, stampOf } from './stamps.js';
import { FILLING_MODE, writeFile, type InTurn } from './writing.js';

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;

/** Of hundreds of thousands, others have their turn in between. */
const CHANGES_PER_TURN = 500;
/** How the names end of what waits to be put in its place. */
const READY = '.ready';

export interface LiveParts {
  readonly places: Places;
  readonly inTurn: InTurn;
  readonly record: DigestRecord;
  readonly keep: number;
  /** What belongs to the repository. */
  readonly selection: Selection;
  readonly burst: Burst;
  /** The kept version that this brings back from; `null`: none. */
  readonly source: string | null;
}

type Change =
  | { readonly what: 'folder' | 'remove' | 'touch'; readonly entry: Entry }
  /** `part`: the new file or link, ready to be put in its place. */
  | { readonly what: 'place'; readonly entry: Entry; readonly part: string };

/** Collects changes of single files, and makes them one by one at the end: each is seen as it was or as it shall be. */
export class LiveApplier implements Applier {
  private readonly fs: FileSystem;
  private readonly changes: Change[] = [];
  private readonly parts_: Unsynced[] = [];
  private readonly folder_: FolderHolder;
  /** Folders in which names change, with their times before: a replaced file is no change of the folder that the other server has. */
  private readonly touched = new Map<string, number>();
  private readonly made: { readonly path: string; readonly mode: number }[] = [];
  private readonly keeping: Keeping;
  /** Of continuous changes. */
  private readonly burst: Burst | null;

  constructor(
    private readonly parts: LiveParts,
    private readonly commit_: Commit,
  ) {
    const { places } = parts;
    this.fs = places.fs;
    this.fs.mkdirSync(places.parts, { recursive: true, mode: FILLING_MODE });
    this.folder_ = new FolderHolder(places.fs, places.live);
    this.burst = commit_.reason === SyncReason.change ? parts.burst : null;
    this.burst?.begin(commit_.at);
    this.keeping = new Keeping(places, parts.keep, commit_, parts.selection, this.burst, parts.source);
  }

  folder(entry: Entry): void {
    this.changes.push({ what: 'folder', entry });
  }

  keep(): boolean {
    return true;
  }

  touch(entry: Entry): boolean {
    this.changes.push({ what: 'touch', entry });
    return true;
  }

  link(entry: Entry): void {
    const part = this.fresh();
    this.fs.symlinkSync(entry.target, part);
    this.changes.push({ what: 'place', entry, part });
  }

  remove(entry: Entry): void {
    this.changes.push({ what: 'remove', entry });
  }

  basis(path: string): ContentFile | null {
    return basisOf(this.parts.places, path, this.folder_.placeOf(path));
  }

  left(): ContentFile | null {
    return null;
  }

  takeLeft(): void {
    // `left` never gives anything.
  }

  roomFor({ fetched }: Coming): null {
    this.parts.places.room.expect(bytesOf(fetched));
    return null;
  }

  put(entry: Entry, content: Uint8Array): void {
    this.parts.places.room.spend(content.length);
    const part = this.fresh();
    writeFile(this.fs, part, entry, content);
    this.ready(entry, part);
  }

  create(entry: Entry): ContentWriter {
    return new PartWriter(this.parts.places, entry.path, (part, finished) => {
      const ready = this.fresh();
      this.fs.renameSync(part, ready);
      this.ready(finished, ready);
    });
  }

  commit(): Promise<CommitOutcome> {
    return this.parts.inTurn(() => this.commitNow());
  }

  private async commitNow(): Promise<CommitOutcome> {
    const { places } = this.parts;
    try {
      refuseLink(places);
      await settleChanging(places); // Of a commit before this one that failed.
      await syncFiles(this.fs, this.parts_);
      await this.expectOld();
      await this.keeping.settle();
      noteChanging(places, this.changing);
      const isWhole = await this.makeAll();
      this.folder_.naming(() => (isWhole ? this.dressFolders() : this.narrowMade()));
      await settleChanging(places);
      const kept = await this.keeping.describe();
      return isWhole ? { kind: 'done', kept } : { kind: 'not-allowed' };
    } finally {
      this.keeping.drop();
      this.folder_.release();
    }
  }

  abandon(): void {
    this.folder_.release();
    for (const change of this.changes) if (change.what === 'place') this.fs.rmSync(change.part, { force: true });
  }

  /** What this commit changes, and in which folders. */
  private get changing(): readonly string[] {
    const paths = new Set<string>();
    for (const { what, entry } of this.changes) {
      paths.add(parentOf(entry.path));
      if (what === 'folder' || what === 'touch') paths.add(entry.path);
    }
    return [...paths];
  }

  /** False: the right to it is gone, and nothing more was changed. */
  private async makeAll(): Promise<boolean> {
    for (const [index, change] of this.changes.entries()) {
      if (index % CHANGES_PER_TURN === CHANGES_PER_TURN - 1) await this.fs.turn();
      if (!this.commit_.mayChange()) return false;
      this.folder_.naming(() => this.make(change));
    }
    return true;
  }

  private fresh(): string {
    return join(this.parts.places.parts, `${randomUUID()}${READY}`);
  }

  private ready(entry: Entry, part: string): void {
    this.parts_.push({ path: part, bytes: entry.size });
    this.changes.push({ what: 'place', entry, part });
  }

  /** What is to be replaced or moved away, as far as it is there now. */
  private async expectOld(): Promise<void> {
    for (const [index, { what, entry }] of this.changes.entries()) {
      if (index % CHANGES_PER_TURN === CHANGES_PER_TURN - 1) await this.fs.turn();
      if (what !== 'place' && what !== 'remove') continue;
      try {
        this.folder_.naming(() => this.keeping.expect(this.placeOf(entry).place, entry.path, what === 'place'));
      } catch (error) {
        if (!NOT_THERE.includes(codeOf(error))) throw error; // Its folder comes with this commit.
      }
    }
  }

  private placeOf(entry: Entry): { readonly folder: string; readonly place: string } {
    const parent = parentOf(entry.path);
    const folder = this.folder_.reach(parent);
    return { folder, place: join(folder, entry.path.slice(parent === '' ? 0 : parent.length + 1)) };
  }

  private make(change: Change): void {
    const { entry } = change;
    const parent = parentOf(entry.path);
    const { folder, place } = this.placeOf(entry);
    if (!this.touched.has(parent)) this.touched.set(parent, microseconds(this.fs.statSync(folder).mtimeMs));
    if (change.what === 'place') this.put_(place, change.part, entry);
    else if (change.what === 'folder') this.makeFolder(place, entry);
    else if (change.what === 'touch') this.dressFile(place, entry);
    else this.keeping.moveAway(place, entry.path);
  }

  private put_(place: string, part: string, entry: Entry): void {
    const { fs } = this;
    const there = fs.lstatSync(place, { throwIfNoEntry: false });
    if (there !== undefined && this.commit_.type === 'PARTIAL') return fs.rmSync(part); // Came here meanwhile, and stays.
    if (there?.isDirectory() === true) this.keeping.moveAway(place, entry.path);
    else if (there !== undefined) this.keeping.replaces(place, entry.path, there);
    fs.renameSync(part, place);
    this.burst?.bring(entry.path, fs.lstatSync(place));
    if (entry.kind === 'file' && entry.digest !== null) this.parts.record.set(entry.path, stampOf(fs.lstatSync(place)), entry.digest);
  }

  /** What was written to since it was looked at is dressed as well, and nothing is recorded of it: the next look reads it. */
  private dressFile(place: string, entry: Entry): void {
    const { fs } = this;
    const fd = fs.openSync(place, O_RDONLY | (O_NOFOLLOW ?? 0) | (O_NONBLOCK ?? 0));
    try {
      const before = fs.fstatSync(fd);
      const isKnown = entry.digest !== null && this.parts.record.find(entry.path, stampOf(before)) === entry.digest;
      if (process.platform !== 'win32') fs.fchmodSync(fd, entry.mode);
      fs.futimesSync(fd, seconds(entry.mtimeUs), seconds(entry.mtimeUs));
      this.burst?.dress(entry.path, before, fs.fstatSync(fd));
      if (isKnown) this.parts.record.set(entry.path, stampOf(fs.fstatSync(fd)), entry.digest);
    } finally {
      fs.closeSync(fd);
    }
  }

  /** With its own permissions at once, as far as it can be filled so: the changes may be cut short. */
  private makeFolder(place: string, { path, mode }: Entry): void {
    const { fs } = this;
    const there = fs.lstatSync(place, { throwIfNoEntry: false });
    if (there !== undefined && !there.isDirectory()) throw noFolder(path);
    if (there !== undefined) return;
    fs.mkdirSync(place, { mode: FILLING_MODE });
    if (process.platform !== 'win32') fs.chmodSync(place, mode | FILLING_MODE);
    this.made.push({ path, mode });
    this.burst?.bring(path, fs.lstatSync(place));
  }

  /** What was cut short leaves no folder that was made wider than it shall be, unless somebody has changed it since. */
  private narrowMade(): void {
    const { fs } = this;
    for (const { path, mode } of this.made) {
      const place = (mode & FILLING_MODE) === FILLING_MODE || process.platform === 'win32' ? null : this.reachIfThere(path);
      if (place !== null && (fs.statSync(place).mode & 0o7777) === (mode | FILLING_MODE)) fs.chmodSync(place, mode);
    }
  }

  private reachIfThere(path: string): string | null {
    try {
      return this.folder_.reach(path);
    } catch (error) {
      if (NOT_THERE.includes(codeOf(error))) return null;
      throw error;
    }
  }

  /** Deepest first, after everything was put into them. */
  private dressFolders(): void {
    const { fs } = this;
    for (const { what, entry } of this.changes.toReversed()) {
      if (what !== 'folder') continue;
      const place = this.folder_.reach(entry.path);
      if ((fs.statSync(place).mode & 0o7777) !== entry.mode && process.platform !== 'win32') fs.chmodSync(place, entry.mode);
      this.touched.set(entry.path, entry.mtimeUs);
    }
    for (const [path, mtimeUs] of this.touched) {
      const place = this.reachIfThere(path);
      if (place === null) continue; // Removed, or replaced by what is no folder, after it was changed.
      if (microseconds(fs.statSync(place).mtimeMs) !== mtimeUs) fs.utimesSync(place, seconds(mtimeUs), seconds(mtimeUs));
    }
  }
}

/** What a process that was killed had made ready: no other puts it in its place. */
export async function removeReady({ fs, parts }: Places): Promise<void> {
  const names = (unlessAbsent(() => fs.readdirSync(parts)) ?? []).filter((name) => name.endsWith(READY));
  for (const [index, name] of names.entries()) {
    if (index % CHANGES_PER_TURN === CHANGES_PER_TURN - 1) await fs.turn();
    fs.rmSync(join(parts, name), { force: true });
  }
}
