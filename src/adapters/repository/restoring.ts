import { join } from 'node:path';
import { LockstepError } from '../../core/errors.js';
import type { Entry } from '../../core/repository/entry.js';
import { pathFault, shown } from '../../core/repository/names.js';
import type { Hashing } from '../../ports/hashing.js';
import type { Applier, KeptVersion } from '../../ports/repository.js';
import { openContent } from './content.js';
import type { FileSystem } from './file-system.js';
import { Places } from './places.js';
import { folderEntry } from './scan.js';

const READ_BYTES = 256 * 1024;

/** Puts files of a kept version back into the live folder, by an applier that works file by file. Resolves to how many. */
export async function restoreVersion(places: Places, version: KeptVersion, paths: readonly string[] | null, applier: Applier, hashing: Hashing): Promise<number> {
  const { fs } = places;
  const root = join(places.kept, version.name);
  const restoring = new Restoring(places, root, applier, hashing);
  try {
    for (const path of paths ?? fs.readdirSync(root).sort()) restoring.restore(checked(fs, path, root, version));
  } catch (error) {
    applier.abandon();
    throw error;
  }
  const outcome = await applier.commit();
  if (outcome.kind === 'not-allowed') {
    throw new LockstepError('LOCKSTEP_REPOSITORY_NOT_ALLOWED', 'this server may not change the repository now', 'See "lockstep status" for which server serves, and ask that one.');
  }
  return restoring.files;
}

function checked(fs: FileSystem, path: string, root: string, version: KeptVersion): string {
  const fault = pathFault(path, { windows: false, caseless: false });
  if (fault === null && fs.lstatSync(Places.at(root, path), { throwIfNoEntry: false }) !== undefined) return path;
  throw new LockstepError('LOCKSTEP_REPOSITORY_KEPT', `${shown(path)} is not in the kept version ${version.name}${fault === null ? '' : `: it ${fault}`}`, 'Name a path as it stands in the repository, or none for all of them.');
}

class Restoring {
  files = 0;
  private readonly made = new Set<string>(['']);

  constructor(
    private readonly places: Places,
    private readonly root: string,
    private readonly applier: Applier,
    private readonly hashing: Hashing,
  ) {}

  restore(path: string): void {
    const { fs } = this.places;
    const parts = path.split('/');
    for (let count = 1; count < parts.length; count += 1) this.folder(parts.slice(0, count).join('/'));
    const place = Places.at(this.root, path);
    const stats = fs.lstatSync(place);
    if (stats.isDirectory()) {
      this.folder(path);
      for (const name of fs.readdirSync(place).sort()) this.restore(`${path}/${name}`);
    } else if (stats.isSymbolicLink()) {
      this.applier.link({ path, kind: 'link', mode: 0, mtimeUs: 0, size: 0, digest: null, target: fs.readlinkSync(place) });
      this.files += 1;
    } else if (stats.isFile()) this.file(path);
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

  private file(path: string): void {
    const file = openContent({ fs: this.places.fs, root: this.root, record: null }, path);
    try {
      const entry: Entry = { path, kind: 'file', mode: file.mode, mtimeUs: file.mtimeUs, size: file.size, digest: null, target: '' };
      const writer = this.applier.create(entry);
      const digest = this.hashing.begin();
      const buffer = new Uint8Array(READ_BYTES);
      let at = 0;
      for (let bytes = file.read(buffer, at); bytes > 0; bytes = file.read(buffer, at)) {
        writer.write(buffer.subarray(0, bytes));
        digest.update(buffer.subarray(0, bytes));
        at += bytes;
      }
      writer.finish({ ...entry, digest: digest.digest() });
      this.files += 1;
    } finally {
      file.close();
    }
  }
}
