import { assert } from '../../core/errors.js';
import type { JournalId, Position, Term } from '../../core/identity.js';
import { RECORD_HEADER_BYTES, type LogPoint, type LogRecord } from '../../core/journal/envelope.js';
import { GROUP_HEADER_BYTES, stampOf } from '../../core/journal/group.js';
import { LostUnsynced } from '../relaxable-disk.js';
import type { Epoch, Journal, JournalHandlers, RecordRun } from './api.js';
import { carryOut, decideCut, takeBack } from './change.js';
import { Committer } from './committer.js';
import { pathIn, placeOf, type JournalContext } from './context.js';
import { FailureNote } from './failure-note.js';
import { codeOf, isNoRoom, isPassing, reasonOf } from './files.js';
import { GroupQueue } from './group-queue.js';
import { writeMeta, type JournalMeta } from './meta.js';
import { newQuarantine } from './quarantine.js';
import { JournalReader } from './reading.js';
import { findLog, mendTail, removeSurplus, segmentNames, type FoundLog, type KnownLog } from './recovery.js';
import { Roller, type ActiveSegment } from './roller.js';
import { SegmentList, type Segment } from './segments.js';
import { syncLog } from './syncing.js';
import { damaged, diskBehind, diskFull, unreadable } from './troubles.js';

const UNHEARD: JournalHandlers = { durable: () => undefined, records: () => undefined, failed: () => undefined, room: () => undefined };

/** The journal on a disk. Made by `openJournal`; the promises of each member stand in `api.ts`. */
export class FileJournal implements Journal {
  damage: string | null;
  private handlers = UNHEARD;
  private readonly segments: SegmentList;
  private readonly reader: JournalReader;
  private readonly roller: Roller;
  private marks: Epoch[];
  private queue: GroupQueue;
  /** `null` while the journal is damaged. */
  private committer: Committer | null = null;
  /** Durable end of a journal that has no committer. */
  private settled: Position;
  /** Maintenance, one after the other. */
  private work: Promise<unknown> = Promise.resolve();
  /** A change is under way that appended records must not meet. */
  private changing = 0;
  private closed = false;
  private rolling: Promise<ActiveSegment> | null = null;
  private readonly failureNote: FailureNote;

  constructor(
    private readonly context: JournalContext,
    private meta: JournalMeta,
    found: FoundLog,
    damage: string | null,
    active: ActiveSegment | null,
    /** The damage is one of this opening, and the disk has not taken a note of it yet. */
    isUnnoted: boolean,
  ) {
    this.damage = damage;
    this.marks = found.epochs;
    // What was found and could not be synced may stand in the system's cache only.
    this.settled = active === null ? found.vouched : found.head.position;
    this.segments = new SegmentList(found.segments);
    this.roller = new Roller(context);
    this.reader = new JournalReader(context, this.segments, () => this.queue, (what, lasting) => this.fail(what, lasting));
    this.queue = new GroupQueue(found.head, context.codec, context.options);
    this.failureNote = new FailureNote({
      clock: context.clock,
      write: (reason) => this.saveMeta({ ...this.meta, failed: reason }),
      // The segment that was made ready for later.
      makeRoom: async () => {
        await this.rolled();
        await this.roller.discard();
      },
      arrange: () => void this.inTurn(() => this.failureNote.attempt(this.closed)),
    });
    if (active !== null) this.commitTo(active, found.vouched);
    if (isUnnoted && damage !== null) this.failureNote.begin(damage);
  }

  get id(): JournalId {
    return this.meta.id;
  }

  get base(): LogPoint {
    return this.meta.base;
  }

  get head(): LogPoint {
    return this.queue.head;
  }

  get durable(): Position {
    return this.committer?.durable ?? this.settled;
  }

  get full(): boolean {
    return this.waitsFor !== null;
  }

  get waitsFor(): string | null {
    return this.committer?.waitsFor ?? null;
  }

  handOut(): void {
    this.committer?.handOut();
  }

  get bytes(): number {
    return this.segments.bytes;
  }

  bytesAfter(position: Position): number {
    return this.segments.bytesAfter(position);
  }

  handle(handlers: JournalHandlers): void {
    this.handlers = handlers;
  }

  canAppend(bytes: number): boolean {
    return this.damage === null && !this.closed && this.changing === 0 && this.fits(bytes);
  }

  append(type: number, version: number, origin: number, term: Term, payload: Uint8Array): LogRecord {
    const committer = this.ready(payload.length);
    const record = this.queue.append(type, version, origin, term, payload);
    this.note(record);
    committer.kick();
    return record;
  }

  appendEncoded(bytes: Uint8Array, each: (record: LogRecord) => boolean): number {
    const committer = this.ready(bytes.length);
    try {
      return this.queue.appendEncoded(bytes, (record) => {
        this.note(record);
        return each(record);
      });
    } finally {
      committer.kick();
    }
  }

  epochs(): readonly Epoch[] {
    return this.marks;
  }

  async pointAt(position: Position): Promise<LogPoint | null> {
    this.reader.demand(position);
    if (position < this.base.position || position > this.head.position) return null;
    if (position === this.base.position) return this.base;
    if (position === this.head.position) return this.head;
    return this.reader.pointAt(position);
  }

  read(first: Position, bytesMax: number): Promise<RecordRun | null> {
    return this.reader.read(first, bytesMax);
  }

  recordAt(position: Position): Promise<LogRecord> {
    return this.reader.recordAt(position);
  }

  truncateAfter(position: Position): Promise<string | null> {
    return this.alone(async () => {
      assert(position >= this.base.position, `a log cannot end at ${position}, before its base ${this.base.position}`);
      if (this.damage !== null) throw damaged(this.damage);
      await this.committer?.pause();
      return position < this.head.position ? this.cutAfter(position) : null;
    });
  }

  restart(base: LogPoint, newId: boolean): Promise<string | null> {
    return this.alone(async () => {
      if (this.damage === null) await this.committer?.pause();
      // A change that failed half way is finished first: what it has moved already belongs to it.
      else {
        await this.rolled();
        this.meta = await carryOut(this.context, this.meta);
      }
      const names = await segmentNames(this.context);
      const empty = this.damage === null && this.head.position === this.base.position;
      const quarantine = empty ? null : await newQuarantine(this.context, this.id, 'restarted', this.base, this.head, []);
      const change = { kind: 'begin', move: empty ? [] : names, remove: empty ? names : [], quarantine } as const;
      const { schema, cluster } = this.meta;
      const id = newId || this.damage !== null ? (this.context.random.id() as JournalId) : this.id;
      await this.change({ schema, id, cluster, base, change }, null);
      this.damage = null;
      return quarantine === null ? null : pathIn(this.context, quarantine);
    });
  }

  settle(): Promise<void> {
    return this.inTurn(async () => {
      await this.rolled();
      if (this.damage !== null || this.closed) return;
      const unsynced = await syncLog(this.context, this.base);
      if (unsynced !== null) this.fail(unsynced);
    });
  }

  giveUp(reason: string): void {
    this.fail(reason);
  }

  compactBefore(position: Position): Promise<void> {
    return this.inTurn(async () => {
      const all = this.segments.all;
      let count = 0;
      while (count + 1 < all.length && (all[count + 1]?.base.position ?? Infinity) < position) count++;
      const first = all[count];
      if (this.damage !== null || first === undefined) return;
      if (count > 0) await this.beginAt(first, all.slice(0, count));
      // Also those that an earlier try could not remove.
      await removeSurplus(this.context, this.meta);
    });
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.inTurn(async () => {
      const { committer } = this;
      try {
        if (committer?.waitsFor != null) committer.stop(committer.waitsFor);
        if (this.damage === null) await committer?.pause();
        await (this.damage === null ? committer?.finish() : committer?.abandon());
      } catch (error) {
        await committer?.abandon();
        if (error instanceof LostUnsynced) this.fail(reasonOf(error));
        throw committer?.waitsFor != null ? diskFull(placeOf(this.context), this.queue.pendingBytes) : error;
      } finally {
        await this.reader.forget();
        await this.roller.discard();
        await this.failureNote.attempt(true);
      }
    });
  }

  private ready(bytes: number): Committer {
    if (this.damage !== null) throw damaged(this.damage);
    assert(!this.closed && this.changing === 0 && this.committer !== null, 'a record is appended to a journal that is closed or being changed');
    if (!this.fits(bytes)) {
      const { pendingBytes } = this.queue;
      throw this.full ? diskFull(placeOf(this.context), pendingBytes) : diskBehind(placeOf(this.context), pendingBytes);
    }
    return this.committer;
  }

  private fits(bytes: number): boolean {
    const { pendingBytes } = this.queue;
    return pendingBytes === 0 || pendingBytes + bytes + RECORD_HEADER_BYTES + GROUP_HEADER_BYTES <= this.context.options.pendingBytesMax;
  }

  private note(record: LogRecord): void {
    if (this.marks[this.marks.length - 1]?.term !== record.term) this.marks.push({ term: record.term, first: record.position });
  }

  /** @param lasting false: what lies on the disk is whole, or is made so by the next opening */
  private fail(reason: string, lasting = true): void {
    if (this.damage !== null) return;
    this.damage = reason;
    this.committer?.stop(reason);
    this.context.log.write('error', `The journal has failed: ${reason}`, { folder: placeOf(this.context), damage: reason });
    this.handlers.failed(reason);
    if (!lasting) return;
    this.failureNote.begin(reason);
  }

  private commitTo(active: ActiveSegment, vouched: Position): void {
    this.roller.prepare();
    const committer = new Committer(this.context, this.queue, stampOf(this.id, this.context.codec.checksum), active, this.head.position, vouched, {
      records: (run) => this.handlers.records(run),
      durable: (position) => this.handlers.durable(position),
      failed: (reason) => this.fail(reason),
      room: (why) => {
        const folder = placeOf(this.context);
        if (why !== null) this.context.log.write('error', `${why.charAt(0).toUpperCase()}${why.slice(1)}: the journal waits`, { folder });
        else this.context.log.write('info', 'There is room on the disk again: the journal goes on', { folder });
        this.handlers.room(why !== null);
        if (why !== null && this.closed) this.committer?.stop(why);
      },
      roll: async (base) => {
        this.rolling = this.roller.create(this.id, base);
        const next = await this.rolling;
        // The log may be another one by now.
        if (committer.stopped) return next;
        this.segments.add(next.segment);
        this.roller.prepare();
        return next;
      },
    });
    this.committer = committer;
  }

  /** No segment is being begun, which is in no list yet. */
  private async rolled(): Promise<void> {
    await this.rolling?.catch(() => undefined);
  }

  /** The description first: should the removal of the segments before be interrupted, the next opening finishes it. */
  private async beginAt({ base }: Segment, gone: readonly Segment[]): Promise<void> {
    await this.saveMeta({ ...this.meta, base });
    const next = (base.position + 1) as Position;
    this.marks = this.marks.filter((_, at) => (this.marks[at + 1]?.first ?? Infinity) > next).map((epoch) => (epoch.first < next ? { ...epoch, first: next } : epoch));
    for (const segment of gone) {
      this.segments.dropFirst();
      await this.reader.handles.forget(segment.name);
    }
  }

  private async cutAfter(position: Position): Promise<string> {
    const { context, id, head } = this;
    const segment = this.segments.reaching(position);
    assert(segment !== null, `no segment reaches position ${position}`);
    const all = this.segments.all;
    const at = all.indexOf(segment);
    const later = all.slice(at + 1).map(({ name }) => name);
    const { change, quarantine } = await decideCut(context, id, segment, position, head, later);
    const known = { segments: all.slice(0, at), epochs: this.marks.filter(({ first }) => first <= segment.base.position), end: segment.base };
    await this.change({ ...this.meta, change }, known);
    return pathIn(context, quarantine);
  }

  /**
   * Decides a change, carries it out, and goes on with the log that results. When it cannot be written down (a full disk) nothing has happened, and
   * the journal goes on as it was.
   */
  private async change(meta: JournalMeta, known: KnownLog | null): Promise<void> {
    try {
      await this.saveMeta(meta);
    } catch (error) {
      if (await takeBack(this.context, this.meta, meta)) throw error;
      await this.letGo();
      throw this.asUnreadable(error);
    }
    await this.letGo();
    await this.goOnWith(meta, known).catch((error: unknown) => {
      throw this.asUnreadable(error);
    });
  }

  /** What the host denies just now: a new process finds the log as it was, or as it shall be. */
  private asUnreadable(error: unknown): unknown {
    return isPassing(error) ? unreadable(placeOf(this.context), error) : error;
  }

  private async goOnWith(meta: JournalMeta, known: KnownLog | null): Promise<void> {
    this.meta = await carryOut(this.context, meta);
    const found = await findLog(this.context, this.meta, known);
    if (found.damage !== null || found.tail === null) throw damaged(found.damage ?? 'no segment can be continued');
    const active = await mendTail(this.context, this.meta, found.tail);
    this.segments.replace(found.segments);
    this.marks = found.epochs;
    this.settled = found.head.position;
    this.queue = new GroupQueue(found.head, this.context.codec, this.context.options);
    this.reader.resume();
    this.commitTo(active, found.vouched);
  }

  /** Lets go of every file, so that they can be moved. Nothing is read until a change has put its log in the place of this one. */
  private async letGo(): Promise<void> {
    this.reader.suspend();
    this.settled = this.durable;
    this.committer?.stop('the journal is being changed');
    await this.rolled();
    await this.committer?.abandon();
    this.committer = null;
    await this.roller.discard();
    await this.reader.forget();
  }

  private async saveMeta(meta: JournalMeta): Promise<void> {
    await writeMeta(this.context, meta);
    // What had failed has made room for another log.
    if (meta.id !== this.meta.id) this.failureNote.drop();
    this.meta = meta;
  }

  /** A change during which nothing is appended. If it fails half way, the journal has failed: the next opening finishes it. What the host lacks just then is no damage for good. */
  private async alone<T>(action: () => Promise<T>): Promise<T> {
    this.changing++;
    try {
      return await this.inTurn(async () => {
        try {
          return await action();
        } catch (error) {
          if (this.committer === null) this.fail(`a change of the log did not succeed: ${reasonOf(error)}`, !isNoRoom(error) && codeOf(error) !== 'LOCKSTEP_JOURNAL_UNREADABLE');
          throw error;
        } finally {
          this.committer?.resume();
        }
      });
    } finally {
      this.changing--;
    }
  }

  private inTurn<T>(action: () => Promise<T>): Promise<T> {
    const turn = this.work.then(action);
    this.work = turn.catch(() => undefined);
    return turn;
  }
}
