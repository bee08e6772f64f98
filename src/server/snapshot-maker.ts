import type { BrokerCounts } from '../core/broker/core.js';
import type { Message } from '../core/broker/effects.js';
import { encodeMessageEntry, type SnapshotEntry } from '../core/broker/snapshot.js';
import { assert, LockstepError } from '../core/errors.js';
import type { LogPoint } from '../core/journal/envelope.js';
import { NO_POSITION, type Position } from '../core/identity.js';
import type { DiskFile } from '../ports/disk.js';
import type { Journal } from './journal/api.js';
import { codeOf, describe, sync } from './disk-io.js';
import { Cancelled, rebuild, turn, type RebuildTools } from './rebuild.js';
import type { Replica } from './replica.js';
import { MESSAGE_BYTES_MIN, SnapshotWriter } from './snapshot-file.js';
import { PayloadIndex } from './payload-index.js';
import { demandRoom } from './room.js';
import { SNAPSHOT_FOLDER, snapshotPath, type SnapshotShelf } from './snapshot-shelf.js';

export interface SnapshotMakerOptions {
  readonly cluster: string;
  readonly everyBytes: number;
  readonly everyRecords: number;
  /** Payload bytes that the shadow keeps in memory. */
  readonly payloadBytesMax: number;
  /** A state of no more items (sessions, subscriptions, messages, deliveries) is captured as it stands. */
  readonly capturedItemsMax: number;
  /** … and of no more where a second state has no room: in less than half the time after which a silent broker counts as hung. */
  readonly crowdedItemsMax: number;
  /** Whether there is memory for a second state; absent: there always is. */
  readonly hasRoomForSecond?: () => boolean;
}

/** A state at a point of the log, to be written down. */
interface Captured {
  readonly point: LogPoint;
  readonly digest: string;
  readonly entries: Iterable<SnapshotEntry>;
  /** The file is no shorter. */
  readonly bytesMin: number;
}

/**
 * Writes snapshots while others are served. The state that serves is captured where it stands, in one turn, all but the payloads; it is written
 * in slices, and gets its name only when its last record is shared with whoever counts: what is cut off the log later was in no snapshot.
 * A state so large that the turn would be felt is left alone: a shadow of it is built in slices, from the snapshot before and the
 * journal, which takes as much work as all of the records did, and the memory of a second state. Where there is not that much, the turn is taken all the same, unless it were so long
 * that this broker would count as hung: then there is none, and the log grows.
 *
 * Order of a snapshot: file written and synced → shared → renamed → folder synced → surplus snapshots removed → log compacted up to
 * the *older* of the two kept. So a crash anywhere leaves a snapshot and every record behind it.
 */
export class SnapshotMaker {
  private making: Promise<void> | null = null;
  private cancelling = false;
  /** Up to here the log is shared, as it was said last. */
  private shared: Position = NO_POSITION;
  private wake: (() => void) | null = null;
  private bytesAtLast = 0;
  /** `null` before the first look: then it is what the state was built with from a snapshot. */
  private itemsAtLast: number | null = null;
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

  /** Starts one if enough log has come since the last; `upTo` is shared with whoever counts. To be asked again and again: cheap. */
  consider(journal: Journal, live: Replica, upTo: Position, bytesAppended: number): void {
    this.shared = upTo;
    this.wake?.();
    if (this.making !== null) return;
    const last = this.shelf.all.at(-1)?.head.point.position ?? 0;
    if (!this.isDue(live, upTo - last, bytesAppended - this.bytesAtLast) || upTo <= last || this.tools.clock.monotonic() < this.retryAfter) return;
    this.making = this.make(journal, live, upTo, bytesAppended)
      .catch((error: unknown) => {
        if (error instanceof Cancelled) return;
        this.retryAfter = this.tools.clock.monotonic() + RETRY_MS;
        this.tools.log.write('warn', `No snapshot was written: ${describe(error)}`, { code: codeOf(error) });
      })
      .finally(() => {
        this.making = null;
      });
  }

  /**
   * A snapshot is as much work as its state has items, and so is building the state from it. Where there are many, as many records are awaited: else a
   * long queue would be written down again and again while it is emptied, for records that are applied as quickly as what they save is read. A queue that
   * grows is measured by what it was at the last snapshot, so that the log between two grows with it and no faster. One that takes the place of a damaged
   * one is always due.
   */
  private isDue(live: Replica, records: number, bytes: number): boolean {
    if (bytes >= this.options.everyBytes || this.shelf.needsNew) return true;
    this.itemsAtLast ??= this.shelf.newest === null ? 0 : itemsOf(live.core.counts);
    return records >= this.options.everyRecords && records >= Math.min(this.itemsAtLast, itemsOf(live.core.counts));
  }

  /** Ends what is under way and waits for that. The log may be changed then. */
  async cancel(): Promise<void> {
    this.cancelling = true;
    this.wake?.();
    await this.making;
    this.cancelling = false;
  }

  private async make(journal: Journal, live: Replica, upTo: Position, bytesAppended: number): Promise<void> {
    const begun = this.tools.clock.monotonic();
    const items = itemsOf(live.core.counts);
    const small = items <= this.options.capturedItemsMax;
    // Where no good snapshot and not the whole log is left, this state is all there is, and no second one can be built.
    const only = this.shelf.newest === null && journal.base.position !== NO_POSITION;
    const crowded = this.options.hasRoomForSecond?.() === false;
    if (crowded && !only && items > this.options.crowdedItemsMax) throw tooLarge(items);
    const captured = small || only || crowded ? capture(live, journal.head) : await this.shadow(journal, upTo);
    if (captured === null) return;
    const { position } = captured.point;
    const bytes = await this.write(captured);
    // Not before it is there: one that failed, or was cancelled, is due as it was.
    this.bytesAtLast = bytesAppended;
    this.itemsAtLast = items;
    const tookMs = Math.round(this.tools.clock.monotonic() - begun);
    this.tools.log.write('info', `Snapshot written at record ${position}: ${bytes} bytes`, { position, bytes, tookMs });
    await this.shelf.prune();
    live.payloads.snapshotsHave((id) => this.shelf.hasTwice(id));
    await this.compact(journal).catch((error: unknown) => {
      this.tools.log.write('warn', `Old segments stay for now: ${describe(error)}`, { code: codeOf(error) });
    });
  }

  private async shadow(journal: Journal, upTo: Position): Promise<Captured | null> {
    const point = await journal.pointAt(upTo);
    if (point === null) return null;
    const shadow = await rebuild(this.tools, {
      journal,
      shelf: this.shelf,
      upTo,
      payloadBytesMax: this.options.payloadBytesMax,
      title: null,
      cancelled: () => this.cancelling,
    });
    assert(shadow.position === point.position, 'a state is captured at another position than its own');
    return { point, digest: shadow.core.digest(), entries: shadow.core.settledEntries(), bytesMin: bytesMin(shadow.core.counts) };
  }

  private async write(captured: Captured): Promise<number> {
    const { point, digest } = captured;
    const { disk } = this.tools;
    const path = snapshotPath(point.position);
    const temporary = `${path}.tmp`;
    const index = new PayloadIndex();
    // Somebody may have removed it.
    await disk.makeFolder(SNAPSHOT_FOLDER);
    await disk.remove(temporary).catch(ignoreAbsent);
    await demandRoom(disk, captured.bytesMin, 'a snapshot');
    try {
      const bytes = await this.writeTo(temporary, captured, index);
      await disk.rename(temporary, path);
      this.shelf.named(path);
      await disk.syncFolder(SNAPSHOT_FOLDER);
      this.shelf.add({ path, head: { cluster: this.options.cluster, point, digest }, bytes }, index);
      return bytes;
    } catch (error) {
      // The next one has another name.
      await disk.remove(temporary).catch(() => undefined);
      throw error;
    }
  }

  private async writeTo(path: string, captured: Captured, index: PayloadIndex): Promise<number> {
    const file = await this.tools.disk.open(path, 'create');
    try {
      const writer = await this.fill(file, captured, index);
      await sync(file);
      await this.sharedUpTo(captured.point.position);
      return writer.bytes;
    } finally {
      await file.close();
    }
  }

  private async fill(file: DiskFile, { point, digest, entries }: Captured, index: PayloadIndex): Promise<SnapshotWriter> {
    const writer = new SnapshotWriter(file, this.tools.checksum);
    await writer.head({ cluster: this.options.cluster, point, digest });
    let count = 0;
    for (const piece of entries) {
      const entry = piece.kind === 'encoded' ? piece.entry : encodeMessageEntry(piece.message, piece.message.payload ?? (await this.readPayload(piece.message)));
      const place = await writer.entry(entry);
      if (place !== null) index.add(place.id, place);
      if ((count += 1) % SLICE === 0) await this.slice();
    }
    await writer.end();
    return writer;
  }

  /** Resolves when the log is shared up to there, however long that takes; rejects when the log is about to be changed. */
  private async sharedUpTo(position: Position): Promise<void> {
    while (this.shared < position) {
      if (this.cancelling) throw new Cancelled();
      await new Promise<void>((resolve) => (this.wake = resolve));
      this.wake = null;
    }
    if (this.cancelling) throw new Cancelled();
  }

  private async compact(journal: Journal): Promise<void> {
    const oldest = this.shelf.oldest;
    if (oldest === null || this.shelf.good.length < 2) return;
    const before = Math.min(oldest.head.point.position + 1, this.neededFrom()) as Position;
    await journal.compactBefore(before);
  }

  private async slice(): Promise<void> {
    if (this.cancelling) throw new Cancelled();
    await turn(this.tools.clock);
  }
}

/** In this very turn, so that no record comes between. */
function capture(replica: Replica, point: LogPoint): Captured {
  assert(replica.position === point.position, 'a state is captured at another position than its own');
  return { point, digest: replica.core.digest(), entries: replica.core.snapshotEntries(), bytesMin: bytesMin(replica.core.counts) };
}

/** Of what is there: a state that has become small must have its snapshot on a disk that is nearly full, since the log is shortened by it. */
function bytesMin({ storedBytes, messages }: BrokerCounts): number {
  return storedBytes + messages * MESSAGE_BYTES_MIN;
}

/** What a capture has to go through. */
function itemsOf(counts: BrokerCounts): number {
  return counts.sessions + counts.subscriptions + counts.queued + counts.inflight + counts.messages + counts.retained;
}

function tooLarge(items: number): LockstepError {
  const what = `the state has ${items} items, for which there is no memory a second time, and which are too many to be captured at once`;
  return new LockstepError('LOCKSTEP_SNAPSHOT_NO_MEMORY', what, 'Give the broker more memory (LOCKSTEP_BROKER_NODE_OPTIONS=--max-old-space-size=MIB, on both servers), or empty queues that nobody reads: the log grows meanwhile.');
}

/** Entries between two turns for the others. */
const SLICE = 256;
/** After a failure. */
const RETRY_MS = 10_000;

function ignoreAbsent(error: unknown): void {
  if (codeOf(error) !== 'ENOENT') throw error;
}
