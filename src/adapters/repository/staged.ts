import { constants, type Stats } from 'node:fs';
import { LockstepError } from '../../core/errors.js';
import type { Digest, Entry } from '../../core/repository/entry.js';
import { shown } from '../../core/repository/names.js';
import type { DigestStream, Hashing } from '../../ports/hashing.js';
import type { Applier, Coming, Commit, CommitOutcome, ContentFile, ContentWriter, Slices } from '../../ports/repository.js';
import { Carrying } from './carrying.js';
import { openContent, type NodeContent } from './content.js';
import type { DigestRecord } from './digest-record.js';
import { SYNC_BYTES, syncFiles, syncFolders } from './durable.js';
import { cannotLink, codeOf, unlessAbsent } from './file-errors.js';
import type { FileSystem } from './file-system.js';
import { Fitting } from './fitting.js';
import { openFolders, putOutOfTheWay } from './gone.js';
import { FolderHolder } from './held-folder.js';
import { giveOwner } from './owners.js';
import { basisOf, PartWriter } from './part-writer.js';
import { refuseMounts } from './mounts.js';
import { Places } from './places.js';
import { bytesOf } from './room.js';
import { SLICE_MS } from './scan.js';
import { trySharing } from './sharing.js';
import { microseconds, sameStamp, seconds, stampOf, type Stamp } from './stamps.js';
import { foundText, switchTrees, type SwitchParts } from './switching.js';
import { dressFolder, FILLING_MODE, writeFile, type InTurn, type Written } from './writing.js';

const FILES_PER_TURN = 500;
const READ_BYTES = 256 * 1024;
/** A file up to this size is copied in one call. A much larger one takes more than a minute on a slow disk, and this process would be taken for one that hangs. */
const COPY_AT_ONCE_BYTES = 64 * 1024 * 1024;

export interface StagedParts extends SwitchParts {
  readonly inTurn: InTurn;
  readonly record: DigestRecord;
  readonly hashing: Hashing;
  /** Topmost paths in the live folder that do not belong to the repository. */
  readonly foreign: readonly string[];
  /** There was no live folder. */
  readonly wasAbsent: boolean;
}

/** Builds a whole new tree beside the live folder, and exchanges the two. */
export class StagedApplier implements Applier {
  private readonly fs: FileSystem;
  private readonly folders: Entry[] = [];
  private readonly written: Written[] = [];
  private readonly taken: Entry[] = [];
  /** Large files whose copies are made with the commit, in turns. */
  private readonly large: { readonly entry: Entry; readonly stamp: Stamp }[] = [];
  private readonly holder: FolderHolder;
  /** Of what an interrupted sync had staged: links that no repository carries were among that. `null`: there is nothing. */
  private readonly leftHolder: FolderHolder | null;

  constructor(
    private readonly parts: StagedParts,
    private readonly commit_: Commit,
  ) {
    const { places } = parts;
    this.fs = places.fs;
    this.holder = new FolderHolder(places.fs, places.live);
    if (this.fs.existsSync(places.switchRecord)) throw unended(places);
    this.fs.mkdirSync(places.beside, { recursive: true, mode: FILLING_MODE });
    setAsideStage(places);
    this.leftHolder = this.fs.existsSync(places.left) ? new FolderHolder(places.fs, places.left) : null;
    // As any new folder, for the first exchange; another gets the permissions of the one that it replaces.
    this.fs.mkdirSync(places.stage);
  }

  folder(entry: Entry): void {
    this.fs.mkdirSync(this.staged(entry), { mode: FILLING_MODE });
    this.folders.push(entry);
  }

  keep(entry: Entry): boolean {
    return this.holder.naming(() => this.kept(entry));
  }

  private kept(entry: Entry): boolean {
    const { fs } = this;
    if (entry.kind === 'folder') {
      this.folder(entry);
      return true;
    }
    if (entry.kind === 'link') {
      this.link(entry);
      return true;
    }
    const live = this.holder.placeOf(entry.path);
    if (live === null) return false;
    const staged = this.staged(entry);
    try {
      fs.linkSync(live, staged);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return false;
      if (!cannotLink(error)) throw error;
      return this.copied(entry);
    }
    const stats = fs.lstatSync(staged);
    if (stats.isFile() && stats.size === entry.size && microseconds(stats.mtimeMs) === entry.mtimeUs) {
      this.taken.push(entry);
      // What comes to nothing need not be read again for the next try.
      if (entry.digest !== null) this.parts.record.renew(entry.path, stampOf(stats), entry.digest);
      return true;
    }
    fs.unlinkSync(staged);
    return false;
  }

  touch(entry: Entry): boolean {
    return this.holder.naming(() => this.copied(entry));
  }

  link(entry: Entry): void {
    this.fs.symlinkSync(entry.target, this.staged(entry));
  }

  remove(): void {
    // What is not staged is gone with the exchange.
  }

  basis(path: string): ContentFile | null {
    return this.holder.naming(() => basisOf(this.parts.places, path, this.holder.placeOf(path)));
  }

  left(entry: Entry): ContentFile | null {
    const place = this.placeLeft(entry);
    return place === null ? null : openContent({ fs: this.fs, root: this.parts.places.left, record: null }, entry.path, place);
  }

  takeLeft(entry: Entry): void {
    const { fs } = this;
    const staged = this.staged(entry);
    const place = this.placeLeft(entry);
    if (place === null) throw changedMeanwhile(entry);
    fs.renameSync(place, staged);
    const stats = fs.lstatSync(staged);
    if ((stats.mode & 0o7777) !== entry.mode) fs.chmodSync(staged, entry.mode);
    this.noteWritten(entry, fs.lstatSync(staged));
  }

  roomFor({ fetched, kept, touched }: Coming): Slices<true> | null {
    const { fs } = this;
    const { places } = this.parts;
    const { room } = places;
    const [come, stay, change] = [fetched, kept, touched].map(bytesOf) as [number, number, number];
    if (room.fits(come + stay + change)) return null;
    const { links, clones } = stay + change === 0 ? { links: true, clones: true } : trySharing(places);
    const bytes = come + (clones ? 0 : change) + (clones || links ? 0 : stay);
    if (room.fits(bytes)) return null;
    // What an interrupted sync had staged takes no more of it: hundreds of thousands of files, each of which is looked at.
    return new Fitting({ fs, room, bytes, entries: this.leftHolder === null ? [] : fetched, isThere: (entry) => this.placeLeft(entry) !== null });
  }

  put(entry: Entry, content: Uint8Array): void {
    this.parts.places.room.spend(content.length);
    const stamp = writeFile(this.fs, this.staged(entry), entry, content);
    this.written.push({ path: entry.path, stamp, digest: entry.digest });
  }

  create(entry: Entry): ContentWriter {
    return new PartWriter(this.parts.places, entry.path, (part, finished) => {
      const staged = this.staged(finished);
      this.fs.renameSync(part, staged);
      this.noteWritten(finished, this.fs.lstatSync(staged)); // A rename is a change of its own.
    });
  }

  commit(): Promise<CommitOutcome> {
    return this.parts.inTurn(() => this.commitNow());
  }

  private async commitNow(): Promise<CommitOutcome> {
    const { fs } = this;
    const { places, record } = this.parts;
    this.leftHolder?.release();
    refuseMounts(places);
    if (!(await this.copyLarge().finally(() => this.holder.release()))) return { kind: 'not-allowed' };
    refuseMounts(places);
    if (!(await this.carryForeign().finally(() => this.holder.release()))) return { kind: 'not-allowed' };
    for (const folder of this.folders.toReversed()) dressFolder(fs, this.staged(folder), folder.mode, folder.mtimeUs);
    this.dressRoot();
    await syncFiles(fs, this.written.map(({ path, stamp }) => ({ path: Places.at(places.stage, path), bytes: stamp.size })));
    await syncFolders(fs, [places.stage, ...this.folders.map((folder) => this.staged(folder))]);
    const switched = await switchTrees(this.parts, this.commit_, this.parts.wasAbsent);
    if (switched === null) return { kind: 'not-allowed' };
    for (const { path, stamp, digest } of this.written) if (digest !== null) record.set(path, stamp, digest);
    await this.recordTaken();
    const { kept, found } = switched;
    return { kind: 'done', kept, ...(found === null ? {} : { said: foundText(found) }) };
  }

  abandon(): void {
    this.holder.release();
    this.leftHolder?.release();
    // The next applier sets the stage aside, and takes from it what is of use.
  }

  /** Where it can be used; good until the next call. `null`: nothing of the kind is there. */
  private placeLeft(entry: Entry): string | null {
    const place = this.leftHolder?.placeOf(entry.path) ?? null;
    const stats = place === null ? undefined : this.fs.lstatSync(place, { throwIfNoEntry: false });
    return stats !== undefined && stats.isFile() && stats.nlink === 1 && stats.size === entry.size && microseconds(stats.mtimeMs) === entry.mtimeUs ? place : null;
  }

  private staged(entry: Entry): string {
    return Places.at(this.parts.places.stage, entry.path);
  }

  private noteWritten(entry: Entry, stats: Stats): void {
    this.written.push({ path: entry.path, stamp: stampOf(stats), digest: entry.digest });
  }

  /**
   * A copy: where there are no hard links, and where permissions or time are to be others than the live file's. With those it looks as the other server's for good, so its
   * content is what was looked at: by the record, or by reading the copy.
   */
  private copied(entry: Entry): boolean {
    const { fs } = this;
    const staged = this.staged(entry);
    const place = this.holder.placeOf(entry.path);
    const live = this.openLive(entry, place);
    if (place === null || live === null) return false;
    try {
      const isLarge = live.size > COPY_AT_ONCE_BYTES;
      const isKnown = entry.digest === null || this.parts.record.find(entry.path, live.stamp) === entry.digest;
      if (isLarge && !(isKnown && this.cloned(place, staged))) {
        this.large.push({ entry, stamp: stampOf(fs.lstatSync(place)) });
        return !live.changed();
      }
      if (!isLarge) this.parts.places.room.spend(live.size);
      if (!isLarge) fs.copyFileSync(place, staged, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
      if (live.size !== entry.size || live.changed() || !(isKnown || this.digestOf(staged) === entry.digest)) {
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

  /** `null`: no file is there any more. */
  private openLive({ path }: Entry, place: string | null): NodeContent | null {
    if (place === null) return null;
    try {
      return unlessAbsent(() => openContent({ fs: this.fs, root: this.parts.places.live, record: null }, path, place));
    } catch {
      return null;
    }
  }

  private digestOf(staged: string): Digest {
    this.fs.chmodSync(staged, 0o600); // A copy of another's file may not be readable for us.
    return this.parts.hashing.digest(this.fs.readFileSync(staged));
  }

  /** In no time, where the file system lets two files share what they hold. */
  private cloned(place: string, staged: string): boolean {
    try {
      this.fs.copyFileSync(place, staged, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE);
      return true;
    } catch {
      return false; // Whatever the reason is, the copy meets it too.
    }
  }

  /** False: the right to change anything is gone. */
  private async copyLarge(): Promise<boolean> {
    for (const { entry, stamp } of this.large) {
      if (!this.commit_.mayChange() || !(await this.copyInTurns(entry, stamp))) return false;
    }
    return true;
  }

  /** @param stamp the live file as it was when it was chosen */
  private async copyInTurns(entry: Entry, stamp: Stamp): Promise<boolean> {
    const place = this.holder.placeOf(entry.path);
    const live = this.openLive(entry, place);
    if (place === null || live === null) throw changedMeanwhile(entry);
    let writer: ContentWriter | null = null;
    try {
      if (!sameStamp(stampOf(this.fs.lstatSync(place)), stamp)) throw changedMeanwhile(entry);
      writer = this.create(entry);
      const digest = this.parts.hashing.begin();
      if (!(await this.copyInto(writer, live, entry.size, digest))) return false;
      if (live.size !== entry.size || live.changed()) throw changedMeanwhile(entry);
      if (entry.digest !== null && digest.digest() !== entry.digest) throw changedMeanwhile(entry);
      writer.finish(entry);
      return true;
    } finally {
      writer?.abandon();
      live.close();
    }
  }

  /** As far as the file goes. False: the right to change anything is gone. */
  private async copyInto(writer: ContentWriter, live: ContentFile, size: number, digest: DigestStream): Promise<boolean> {
    const { fs } = this;
    const buffer = new Uint8Array(READ_BYTES);
    let until = fs.ticks() + SLICE_MS;
    for (let at = 0, bytes = -1; at < size && bytes !== 0; at += bytes) {
      bytes = live.read(buffer.subarray(0, Math.min(READ_BYTES, size - at)), at);
      writer.write(buffer.subarray(0, bytes));
      digest.update(buffer.subarray(0, bytes));
      if (writer.unsyncedBytes >= SYNC_BYTES) await writer.sync();
      if (fs.ticks() < until) continue;
      await fs.turn();
      if (!this.commit_.mayChange()) return false;
      until = fs.ticks() + SLICE_MS;
    }
    return true;
  }

  /** What does not belong to the repository goes over into the new tree: late, since it may be written to all the time. False: the right to change anything is gone. */
  private carryForeign(): Promise<boolean> {
    const { places, foreign } = this.parts;
    return new Carrying({ places, holder: this.holder, folder: (entry) => this.folder(entry), mayChange: this.commit_.mayChange }).carryAll(foreign);
  }

  private dressRoot(): void {
    const { fs } = this;
    const { places } = this.parts;
    const live = fs.statSync(places.live, { throwIfNoEntry: false });
    if (live === undefined) return;
    dressFolder(fs, places.stage, live.mode & 0o7777, microseconds(live.mtimeMs));
    giveOwner(fs, places.stage, live, places.live);
  }

  /** The live files that were taken over have one name less now, which is a change in the system's books. */
  private async recordTaken(): Promise<void> {
    const { places, record } = this.parts;
    for (const [index, entry] of this.taken.entries()) {
      if (index % FILES_PER_TURN === FILES_PER_TURN - 1) await this.fs.turn();
      const stats = this.fs.lstatSync(Places.at(places.live, entry.path), { throwIfNoEntry: false });
      if (stats === undefined || entry.digest === null) continue;
      const stamp = stampOf(stats);
      const isSame = stamp.size === entry.size && stamp.mtimeUs === entry.mtimeUs;
      if (isSame && !record.renew(entry.path, stamp, entry.digest)) record.set(entry.path, stamp, entry.digest);
    }
  }
}

/** What stands in the stage's place may be the old tree by then. */
function unended({ live }: Places): LockstepError {
  return new LockstepError('LOCKSTEP_REPOSITORY_UNENDED', `the last exchange of ${live} is not ended yet`, 'What keeps it from that was said before; it is ended with the next try.');
}

function changedMeanwhile({ path }: Entry): LockstepError {
  return new LockstepError('LOCKSTEP_REPOSITORY_UNSTABLE', `${shown(path)} was changed on the server that receives it while it was synced`, 'Only the serving server\'s file should be written to; the sync is tried again by itself.');
}

/** The stage of an interrupted sync becomes what the next one may take from; of two such, the newer file counts. */
export function setAsideStage(places: Places): void {
  const { fs } = places;
  if (!fs.existsSync(places.stage)) return;
  if (fs.existsSync(places.left)) mergeInto(fs, places.left, places.stage);
  putOutOfTheWay(fs, places.left);
  fs.renameSync(places.stage, places.left);
  openFolders(fs, places.left);
}

function mergeInto(fs: FileSystem, from: string, to: string): void {
  openFolders(fs, to);
  for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
    const [a, b] = [`${from}/${entry.name}`, `${to}/${entry.name}`];
    const there = fs.lstatSync(b, { throwIfNoEntry: false });
    if (there === undefined) fs.renameSync(a, b);
    else if (entry.isDirectory() && there.isDirectory()) mergeInto(fs, a, b);
  }
}
