import { join } from 'node:path';
import { LockstepError } from '../../core/errors.js';
import type { Entry } from '../../core/repository/entry.js';
import { pathFault, shown } from '../../core/repository/names.js';
import type { Hashing } from '../../ports/hashing.js';
import type { Applier, ContentWriter, KeptVersion } from '../../ports/repository.js';
import { openContent } from './content.js';
import type { FileSystem } from './file-system.js';
import { Places } from './places.js';
import { mayBeRaw } from './raw-names.js';
import { folderEntry, SLICE_MS } from './scan.js';

const READ_BYTES = 256 * 1024;

/**
 * Puts files of a kept version back into the live folder, by an applier that works file by file, in turns. Resolves to how many. What is no UTF-8 is left where it is.
 * What fails leaves nothing behind.
 */
export async function restoreVersion(places: Places, version: KeptVersion, paths: readonly string[] | null, applier: Applier, hashing: Hashing, mayChange: () => boolean): Promise<number> {
  const { fs } = places;
  const root = join(places.kept, version.name);
  const restoring = new Restoring(places, root, applier, hashing, mayChange);
  try {
    for (const path of paths?.map((one) => checked(fs, one, root, version)) ?? fs.readdirSync(root).sort()) await restoring.restore(path);
    if ((await applier.commit()).kind === 'not-allowed') throw notAllowed();
  } catch (error) {
    applier.abandon();
    throw error;
  }
  return restoring.files;
}

function notAllowed(): LockstepError {
  return new LockstepError('LOCKSTEP_REPOSITORY_NOT_ALLOWED', 'this server may not change the repository now', 'See "lockstep status" for which server serves, and ask that one.');
}

function checked(fs: FileSystem, path: string, root: string, version: KeptVersion): string {
  const fault = pathFault(path, { windows: false, caseless: false });
  if (fault === null && fs.lstatSync(Places.at(root, path), { throwIfNoEntry: false }) !== undefined) return path;
  throw new LockstepError('LOCKSTEP_REPOSITORY_KEPT', `${shown(path)} is not in the kept version ${version.name}${fault === null ? '' : `: it ${fault}`}`, 'Name a path as it stands in the repository, or none for all of them.');
}

class Restoring {
  files = 0;
  private readonly made = new Set<string>(['']);
  private until: number;

  constructor(
    private readonly places: Places,
    private readonly root: string,
    private readonly applier: Applier,
    private readonly hashing: Hashing,
    private readonly mayChange: () => boolean,
  ) {
    this.until = places.fs.ticks() + SLICE_MS;
  }

  async restore(path: string): Promise<void> {
    const { fs } = this.places;
    await this.turn();
    const parts = path.split('/');
    const place = Places.at(this.root, path);
    const stats = fs.lstatSync(place, { throwIfNoEntry: false });
    if (stats === undefined && mayBeRaw(path)) return;
    if (stats === undefined) throw new Error(`${place} is gone`);
    for (let count = 1; count < parts.length; count += 1) this.folder(parts.slice(0, count).join('/'));
    if (stats.isDirectory()) {
      this.folder(path);
      for (const name of fs.readdirSync(place).sort()) await this.restore(`${path}/${name}`);
    } else if (stats.isSymbolicLink()) {
      const target = fs.readlinkSync(place);
      if (mayBeRaw(target)) return;
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
    const there = fs.lstatSync(Places.at(this.places.live, path), { throwIfNoEntry: false });
    if (there?.isDirectory() === true) return;
    const entry = folderEntry(path, fs.lstatSync(Places.at(this.root, path)));
    if (there !== undefined) this.applier.remove(entry); // A file or a link: kept as well.
    this.applier.folder(entry);
  }

  private async file(path: string): Promise<void> {
    const { fs } = this.places;
    const file = openContent({ fs, root: this.root, record: null }, path);
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
