import type { Entry } from '../../core/repository/entry.js';
import type { Slices } from '../../ports/repository.js';
import type { FileSystem } from './file-system.js';
import type { DiskRoom } from './room.js';
import { SLICE_MS } from './scan.js';

export interface FittingParts {
  readonly fs: FileSystem;
  readonly room: DiskRoom;
  /** So much would be written if nothing of it were there. */
  readonly bytes: number;
  readonly entries: readonly Entry[];
  /** What is there already takes no more of the disk. */
  readonly isThere: (entry: Entry) => boolean;
}

/** Looks among what will come for so much that is there already that the rest has room. */
export class Fitting implements Slices<true> {
  private bytes: number;
  private cursor = 0;

  constructor(private readonly parts: FittingParts) {
    this.bytes = parts.bytes;
  }

  /** @throws Error ENOSPC */
  step(): true | null {
    const { fs, room, entries, isThere } = this.parts;
    const until = fs.ticks() + SLICE_MS;
    for (let entry = entries[this.cursor]; entry !== undefined; entry = entries[this.cursor]) {
      this.cursor += 1;
      if (isThere(entry)) this.bytes -= entry.size;
      if (fs.ticks() >= until) return room.fits(this.bytes) ? true : null;
    }
    room.expect(this.bytes);
    return true;
  }

  close(): void {
    // Nothing is open.
  }
}
