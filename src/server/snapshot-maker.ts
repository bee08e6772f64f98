import type { Message } from '../core/broker/effects.js';
import { encodeMessageEntry } from '../core/broker/snapshot.js';
import type { LogPoint } from '../core/journal/envelope.js';
import type { Position } from '../core/identity.js';
import type { DiskFile } from '../ports/disk.js';
import type { Journal } from './journal/api.js';
import { codeOf, describe, sync } from './disk-io.js';
import { Cancelled, rebuild, turn, type RebuildTools } from './rebuild.js';
import type { Replica } from './replica.js';
import { SnapshotWriter } from './snapshot-file.js';
import { PayloadIndex, SNAPSHOT_FOLDER, snapshotPath, type SnapshotShelf } from './snapshot-shelf.js';

export interface SnapshotMakerOptions {
  readonly cluster: string;
  readonly everyBytes: number;
  readonly everyRecords: number;
  /** Payload bytes that the shadow keeps in memory. */
  readonly payloadBytesMax: number;
}

/**
 * Writes snapshots while others are served: a shadow of the state is built from the snapshot before and the journal, in slices,
 * and written down; the state that serves is never stopped for it.
 *
 * Order of a snapshot: file written and synced → renamed → folder synced → surplus snapshots removed → log compacted up to
 * the *older* of the two kept. So a crash anywhere leaves a snapshot and every record behind it.
 */
export class SnapshotMaker {
  private making: Promise<void> | null = null;
  private cancelling = false;
  private bytesAtLast = 0;
  private retryAfter = 0;

  constructor(
    private readonly tools: RebuildTools,
    private readonly options: SnapshotMakerOptions,
    private readonly shelf: SnapshotShelf,
    /** Records from this position on must stay in the log, for a follower that is being fed. */
    private readonly neededFrom: () => Position,
    /** Reads a payload that the shadow does not hold. */
    private readonly readPayload: (message: Message) => Promise<Uint8Array>,
  ) {}

  get busy(): boolean {
    return this.making !== null;
  }

  /** Starts one if enough log has come since the last; `upTo` is admitted. Cheap to ask. */
  consider(journal: Journal, upTo: Position, bytesAppended: number): void {
    if (this.making !== null) return;
    const last = this.shelf.newest?.head.point.position ?? 0;
    const due = upTo - last >= this.options.everyRecords || bytesAppended - this.bytesAtLast >= this.options.everyBytes;
    if (!due || upTo <= last || this.tools.clock.monotonic() < this.retryAfter) return;
    this.bytesAtLast = bytesAppended;
    this.making = this.make(journal, upTo)
      .catch((error: unknown) => {
        if (error instanceof Cancelled) return;
        this.retryAfter = this.tools.clock.monotonic() + RETRY_MS;
        this.tools.log.write('warn', `No snapshot was written: ${describe(error)}`, { code: codeOf(error) });
      })
      .finally(() => {
        this.making = null;
      });
  }

  /** Ends what is under way and waits for that. The log may be changed then. */
  async cancel(): Promise<void> {
    this.cancelling = true;
    await this.making;
    this.cancelling = false;
  }

  private async make(journal: Journal, upTo: Position): Promise<void> {
    const begun = this.tools.clock.monotonic();
    const point = await journal.pointAt(upTo);
    if (point === null) return;
    const shadow = await rebuild(this.tools, {
      journal,
      shelf: this.shelf,
      upTo,
      payloadBytesMax: this.options.payloadBytesMax,
      title: null,
      cancelled: () => this.cancelling,
    });
    const bytes = await this.write(shadow, point);
    await this.shelf.prune();
    await this.compact(journal);
    const tookMs = Math.round(this.tools.clock.monotonic() - begun);
    this.tools.log.write('info', `Snapshot written at record ${upTo}: ${bytes} bytes`, { position: upTo, bytes, tookMs });
  }

  private async write(shadow: Replica, point: LogPoint): Promise<number> {
    const { disk } = this.tools;
    const path = snapshotPath(point.position);
    const temporary = `${path}.tmp`;
    const index = new PayloadIndex();
    await disk.remove(temporary).catch(ignoreAbsent);
    const file = await disk.open(temporary, 'create');
    let writer: SnapshotWriter;
    try {
      writer = await this.fill(file, shadow, point, index);
      await sync(file);
    } catch (error) {
      await file.close();
      await disk.remove(temporary).catch(ignoreAbsent);
      throw error;
    }
    await file.close();
    await disk.rename(temporary, path);
    await disk.syncFolder(SNAPSHOT_FOLDER);
    await this.shelf.add(path, index);
    return writer.bytes;
  }

  private async fill(file: DiskFile, shadow: Replica, point: LogPoint, index: PayloadIndex): Promise<SnapshotWriter> {
    const writer = new SnapshotWriter(file, this.tools.checksum);
    await writer.head({ cluster: this.options.cluster, point, digest: shadow.core.digest() });
    let count = 0;
    for (const piece of shadow.core.snapshotEntries()) {
      const entry = piece.kind === 'encoded' ? piece.entry : encodeMessageEntry(piece.message, piece.message.payload ?? (await this.readPayload(piece.message)));
      const place = await writer.entry(entry);
      if (place !== null) index.add(place.id, place);
      if ((count += 1) % SLICE === 0) await this.slice();
    }
    await writer.end();
    return writer;
  }

  private async compact(journal: Journal): Promise<void> {
    const oldest = this.shelf.oldest;
    if (oldest === null || this.shelf.all.length < 2) return;
    const before = Math.min(oldest.head.point.position + 1, this.neededFrom()) as Position;
    await journal.compactBefore(before);
  }

  private async slice(): Promise<void> {
    if (this.cancelling) throw new Cancelled();
    await turn(this.tools.clock);
  }
}

/** Entries between two turns for the others. */
const SLICE = 256;
/** After a failure. */
const RETRY_MS = 10_000;

function ignoreAbsent(error: unknown): void {
  if (codeOf(error) !== 'ENOENT') throw error;
}
