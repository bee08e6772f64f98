import type { ReplicationStatus } from '../core/control/broker.js';
import { counted } from '../core/counted.js';
import { NO_POSITION, type JournalId, type Monotonic, type Position, type ServerId, type Term } from '../core/identity.js';
import { EMPTY_LOG, type Checksum, type LogPoint } from '../core/journal/envelope.js';
import { FOLLOWER_FRAME_BYTES_MAX, type HelloFrame, type OfferFrame, type ReplicationFrame } from '../core/replication/frames.js';
import { lastSharedPosition } from '../core/replication/known-log.js';
import { LeaderSession, type LeaderIdentity } from '../core/replication/leader-session.js';
import { cutRecords, lastWithin } from '../core/replication/run-of-records.js';
import type { Clock, Cancel } from '../ports/clock.js';
import type { Disk, DiskFile } from '../ports/disk.js';
import type { Log } from '../ports/log.js';
import type { Stream } from '../ports/stream.js';
import type { BrokerTuning } from './config.js';
import type { Copy } from './copy.js';
import { describe } from './disk-io.js';
import type { RecordRun } from './journal/api.js';
import { Progress } from './progress.js';
import type { RecentGroups } from './recent-groups.js';
import { ReplicationWire } from './replication-wire.js';
import { SnapshotCheck } from './snapshot-file.js';
import { isUnusable, type ShelvedSnapshot } from './snapshot-shelf.js';

/*
 * The leader's side of one connection to the follower: what is sent, and from where.
 *
 * Invariants
 * - Records go out in the order of the log, each once, beginning behind the point that the follower confirmed.
 * - Bytes sent and not acknowledged are bounded; a follower that falls behind what is in memory is served from the journal.
 * - A snapshot that has been damaged on the disk, or cannot be read, is not sent to its end, and never again.
 * - After `stop` nothing that the follower says counts any more.
 */
export interface FeedTools {
  readonly copy: Copy;
  readonly recent: RecentGroups;
  readonly disk: Disk;
  readonly checksum: Checksum;
  readonly clock: Clock;
  readonly log: Log;
  readonly tuning: BrokerTuning;
  readonly server: ServerId;
  readonly identity: LeaderIdentity;
}

export interface FeedListener {
  /** The follower has said who it is, and is the one that may come. */
  known(feed: Feed): void;
  /** `durable`, the phase or the journal of the follower changed. */
  progress(feed: Feed): void;
  ended(feed: Feed, reason: string): void;
}

/** Records of one frame, when they are many. */
const RECORD_FRAME_BYTES = 1024 * 1024;
const SNAPSHOT_CHUNK_BYTES = 256 * 1024;
const RECORDS_WORTH_A_LINE = 1_000;

export class Feed {
  private readonly session: LeaderSession;
  private readonly wire: ReplicationWire;
  private over = false;
  private reading = false;
  private caughtUp = false;
  private goal: Position | null = null;
  private heardAt: Monotonic;
  private timer: Cancel;
  private roomWaiters: (() => void)[] = [];
  private progressOf: Progress | null = null;
  private startedAt: Position = NO_POSITION;
  private switched: { term: Term; first: Position } | null = null;
  private offeredTerm: Term;
  private mark: { position: Position; digest: string } | null = null;
  private markedAt: Monotonic;

  constructor(
    stream: Stream,
    private readonly tools: FeedTools,
    private readonly listener: FeedListener,
    term: Term,
  ) {
    const now = tools.clock.monotonic();
    this.heardAt = now;
    this.markedAt = now;
    this.offeredTerm = term;
    this.session = new LeaderSession(tools.identity, term);
    this.wire = new ReplicationWire(stream, FOLLOWER_FRAME_BYTES_MAX, {
      came: () => undefined,
      frame: (frame) => this.onFrame(frame),
      drain: () => this.onDrain(),
      closed: (reason) => this.stop(reason, null),
    });
    this.timer = tools.clock.after(tools.tuning.pingIntervalMs, () => this.tick());
  }

  get remote(): string {
    return this.wire.remote;
  }
  /** Up to where the follower's copy is durable, as it said in this session; `null` before it confirmed the shared point. */
  get durable(): Position | null {
    return this.session.phase === 'streaming' ? this.session.durable : null;
  }
  get journal(): JournalId | null {
    return this.session.journal;
  }
  get inStep(): boolean {
    return !this.over && this.session.phase === 'streaming' && this.caughtUp;
  }

  stalledMs(now: Monotonic): number {
    return this.session.stalledMs(now);
  }

  status(stalledMs: number): ReplicationStatus {
    const { session, tools } = this;
    const { head, journal } = tools.copy;
    const durable = this.durable ?? NO_POSITION;
    const unsent = Math.max(0, head.position - Math.max(session.sent, this.startedAt));
    const records = Math.max(1, head.position - journal.base.position);
    const negotiating = session.phase === 'hello' || session.phase === 'offering' || session.phase === 'offered';
    const phase = negotiating ? 'negotiating' : session.phase === 'snapshot' ? 'snapshot' : this.caughtUp ? 'in-step' : 'catching-up';
    return {
      phase,
      peerRun: tools.identity.peer.brokerRun,
      peerJournal: session.journal,
      term: session.term,
      peerDurable: durable,
      stalledMs,
      lagRecords: head.position - durable,
      lagBytes: session.inFlightBytes + Math.round((journal.bytes * unsent) / records),
      progress: phase === 'in-step' ? null : (this.progressOf?.value ?? null),
    };
  }

  /** Records are on their way to the disk, or more is durable: there may be something to send. */
  pump(): void {
    const { session, wire, tools } = this;
    while (!this.over && session.phase === 'streaming' && !this.reading) {
      if (session.inFlightBytes >= tools.tuning.inFlightBytesMax || !wire.room) return;
      const next = (session.sent + 1) as Position;
      const run = tools.recent.from(next);
      if (run !== null) {
        this.sendRun(run);
        continue;
      }
      if (next > tools.copy.durable) {
        if (session.sent >= tools.recent.last) this.goal ??= session.sent;
        this.reachStep();
        this.sendMark();
        return;
      }
      this.readFrom(next);
      return;
    }
  }

  /** We go on in a higher term, whose first record will stand at `first`. Called before that record is appended. */
  switchTerm(term: Term, first: Position): void {
    this.session.term = term;
    this.switched = { term, first };
    if (this.session.phase === 'streaming') this.wire.send({ kind: 'term', term, first });
  }

  /** Ends the conversation; the follower is told `answer` first, when there is one. */
  stop(reason: string, answer: string | null): void {
    if (this.over) return;
    this.over = true;
    this.timer();
    this.session.end();
    this.wire.finish(answer, reason);
    this.wakeWaiters();
    this.listener.ended(this, reason);
  }

  private onFrame(frame: ReplicationFrame): void {
    if (this.over) return;
    const now = this.tools.clock.monotonic();
    this.heardAt = now;
    const event = this.session.frame(frame, now);
    switch (event.kind) {
      case 'negotiate':
        if (frame.kind === 'hello') this.listener.known(this);
        void this.negotiate(event.hello, event.sharedRefused).catch((error: unknown) => this.stop(`no offer could be made: ${describe(error)}`, 'the leader cannot read its log'));
        return;
      case 'ready':
        return this.onReady();
      case 'progress':
        this.progressOf?.records(this.session.durable - this.startedAt, 0);
        this.reachStep();
        this.listener.progress(this);
        return this.pump();
      case 'over':
        return this.stop(event.reason, event.answer);
      case 'pong':
        return;
    }
  }

  private async negotiate(hello: HelloFrame, sharedRefused: boolean): Promise<void> {
    const { copy } = this.tools;
    const shared = sharedRefused ? null : lastSharedPosition(copy.known(), { epochs: hello.epochs, head: hello.head.position });
    if (shared !== null && shared >= hello.floor && shared >= copy.journal.base.position) {
      copy.neededFrom = (shared + 1) as Position;
      const point = await copy.journal.pointAt(shared);
      if (this.over) return;
      if (point !== null) return this.offer('shared', point, 0);
    }
    const snapshot = copy.shelf.newest;
    if (snapshot !== null) return this.sendSnapshot(snapshot);
    if (copy.journal.base.position === NO_POSITION) {
      copy.neededFrom = 1 as Position;
      return this.offer('anew', EMPTY_LOG, 0);
    }
    this.stop('the follower needs a snapshot and there is no good one', 'there is no good snapshot yet; try again');
  }

  private offer(mode: OfferFrame['mode'], point: LogPoint, snapshotBytes: number): void {
    const { copy, server, identity, clock, log, tuning } = this.tools;
    const { head, base, bytes } = copy.journal;
    const records = head.position - point.position;
    const logBytes = Math.round((bytes * records) / Math.max(1, head.position - base.position));
    const offer: OfferFrame = { kind: 'offer', mode, server, run: identity.run, journal: copy.id, term: this.session.term, point, head, snapshotBytes, logBytes };
    this.offeredTerm = offer.term;
    this.startedAt = point.position;
    this.progressOf = new Progress(clock, log, `Copying to ${identity.peer.server}`, tuning.progressIntervalMs, records, snapshotBytes + logBytes);
    // What a moment copies is no news: that the peer is in step says it all.
    const level = mode === 'shared' && records < RECORDS_WORTH_A_LINE ? 'debug' : 'info';
    log.write(level, `Copying to ${identity.peer.server}: ${whatIs(mode, point)}, ${counted(records, 'record')}`, { mode, position: point.position, records });
    this.session.offer(offer);
    this.wire.send(offer);
  }

  private async sendSnapshot(snapshot: ShelvedSnapshot): Promise<void> {
    const { copy, disk } = this.tools;
    const unpin = copy.shelf.pin(snapshot.path);
    copy.neededFrom = (snapshot.head.point.position + 1) as Position;
    try {
      const file = await disk.open(snapshot.path, 'read');
      try {
        if (!this.over) await this.sendFile(file, snapshot);
      } finally {
        await file.close();
      }
    } catch (error) {
      if (!isUnusable(error)) throw error;
      // The follower comes again, and is given an older one, or the one that is made in its place.
      copy.shelf.condemn(snapshot, error);
      this.stop(describe(error), 'the snapshot here is damaged; try again');
    } finally {
      unpin();
    }
  }

  private async sendFile(file: DiskFile, snapshot: ShelvedSnapshot): Promise<void> {
    const { checksum, disk } = this.tools;
    const check = new SnapshotCheck(disk.place(snapshot.path), checksum);
    this.offer('snapshot', snapshot.head.point, snapshot.bytes);
    for (let offset = 0; offset < snapshot.bytes; ) {
      const bytes = await file.read(offset, Math.min(SNAPSHOT_CHUNK_BYTES, snapshot.bytes - offset));
      if (this.over) return;
      if (bytes.length === 0) break;
      check.push(bytes);
      this.wire.send({ kind: 'chunk', bytes });
      this.progressOf?.bytes(bytes.length);
      offset += bytes.length;
      await this.room();
    }
    check.end();
    if (!this.over) this.wire.send({ kind: 'snapshot-end', bytes: snapshot.bytes });
  }

  private onReady(): void {
    const { session, switched } = this;
    if (switched !== null && switched.term > this.offeredTerm) this.wire.send({ kind: 'term', term: switched.term, first: switched.first });
    this.tools.copy.neededFrom = (session.sent + 1) as Position;
    this.listener.progress(this);
    this.pump();
  }

  /** In step: everything that there was when nothing was left to send is durable there, and what came since comes from memory. */
  private reachStep(): void {
    if (this.caughtUp || this.goal === null || this.session.durable < this.goal) return;
    this.caughtUp = true;
    this.tools.log.write('info', `${this.tools.identity.peer.server} is in step at position ${this.session.sent}`, { position: this.session.sent });
    this.listener.progress(this);
  }

  private readFrom(next: Position): void {
    const { copy, tuning } = this.tools;
    this.reading = true;
    this.goal = null;
    if (this.caughtUp) {
      this.caughtUp = false;
      this.listener.progress(this);
    }
    copy.journal.read(next, tuning.chunkBytes).then(
      (run) => {
        this.reading = false;
        if (this.over) return;
        if (run === null) return this.stop(`record ${next} is no longer in the log`, null);
        this.sendRun(run);
        this.pump();
      },
      (error: unknown) => this.stop(`the log cannot be read: ${describe(error)}`, null),
    );
  }

  private sendRun(run: RecordRun): void {
    const now = this.tools.clock.monotonic();
    let { first, bytes } = run;
    for (;;) {
      const { mark } = this;
      let upTo = run.last;
      if (mark !== null && mark.position >= first && mark.position < upTo) upTo = mark.position;
      if (bytes.length > RECORD_FRAME_BYTES) upTo = Math.min(upTo, lastWithin(bytes, RECORD_FRAME_BYTES)) as Position;
      const part = upTo === run.last ? bytes : cutRecords(bytes, first, upTo);
      this.wire.sendRecords(part);
      this.session.sentRecords(upTo, part.length, now);
      this.progressOf?.bytes(this.caughtUp ? 0 : part.length);
      this.sendMark();
      if (upTo === run.last) break;
      bytes = bytes.subarray(part.length);
      first = (upTo + 1) as Position;
    }
    this.tools.copy.neededFrom = (this.session.sent + 1) as Position;
  }

  /** The digest that was taken at a position goes out right behind that position's record. */
  private sendMark(): void {
    const { mark } = this;
    if (mark === null || mark.position > this.session.sent) return;
    this.mark = null;
    if (mark.position === this.session.sent) this.wire.send({ kind: 'digest', ...mark });
  }

  private tick(): void {
    if (this.over) return;
    const { clock, tuning, copy } = this.tools;
    const now = clock.monotonic();
    this.timer = clock.after(tuning.pingIntervalMs, () => this.tick());
    const silentMs = now - this.heardAt;
    if (this.session.phase === 'hello') {
      if (silentMs > tuning.dialTimeoutMs) this.stop('nothing was said in time', null);
      return;
    }
    if (silentMs > tuning.linkSilenceMs) return this.stop(`nothing was heard for ${Math.round(silentMs)} ms`, null);
    const stalledMs = this.session.stalledMs(now);
    if (stalledMs > tuning.linkStandstillMs) return this.stop(`the follower has taken nothing in for ${Math.round(stalledMs)} ms`, 'nothing was taken in here for too long');
    const count = this.session.nextPing(now);
    if (count !== null) this.wire.send({ kind: 'ping', count, head: copy.head.position });
    if (this.inStep && this.mark === null && copy.ready && now - this.markedAt >= tuning.digestIntervalMs) {
      this.markedAt = now;
      this.mark = { position: copy.replica.position, digest: copy.replica.core.digest() };
      this.sendMark();
    }
  }

  private onDrain(): void {
    this.heardAt = this.tools.clock.monotonic();
    this.wakeWaiters();
    this.pump();
  }

  private room(): Promise<void> {
    if (this.wire.room || this.over) return Promise.resolve();
    return new Promise((resolve) => this.roomWaiters.push(resolve));
  }

  private wakeWaiters(): void {
    const waiters = this.roomWaiters;
    this.roomWaiters = [];
    for (const wake of waiters) wake();
  }
}

function whatIs(mode: OfferFrame['mode'], point: LogPoint): string {
  if (mode === 'shared') return `what it lacks behind the shared record ${point.position}`;
  return mode === 'anew' ? 'the whole log' : `a snapshot of position ${point.position} and what follows`;
}
