import type { Message } from '../core/broker/effects.js';
import { messagePayload } from '../core/broker/records.js';
import { counted } from '../core/counted.js';
import { LockstepError, assert } from '../core/errors.js';
import { EMPTY_LOG, type LogPoint, type LogRecord } from '../core/journal/envelope.js';
import { NO_POSITION, NO_TERM, type JournalId, type Position } from '../core/identity.js';
import { knownLog, type KnownLog } from '../core/replication/known-log.js';
import { walkRecords } from '../core/replication/run-of-records.js';
import type { Journal, RecordRun } from './journal/api.js';
import { isPassing } from './journal/files.js';
import { unreadable } from './journal/troubles.js';
import { announceSnapshot, nameSnapshot, withdrawSnapshot } from './coming-snapshot.js';
import { codeOf, describe } from './disk-io.js';
import { FewAtOnce } from './few-at-once.js';
import { takeForeign } from './foreign-snapshots.js';
import { RelaxableDisk } from './relaxable-disk.js';
import { ReplacedLogs } from './replaced-logs.js';
import { Retakes } from './retakes.js';
import { Cancelled, loadSnapshot, rebuild, type RebuildTools } from './rebuild.js';
import { FORGET, Replica, assertKnown } from './replica.js';
import { SnapshotMaker, type SnapshotMakerOptions } from './snapshot-maker.js';
import { snapshotPath, type SnapshotShelf } from './snapshot-shelf.js';

/*
 * This server's copy of the data: the journal, the state that its records amount to, and the snapshots.
 *
 * Invariants
 * - While `ready`, the state stands exactly at the journal's head.
 * - Changes of the log's past (rewind, anew, install) happen one at a time; while one is under way the copy is not `ready`, and what is
 *   reported is the point that the log is going to end at, never one that is about to be cut away.
 * - A snapshot that replaces the log is durable, under a name that says so, before the log is begun anew, and has its own name behind that: at the next
 *   start after a crash it has either made way for the old log, or it is the one that the new log begins with.
 * - A damaged copy accepts nothing. It becomes whole by a copy of the peer's, under a new journal id, so that nobody takes it
 *   for the member that it was (R3). The process does not exit on a failed fsync: the journal remembers it on disk, and this
 *   process knows it even where that could not be written; a new process might take cached pages for durable ones.
 */
export interface CopyListener {
  durable(position: Position): void;
  records(run: RecordRun): void;
  /** Damage, disk full, or the end of a change: look at the copy again. */
  changed(): void;
  /** The host does not let a change of the past read what it needs. The copy is not damaged, and has no state: a new process tries it from the beginning. */
  unreadable(error: unknown): void;
}

export interface CopyOptions extends SnapshotMakerOptions {
  /** Payload bytes of the serving state kept in memory. */
  readonly livePayloadBytesMax: number;
}

export interface CopyCounts {
  readonly sessions: number;
  readonly queued: number;
}

export class Copy {
  private live: Replica | null = null;
  private target: LogPoint | null = null;
  /** Changes of the past that are under way or wait for their turn. */
  private changesAsked = 0;
  private difference: string | null = null;
  private listener: CopyListener | null = null;
  private changes: Promise<void> = Promise.resolve();
  private readonly maker: SnapshotMaker;
  readonly retakes: Retakes;
  readonly replaced: ReplacedLogs;
  /** What is read of the disk for one payload can be far more than it: only so many at a time, whoever asks. */
  private readonly reads = new FewAtOnce(READS_AT_ONCE);
  /** By this process, and before it since the last snapshot. */
  private appendedBytes: number;
  private closed = false;
  /** Records from here on are being sent to a follower. */
  neededFrom: Position = Number.MAX_SAFE_INTEGER as Position;

  constructor(
    readonly journal: Journal,
    readonly shelf: SnapshotShelf,
    private readonly tools: RebuildTools,
    private readonly options: CopyOptions,
    /** What was lost before the journal could be opened; `null`: nothing. */
    private lost: string | null = null,
  ) {
    this.retakes = new Retakes(tools.clock, tools.log);
    this.replaced = new ReplacedLogs(tools.clock);
    this.maker = new SnapshotMaker(tools, options, shelf, () => this.neededFrom, (message) => this.readPayload(message));
    this.appendedBytes = journal.bytesAfter(shelf.all.at(-1)?.head.point.position ?? NO_POSITION);
    journal.handle({
      durable: (position) => this.listener?.durable(position),
      records: (run) => {
        this.appendedBytes += run.bytes.length;
        this.listener?.records(run);
      },
      failed: (reason) => {
        tools.log.write('error', `This copy is damaged: ${reason}`);
        this.listener?.changed();
      },
      room: () => this.listener?.changed(),
    });
  }

  listen(listener: CopyListener): void {
    this.listener = listener;
  }

  /** Builds the state at start. @throws LockstepError LOCKSTEP_RECORD_UNKNOWN when a newer version wrote the log (rejects) */
  async build(): Promise<void> {
    await this.change(null, ALWAYS, async () => {
      if (this.damage !== null) return;
      await takeForeign(this.tools.disk, this.tools.log, this.journal, this.shelf);
      await this.rebuildTo(this.journal.head.position, 'Reading the log');
    });
  }

  get id(): JournalId {
    return this.journal.id;
  }
  /** Where the log ends, or will end when the change under way is done. */
  get head(): LogPoint {
    return this.target ?? this.journal.head;
  }
  get durable(): Position {
    return Math.min(this.journal.durable, this.head.position) as Position;
  }
  get damage(): string | null {
    return this.journal.damage ?? this.lost;
  }
  /** The state is there and nothing is being changed: it can serve, or take the leader's records. */
  get ready(): boolean {
    return this.live !== null && this.target === null && this.damage === null;
  }
  /** A change of the past is under way, or waits for its turn. */
  get changing(): boolean {
    return this.changesAsked > 0;
  }
  /** Following: where this state's digest differed from the leader's. */
  get diverged(): string | null {
    return this.difference;
  }
  get counts(): CopyCounts {
    const counts = this.live?.core.counts;
    return counts === undefined ? { sessions: 0, queued: 0 } : { sessions: counts.sessions, queued: counts.queued };
  }
  /** The state. Only while `ready`. */
  get replica(): Replica {
    assert(this.live !== null, 'the state is not there');
    return this.live;
  }
  /** The lowest position to which the state can be wound back. */
  get floor(): Position {
    if (this.journal.base.position === NO_POSITION) return NO_POSITION;
    return this.shelf.oldest?.head.point.position ?? this.journal.head.position;
  }

  /** What the peer must know to find the shared point; a damaged copy shares nothing. */
  known(): KnownLog {
    if (this.damage !== null) return { epochs: [{ term: NO_TERM, first: NO_POSITION }], head: NO_POSITION };
    return knownLog(this.journal.base, this.journal.head, this.journal.epochs());
  }

  /**
   * Takes records from the leader: appended as they are, and applied. Asked behind each, `more` can put off the rest; the state stands at the log's head then.
   * @returns how many of the bytes were taken
   * @throws LockstepError LOCKSTEP_RECORD_UNKNOWN, MalformedBytes: nothing was taken. LOCKSTEP_CHAIN_BROKEN: what came before the break was
   */
  receive(bytes: Uint8Array, more: (record: LogRecord) => boolean): number {
    assert(this.ready, 'records for a copy that is not ready');
    walkRecords(bytes, (place) => assertKnown(place.type, place.version, place.position));
    const replica = this.replica;
    return this.journal.appendEncoded(bytes, (record) => {
      replica.apply(record, FORGET);
      return more(record);
    });
  }

  /** Compares the state with the leader's digest of the same position. */
  compare(position: Position, digest: string): void {
    const replica = this.replica;
    if (replica.position !== position) {
      this.difference = `a digest of position ${position} came at position ${replica.position}`;
    } else if (replica.core.digest() !== digest) {
      this.difference = `at position ${position} the state's digest is ${replica.core.digest()} here and ${digest} at the leader`;
    }
    if (this.difference !== null) this.tools.log.write('error', `The servers' states differ: ${this.difference}`, { code: 'LOCKSTEP_STATE_DIVERGED' });
  }

  /** Writes a snapshot in the background when enough log has come. `upTo` must be shared with whoever counts. */
  considerSnapshot(upTo: Position): void {
    if (this.ready && !this.closed) this.maker.consider(this.journal, this.replica, upTo, this.appendedBytes);
  }

  /**
   * Syncs whatever was taken for synced and may not be, behind the changes of the past that are under way. A segment that cannot be is damage, as after a failed sync; so is a snapshot
   * without which the log does not say how its state began. What passes by itself rejects, and so does a damaged copy, with Cancelled: nothing is promised of it, and what its disk does
   * not give just now another process may read.
   */
  settle(): Promise<void> {
    const done = this.changes.then(async () => {
      if (this.closed) throw new Cancelled('the broker is closing');
      // One that was begun before the disk was synced again would stand there afterwards.
      await this.maker.cancel();
      this.forbidDamaged();
      await this.shelf.settle();
      const { position } = this.journal.base;
      if (this.shelf.hasLost && position !== NO_POSITION && !this.shelf.good.some(({ head }) => head.point.position >= position)) this.journal.giveUp('no snapshot that it builds on could be made durable');
      else await this.journal.settle();
      this.forbidDamaged();
    });
    this.changes = done.catch(() => undefined);
    return done;
  }

  private forbidDamaged(): void {
    if (this.damage !== null) throw new Cancelled('the copy is damaged');
  }

  /** Ends the log at a shared point; what lies beyond goes to quarantine. Rejects, with the copy as it was, when it cannot. */
  rewind(point: LogPoint, wanted: Wanted = ALWAYS): Promise<void> {
    return this.change(point, wanted, async () => {
      if (this.journal.head.position === point.position && this.live !== null) return;
      await this.durableAll();
      this.live = null;
      const beyond = this.journal.head.position - point.position;
      const folder = await this.journal.truncateAfter(point.position);
      if (folder !== null) {
        const place = this.tools.disk.place(folder);
        this.tools.log.write('warn', `Moved to ${place}: ${counted(beyond, 'record')} beyond position ${point.position}, which the leader's log does not have`, { folder: place, records: beyond });
      }
      for (const snapshot of this.shelf.all.filter((one) => one.head.point.position > point.position)) await this.shelf.discard(snapshot);
      await this.rebuildTo(point.position, 'Winding the state back');
    });
  }

  /** Begins an empty log. With `newId` this copy is another member from then on. */
  anew(newId: boolean, wanted: Wanted = ALWAYS): Promise<void> {
    return this.change(EMPTY_LOG, wanted, async () => {
      this.live = null;
      await this.quarantine(EMPTY_LOG, newId);
      await this.shelf.keepOnly(null);
      this.live = new Replica(this.tools.limits, this.options.livePayloadBytesMax);
      this.lost = null;
      this.difference = null;
    });
  }

  /** Takes a whole, synced snapshot file from the leader in place of the log. @throws LockstepError LOCKSTEP_SNAPSHOT_DAMAGED (rejects) */
  install(file: string, point: LogPoint, newId: boolean, wanted: Wanted = ALWAYS): Promise<void> {
    return this.change(point, wanted, async () => {
      const wish = { payloadBytesMax: this.options.livePayloadBytesMax, title: 'Reading the snapshot', cancelled: () => this.closed };
      // Where two have no room. Should nothing come of this change, it is built again.
      if (this.options.hasRoomForSecond?.() === false) this.live = null;
      const { replica, index, head, bytes } = await loadSnapshot(this.tools, wish, file);
      const right = head.point.position === point.position && head.point.chain === point.chain && head.cluster === this.options.cluster;
      if (!right) throw new LockstepError('LOCKSTEP_SNAPSHOT_DAMAGED', `the snapshot that came speaks of position ${head.point.position}, not of ${point.position}`, 'The copy is tried again.');
      const path = snapshotPath(point.position);
      await this.shelf.demandDurable(file);
      await announceSnapshot(this.tools.disk, file, path);
      this.live = null;
      await this.quarantine(point, newId).catch(async (error: unknown) => {
        // The log is as it was, and has no use for it. Of a change that has begun it is the beginning.
        if (this.journal.damage === null) await withdrawSnapshot(this.tools.disk, path).catch(() => undefined);
        throw error;
      });
      await nameSnapshot(this.tools.disk, path);
      this.shelf.add({ path, head, bytes }, index);
      await this.shelf.keepOnly(path);
      this.live = replica;
      this.lost = null;
      this.difference = null;
    });
  }

  /**
   * A payload that is not in memory, as it was when it came: where the disk has altered it since, from another place that has it; without one that is damage of this copy.
   * @throws LockstepError LOCKSTEP_RECORD_GONE, LOCKSTEP_JOURNAL_DAMAGED (rejects)
   */
  async readPayload(message: Message): Promise<Uint8Array> {
    if (message.payload !== null) return message.payload;
    const { live } = this;
    return this.reads.run(() => this.readBack(message, live));
  }

  private async readBack(message: Message, live: Replica | null): Promise<Uint8Array> {
    if (message.payload !== null) return message.payload;
    const shelved = await this.shelf.payload(message.id);
    if (shelved !== null) return shelved;
    const payload = messagePayload(await this.recorded(message.id, live));
    assert(payload !== null && payload.length === message.size, `record ${message.id} does not hold the payload of message ${message.id}`);
    return payload;
  }

  /** @param live the state when the payload was asked for, which may be long ago */
  private async recorded(id: Position, live: Replica | null): Promise<LogRecord> {
    try {
      return await this.journal.recordAt(id);
    } catch (error) {
      // A change of the past may have put other files in the place of these meanwhile.
      const isLost = codeOf(error) === 'LOCKSTEP_RECORD_GONE' && this.shelf.hasDamaged && live === this.live && !this.changing;
      if (isLost) this.rotten(`the payload of record ${id} has changed in a snapshot on the disk, and stands nowhere else`);
      throw error;
    }
  }

  /** As of a record of the journal that has changed on the disk. A new process builds on an older snapshot, where there is one. */
  private rotten(reason: string): void {
    if (this.damage !== null) return;
    this.lost = reason;
    this.tools.log.write('error', `This copy is damaged: ${reason}`, { code: 'LOCKSTEP_SNAPSHOT_DAMAGED' });
    this.listener?.changed();
  }

  /** Waits for what is under way, commits what is appended, and closes. */
  async close(): Promise<void> {
    this.closed = true;
    await this.maker.cancel();
    await this.changes;
    await this.journal.close();
  }

  /** One change of the past at a time. `target`: where the log will end. It rejects with Cancelled where it is not wanted any more when its turn has come. */
  private change(target: LogPoint | null, wanted: Wanted, work: () => Promise<void>): Promise<void> {
    this.changesAsked += 1;
    const done = this.changes.then(() => this.changeNow(target, wanted, work)).finally(() => {
      this.changesAsked -= 1;
      this.listener?.changed();
    });
    this.changes = done.catch(() => undefined);
    return done;
  }

  private async changeNow(target: LogPoint | null, wanted: Wanted, work: () => Promise<void>): Promise<void> {
    if (this.closed) throw new Cancelled('the broker is closing');
    if (!wanted()) throw new Cancelled('nobody waits for this change of the log any more');
    this.target = target ?? this.journal.head;
    try {
      await this.maker.cancel();
      await (target === null ? work() : this.strictly(work));
    } catch (error) {
      if (codeOf(error) === 'LOCKSTEP_JOURNAL_UNREADABLE') this.listener?.unreadable(error);
      else await this.restoreState();
      throw error;
    } finally {
      this.target = null;
    }
  }

  /** What is moved to quarantine is kept there, and what takes its place stands for all of it. */
  private strictly(work: () => Promise<void>): Promise<void> {
    return this.tools.disk instanceof RelaxableDisk ? this.tools.disk.strictly(() => this.journal.settle().then(work)) : work();
  }

  /** After a change that found no room: the log is as it was, and without its state this copy could not serve until a leader comes. */
  private async restoreState(): Promise<void> {
    if (this.live !== null || this.damage !== null || this.closed) return;
    await this.rebuildTo(this.journal.head.position, 'Reading the log').catch((error: unknown) => {
      // Nobody would build it another time.
      if (codeOf(error) === 'LOCKSTEP_JOURNAL_UNREADABLE') this.listener?.unreadable(error);
      else if (!(error instanceof Cancelled)) this.tools.log.write('error', `The state could not be built again: ${describe(error)}`);
    });
  }

  private async rebuildTo(upTo: Position, title: string): Promise<void> {
    const { journal, shelf } = this;
    try {
      this.live = await rebuild(this.tools, { journal, shelf, upTo, payloadBytesMax: this.options.livePayloadBytesMax, title, cancelled: () => this.closed });
    } catch (error) {
      if (error instanceof Cancelled || codeOf(error) === 'LOCKSTEP_RECORD_UNKNOWN') throw error;
      if (isPassing(error)) throw unreadable('the log, or a snapshot of it,', error);
      // The records may be good, but without the state that they build on they are no copy of the data.
      this.lost = describe(error);
      this.tools.log.write('error', `This copy is damaged: ${this.lost}`, { code: codeOf(error) });
    }
  }

  private async quarantine(base: LogPoint, newId: boolean): Promise<void> {
    const { head: before, bytes } = this.journal;
    const moved = await this.journal.restart(base, newId);
    const folder = moved === null ? null : this.tools.disk.place(moved);
    if (folder !== null) this.tools.log.write('warn', `The log up to position ${before.position} was moved to ${folder}`, { folder, position: before.position });
    if (newId) this.tools.log.write('warn', `The journal begins anew under the id ${this.journal.id}`);
    if (moved !== null) (newId ? this.retakes : this.replaced).add(bytes, this.tools.disk.place(moved.slice(0, moved.lastIndexOf('/'))));
  }

  /** Before a change begins: resolves when everything appended is durable, or never will be. Rejects with Cancelled as soon as this broker closes: what it waits for may never come. */
  private async durableAll(): Promise<void> {
    while (this.journal.durable < this.journal.head.position && this.journal.damage === null && !this.closed) {
      await new Promise<void>((resolve) => this.tools.clock.after(DURABLE_POLL_MS, resolve));
    }
    if (this.closed) throw new Cancelled('the broker is closing');
  }
}

/** Asked when the turn of a change has come. */
type Wanted = () => boolean;
const ALWAYS: Wanted = () => true;
const DURABLE_POLL_MS = 5;
const READS_AT_ONCE = 8;
