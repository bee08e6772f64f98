import type { Position, RunId, ServerId, Term } from '../identity.js';
import { MalformedBytes } from '../wire/bytes.js';
import type { LogPoint } from '../journal/envelope.js';
import type { OfferFrame, ReplicationFrame } from './frames.js';
import { walkRecords } from './run-of-records.js';

/*
 * One conversation with the leader, seen from the follower: which frame may come when, and which records may be taken.
 *
 * Invariants
 * - Nothing is taken from a session whose term is fenced or below the ordered one, nor from another leader or run of it.
 * - A record of a term above the session's is never taken; nor, beyond the leader's head at the offer (or at a later change of the
 *   term), one of a term below it: such a record was written by somebody who did not know of the session's term.
 * - What the leader offers as shared is compared with the own log before anything is cut (R7).
 */
export type FollowerPhase = 'dialled' | 'comparing' | 'snapshot' | 'installing' | 'streaming' | 'ended';

export interface FollowOrder {
  readonly term: Term;
  readonly leader: { readonly server: ServerId; readonly brokerRun: RunId };
}

export type FollowerEvent =
  /** Compare the own log with `offer.point`; then `compared`. */
  | { readonly kind: 'compare'; readonly offer: OfferFrame }
  /** Begin the log anew; then `installed`. */
  | { readonly kind: 'anew'; readonly offer: OfferFrame }
  | { readonly kind: 'snapshot'; readonly offer: OfferFrame }
  | { readonly kind: 'chunk'; readonly bytes: Uint8Array }
  /** All of the snapshot came; install it; then `installed`. */
  | { readonly kind: 'snapshot-whole' }
  | { readonly kind: 'records'; readonly bytes: Uint8Array; readonly last: Position }
  | { readonly kind: 'digest'; readonly position: Position; readonly digest: string }
  | { readonly kind: 'ping'; readonly count: number }
  | { readonly kind: 'term'; readonly term: Term }
  | { readonly kind: 'over'; readonly reason: string; readonly answer: string | null };

export class FollowerSession {
  private step: FollowerPhase = 'dialled';
  private sessionTerm: Term;
  /** Records from `first` on are of `term` at least. */
  private rule: { first: number; term: Term } | null = null;
  private offered: OfferFrame | null = null;
  private snapshotLeft = 0;
  private receivedLast = 0;
  private leaderHeadSeen = 0;
  private differs = false;

  constructor(private readonly order: FollowOrder) {
    this.sessionTerm = order.term;
  }

  get phase(): FollowerPhase {
    return this.step;
  }
  get term(): Term {
    return this.sessionTerm;
  }
  /** The own log differed from the leader's at a point that both seemed to share. */
  get mismatched(): boolean {
    return this.differs;
  }
  get offer(): OfferFrame | null {
    return this.offered;
  }
  /** The last position that came in this session, or the point it began at. */
  get received(): Position {
    return this.receivedLast as Position;
  }
  /** The highest head that the leader has spoken of. */
  get leaderHead(): Position {
    return Math.max(this.leaderHeadSeen, this.receivedLast) as Position;
  }

  /** @param fencedThrough what is fenced now: asked at every frame */
  frame(frame: ReplicationFrame, fencedThrough: Term): FollowerEvent {
    if (this.sessionTerm <= fencedThrough) return this.over(`term ${this.sessionTerm} is fenced`, `term ${this.sessionTerm} is fenced here`);
    switch (frame.kind) {
      case 'offer':
        return this.onOffer(frame, fencedThrough);
      case 'chunk':
        return this.onChunk(frame.bytes);
      case 'snapshot-end':
        if (this.step !== 'snapshot' || this.snapshotLeft !== 0) return this.violation('an early end of the snapshot');
        this.step = 'installing';
        return { kind: 'snapshot-whole' };
      case 'records':
        return this.onRecords(frame.bytes);
      case 'digest':
        if (this.step !== 'streaming') return this.violation('a digest');
        return { kind: 'digest', position: frame.position, digest: frame.digest };
      case 'ping':
        this.leaderHeadSeen = Math.max(this.leaderHeadSeen, frame.head);
        return { kind: 'ping', count: frame.count };
      case 'term':
        return this.onTerm(frame.term, frame.first);
      case 'refused':
        return this.over(`the leader refused: ${frame.reason}`, null);
      default:
        return this.violation(`a ${frame.kind} frame`);
    }
  }

  /** The own log has the offered point: records follow it once `installed` is said. A mismatch waits for another offer. */
  compared(same: boolean): void {
    this.differs = !same;
    this.step = same ? 'installing' : 'dialled';
  }

  /** The own log now ends at `point`; records may come. */
  installed(point: LogPoint): void {
    this.receivedLast = point.position;
    this.step = 'streaming';
  }

  end(): void {
    this.step = 'ended';
  }

  private onOffer(offer: OfferFrame, fencedThrough: Term): FollowerEvent {
    if (this.step !== 'dialled') return this.violation('an offer');
    const { leader, term } = this.order;
    if (offer.server !== leader.server || offer.run !== leader.brokerRun) {
      return this.over(`run ${offer.run} of "${offer.server}" answered; run ${leader.brokerRun} of "${leader.server}" is to be followed`, 'another leader is to be followed');
    }
    if (offer.term < term || offer.term <= fencedThrough) return this.over(`the leader serves in term ${offer.term}`, `term ${offer.term} is not accepted here`);
    if (offer.term < offer.head.term || offer.point.position > offer.head.position) return this.violation('an offer that contradicts itself');
    if (offer.mode === 'shared' && this.offered !== null) return this.violation('a second shared point');
    this.offered = offer;
    this.sessionTerm = offer.term;
    this.rule = { first: offer.head.position + 1, term: offer.term };
    this.leaderHeadSeen = offer.head.position;
    if (offer.mode === 'shared') {
      this.step = 'comparing';
      return { kind: 'compare', offer };
    }
    this.step = offer.mode === 'snapshot' ? 'snapshot' : 'installing';
    this.snapshotLeft = offer.snapshotBytes;
    return offer.mode === 'snapshot' ? { kind: 'snapshot', offer } : { kind: 'anew', offer };
  }

  private onChunk(bytes: Uint8Array): FollowerEvent {
    if (this.step !== 'snapshot') return this.violation('a chunk');
    if (bytes.length > this.snapshotLeft) return this.violation('more snapshot than was offered');
    this.snapshotLeft -= bytes.length;
    return { kind: 'chunk', bytes };
  }

  private onRecords(bytes: Uint8Array): FollowerEvent {
    if (this.step !== 'streaming') return this.violation('records');
    let last = this.receivedLast;
    let wrong: string | null = null;
    try {
      walkRecords(bytes, (place) => {
        if (place.position !== last + 1) wrong ??= `record ${place.position} came after record ${last}`;
        last = place.position;
        if (place.term > this.sessionTerm) wrong ??= `a record of term ${place.term} came in a session of term ${this.sessionTerm}`;
        if (this.rule !== null && place.position >= this.rule.first && place.term < this.rule.term) {
          wrong ??= `record ${place.position} is of term ${place.term}, and the leader serves in term ${this.rule.term} since record ${this.rule.first}`;
        }
      });
    } catch (error) {
      if (!(error instanceof MalformedBytes)) throw error;
      wrong = error.message;
    }
    if (wrong !== null) return this.over(wrong, wrong);
    this.receivedLast = last;
    return { kind: 'records', bytes, last: last as Position };
  }

  private onTerm(term: Term, first: Position): FollowerEvent {
    if (this.step !== 'streaming') return this.violation('a change of the term');
    if (term <= this.sessionTerm || first <= this.receivedLast) return this.violation(`a change to term ${term} at position ${first}`);
    this.sessionTerm = term;
    this.rule = { first, term };
    return { kind: 'term', term };
  }

  private violation(what: string): FollowerEvent {
    return this.over(`${what} came out of turn`, `${what} came out of turn`);
  }

  private over(reason: string, answer: string | null): FollowerEvent {
    this.step = 'ended';
    return { kind: 'over', reason, answer };
  }
}
