import type { Stats } from 'node:fs';
import { parentOf, type Entry } from '../../core/repository/entry.js';
import { cannotLink, codeOf, unlessAbsent } from './file-errors.js';
import type { FileSystem } from './file-system.js';
import type { FolderHolder } from './held-folder.js';
import { otherSystem, refuseOtherSystem } from './mounts.js';
import { giveOwner } from './owners.js';
import { Places } from './places.js';
import { folderEntry } from './scan.js';

/** So many names are looked at between two turns of the event loop. */
const NAMES_PER_TURN = 300;

export interface CarryingParts {
  readonly places: Places;
  readonly holder: FolderHolder;
  /** Makes a folder in the new tree, which gets its permissions and time when it is filled. */
  readonly folder: (entry: Entry) => void;
  readonly mayChange: () => boolean;
}

/** Takes over into the new tree what does not belong to the repository. What cannot be linked there moves over right after the exchange; folders that cannot be made as they are refuse it. */
export class Carrying {
  private readonly fs: FileSystem;
  private looked = 0;

  constructor(private readonly parts: CarryingParts) {
    this.fs = parts.places.fs;
  }

  /**
   * Resolves to false when the right to change anything is gone.
   * @param foreign topmost paths
   * @throws LockstepError LOCKSTEP_REPOSITORY_OWNER, LOCKSTEP_REPOSITORY_MOUNT (rejects)
   */
  async carryAll(foreign: readonly string[]): Promise<boolean> {
    for (const path of foreign) {
      this.makeParents(parentOf(path));
      if (!(await this.carry(path))) return false;
    }
    return true;
  }

  private async carry(path: string): Promise<boolean> {
    this.looked += 1;
    if (this.looked % NAMES_PER_TURN === 0) {
      await this.fs.turn();
      if (!this.parts.mayChange()) return false;
    }
    for (const name of this.parts.holder.naming(() => this.carryOne(path))) {
      if (!(await this.carry(`${path}/${name}`))) return false;
    }
    return true;
  }

  /** @returns names of what it holds, when it is a folder */
  private carryOne(path: string): readonly string[] {
    const { fs } = this;
    const { places, holder } = this.parts;
    const live = holder.placeOf(path);
    if (live === null) return [];
    const staged = Places.at(places.stage, path);
    const stats = fs.lstatSync(live, { throwIfNoEntry: false });
    const hasPlace = fs.lstatSync(Places.at(places.stage, parentOf(path)), { throwIfNoEntry: false })?.isDirectory() ?? false;
    if (stats === undefined || !hasPlace || fs.lstatSync(staged, { throwIfNoEntry: false }) !== undefined) return []; // What stands in its way belongs there: it is kept with the old tree.
    if (stats.isDirectory()) return this.carryFolder(path, live, staged, stats);
    if (stats.isSymbolicLink()) fs.symlinkSync(fs.readlinkSync(live, 'buffer'), staged);
    else {
      try {
        fs.linkSync(live, staged);
      } catch (error) {
        if (codeOf(error) === 'EXDEV') throw otherSystem(places, path);
        if (!cannotLink(error)) throw error; // Otherwise it is moved over right after the exchange.
      }
    }
    return [];
  }

  private carryFolder(path: string, live: string, staged: string, stats: Stats): readonly string[] {
    const { places, folder } = this.parts;
    refuseOtherSystem(places, path, stats);
    folder(folderEntry(path, stats));
    giveOwner(this.fs, staged, stats, Places.at(places.live, path));
    return unlessAbsent(() => this.fs.readdirSync(live)) ?? [];
  }

  private makeParents(path: string): void {
    const { places, folder } = this.parts;
    if (path === '' || this.fs.existsSync(Places.at(places.stage, path))) return;
    this.makeParents(parentOf(path));
    const live = this.fs.lstatSync(Places.at(places.live, path), { throwIfNoEntry: false });
    if (live?.isDirectory() === true) folder(folderEntry(path, live));
  }
}
