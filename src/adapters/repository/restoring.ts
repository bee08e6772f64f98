import { join } from 'node:path';
import { LockstepError } from '../../core/errors.js';
import { parentOf, type Entry } from '../../core/repository/entry.js';
import { linkFault, pathFault, shown } from '../../core/repository/names.js';
import type { Hashing } from '../../ports/hashing.js';
import type { Applier, ContentWriter, KeptVersion } from '../../ports/repository.js';
import { openContent } from './content.js';
import { SYNC_BYTES } from './durable.js';
import { FolderHolder } from './held-folder.js';
import { Places } from './places.js';
import { mayBeRaw } from './raw-names.js';
import { folderEntry, HERE, SLICE_MS } from './scan.js';

const READ_BYTES = 256 * 1024;

/**
 * Puts files of a kept version back into the live folder, by an applier that works file by file, in turns. Resolves to how many. What is no UTF-8 is left where it is, and
 * links that no repository carries; nothing is read through a link.
 * What fails leaves nothing behind.
 */
export async function restoreVersion(places: Places, version: KeptVersion, paths: readonly string[] | null, applier: Applier, hashing: Hashing, mayChange: () => boolean): Promise<number> {
  const { fs } = places;
  const root = join(places.kept, version.name);
  const restoring = new Restoring(places, root, applier, hashing, mayChange);
  try {
    if (!fs.lstatSync(root).isDirectory()) throw notKept(`the kept version ${version.name} is a link or a file, and no folder`);
    for (const path of paths ?? []) restoring.check(path, version);
    for (const path of paths ?? fs.readdirSync(root).sort()) await restoring.restore(path);
    if ((await applier.commit()).kind === 'not-allowed') throw notAllowed();
  } catch (error) {
    applier.abandon();
    throw error;
  } finally {
    restoring.close();
  }
  return restoring.files;
}

function notAllowed(): LockstepError {
  return new LockstepError('LOCKSTEP_REPOSITORY_NOT_ALLOWED', 'this server may not change the repository now', 'See "lockstep status" for which server serves, and ask that one.');
}

function notKept(what: string): LockstepError {
  return new LockstepError('LOCKSTEP_REPOSITORY_KEPT', what, 'Name a path as it stands in the repository, or none for all of them.');
}

class Restoring {
  files = 0;
  private readonly made = new Set<string>(['']);
  /** Of these those that the repository does not have: what seems to lie below stands behind what they replace. */
  private readonly fresh = new Set<string>();
  private readonly holder: FolderHolder;
  private until: number;

  constructor(
    private readonly places: Places,
    private readonly root: string,
    private readonly applier: Applier,
    private readonly hashing: Hashing,
    private readonly mayChange: () => boolean,
  ) {
    this.holder = new FolderHolder(places.fs, root);
    this.until = places.fs.ticks() + SLICE_MS;
  }

  /** @throws LockstepError LOCKSTEP_REPOSITORY_KEPT */
  check(path: string, { name }: KeptVersion): void {
    const { fs } = this.places;
    const fault = pathFault(path, { windows: false, caseless: false });
    const stats = fault === null ? this.at(path, (place) => fs.lstatSync(place, { throwIfNoEntry: false })) : undefined;
    if (stats === undefined) throw notKept(`${shown(path)} is not in the kept version ${name}${fault === null ? '' : `: it ${fault}`}`);
    const kindFault = stats.isSymbolicLink() ? this.linkFault(path, this.targetOf(path)) : stats.isFile() || stats.isDirectory() ? null : 'is neither a file nor a folder nor a link';
    if (kindFault !== null) throw notKept(`${shown(path)} stays in the kept version ${name}, since no repository carries it: it ${kindFault}`);
  }

  private targetOf(path: string): string {
    return this.at(path, (place) => this.places.fs.readlinkSync(place)) ?? '';
  }

  private linkFault(path: string, target: string): string | null {
    return mayBeRaw(target) ? 'is a link to a name that may be no UTF-8' : linkFault(path, target, HERE);
  }

  close(): void {
    this.holder.release();
  }

  /** Uses a place in the kept version. `undefined`: a link leads there, or nothing does. */
  private at<Value>(path: string, use: (place: string) => Value): Value | undefined {
    return this.holder.naming(() => {
      const place = this.holder.placeOf(path);
      return place === null ? undefined : use(place);
    });
  }

  async restore(path: string): Promise<void> {
    const { fs } = this.places;
    await this.turn();
    const parts = path.split('/');
    const stats = this.at(path, (place) => fs.lstatSync(place, { throwIfNoEntry: false }));
    if (stats === undefined && mayBeRaw(path)) return;
    if (stats === undefined) throw gone(this.root, path);
    for (let count = 1; count < parts.length; count += 1) this.folder(parts.slice(0, count).join('/'));
    if (stats.isDirectory()) {
      this.folder(path);
      for (const name of this.holder.naming(() => fs.readdirSync(this.holder.reach(path))).sort()) await this.restore(`${path}/${name}`);
    } else if (stats.isSymbolicLink()) {
      const target = this.targetOf(path);
      if (this.linkFault(path, target) !== null) return;
      this.applier.link({ path, kind: 'link', mode: 0, mtimeUs: 0, size: 0, digest: null, target });
      this.files += 1;
    } else if (stats.isFile()) await this.file(path);
  }

  /** Others have their turn, and may have taken the right away: what is written beside the folder is then in the way of another. */
  private async turn(): Promise<void> {
    const { fs } = this.places;
    if (fs.ticks() < this.until) return;
    await fs.turn();
    if (!this.mayChange()) throw notAllowed();
    this.until = fs.ticks() + SLICE_MS;
  }

  private folder(path: string): void {
    if (this.made.has(path)) return;
    this.made.add(path);
    const { fs } = this.places;
    const there = this.fresh.has(parentOf(path)) ? undefined : fs.lstatSync(Places.at(this.places.live, path), { throwIfNoEntry: false });
    if (there?.isDirectory() === true) return;
    const stats = this.at(path, (place) => fs.lstatSync(place));
    if (stats === undefined) throw gone(this.root, path);
    const entry = folderEntry(path, stats);
    this.fresh.add(path);
    if (there !== undefined) this.applier.remove(entry); // A file or a link: kept as well.
    this.applier.folder(entry);
  }

  private async file(path: string): Promise<void> {
    const { fs } = this.places;
    const file = this.at(path, (place) => openContent({ fs, root: this.root, record: null }, path, place));
    if (file === undefined) throw gone(this.root, path);
    let writer: ContentWriter | null = null;
    try {
      const entry: Entry = { path, kind: 'file', mode: file.mode, mtimeUs: file.mtimeUs, size: file.size, digest: null, target: '' };
      writer = this.applier.create(entry);
      const digest = this.hashing.begin();
      const buffer = new Uint8Array(READ_BYTES);
      let at = 0;
      for (let bytes = file.read(buffer, at); bytes > 0; bytes = file.read(buffer, at)) {
        writer.write(buffer.subarray(0, bytes));
        digest.update(buffer.subarray(0, bytes));
        at += bytes;
        if (writer.unsyncedBytes >= SYNC_BYTES) await writer.sync();
        await this.turn();
      }
      writer.finish({ ...entry, digest: digest.digest() });
      this.files += 1;
    } catch (error) {
      writer?.abandon();
      fs.rmSync(this.places.part(path, 'new'), { force: true });
      throw error;
    } finally {
      file.close();
    }
  }
}

function gone(root: string, path: string): Error {
  return new Error(`${Places.at(root, path)} is gone`);
}
