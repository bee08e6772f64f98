import { sizeText } from '../../core/counted.js';
import type { Entry } from '../../core/repository/entry.js';
import type { FileSystem } from './file-system.js';

/** What a sync leaves free for others: for the journal above all, which may lie on the same disk and prepares four segments of 64 MiB. */
const RESERVE_BYTES = 256 * 1024 * 1024;
/** Of a small disk the part that is left free. */
const RESERVE_SHARE = 1 / 20;
/** Others write as well: the system is asked again after so many bytes. */
const ASK_BYTES = 16 * 1024 * 1024;

/** The room on the disk of one repository, as far as the system tells. What is refused has the code that a full disk has. */
export class DiskRoom {
  /** May be written before the system is asked again. */
  private granted = 0;

  constructor(
    private readonly fs: FileSystem,
    /** A folder on that disk. */
    private readonly folder: string,
  ) {}

  /** @throws Error ENOSPC when so many bytes more have no room */
  expect(bytes: number): void {
    if (!this.fits(bytes)) throw this.full(bytes);
  }

  /** Whether so many bytes more have room. */
  fits(bytes: number): boolean {
    this.granted = 0;
    return bytes <= 0 || this.spare() >= bytes;
  }

  /** Right before so many bytes are written. @throws Error ENOSPC */
  spend(bytes: number): void {
    if (this.granted < bytes) {
      const spare = this.spare();
      if (spare < bytes) throw this.full(bytes);
      this.granted = Math.min(spare, Math.max(ASK_BYTES, bytes));
    }
    this.granted -= bytes;
  }

  /** Beside what is left to others. */
  private spare(): number {
    const room = this.fs.roomOf(this.folder);
    return room === null ? Number.POSITIVE_INFINITY : room.free - reserveOf(room.total);
  }

  private full(bytes: number): Error {
    const { free = 0, total = 0 } = this.fs.roomOf(this.folder) ?? {};
    const message = `ENOSPC: no space left on device, ${sizeText(bytes)} to be written at '${this.folder}', where ${sizeText(free)} are free, of which ${sizeText(reserveOf(total))} are left to others`;
    return Object.assign(new Error(message), { code: 'ENOSPC' });
  }
}

function reserveOf(total: number): number {
  return Math.min(RESERVE_BYTES, Math.floor(total * RESERVE_SHARE));
}

export function bytesOf(entries: readonly Entry[]): number {
  return entries.reduce((sum, { size }) => sum + size, 0);
}
