import * as fs from 'node:fs';
import { randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import { parentOf, type Entry } from '../../core/repository/entry.js';
import type { Applier, Commit, CommitOutcome, ContentFile, ContentWriter, KeptVersion } from '../../ports/repository.js';
import type { DigestRecord } from './digest-record.js';
import { syncAll, syncFolders } from './durable.js';
import { codeOf } from './file-errors.js';
import { FolderHolder, noFolder } from './held-folder.js';
import { describeVersion, freshName, NAMED_PATHS_MAX, retain } from './kept.js';
import { basisOf, PartWriter } from './part-writer.js';
import { Places } from './places.js';
import { microseconds, seconds, stampOf } from './stamps.js';
import { FILLING_MODE, writeFile } from './writing.js';

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;

export interface LiveParts {
  readonly places: Places;
  readonly record: DigestRecord;
  readonly keep: number;
}

type Change =
  | { readonly what: 'folder' | 'remove' | 'touch'; readonly entry: Entry }
  /** `part`: the new file or link, ready to be put in its place. */
  | { readonly what: 'place'; readonly entry: Entry; readonly part: string };

/** Collects changes of single files, and makes them one by one at the end: each is seen as it was or as it shall be. */
export class LiveApplier implements Applier {
  private readonly changes: Change[] = [];
  private readonly parts_: string[] = [];
  private readonly folder_: FolderHolder;
  /** Folders in which names change, with their times before: a replaced file is no change of the folder that the other server has. */
  private readonly touched = new Map<string, number>();
  private readonly kept = { files: 0, bytes: 0, paths: [] as string[] };
  private readonly version: string;

  constructor(
    private readonly parts: LiveParts,
    private readonly commit_: Commit,
  ) {
    const { places } = parts;
    fs.mkdirSync(places.parts, { recursive: true, mode: FILLING_MODE });
    this.folder_ = new FolderHolder(places.live);
    this.version = freshName(places, commit_.at);
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
    fs.symlinkSync(entry.target, part);
    this.changes.push({ what: 'place', entry, part });
  }

  remove(entry: Entry): void {
    this.changes.push({ what: 'remove', entry });
  }

  basis(path: string): ContentFile | null {
    return basisOf(this.parts.places, path);
  }

  left(): ContentFile | null {
    return null;
  }

  takeLeft(): void {
    // `left` never gives anything.
  }

  put(entry: Entry, content: Uint8Array): void {
    const part = this.fresh();
    writeFile(part, entry, content);
    this.ready(entry, part);
  }

  create(entry: Entry): ContentWriter {
    return new PartWriter(this.parts.places, entry.path, (part, finished) => {
      const ready = this.fresh();
      fs.renameSync(part, ready);
      this.ready(finished, ready);
    });
  }

  async commit(): Promise<CommitOutcome> {
    const { places } = this.parts;
    try {
      await syncAll(this.parts_);
      for (const change of this.changes) {
        if (!this.commit_.mayChange()) return { kind: 'not-allowed' };
        this.make(change);
      }
      this.dressFolders();
      await syncFolders([...this.touched.keys()].map((path) => (path === '' ? places.live : Places.at(places.live, path))).filter((place) => fs.existsSync(place)));
      return { kind: 'done', kept: await this.describe() };
    } finally {
      this.folder_.release();
    }
  }

  abandon(): void {
    for (const change of this.changes) if (change.what === 'place') fs.rmSync(change.part, { force: true });
  }

  private fresh(): string {
    return join(this.parts.places.parts, `${randomUUID()}.ready`);
  }

  private ready(entry: Entry, part: string): void {
    this.parts_.push(part);
    this.changes.push({ what: 'place', entry, part });
  }

  private make(change: Change): void {
    const { entry } = change;
    const parent = parentOf(entry.path);
    const folder = this.folder_.reach(parent);
    const place = join(folder, entry.path.slice(parent === '' ? 0 : parent.length + 1));
    if (!this.touched.has(parent)) this.touched.set(parent, microseconds(fs.statSync(folder).mtimeMs));
    if (change.what === 'place') this.put_(place, change.part, entry);
    else if (change.what === 'folder') makeFolder(place, entry.path);
    else if (change.what === 'touch') this.dressFile(place, entry);
    else this.moveAway(place, entry.path);
  }

  private put_(place: string, part: string, entry: Entry): void {
    const there = fs.lstatSync(place, { throwIfNoEntry: false });
    if (there?.isDirectory() === true) this.moveAway(place, entry.path);
    else if (there !== undefined) this.keepOld(place, entry.path, there);
    fs.renameSync(part, place);
    if (entry.kind === 'file' && entry.digest !== null) this.parts.record.set(entry.path, stampOf(fs.lstatSync(place)), entry.digest);
  }

  private dressFile(place: string, entry: Entry): void {
    const fd = fs.openSync(place, O_RDONLY | (O_NOFOLLOW ?? 0) | (O_NONBLOCK ?? 0));
    try {
      if (process.platform !== 'win32') fs.fchmodSync(fd, entry.mode);
      fs.futimesSync(fd, seconds(entry.mtimeUs), seconds(entry.mtimeUs));
      if (entry.digest !== null) this.parts.record.set(entry.path, stampOf(fs.fstatSync(fd)), entry.digest);
    } finally {
      fs.closeSync(fd);
    }
  }

  /** The old one stays under its name until the new one takes it; another name keeps it. */
  private keepOld(place: string, path: string, there: fs.Stats): void {
    const kept = this.keptPlace(path);
    if (kept === null) return;
    try {
      if (there.isSymbolicLink()) fs.symlinkSync(fs.readlinkSync(place), kept);
      else fs.linkSync(place, kept);
    } catch (error) {
      if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(codeOf(error))) throw error;
      fs.copyFileSync(place, kept, fs.constants.COPYFILE_EXCL);
    }
    this.noteKept(path, there.size);
  }

  private moveAway(place: string, path: string): void {
    const there = fs.lstatSync(place, { throwIfNoEntry: false });
    if (there === undefined) return;
    const kept = this.keptPlace(path);
    if (kept === null) fs.rmSync(place, { recursive: true, force: true });
    else if (there.isDirectory() && fs.existsSync(kept)) removeIfEmpty(place); // What it held is kept already.
    else {
      fs.renameSync(place, kept);
      if (!there.isDirectory()) this.noteKept(path, there.size);
    }
  }

  private keptPlace(path: string): string | null {
    const { places, keep } = this.parts;
    if (keep === 0) return null;
    const kept = Places.at(join(places.kept, this.version), path);
    fs.mkdirSync(dirname(kept), { recursive: true, mode: FILLING_MODE });
    return kept;
  }

  private noteKept(path: string, bytes: number): void {
    this.kept.files += 1;
    this.kept.bytes += bytes;
    if (this.kept.paths.length < NAMED_PATHS_MAX) this.kept.paths.push(path);
  }

  /** Deepest first, after everything was put into them. */
  private dressFolders(): void {
    for (const { what, entry } of this.changes.toReversed()) {
      if (what !== 'folder') continue;
      const place = this.folder_.reach(entry.path);
      if ((fs.statSync(place).mode & 0o7777) !== entry.mode && process.platform !== 'win32') fs.chmodSync(place, entry.mode);
      this.touched.set(entry.path, entry.mtimeUs);
    }
    for (const [path, mtimeUs] of this.touched) {
      if (path !== '' && !fs.existsSync(Places.at(this.parts.places.live, path))) continue; // Removed after it was changed.
      const place = this.folder_.reach(path);
      if (microseconds(fs.statSync(place).mtimeMs) !== mtimeUs) fs.utimesSync(place, seconds(mtimeUs), seconds(mtimeUs));
    }
  }

  private async describe(): Promise<KeptVersion | null> {
    const { places, keep } = this.parts;
    if (!fs.existsSync(join(places.kept, this.version))) return null;
    const version: KeptVersion = { name: this.version, at: this.commit_.at, term: this.commit_.term, reason: this.commit_.reason, ...this.kept };
    await describeVersion(places, version);
    await retain(places, keep);
    return version;
  }
}

function makeFolder(place: string, path: string): void {
  const there = fs.lstatSync(place, { throwIfNoEntry: false });
  if (there === undefined) fs.mkdirSync(place, { mode: FILLING_MODE });
  else if (!there.isDirectory()) throw noFolder(path);
}


/** One that still holds what does not belong to the repository stays. */
function removeIfEmpty(place: string): void {
  try {
    fs.rmdirSync(place);
  } catch (error) {
    if (codeOf(error) !== 'ENOTEMPTY') throw error;
  }
}
