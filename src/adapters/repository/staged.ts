import * as fs from 'node:fs';
import { rmSync } from 'node:fs';
import type { Entry } from '../../core/repository/entry.js';
import { parentOf } from '../../core/repository/entry.js';
import type { Applier, Commit, CommitOutcome, ContentFile, ContentWriter } from '../../ports/repository.js';
import { openContent } from './content.js';
import type { DigestRecord } from './digest-record.js';
import { syncAll, syncFolders } from './durable.js';
import { codeOf, unlessAbsent } from './file-errors.js';
import { basisOf, PartWriter } from './part-writer.js';
import { Places } from './places.js';
import { folderEntry } from './scan.js';
import { microseconds, seconds, stampOf } from './stamps.js';
import { switchTrees, type SwitchParts } from './switching.js';
import { dressFolder, FILLING_MODE, writeFile, type Written } from './writing.js';

/** Codes that say: no hard links here, or not to this file. */
const WITHOUT_LINKS: readonly string[] = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV'];
const FILES_PER_TURN = 500;

export interface StagedParts extends SwitchParts {
  readonly record: DigestRecord;
  /** Topmost paths in the live folder that do not belong to the repository. */
  readonly foreign: readonly string[];
}

/** Builds a whole new tree beside the live folder, and exchanges the two. */
export class StagedApplier implements Applier {
  private readonly folders: Entry[] = [];
  private readonly written: Written[] = [];
  private readonly taken: Entry[] = [];

  constructor(
    private readonly parts: StagedParts,
    private readonly commit_: Commit,
  ) {
    const { places } = parts;
    fs.mkdirSync(places.beside, { recursive: true, mode: FILLING_MODE });
    setAsideStage(places);
    fs.mkdirSync(places.stage, { mode: FILLING_MODE });
  }

  folder(entry: Entry): void {
    fs.mkdirSync(this.staged(entry), { mode: FILLING_MODE });
    this.folders.push(entry);
  }

  keep(entry: Entry): boolean {
    if (entry.kind === 'folder') {
      this.folder(entry);
      return true;
    }
    if (entry.kind === 'link') {
      this.link(entry);
      return true;
    }
    const live = Places.at(this.parts.places.live, entry.path);
    const staged = this.staged(entry);
    try {
      fs.linkSync(live, staged);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return false;
      if (!WITHOUT_LINKS.includes(codeOf(error))) throw error;
      return this.copied(entry);
    }
    const stats = fs.lstatSync(staged);
    if (stats.isFile() && stats.size === entry.size && microseconds(stats.mtimeMs) === entry.mtimeUs) {
      this.taken.push(entry);
      return true;
    }
    fs.unlinkSync(staged);
    return false;
  }

  touch(entry: Entry): boolean {
    return this.copied(entry);
  }

  link(entry: Entry): void {
    fs.symlinkSync(entry.target, this.staged(entry));
  }

  remove(): void {
    // What is not staged is gone with the exchange.
  }

  basis(path: string): ContentFile | null {
    return basisOf(this.parts.places, path);
  }

  left(entry: Entry): ContentFile | null {
    const place = Places.at(this.parts.places.left, entry.path);
    const stats = fs.lstatSync(place, { throwIfNoEntry: false });
    if (stats === undefined || !stats.isFile() || stats.nlink > 1 || stats.size !== entry.size || microseconds(stats.mtimeMs) !== entry.mtimeUs) return null;
    return openContent({ root: this.parts.places.left, record: null }, entry.path);
  }

  takeLeft(entry: Entry): void {
    const staged = this.staged(entry);
    fs.renameSync(Places.at(this.parts.places.left, entry.path), staged);
    const stats = fs.lstatSync(staged);
    if ((stats.mode & 0o7777) !== entry.mode) fs.chmodSync(staged, entry.mode);
    this.noteWritten(entry, fs.lstatSync(staged));
  }

  put(entry: Entry, content: Uint8Array): void {
    const stamp = writeFile(this.staged(entry), entry, content);
    this.written.push({ path: entry.path, stamp, digest: entry.digest ?? '' });
  }

  create(entry: Entry): ContentWriter {
    return new PartWriter(this.parts.places, entry.path, (part, finished) => {
      const staged = this.staged(finished);
      fs.renameSync(part, staged);
      this.noteWritten(finished, fs.lstatSync(staged)); // A rename is a change of its own.
    });
  }

  async commit(): Promise<CommitOutcome> {
    const { places, record } = this.parts;
    await this.carryForeign();
    for (const folder of this.folders.toReversed()) dressFolder(this.staged(folder), folder.mode, folder.mtimeUs);
    this.dressRoot();
    await syncAll(this.written.map(({ path }) => Places.at(places.stage, path)));
    await syncFolders([places.stage, ...this.folders.map((folder) => this.staged(folder))]);
    const switched = await switchTrees(this.parts, this.commit_);
    if (switched === null) return { kind: 'not-allowed' };
    for (const { path, stamp, digest } of this.written) record.set(path, stamp, digest);
    await this.recordTaken();
    rmSync(places.left, { recursive: true, force: true });
    rmSync(places.parts, { recursive: true, force: true });
    return { kind: 'done', kept: switched.kept };
  }

  abandon(): void {
    // The next applier sets the stage aside, and takes from it what is of use.
  }

  private staged(entry: Entry): string {
    return Places.at(this.parts.places.stage, entry.path);
  }

  private noteWritten(entry: Entry, stats: fs.Stats): void {
    this.written.push({ path: entry.path, stamp: stampOf(stats), digest: entry.digest ?? '' });
  }

  /** A copy: where there are no hard links, and where permissions or time are to be others than the live file's. */
  private copied(entry: Entry): boolean {
    const staged = this.staged(entry);
    let live: ContentFile | null;
    try {
      live = unlessAbsent(() => openContent({ root: this.parts.places.live, record: null }, entry.path));
    } catch {
      return false; // No file any more.
    }
    if (live === null) return false;
    try {
      fs.copyFileSync(Places.at(this.parts.places.live, entry.path), staged, fs.constants.COPYFILE_EXCL | fs.constants.COPYFILE_FICLONE);
      if (live.size !== entry.size || live.changed()) {
        fs.unlinkSync(staged);
        return false;
      }
    } finally {
      live.close();
    }
    if (process.platform !== 'win32') fs.chmodSync(staged, entry.mode);
    fs.utimesSync(staged, seconds(entry.mtimeUs), seconds(entry.mtimeUs));
    this.noteWritten(entry, fs.lstatSync(staged));
    return true;
  }

  private dressRoot(): void {
    const { places } = this.parts;
    const live = fs.statSync(places.live);
    dressFolder(places.stage, live.mode & 0o7777, microseconds(live.mtimeMs));
    const stage = fs.statSync(places.stage);
    if (stage.uid !== live.uid || stage.gid !== live.gid) fs.chownSync(places.stage, live.uid, live.gid);
  }

  /** The live files that were taken over have one name less now, which is a change in the system's books. */
  private async recordTaken(): Promise<void> {
    const { places, record } = this.parts;
    for (const [index, entry] of this.taken.entries()) {
      if (index % FILES_PER_TURN === FILES_PER_TURN - 1) await new Promise((resolve) => setImmediate(resolve));
      const stats = fs.lstatSync(Places.at(places.live, entry.path), { throwIfNoEntry: false });
      if (stats === undefined || entry.digest === null) continue;
      const stamp = stampOf(stats);
      if (stamp.size === entry.size && stamp.mtimeUs === entry.mtimeUs) record.set(entry.path, stamp, entry.digest);
    }
  }

  /** What does not belong to the repository goes over into the new tree: late, since it may be written to all the time. */
  private async carryForeign(): Promise<void> {
    for (const [index, path] of this.parts.foreign.entries()) {
      if (index % FILES_PER_TURN === FILES_PER_TURN - 1) await new Promise((resolve) => setImmediate(resolve));
      this.carryParents(parentOf(path));
      this.carry(path);
    }
  }

  private carryParents(path: string): void {
    if (path === '' || fs.existsSync(Places.at(this.parts.places.stage, path))) return;
    this.carryParents(parentOf(path));
    const live = fs.lstatSync(Places.at(this.parts.places.live, path), { throwIfNoEntry: false });
    if (live?.isDirectory() === true) this.folder(folderEntry(path, live));
  }

  private carry(path: string): void {
    const live = Places.at(this.parts.places.live, path);
    const staged = Places.at(this.parts.places.stage, path);
    const stats = fs.lstatSync(live, { throwIfNoEntry: false });
    const hasPlace = fs.lstatSync(Places.at(this.parts.places.stage, parentOf(path)), { throwIfNoEntry: false })?.isDirectory() ?? false;
    if (stats === undefined || !hasPlace || fs.lstatSync(staged, { throwIfNoEntry: false }) !== undefined) return; // What stands in its way belongs there: it is kept with the old tree.
    if (stats.isDirectory()) {
      this.folder(folderEntry(path, stats));
      for (const name of fs.readdirSync(live)) this.carry(`${path}/${name}`);
    } else if (stats.isSymbolicLink()) fs.symlinkSync(fs.readlinkSync(live), staged);
    else fs.linkSync(live, staged);
  }
}

/** The stage of an interrupted sync becomes what the next one may take from; of two such, the newer file counts. */
function setAsideStage(places: Places): void {
  if (!fs.existsSync(places.stage)) return;
  if (fs.existsSync(places.left)) mergeInto(places.left, places.stage);
  rmSync(places.left, { recursive: true, force: true });
  fs.renameSync(places.stage, places.left);
  openFolders(places.left);
}

/** A folder that had its final permissions may not let its files be taken. */
function openFolders(folder: string): void {
  fs.chmodSync(folder, FILLING_MODE);
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) if (entry.isDirectory()) openFolders(`${folder}/${entry.name}`);
}

function mergeInto(from: string, to: string): void {
  openFolders(to);
  for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
    const [a, b] = [`${from}/${entry.name}`, `${to}/${entry.name}`];
    const there = fs.lstatSync(b, { throwIfNoEntry: false });
    if (there === undefined) fs.renameSync(a, b);
    else if (entry.isDirectory() && there.isDirectory()) mergeInto(a, b);
  }
}
