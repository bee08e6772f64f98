import type { JournalId, Monotonic, Position, RunId, ServerId, Term } from '../identity.js';
import { NO_POSITION } from '../identity.js';
import type { LogPoint } from '../journal/envelope.js';
import type { HelloFrame, OfferFrame, ReplicationFrame } from './frames.js';

/*
 * One conversation with a follower, seen from the leader: which frame may come when, what was sent and not yet
 * acknowledged, and how long we have waited. It sends nothing itself.
 *
 * Invariants
 * - `durable` is what this follower said in this session, never more than was sent to it, and never decreases.
 * - Nothing counts before `ready`: a follower that has not confirmed the shared point has acknowledged nothing.
 */
export type LeaderPhase = 'hello' | 'offering' | 'offered' | 'snapshot' | 'streaming' | 'ended';

export interface LeaderIdentity {
  readonly cluster: string;
  readonly run: RunId;
  /** Who alone may fetch the log here. */
  readonly peer: { readonly server: ServerId; readonly brokerRun: RunId };
}

export type LeaderEvent =
  | { readonly kind: 'negotiate'; readonly hello: HelloFrame; readonly sharedRefused: boolean }
  | { readonly kind: 'ready' }
  | { readonly kind: 'progress' }
  | { readonly kind: 'pong' }
  /** The conversation is over; `answer` is said to the follower first when it is not `null`. */
  | { readonly kind: 'over'; readonly reason: string; readonly answer: string | null };

export class LeaderSession {
  private step: LeaderPhase = 'hello';
  private offered: OfferFrame | null = null;
  private said: HelloFrame | null = null;
  private sentLast: Position = NO_POSITION;
  private ackLast: Position = NO_POSITION;
  private journalId: JournalId | null = null;
  private readonly flight: { last: Position; bytes: number }[] = [];
  private flightFirst = 0;
  private flightBytes = 0;
  private since: Monotonic | null = null;
  private pingCount = 0;
  private pingSince: Monotonic | null = null;

  constructor(
    private readonly self: LeaderIdentity,
    /** The term we serve in; grows when the term is switched in place. */
    public term: Term,
  ) {}

  get phase(): LeaderPhase {
    return this.step;
  }
  get sent(): Position {
    return this.sentLast;
  }
  get durable(): Position {
    return this.ackLast;
  }
  /** The journal that the follower's acknowledgements speak of; `null` before `ready`. */
  get journal(): JournalId | null {
    return this.journalId;
  }
  get hello(): HelloFrame | null {
    return this.said;
  }
  /** Bytes of records sent and not acknowledged as durable. */
  get inFlightBytes(): number {
    return this.flightBytes;
  }

  frame(frame: ReplicationFrame, now: Monotonic): LeaderEvent {
    switch (frame.kind) {
      case 'hello':
        return this.onHello(frame);
      case 'mismatch':
        return this.onMismatch();
      case 'ready':
        return this.onReady(frame.journal, frame.point);
      case 'durable':
        return this.onDurable(frame.position, now);
      case 'pong':
        if (this.pingSince !== null && frame.count === this.pingCount) this.pingSince = null;
        return { kind: 'pong' };
      case 'refused':
        return this.over(`the follower refused: ${frame.reason}`, null);
      default:
        return this.violation(`a ${frame.kind} frame`);
    }
  }

  /** The offer was sent. */
  offer(offer: OfferFrame): void {
    this.offered = offer;
    this.step = offer.mode === 'snapshot' ? 'snapshot' : 'offered';
  }

  /** Records up to `last` were handed to the link. */
  sentRecords(last: Position, bytes: number, now: Monotonic): void {
    this.sentLast = last;
    this.flight.push({ last, bytes });
    this.flightBytes += bytes;
    this.since ??= now;
  }

  /** The count of the ping to send now, or `null` while one is still unanswered. */
  nextPing(now: Monotonic): number | null {
    if (this.pingSince !== null) return null;
    this.pingCount = (this.pingCount + 1) >>> 0;
    this.pingSince = now;
    return this.pingCount;
  }

  /** How long an acknowledgement or the answer to a ping has not come. Milliseconds. */
  stalledMs(now: Monotonic): number {
    const records = this.since === null ? 0 : now - this.since;
    const ping = this.pingSince === null ? 0 : now - this.pingSince;
    return Math.max(records, ping, 0);
  }

  end(): void {
    this.step = 'ended';
  }

  private onHello(hello: HelloFrame): LeaderEvent {
    if (this.step !== 'hello') return this.violation('a second hello');
    const reason = this.refusal(hello);
    if (reason !== null) return this.over(reason, reason);
    this.said = hello;
    this.step = 'offering';
    return { kind: 'negotiate', hello, sharedRefused: hello.resync };
  }

  private refusal(hello: HelloFrame): string | null {
    const { cluster, run, peer } = this.self;
    if (hello.cluster !== cluster) return `cluster "${hello.cluster}" dialled cluster "${cluster}"`;
    if (hello.server !== peer.server) return `server "${hello.server}" dialled; "${peer.server}" is expected`;
    if (hello.run !== peer.brokerRun) return `run ${hello.run} of "${hello.server}" dialled; run ${peer.brokerRun} is expected`;
    if (hello.leaderRun !== run) return `run ${hello.leaderRun} was dialled; this is run ${run}`;
    if (hello.term > this.term) return `the follower was told of term ${hello.term}; this server serves in term ${this.term}`;
    return null;
  }

  private onMismatch(): LeaderEvent {
    if (this.step !== 'offered' || this.offered?.mode !== 'shared' || this.said === null) return this.violation('a mismatch that nothing was offered for');
    this.step = 'offering';
    return { kind: 'negotiate', hello: this.said, sharedRefused: true };
  }

  private onReady(journal: JournalId, point: LogPoint): LeaderEvent {
    const offered = this.offered;
    if (offered === null || (this.step !== 'offered' && this.step !== 'snapshot')) return this.violation('ready without an offer');
    if (point.position !== offered.point.position || point.chain !== offered.point.chain || point.term !== offered.point.term) {
      return this.violation(`ready at position ${point.position} of term ${point.term}; ${offered.point.position} of term ${offered.point.term} was offered`);
    }
    this.journalId = journal;
    this.sentLast = point.position;
    this.ackLast = point.position;
    this.step = 'streaming';
    this.pingSince = null;
    this.since = null;
    return { kind: 'ready' };
  }

  private onDurable(position: Position, now: Monotonic): LeaderEvent {
    if (this.step !== 'streaming') return this.violation('an acknowledgement before ready');
    if (position > this.sentLast) return this.violation(`position ${position} acknowledged, ${this.sentLast} sent`);
    if (position <= this.ackLast) return { kind: 'pong' };
    this.ackLast = position;
    while (this.flightFirst < this.flight.length) {
      const oldest = this.flight[this.flightFirst] as { last: Position; bytes: number };
      if (oldest.last > position) break;
      this.flightBytes -= oldest.bytes;
      this.flightFirst += 1;
    }
    if (this.flightFirst === this.flight.length || this.flightFirst > 1024) {
      this.flight.splice(0, this.flightFirst);
      this.flightFirst = 0;
    }
    this.since = position < this.sentLast ? now : null;
    return { kind: 'progress' };
  }

  private violation(what: string): LeaderEvent {
    return this.over(`${what} came out of turn`, `${what} came out of turn`);
  }

  private over(reason: string, answer: string | null): LeaderEvent {
    this.step = 'ended';
    return { kind: 'over', reason, answer };
  }
}
