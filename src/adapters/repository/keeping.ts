import { constants, type Stats } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Commit, KeptVersion } from '../../ports/repository.js';
import type { Burst, KeptCount } from './burst.js';
import { syncFiles, syncFolders, type Unsynced } from './durable.js';
import { cannotLink, codeOf, unlessAbsent } from './file-errors.js';
import type { FileSystem } from './file-system.js';
import { describeVersion, freshName, NAMED_PATHS_MAX, retain } from './kept.js';
import type { Selection } from './patterns.js';
import { Places } from './places.js';
import { mayBeRaw } from './raw-names.js';
import { FILLING_MODE } from './writing.js';

interface Ready {
  readonly kept: string;
  readonly inode: number;
  readonly version: KeptCount;
}

/**
 * The kept version that single changes make. What will be replaced gets its second name, and that name is durable, before anything is replaced: otherwise a
 * loss of power could leave the new file and not the old one.
 */
export class Keeping {
  private readonly fs: FileSystem;
  /** One, or more where a path is kept already and something else has come into its place. */
  private readonly versions: KeptCount[];
  private readonly used = new Set<KeptCount>();
  private readonly folders = new Set<string>();
  private readonly copies: Unsynced[] = [];
  /** By path: what has a second name, and was not replaced yet. */
  private readonly ready = new Map<string, Ready>();
  /** By path: the version that keeps it. */
  private readonly chosen = new Map<string, KeptCount>();

  /** `burst`: of continuous changes. `null`: this one stands alone. */
  constructor(
    private readonly places: Places,
    /** Kept versions to hold; 0: nothing is kept. */
    private readonly keep: number,
    private readonly commit: Commit,
    private readonly selection: Selection,
    private readonly burst: Burst | null,
    /** The version that this brings back from. */
    private readonly source: string | null = null,
  ) {
    this.fs = places.fs;
    const shared = burst?.version ?? null;
    this.versions = [shared !== null && this.fs.existsSync(this.rootOf(shared)) ? shared : this.freshVersion()];
  }

  /** What stands at `place` will be replaced, or moved away. */
  expect(place: string, path: string, isReplaced: boolean): void {
    if (this.keep === 0) return;
    const there = this.fs.lstatSync(place, { throwIfNoEntry: false });
    if (there === undefined || this.isOwn(path, there)) return;
    const version = this.versionFor(path, there);
    const kept = this.placeOf(version, path);
    if (isReplaced && !there.isDirectory() && !this.ready.has(path)) this.nameAgain(place, path, kept, there, version);
  }

  /** What was expected is durable. */
  async settle(): Promise<void> {
    await syncFiles(this.fs, this.copies.splice(0));
    if (this.folders.size > 0) await syncFolders(this.fs, [this.places.beside, this.places.kept, ...this.folders]);
  }

  /** Right before what stands at `place` is replaced: it stays under its name until the new one takes it. */
  replaces(place: string, path: string, there: Stats): void {
    if (this.keep === 0) return;
    let ready = this.ready.get(path);
    if (ready?.inode !== there.ino) {
      // Another took its place since.
      if (ready !== undefined) this.fs.rmSync(ready.kept, { force: true });
      this.ready.delete(path);
      if (this.isOwn(path, there)) return;
      const version = this.versionFor(path, there);
      ready = this.nameAgain(place, path, this.placeOf(version, path), there, version);
    }
    this.ready.delete(path);
    this.count(ready.version, path, there.size);
  }

  /** Takes away what stands at `place`. */
  moveAway(place: string, path: string): void {
    const { fs } = this;
    const there = fs.lstatSync(place, { throwIfNoEntry: false });
    if (there === undefined) return;
    if (there.isDirectory() && this.holdsForeign(place, path)) {
      // Entry by entry: what does not belong to the repository stays, and the folders that hold it.
      for (const { name, inner } of this.ownIn(place, path)) this.moveAway(join(place, name), inner);
      return this.removeIfEmpty(place);
    }
    if (this.keep === 0) return fs.rmSync(place, { recursive: true, force: true });
    if (this.isOwn(path, there)) {
      if (!there.isDirectory()) return fs.rmSync(place);
      this.removeIfEmpty(place);
      if (!fs.existsSync(place)) return;
    }
    const version = this.versionFor(path, there);
    const kept = this.placeOf(version, path);
    if (there.isDirectory() && fs.existsSync(kept)) return this.removeIfEmpty(place); // What it held is kept already.
    fs.renameSync(place, kept);
    if (there.isDirectory()) this.use(version);
    else this.count(version, path, there.size);
  }

  /** Forgets what was expected and did not come. */
  drop(): void {
    for (const { kept } of this.ready.values()) this.fs.rmSync(kept, { force: true });
    this.ready.clear();
    for (const folder of [...this.folders].sort((a, b) => b.length - a.length)) this.removeIfEmpty(folder);
    this.folders.clear();
  }

  /** Resolves to `null` when nothing was kept. */
  async describe(): Promise<KeptVersion | null> {
    this.drop();
    let described: KeptVersion | null = null;
    for (const version of this.versions) {
      if (!this.used.has(version)) continue;
      const { term, reason } = this.commit;
      described = { name: version.name, at: version.at, term, reason, ...version.counted };
      await describeVersion(this.places, described);
    }
    if (described !== null) await retain(this.places, this.keep, described.name, this.source);
    return described;
  }

  private get current(): KeptCount {
    return this.versions.at(-1) as KeptCount;
  }

  private freshVersion(): KeptCount {
    const { at } = this.commit;
    return { name: freshName(this.places, at), at, counted: { files: 0, bytes: 0, paths: [] } };
  }

  private isOwn(path: string, there: Stats): boolean {
    return this.burst?.isOwn(path, there) ?? false;
  }

  /** The version that keeps it: a further one when this one has something else of that path, from earlier in the minute. */
  private versionFor(path: string, there: Stats): KeptCount {
    const chosen = this.chosen.get(path);
    if (chosen !== undefined) return chosen;
    if (this.isTaken(path, there)) this.versions.push(this.freshVersion());
    this.chosen.set(path, this.current);
    return this.current;
  }

  private isTaken(path: string, there: Stats): boolean {
    const parts = path.split('/');
    for (let count = 1; count <= parts.length; count += 1) {
      const kept = unlessAbsent(() => this.fs.lstatSync(Places.at(this.rootOf(this.current), parts.slice(0, count).join('/'))));
      if (kept === null) return false;
      if (!kept.isDirectory() || (count === parts.length && !there.isDirectory())) return true;
    }
    return false;
  }

  private rootOf({ name }: KeptCount): string {
    return join(this.places.kept, name);
  }

  private placeOf(version: KeptCount, path: string): string {
    const root = this.rootOf(version);
    const kept = Places.at(root, path);
    const made: string[] = [];
    for (let folder = dirname(kept); folder.length >= root.length && !this.folders.has(folder); folder = dirname(folder)) made.push(folder);
    this.fs.mkdirSync(dirname(kept), { recursive: true, mode: FILLING_MODE });
    for (const folder of made) this.folders.add(folder);
    return kept;
  }

  private nameAgain(place: string, path: string, kept: string, there: Stats, version: KeptCount): Ready {
    const { fs } = this;
    try {
      if (there.isSymbolicLink()) fs.symlinkSync(fs.readlinkSync(place, 'buffer'), kept);
      else fs.linkSync(place, kept);
    } catch (error) {
      if (!cannotLink(error)) throw error;
      fs.copyFileSync(place, kept, constants.COPYFILE_EXCL);
      this.copies.push({ path: kept, bytes: there.size });
    }
    const ready = { kept, inode: there.ino, version };
    this.ready.set(path, ready);
    return ready;
  }

  private holdsForeign(place: string, path: string): boolean {
    const own = this.ownIn(place, path);
    return own.length < this.fs.readdirSync(place).length || own.some(({ name, inner, isFolder }) => isFolder && this.holdsForeign(join(place, name), inner));
  }

  private ownIn(place: string, path: string): { name: string; inner: string; isFolder: boolean }[] {
    return this.fs.readdirSync(place).sort().flatMap((name) => {
      const inner = `${path}/${name}`;
      const stats = this.fs.lstatSync(join(place, name), { throwIfNoEntry: false });
      if (stats === undefined && mayBeRaw(name)) return [];
      const isFolder = stats?.isDirectory() ?? false;
      return (isFolder ? this.selection.takesFolder(inner) : this.selection.takesFile(inner)) ? [{ name, inner, isFolder }] : [];
    });
  }

  private count(version: KeptCount, path: string, bytes: number): void {
    const { counted } = version;
    this.use(version);
    counted.files += 1;
    counted.bytes += bytes;
    if (counted.paths.length < NAMED_PATHS_MAX) counted.paths.push(path);
  }

  private use(version: KeptCount): void {
    this.used.add(version);
    if (this.burst !== null) this.burst.version = version;
  }

  /** One that still holds something stays: what does not belong to the repository. */
  private removeIfEmpty(place: string): void {
    try {
      this.fs.rmdirSync(place);
    } catch (error) {
      if (codeOf(error) !== 'ENOTEMPTY') throw error;
    }
  }
}
