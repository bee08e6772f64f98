import { constants, type Stats } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Commit, KeptVersion } from '../../ports/repository.js';
import { syncAll, syncFolders } from './durable.js';
import { cannotLink, codeOf } from './file-errors.js';
import type { FileSystem } from './file-system.js';
import { describeVersion, freshName, NAMED_PATHS_MAX, retain } from './kept.js';
import type { Selection } from './patterns.js';
import { Places } from './places.js';
import { FILLING_MODE } from './writing.js';

/**
 * The kept version that single changes make. What will be replaced gets its second name, and that name is durable, before anything is replaced: otherwise a
 * loss of power could leave the new file and not the old one.
 */
export class Keeping {
  private readonly fs: FileSystem;
  private readonly name: string;
  private readonly root: string;
  private readonly counted = { files: 0, bytes: 0, paths: [] as string[] };
  private readonly folders = new Set<string>();
  private readonly copies: string[] = [];
  /** By path: what has a second name, and was not replaced yet. */
  private readonly ready = new Map<string, { readonly kept: string; readonly inode: number }>();

  constructor(
    private readonly places: Places,
    /** Kept versions to hold; 0: nothing is kept. */
    private readonly keep: number,
    private readonly commit: Commit,
    private readonly selection: Selection,
  ) {
    this.fs = places.fs;
    this.name = freshName(places, commit.at);
    this.root = join(places.kept, this.name);
  }

  /** What stands at `place` will be replaced, or moved away. */
  expect(place: string, path: string, isReplaced: boolean): void {
    if (this.keep === 0) return;
    const there = this.fs.lstatSync(place, { throwIfNoEntry: false });
    if (there === undefined) return;
    const kept = this.placeOf(path);
    if (isReplaced && !there.isDirectory() && !this.ready.has(path)) this.nameAgain(place, path, kept, there);
  }

  /** What was expected is durable. */
  async settle(): Promise<void> {
    await syncAll(this.fs, this.copies.splice(0));
    if (this.folders.size > 0) await syncFolders(this.fs, [this.places.beside, this.places.kept, ...this.folders]);
  }

  /** Right before what stands at `place` is replaced: it stays under its name until the new one takes it. */
  replaces(place: string, path: string, there: Stats): void {
    if (this.keep === 0) return;
    const ready = this.ready.get(path);
    if (ready?.inode !== there.ino) {
      // Another took its place since.
      if (ready !== undefined) this.fs.rmSync(ready.kept, { force: true });
      this.nameAgain(place, path, this.placeOf(path), there);
    }
    this.ready.delete(path);
    this.count(path, there.size);
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
    const kept = this.placeOf(path);
    if (there.isDirectory() && fs.existsSync(kept)) return this.removeIfEmpty(place); // What it held is kept already.
    fs.renameSync(place, kept);
    if (!there.isDirectory()) this.count(path, there.size);
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
    if (!this.fs.existsSync(this.root)) return null;
    const { at, term, reason } = this.commit;
    const version: KeptVersion = { name: this.name, at, term, reason, ...this.counted };
    await describeVersion(this.places, version);
    await retain(this.places, this.keep, this.name);
    return version;
  }

  private placeOf(path: string): string {
    const kept = Places.at(this.root, path);
    const made: string[] = [];
    for (let folder = dirname(kept); folder.length >= this.root.length && !this.folders.has(folder); folder = dirname(folder)) made.push(folder);
    this.fs.mkdirSync(dirname(kept), { recursive: true, mode: FILLING_MODE });
    for (const folder of made) this.folders.add(folder);
    return kept;
  }

  private nameAgain(place: string, path: string, kept: string, there: Stats): void {
    const { fs } = this;
    try {
      if (there.isSymbolicLink()) fs.symlinkSync(fs.readlinkSync(place), kept);
      else fs.linkSync(place, kept);
    } catch (error) {
      if (!cannotLink(error)) throw error;
      fs.copyFileSync(place, kept, constants.COPYFILE_EXCL);
      this.copies.push(kept);
    }
    this.ready.set(path, { kept, inode: there.ino });
  }

  private holdsForeign(place: string, path: string): boolean {
    const own = this.ownIn(place, path);
    return own.length < this.fs.readdirSync(place).length || own.some(({ name, inner, isFolder }) => isFolder && this.holdsForeign(join(place, name), inner));
  }

  private ownIn(place: string, path: string): { name: string; inner: string; isFolder: boolean }[] {
    return this.fs.readdirSync(place).sort().flatMap((name) => {
      const inner = `${path}/${name}`;
      const isFolder = this.fs.lstatSync(join(place, name), { throwIfNoEntry: false })?.isDirectory() ?? false;
      return (isFolder ? this.selection.takesFolder(inner) : this.selection.takesFile(inner)) ? [{ name, inner, isFolder }] : [];
    });
  }

  private count(path: string, bytes: number): void {
    this.counted.files += 1;
    this.counted.bytes += bytes;
    if (this.counted.paths.length < NAMED_PATHS_MAX) this.counted.paths.push(path);
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
