import type { Entry } from '../../core/repository/entry.js';
import type { ContentFile, ContentWriter } from '../../ports/repository.js';
import { openContent } from './content.js';
import { unlessAbsent } from './file-errors.js';
import type { FileSystem } from './file-system.js';
import type { Places } from './places.js';
import type { Stamp } from './stamps.js';
import { dress, FILLING_MODE, openNew, writeAll } from './writing.js';

/** A large file on its way: it is written apart, and gets its place when it is whole. What is given up stays as a basis for the next try. */
export class PartWriter implements ContentWriter {
  private readonly fs: FileSystem;
  private readonly part: string;
  private readonly fd: number;
  private at = 0;
  private unsynced = 0;
  private syncs = 0;
  private open = true;

  constructor(
    private readonly places: Places,
    private readonly path: string,
    private readonly placed: (part: string, entry: Entry, stamp: Stamp) => void,
  ) {
    this.fs = places.fs;
    this.fs.mkdirSync(places.parts, { recursive: true, mode: FILLING_MODE });
    this.part = places.part(path, 'new');
    setAside(places, path);
    this.fd = openNew(this.fs, this.part, 0o600);
  }

  get unsyncedBytes(): number {
    return this.unsynced;
  }

  write(bytes: Uint8Array): void {
    this.places.room.spend(bytes.length);
    writeAll(this.fs, this.fd, bytes, this.at);
    this.at += bytes.length;
    this.unsynced += bytes.length;
  }

  sync(): Promise<void> {
    this.unsynced = 0;
    this.syncs += 1;
    return new Promise((resolve, reject) => {
      this.fs.fdatasync(this.fd, (error) => {
        this.syncs -= 1;
        this.closeIfDone();
        if (error === null) resolve();
        else reject(error);
      });
    });
  }

  finish(entry: Entry): void {
    const stamp = dress(this.fs, this.fd, entry);
    this.abandon();
    this.placed(this.part, entry, stamp);
    this.fs.rmSync(this.places.part(this.path, 'old'), { force: true });
  }

  abandon(): void {
    if (!this.open) return;
    this.open = false;
    this.closeIfDone();
  }

  /** Not while the system syncs it: its number could be another file's by then. */
  private closeIfDone(): void {
    if (!this.open && this.syncs === 0) this.fs.closeSync(this.fd);
  }
}

/** What an earlier try had written becomes the basis of this one; of two, the longer. */
function setAside(places: Places, path: string): void {
  const { fs } = places;
  const fresh = places.part(path, 'new');
  const old = places.part(path, 'old');
  const size = (place: string): number => fs.lstatSync(place, { throwIfNoEntry: false })?.size ?? -1;
  if (size(fresh) > size(old)) fs.renameSync(fresh, old);
  else fs.rmSync(fresh, { force: true });
}

/** The better basis of the two: the live file (`place`: where it can be used, `null` where it cannot), or what an interrupted sync had written of the new one. */
export function basisOf(places: Places, path: string, place: string | null): ContentFile | null {
  setAside(places, path);
  const part = unlessAbsent(() => openContent({ fs: places.fs, root: places.parts, record: null }, places.part(path, 'old').slice(places.parts.length + 1)));
  let live: ContentFile | null = null;
  try {
    live = place === null ? null : unlessAbsent(() => openContent({ fs: places.fs, root: places.live, record: null }, path, place));
  } catch {
    live = null; // A folder or a link stands there: nothing to begin with, and no trouble.
  }
  if (part === null || live === null) return part ?? live;
  const [better, other] = part.size >= live.size / 2 ? [part, live] : [live, part];
  other.close();
  return better;
}
