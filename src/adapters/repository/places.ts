import { createHash } from 'node:crypto';
import { basename, dirname, join, sep } from 'node:path';
import type { FileSystem } from './file-system.js';
import { DiskRoom } from './room.js';

/** Where everything of one repository is, and in which system. Paths are absolute; `path` of an entry has `/` between its parts. */
export class Places {
  /** Beside the live folder, on the same file system. */
  readonly beside: string;
  readonly stage: string;
  /** What an interrupted sync had staged. */
  readonly left: string;
  /** Large files that are being written. */
  readonly parts: string;
  /** Old trees on their way out. */
  readonly old: string;
  readonly kept: string;
  readonly switchRecord: string;
  /** What is being changed file by file. */
  readonly changing: string;
  /** Of the disk that all of it lies on. */
  readonly room: DiskRoom;

  constructor(
    readonly fs: FileSystem,
    readonly live: string,
    /** File of the recorded digests. */
    readonly record: string,
  ) {
    this.beside = join(dirname(live), `.${basename(live)}.lockstep`);
    this.stage = join(this.beside, 'stage');
    this.left = join(this.beside, 'left');
    this.parts = join(this.beside, 'parts');
    this.old = join(this.beside, 'old');
    this.kept = join(this.beside, 'kept');
    this.switchRecord = join(this.beside, 'switch.json');
    this.changing = join(this.beside, 'changing.json');
    this.room = new DiskRoom(fs, this.beside);
  }

  /** Of an entry in the live folder, in the stage … : `root` is one of them. */
  static at(root: string, path: string): string {
    return `${root}${sep}${sep === '/' ? path : path.replaceAll('/', sep)}`;
  }

  /** Of a file that is being written: its name says nothing, so that it fits and is safe whatever it is a part of. */
  part(path: string, which: 'new' | 'old'): string {
    return join(this.parts, `${createHash('sha256').update(path).digest('hex').slice(0, 32)}.${which}`);
  }
}
