import type { CopyProgress, FollowRole, ReplicationPhase } from '../core/control/broker.js';
import { LockstepError } from '../core/errors.js';
import { EMPTY_LOG, type LogPoint, type LogRecord } from '../core/journal/envelope.js';
import { NO_POSITION, type JournalId, type Monotonic, type Position, type RunId, type Term } from '../core/identity.js';
import { FollowerSession } from '../core/replication/follower-session.js';
import { REPLICATION_FRAME_BYTES_MAX, type OfferFrame, type ReplicationFrame } from '../core/replication/frames.js';
import type { Clock } from '../ports/clock.js';
import type { Disk } from '../ports/disk.js';
import type { Log } from '../ports/log.js';
import type { Stream } from '../ports/stream.js';
import { segmentBytesOf, type BrokerConfig } from './config.js';
import type { Copy } from './copy.js';
import { describe } from './disk-io.js';
import { discardIncoming, INCOMING, IncomingSnapshot } from './incoming-snapshot.js';
import { Intake } from './intake.js';
import { Progress } from './progress.js';
import { Cancelled } from './rebuild.js';
import { ReplicationWire } from './replication-wire.js';
import { samePoint } from './snapshot-shelf.js';

/*
 * One connection to the leader: agreeing on where the logs part, copying, acknowledging.
 *
 * Invariants
 * - `durable` is said only from a session that lives and whose term is above the fence, and only for what this server's own disk has
 *   synced. Nothing that is still under way on the disk can speak through a link that is over.
 * - The own log is cut only at a point that was compared with the leader's, and only while the session that compared it lives; a cut
 *   that has begun is carried to its end.
 * - Silence is the leader's only while this side reads: while the own disk is behind with a snapshot, or records take long to apply, none
 *   is counted, and the leader is told that this side lives though it reads no ping.
 * - That it is lost is said once at most. After `end` no frame is heard any more, and nothing more is said.
 */
export interface LinkTools {
  readonly copy: Copy;
  readonly config: BrokerConfig;
  readonly run: RunId;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Log;
  readonly fencedThrough: () => Term;
  readonly changed: () => void;
}

export interface LinkListener {
  /** A whole copy that was wanted is made; the link may be over. */
  copied(): void;
  /** Both logs are the same up to a point, and records may come. */
  agreed(): void;
  /** It cannot go on: end it with `answer`, if there is one. `refused`: the leader itself said that it does not let us follow. */
  lost(reason: string, answer: string | null, refused: boolean): void;
}

export class FollowerLink {
  private readonly wire: ReplicationWire;
  private readonly session: FollowerSession;
  private readonly intake: Intake;
  private over = false;
  private incoming: Promise<IncomingSnapshot> | null = null;
  private progress: Progress | null = null;
  private startedAt: Position = NO_POSITION;
  private journal: JournalId | null = null;
  /** The last ping that was answered. */
  private answered = 0;
  /** The last position that was said to be durable. */
  private said: Position = NO_POSITION;
  private heard: Monotonic;
  /** Since the last tick: something came, but no whole frame. */
  private partly = false;

  /** @param resyncing a whole copy is wanted */
  constructor(
    private readonly tools: LinkTools,
    private readonly listener: LinkListener,
    private readonly leader: FollowRole['leader'],
    term: Term,
    private resyncing: boolean,
    stream: Stream,
  ) {
    const { copy, config, run, clock } = tools;
    this.heard = clock.monotonic();
    this.session = new FollowerSession({ term, leader });
    this.wire = new ReplicationWire(stream, REPLICATION_FRAME_BYTES_MAX, {
      came: () => this.onBytes(),
      frame: (frame) => this.hear(frame),
      drain: () => undefined,
      closed: (reason) => this.lose(reason, null),
    });
    this.intake = new Intake(clock, {
      frame: (frame) => this.onFrame(frame),
      records: (bytes, more) => this.takeRecords(bytes, more),
      pace: (go) => this.pace(go),
    });
    const whole = copy.damage === null;
    const known = copy.known();
    this.wire.send({
      kind: 'hello',
      cluster: config.cluster,
      server: config.server,
      run,
      leaderRun: leader.brokerRun,
      journal: copy.id,
      term,
      head: whole ? copy.head : EMPTY_LOG,
      floor: whole ? copy.floor : NO_POSITION,
      resync: resyncing,
      epochs: known.epochs,
    });
  }

  get term(): Term {
    return this.session.term;
  }
  /** A whole copy is wanted and not yet here. */
  get resync(): boolean {
    return this.resyncing;
  }
  /** When the leader was heard last, or could have been. */
  get heardAt(): Monotonic {
    return this.heard;
  }
  get leaderHead(): Position {
    return this.session.leaderHead;
  }
  get leaderJournal(): JournalId | null {
    return this.journal;
  }
  get copyProgress(): CopyProgress | null {
    return this.progress?.value ?? null;
  }

  get phase(): ReplicationPhase {
    switch (this.session.phase) {
      case 'snapshot':
        return 'snapshot';
      case 'streaming':
        return (this.session.offer?.head.position ?? 0) <= this.tools.copy.durable ? 'in-step' : 'catching-up';
      case 'installing':
        return this.incoming === null ? 'negotiating' : 'snapshot';
      default:
        return 'negotiating';
    }
  }

  /** More is durable here. */
  durable(position: Position): void {
    const { session } = this;
    if (session.phase !== 'streaming') return;
    if (session.term <= this.tools.fencedThrough()) return;
    // Only what this session brought: a rewind may be followed by a late word about records that are gone.
    const upTo = Math.min(position, session.received) as Position;
    if (upTo <= this.said) return;
    this.said = upTo;
    this.wire.send({ kind: 'durable', position: upTo });
    this.progress?.records(upTo - this.startedAt, 0);
  }

  /** Every so often. */
  tick(): void {
    const { clock, config, copy } = this.tools;
    const now = clock.monotonic();
    if (this.wire.paused) {
      this.heard = now;
      // Answers no ping that waits unread, and says that somebody is there.
      return this.wire.send({ kind: 'pong', count: this.answered });
    }
    // A long frame is on its way: until it is there, nothing that it holds up is answered.
    if (this.partly) this.wire.send({ kind: 'pong', count: this.answered });
    this.partly = false;
    const silentMs = now - this.heard;
    if (!copy.changing && silentMs > config.tuning.linkSilenceMs) this.lose(`nothing was heard for ${Math.round(silentMs)} ms`, null);
  }

  /** Nothing comes of it any more. The leader is told `answer` first, when there is one. */
  end(reason: string, answer: string | null): void {
    this.over = true;
    this.intake.end();
    this.session.end();
    this.wire.finish(answer, reason);
    this.incoming?.then((incoming) => incoming.giveUp()).catch((error: unknown) => this.tools.log.write('warn', `An unfinished snapshot: ${describe(error)}`));
  }

  private lose(reason: string, answer: string | null, refused = false): void {
    if (!this.over) this.listener.lost(reason, answer, refused);
  }

  private onBytes(): void {
    if (this.over) return;
    this.heard = this.tools.clock.monotonic();
    this.partly = true;
  }

  private hear(frame: ReplicationFrame): void {
    if (this.over) return;
    this.heard = this.tools.clock.monotonic();
    this.partly = false;
    this.intake.take(frame, this.heard);
  }

  private onFrame(frame: ReplicationFrame): void {
    const { copy, fencedThrough, changed, log } = this.tools;
    const event = this.session.frame(frame, fencedThrough());
    switch (event.kind) {
      case 'records':
        return this.intake.records(event.bytes);
      case 'ping':
        this.answered = event.count;
        return this.wire.send({ kind: 'pong', count: event.count });
      case 'digest':
        copy.compare(event.position, event.digest);
        if (copy.diverged !== null) changed();
        return;
      case 'term':
        log.write('debug', `${this.leader.server} goes on in term ${event.term}`, { term: event.term });
        return changed();
      case 'compare':
        return this.attempt(this.compare(event.offer));
      case 'anew':
        return this.attempt(this.anew(event.offer));
      case 'snapshot':
        this.journal = event.offer.journal;
        this.measure(event.offer);
        this.receive(event.offer);
        return changed();
      case 'chunk':
        return this.onChunk(event.bytes.slice());
      case 'snapshot-whole':
        return this.attempt(this.install());
      case 'over':
        // Without an answer it is the leader's own word, as at every change of roles.
        return this.lose(event.reason, event.answer, event.answer === null);
    }
  }

  private takeRecords(bytes: Uint8Array, more: (record: LogRecord) => boolean): number {
    let taken = 0;
    try {
      taken = this.tools.copy.receive(bytes, more);
    } catch (error) {
      // An error of the records is an answer; anything else is a broken assumption of ours.
      if (!(error instanceof LockstepError)) throw error;
      this.tools.log.write('error', `Records from ${this.leader.server} were refused: ${error.message}`, { code: error.code });
      this.lose(error.message, error.message);
      return 0;
    }
    this.progress?.bytes(taken);
    return taken;
  }

  /** R7: the leader's point is compared with the own log before anything is cut. */
  private async compare(offer: OfferFrame): Promise<void> {
    const { copy } = this.tools;
    const { point } = offer;
    const own = await copy.journal.pointAt(point.position);
    if (this.over) return;
    if (!samePoint(point, own) || point.position < copy.floor) {
      this.tools.log.write('error', `Record ${point.position} is not the same here and at ${this.leader.server}; the whole copy is taken anew`, { code: 'LOCKSTEP_LOGS_DIFFER' });
      this.session.compared(false);
      return this.wire.send({ kind: 'mismatch', point: own ?? EMPTY_LOG });
    }
    this.session.compared(true);
    this.measure(offer);
    await copy.rewind(point, this.wanted);
    this.ready(point);
  }

  private async anew(offer: OfferFrame): Promise<void> {
    this.measure(offer);
    await this.tools.copy.anew(true, this.wanted);
    this.ready(EMPTY_LOG);
  }

  private receive({ snapshotBytes }: OfferFrame): void {
    const { disk, config } = this.tools;
    const failed = (reason: string): void => this.lose(`the snapshot cannot be kept: ${reason}`, 'the disk here takes no snapshot');
    this.incoming = IncomingSnapshot.open(disk, snapshotBytes + 2 * segmentBytesOf(config), (go) => this.pace(go), failed);
    this.incoming.catch((error: unknown) => failed(describe(error)));
  }

  private pace(go: boolean): void {
    if (!go) return this.wire.pause();
    if (!this.over && this.wire.paused) this.heard = this.tools.clock.monotonic();
    this.wire.resume();
  }

  private onChunk(bytes: Uint8Array): void {
    this.progress?.bytes(bytes.length);
    // Where it could not be opened, the link is lost already.
    this.incoming?.then(
      (incoming) => incoming.chunk(bytes),
      () => undefined,
    );
  }

  private async install(): Promise<void> {
    const { offer } = this.session;
    if (this.incoming === null || offer === null) return;
    const incoming = await this.incoming;
    await incoming.whole();
    this.incoming = null;
    if (this.over) return;
    // A copy that is suspect, or whose records differ from the leader's, is no member's copy any more (R3).
    const suspect = this.resyncing || this.session.mismatched;
    try {
      await this.tools.copy.install(INCOMING, offer.point, suspect, this.wanted);
    } catch (error) {
      await discardIncoming(this.tools.disk).catch(() => undefined);
      throw error;
    }
    this.ready(offer.point);
  }

  private ready(point: LogPoint): void {
    if (this.resyncing) this.listener.copied();
    // From here on it is a link like any other: what damages the copy, or makes it differ, ends it.
    this.resyncing = false;
    if (this.over) return;
    const { copy, log, changed } = this.tools;
    const { session } = this;
    if (copy.retakes.rest !== null) return this.lose(copy.retakes.rest, 'the copy here rests: it was taken anew too often');
    if (!copy.ready) return this.lose(copy.damage ?? 'the state could not be built', 'the copy here is not whole');
    session.installed(point);
    this.startedAt = point.position;
    this.said = point.position;
    this.journal = session.offer?.journal ?? null;
    this.wire.send({ kind: 'ready', journal: copy.id, point });
    this.listener.agreed();
    log.write('info', `Follows ${this.leader.server} in term ${session.term} behind record ${point.position}`, { term: session.term, position: point.position });
    changed();
  }

  private measure(offer: OfferFrame): void {
    const { clock, log, config } = this.tools;
    const records = offer.head.position - offer.point.position;
    this.startedAt = offer.point.position;
    this.progress = new Progress(clock, log, `Copying from ${offer.server}`, config.tuning.progressIntervalMs, records, offer.snapshotBytes + offer.logBytes);
  }

  /** A change of the copy that waits for its turn is for this session alone. */
  private readonly wanted = (): boolean => !this.over;

  private attempt(work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (this.over && error instanceof Cancelled) return;
      this.tools.log.write('error', `The copy could not be made: ${describe(error)}`);
      this.lose(describe(error), 'the copy could not be made here');
    });
  }
}
