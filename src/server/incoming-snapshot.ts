import type { Disk, DiskFile } from '../ports/disk.js';
import { codeOf, describe, sync, write } from './disk-io.js';
import { demandRoom } from './room.js';
import { SNAPSHOT_FOLDER } from './snapshot-shelf.js';

/** Where a snapshot is gathered while it comes. Removed when it is given up, and at the next start when it was not finished. */
export const INCOMING = `${SNAPSHOT_FOLDER}/incoming.tmp`;

/** A snapshot that is being received: chunks in, a synced file out. Bounded: it asks to pause until its file is open, and while the disk is behind; after a failure nothing is kept. */
export class IncomingSnapshot {
  private file: DiskFile | null = null;
  private waiting: Uint8Array[] = [];
  private waitingBytes = 0;
  private offset = 0;
  private writing: Promise<void> = Promise.resolve();
  private failure: string | null = null;

  private constructor(
    private readonly disk: Disk,
    private readonly pace: (go: boolean) => void,
    private readonly failed: (reason: string) => void,
  ) {}

  /**
   * @param needed bytes that must be free on the disk
   * @param pace called with false when no more should come, with true when it may again
   * @param failed called once when the open file cannot be written: nothing will come of it
   * @throws LockstepError LOCKSTEP_DISK_FULL before anything is written (rejects)
   */
  static async open(disk: Disk, needed: number, pace: (go: boolean) => void, failed: (reason: string) => void): Promise<IncomingSnapshot> {
    const incoming = new IncomingSnapshot(disk, pace, failed);
    pace(false);
    await disk.makeFolder(SNAPSHOT_FOLDER);
    await discardIncoming(disk);
    await demandRoom(disk, needed, 'a snapshot that comes from the other server');
    incoming.file = await disk.open(INCOMING, 'create');
    pace(true);
    return incoming;
  }

  /** The bytes are copied. */
  chunk(bytes: Uint8Array): void {
    if (this.failure !== null) return;
    this.waiting.push(bytes.slice());
    this.waitingBytes += bytes.length;
    if (this.waitingBytes > WAITING_BYTES_MAX) this.pace(false);
    this.flush();
  }

  /** Everything came: durable when it resolves. Rejects with what the disk said. */
  async whole(): Promise<void> {
    await this.writing;
    if (this.failure !== null) throw new Error(this.failure);
    if (this.file === null) throw new Error('the snapshot was given up');
    await sync(this.file);
    await this.close();
  }

  /** Nothing is kept of it: a full disk would stay full of what is of no use to anybody. */
  async giveUp(): Promise<void> {
    // At once: another one may get that name soon.
    const removed = discardIncoming(this.disk);
    await Promise.all([removed, this.writing.then(() => this.close())]);
  }

  private async close(): Promise<void> {
    const { file } = this;
    this.file = null;
    if (file !== null) await file.close();
  }

  private flush(): void {
    if (this.waiting.length === 0) return;
    this.writing = this.writing.then(async () => {
      const parts = this.waiting;
      const bytes = this.waitingBytes;
      if (parts.length === 0 || this.file === null || this.failure !== null) return;
      this.waiting = [];
      this.waitingBytes = 0;
      try {
        await write(this.file, parts, this.offset);
        this.offset += bytes;
      } catch (error) {
        this.failure = describe(error);
        this.waiting = [];
        this.waitingBytes = 0;
        return this.failed(this.failure);
      }
      this.pace(true);
    });
  }
}

export async function discardIncoming(disk: Disk): Promise<void> {
  await disk.remove(INCOMING).catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw error;
  });
}

const WAITING_BYTES_MAX = 8 * 1024 * 1024;
