import type { FollowRole, ReplicationPhase, ReplicationStatus } from '../core/control/broker.js';
import { LockstepError } from '../core/errors.js';
import { EMPTY_LOG, type LogPoint } from '../core/journal/envelope.js';
import { NO_POSITION, type JournalId, type Monotonic, type Position, type RunId, type Term } from '../core/identity.js';
import { FollowerSession } from '../core/replication/follower-session.js';
import { REPLICATION_FRAME_BYTES_MAX, type OfferFrame, type ReplicationFrame } from '../core/replication/frames.js';
import type { Cancel, Clock } from '../ports/clock.js';
import type { Disk } from '../ports/disk.js';
import type { Log } from '../ports/log.js';
import type { Random } from '../ports/random.js';
import type { Network, Stream } from '../ports/stream.js';
import type { BrokerConfig } from './config.js';
import type { Copy } from './copy.js';
import { describe } from './disk-io.js';
import { discardIncoming, INCOMING, IncomingSnapshot } from './incoming-snapshot.js';
import { Progress } from './progress.js';
import { ReplicationWire } from './replication-wire.js';
import { samePoint } from './snapshot-shelf.js';

/*
 * Following one leader in one term: dialling, agreeing on where the logs part, copying, acknowledging.
 *
 * Invariants
 * - `durable` is said only from a live session whose term is above the fence, and only for what this server's own disk has synced.
 *   `stop` ends the session at once; nothing that is still under way on the disk can speak through it afterwards.
 * - The own log is cut only at a point that was compared with the leader's, and only while the session that compared it lives; a cut
 *   that has begun is carried to its end, and no other session begins before that.
 * - Silence is the leader's only while this side reads: while the own disk is behind with a snapshot, none is counted, and the leader
 *   is told that this side lives though it reads no ping.
 * - Frames of an older session go nowhere: each session has its own wire, which is closed before the next is dialled.
 */

/** A leader that does not let us follow says so while roles change; one that goes on saying it for so long is a trouble. */
const REFUSAL_LASTS_MS = 5_000;

export interface FollowingTools {
  readonly copy: Copy;
  readonly config: BrokerConfig;
  readonly run: RunId;
  readonly network: Network;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly fencedThrough: () => Term;
  readonly changed: () => void;
}

/** One connection to the leader. */
interface Link {
  readonly wire: ReplicationWire;
  readonly session: FollowerSession;
  /** A whole copy is wanted and not yet here. */
  resync: boolean;
  incoming: Promise<IncomingSnapshot> | null;
  progress: Progress | null;
  startedAt: Position;
  leaderJournal: JournalId | null;
  /** The last ping that was answered. */
  answered: number;
  /** The last position that was said to be durable. */
  said: Position;
}

export class Following {
  private link: Link | null = null;
  private stopped = false;
  private dialling = false;
  private redial: Cancel | null = null;
  private failures = 0;
  private resyncDone = false;
  private heardAt: Monotonic;
  private watch: Cancel;
  /** Why there is no connection; `null` while there is. */
  trouble: string | null = null;
  /** What was last said of it: the same again is no news. */
  private told: string | null = null;
  /** Since when the leader has said nothing but that it does not let us follow. */
  private refusedSince: Monotonic | null = null;

  constructor(
    private readonly tools: FollowingTools,
    private role: FollowRole,
  ) {
    this.heardAt = tools.clock.monotonic();
    this.watch = tools.clock.after(tools.config.tuning.pingIntervalMs, () => this.tick());
    this.dial();
  }

  /** The term of the live session, or the ordered one. */
  get term(): Term {
    return (this.link?.session.term ?? this.role.term) as Term;
  }

  /** Takes a newer order for the same leader. @returns false when it needs another `Following` */
  adopt(role: FollowRole): boolean {
    const { leader } = this.role;
    const same = leader.server === role.leader.server && leader.brokerRun === role.leader.brokerRun && leader.endpoint.host === role.leader.endpoint.host && leader.endpoint.port === role.leader.endpoint.port;
    if (!same || role.term < this.role.term) return false;
    const link = this.link;
    // A live session of an older term stays: the leader tells it of the new one, or has ended it. A fence would have stopped it.
    this.role = role;
    if (!role.resync) this.resyncDone = false;
    else if (this.resyncDone && this.tools.copy.diverged !== null) this.resyncDone = false;
    if (this.wantsResync() && link !== null && !link.resync) this.drop('a whole copy was ordered', null);
    return true;
  }

  /** Ends everything, for good. */
  stop(reason: string): void {
    if (this.stopped) return;
    this.stopped = true;
    this.redial?.();
    this.watch();
    this.drop(reason, reason);
  }

  /** More is durable here. */
  durable(position: Position): void {
    const { link } = this;
    if (link === null || link.session.phase !== 'streaming') return;
    if (link.session.term <= this.tools.fencedThrough()) return;
    // Only what this session brought: a rewind may be followed by a late word about records that are gone.
    const upTo = Math.min(position, link.session.received) as Position;
    if (upTo <= link.said) return;
    link.said = upTo;
    link.wire.send({ kind: 'durable', position: upTo });
    link.progress?.records(upTo - link.startedAt, 0);
  }

  /** The copy is ready again, or became damaged. */
  copyChanged(): void {
    const { copy } = this.tools;
    if (copy.damage !== null && this.link !== null && !this.link.resync) this.drop('this copy is damaged', 'the copy here is damaged');
    if (this.link === null) this.dial();
  }

  status(): ReplicationStatus {
    const { copy, clock } = this.tools;
    const { link } = this;
    const head = link?.session.leaderHead ?? NO_POSITION;
    const lagRecords = Math.max(0, head - copy.durable);
    const phase = this.phase();
    return {
      phase,
      peerRun: this.role.leader.brokerRun,
      peerJournal: link?.leaderJournal ?? null,
      term: this.term,
      peerDurable: copy.durable,
      stalledMs: Math.max(0, clock.monotonic() - this.heardAt - this.tools.config.tuning.pingIntervalMs),
      lagRecords,
      lagBytes: 0,
      progress: phase === 'in-step' ? null : (link?.progress?.value ?? null),
    };
  }

  private phase(): ReplicationPhase {
    const { link } = this;
    if (link === null) return 'connecting';
    switch (link.session.phase) {
      case 'snapshot':
        return 'snapshot';
      case 'streaming':
        return (link.session.offer?.head.position ?? 0) <= this.tools.copy.durable ? 'in-step' : 'catching-up';
      case 'installing':
        return link.incoming === null ? 'negotiating' : 'snapshot';
      default:
        return 'negotiating';
    }
  }

  private wantsResync(): boolean {
    return this.tools.copy.damage !== null || (this.role.resync && !this.resyncDone);
  }

  private dial(): void {
    const { copy, network, config, clock, log } = this.tools;
    if (this.stopped || this.dialling || this.link !== null || copy.changing) return;
    if (copy.damage === null && copy.durable < copy.head.position) return this.again('the own disk has not caught up', false);
    this.redial?.();
    this.redial = null;
    this.dialling = true;
    network.dial(this.role.leader.endpoint, config.tuning.dialTimeoutMs).then(
      (stream) => {
        this.dialling = false;
        if (this.stopped || copy.changing) return discard(stream);
        if (config.replicationSecured && !stream.authenticated) {
          discard(stream);
          return this.again('the leader did not prove the shared secret', true);
        }
        this.heardAt = clock.monotonic();
        log.write('debug', `Connected to ${this.role.leader.server} at ${stream.remote}`);
        this.begin(stream);
      },
      (error: unknown) => {
        this.dialling = false;
        this.again(describe(error), true);
      },
    );
  }

  /** Dials again after a while. `refused`: the leader itself said that it does not let us follow. */
  private again(reason: string, failed: boolean, refused = false): void {
    if (this.stopped) return;
    const { clock, random, config, changed } = this.tools;
    const { redialMinMs, redialMaxMs } = config.tuning;
    if (failed) this.tell(reason, refused);
    this.trouble = reason;
    const wait = Math.min(redialMaxMs, redialMinMs * 2 ** Math.min(this.failures, 10));
    if (failed) this.failures += 1;
    this.redial?.();
    this.redial = clock.after(wait * (0.5 + random.fraction() / 2), () => this.dial());
    changed();
  }

  private tell(reason: string, refused: boolean): void {
    const { clock, log } = this.tools;
    this.refusedSince = refused ? (this.refusedSince ?? clock.monotonic()) : null;
    const passing = this.refusedSince !== null && clock.monotonic() - this.refusedSince < REFUSAL_LASTS_MS;
    if (this.told !== reason) log.write(passing ? 'debug' : 'warn', `No replication link to ${this.role.leader.server}: ${reason}`);
    if (!passing) this.told = reason;
  }

  private begin(stream: Stream): void {
    const { copy, config, run } = this.tools;
    const session = new FollowerSession({ term: this.role.term, leader: this.role.leader });
    const wire = new ReplicationWire(stream, REPLICATION_FRAME_BYTES_MAX, {
      frame: (frame) => this.onFrame(link, frame),
      drain: () => undefined,
      closed: (reason) => this.onClosed(link, reason),
    });
    const link: Link = { wire, session, resync: this.wantsResync(), incoming: null, progress: null, startedAt: NO_POSITION, leaderJournal: null, answered: 0, said: NO_POSITION };
    this.link = link;
    const whole = copy.damage === null;
    const known = copy.known();
    wire.send({
      kind: 'hello',
      cluster: config.cluster,
      server: config.server,
      run,
      leaderRun: this.role.leader.brokerRun,
      journal: copy.id,
      term: this.role.term,
      head: whole ? copy.head : EMPTY_LOG,
      floor: whole ? copy.floor : NO_POSITION,
      resync: link.resync,
      epochs: known.epochs,
    });
    this.tools.changed();
  }

  private onFrame(link: Link, frame: ReplicationFrame): void {
    if (link !== this.link) return;
    const { copy, clock, fencedThrough, changed } = this.tools;
    this.heardAt = clock.monotonic();
    const event = link.session.frame(frame, fencedThrough());
    switch (event.kind) {
      case 'records':
        return this.onRecords(link, event.bytes);
      case 'ping':
        link.answered = event.count;
        return link.wire.send({ kind: 'pong', count: event.count });
      case 'digest':
        copy.compare(event.position, event.digest);
        if (copy.diverged !== null) changed();
        return;
      case 'term':
        this.tools.log.write('debug', `${this.role.leader.server} goes on in term ${event.term}`, { term: event.term });
        return changed();
      case 'compare':
        return this.attempt(link, this.compare(link, event.offer));
      case 'anew':
        return this.attempt(link, this.anew(link, event.offer));
      case 'snapshot':
        link.leaderJournal = event.offer.journal;
        this.measure(link, event.offer);
        this.receive(link);
        return changed();
      case 'chunk':
        return this.onChunk(link, event.bytes.slice());
      case 'snapshot-whole':
        return this.attempt(link, this.install(link));
      case 'over':
        // Without an answer it is the leader's own word, as at every change of roles.
        return this.lose(link, event.reason, event.answer, event.answer === null);
    }
  }

  private onRecords(link: Link, bytes: Uint8Array): void {
    try {
      this.tools.copy.receive(bytes);
    } catch (error) {
      // An error of the records is an answer; anything else is a broken assumption of ours.
      if (!(error instanceof LockstepError)) throw error;
      this.tools.log.write('error', `Records from ${this.role.leader.server} were refused: ${error.message}`, { code: error.code });
      return this.lose(link, error.message, error.message);
    }
    link.progress?.bytes(bytes.length);
  }

  /** R7: the leader's point is compared with the own log before anything is cut. */
  private async compare(link: Link, offer: OfferFrame): Promise<void> {
    const { copy } = this.tools;
    const { point } = offer;
    const own = await copy.journal.pointAt(point.position);
    if (link !== this.link) return;
    if (!samePoint(point, own) || point.position < copy.floor) {
      this.tools.log.write('error', `Record ${point.position} is not the same here and at ${this.role.leader.server}; the whole copy is taken anew`, { code: 'LOCKSTEP_LOGS_DIFFER' });
      link.session.compared(false);
      return link.wire.send({ kind: 'mismatch', point: own ?? EMPTY_LOG });
    }
    link.session.compared(true);
    this.measure(link, offer);
    await copy.rewind(point);
    this.ready(link, point);
  }

  private async anew(link: Link, offer: OfferFrame): Promise<void> {
    this.measure(link, offer);
    await this.tools.copy.anew(true);
    this.ready(link, EMPTY_LOG);
  }

  private receive(link: Link): void {
    const failed = (reason: string): void => this.lose(link, `the snapshot cannot be kept: ${reason}`, 'the disk here takes no snapshot');
    link.incoming = IncomingSnapshot.open(this.tools.disk, (go) => this.pace(link, go), failed);
    link.incoming.catch((error: unknown) => failed(describe(error)));
  }

  private pace(link: Link, go: boolean): void {
    if (!go) return link.wire.pause();
    if (link === this.link && link.wire.paused) this.heardAt = this.tools.clock.monotonic();
    link.wire.resume();
  }

  private onChunk(link: Link, bytes: Uint8Array): void {
    link.progress?.bytes(bytes.length);
    // Where it could not be opened, the link is lost already.
    link.incoming?.then(
      (incoming) => incoming.chunk(bytes),
      () => undefined,
    );
  }

  private async install(link: Link): Promise<void> {
    const { offer } = link.session;
    if (link.incoming === null || offer === null) return;
    const incoming = await link.incoming;
    await incoming.whole();
    link.incoming = null;
    if (link !== this.link) return;
    // A copy that is suspect, or whose records differ from the leader's, is no member's copy any more (R3).
    const suspect = link.resync || link.session.mismatched;
    try {
      await this.tools.copy.install(INCOMING, offer.point, suspect);
    } catch (error) {
      await discardIncoming(this.tools.disk).catch(() => undefined);
      throw error;
    }
    this.ready(link, offer.point);
  }

  private ready(link: Link, point: LogPoint): void {
    if (link.resync) this.resyncDone = true;
    // From here on it is a link like any other: what damages the copy, or makes it differ, ends it.
    link.resync = false;
    if (link !== this.link) return;
    const { copy } = this.tools;
    if (!copy.ready) return this.lose(link, copy.damage ?? 'the state could not be built', 'the copy here is not whole');
    link.session.installed(point);
    link.startedAt = point.position;
    link.said = point.position;
    link.leaderJournal = link.session.offer?.journal ?? null;
    link.wire.send({ kind: 'ready', journal: copy.id, point });
    this.failures = 0;
    this.trouble = null;
    this.told = null;
    this.refusedSince = null;
    this.tools.log.write('info', `Follows ${this.role.leader.server} in term ${link.session.term} behind record ${point.position}`, { term: link.session.term, position: point.position });
    this.tools.changed();
  }

  private measure(link: Link, offer: OfferFrame): void {
    const { clock, log, config } = this.tools;
    const records = offer.head.position - offer.point.position;
    link.startedAt = offer.point.position;
    link.progress = new Progress(clock, log, `Copying from ${offer.server}`, config.tuning.progressIntervalMs, records, offer.snapshotBytes + offer.logBytes);
  }

  private attempt(link: Link, work: Promise<void>): void {
    work.catch((error: unknown) => {
      this.tools.log.write('error', `The copy could not be made: ${describe(error)}`);
      this.lose(link, describe(error), 'the copy could not be made here');
    });
  }

  private onClosed(link: Link, reason: string): void {
    if (link === this.link) this.lose(link, reason, null);
  }

  /** This link is over; another is tried. */
  private lose(link: Link, reason: string, answer: string | null, refused = false): void {
    if (link !== this.link) return;
    this.failures += 1;
    this.drop(reason, answer);
    this.again(reason, true, refused);
  }

  private drop(reason: string, answer: string | null): void {
    const { link } = this;
    if (link === null) return;
    this.link = null;
    link.session.end();
    link.wire.finish(answer, reason);
    link.incoming?.then((incoming) => incoming.giveUp()).catch((error: unknown) => this.tools.log.write('warn', `An unfinished snapshot: ${describe(error)}`));
    this.heardAt = this.tools.clock.monotonic();
    if (!this.stopped && this.redial === null) this.again(reason, false);
  }

  private tick(): void {
    if (this.stopped) return;
    const { clock, config, copy } = this.tools;
    const { link } = this;
    this.watch = clock.after(config.tuning.pingIntervalMs, () => this.tick());
    if (link === null) return;
    const now = clock.monotonic();
    if (link.wire.paused) {
      this.heardAt = now;
      // Answers no ping that waits unread, and says that somebody is there.
      return link.wire.send({ kind: 'pong', count: link.answered });
    }
    const silentMs = now - this.heardAt;
    if (!copy.changing && silentMs > config.tuning.linkSilenceMs) this.lose(link, `nothing was heard for ${Math.round(silentMs)} ms`, null);
  }
}

function discard(stream: Stream): void {
  stream.handle({ data: () => undefined, drain: () => undefined, close: () => undefined });
  stream.destroy('not wanted any more');
}
