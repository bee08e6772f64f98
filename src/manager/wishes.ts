import { isServing, type Monotonic } from '../core/identity.js';
import { peerServes, type Situation } from '../core/ha/situation.js';
import type { HaState } from '../core/ha/state.js';

export type Wish = 'switchover' | 'promote';
export type WishAnswer = { readonly kind: 'accepted' } | { readonly kind: 'refused'; readonly why: string };

/** What an operator asked of this server and has not come true or to nothing yet. */
export class Wishes {
  /** When a switchover was asked for; `null`: none is wished. */
  private switchoverSince: Monotonic | null = null;
  /** A switchover has begun, and has a time of its own. */
  private isHandingOver = false;
  /** A switchover was asked for, and begins when the repositories are ready for it. */
  private deferral: symbol | null = null;
  /** When a promotion was asked for; `null`: none is wished. */
  private promoteSince: Monotonic | null = null;
  private stopping = false;

  /** @param patienceMs a promotion that has not come true, or a switchover that has not begun, in so long is over: an operator who decided on a moment's facts is not taken at that word later */
  constructor(private readonly patienceMs: number) {}

  get now(): Situation['wishes'] {
    const { switchoverSince, promoteSince, stopping } = this;
    return { switchover: switchoverSince !== null, stop: stopping, promote: promoteSince !== null };
  }

  /** The switchover that waits; `null`: none does, or what it was asked for is over. */
  get deferred(): symbol | null {
    return this.deferral;
  }

  /** The switchover is asked for when what it waits for is over, if it still is the deferred one then. */
  deferSwitchover(): symbol {
    this.deferral = Symbol('switchover');
    return this.deferral;
  }

  forgetDeferred(): void {
    this.deferral = null;
  }

  /** Whether it comes true shows in the state. */
  ask(wish: Wish, ha: HaState, s: Situation | null, now: Monotonic): WishAnswer {
    if (wish === 'switchover') this.deferral = null;
    const refusal = whyNot(wish, ha, s);
    if (refusal !== null) return { kind: 'refused', why: refusal };
    if (wish === 'switchover') this.switchoverSince = now;
    else this.promoteSince = now;
    return { kind: 'accepted' };
  }

  /**
   * Before each decision. A peer that serves answers a promotion, too: its data is newer than the decision to do without it.
   * @returns whether a wish has ended by it
   */
  look(s: Situation, now: Monotonic): boolean {
    const promotionEnds = this.promoteSince !== null && (peerServes(s) || now - this.promoteSince > this.patienceMs);
    const switchoverEnds = this.switchoverSince !== null && !this.isHandingOver && now - this.switchoverSince > this.patienceMs;
    if (promotionEnds) this.promoteSince = null;
    if (switchoverEnds) this.switchoverSince = null;
    return promotionEnds || switchoverEnds;
  }

  /** For good. */
  stop(): void {
    this.stopping = true;
  }

  /**
   * A wish ends with the next move, whether that answers it or not, or with the task that it began: who asked it knew nothing of what comes after.
   * @returns why a switchover came to nothing by it; `null`: none did
   */
  entered(before: HaState, next: HaState, s: Situation | null): string | null {
    const wished = this.switchoverSince !== null;
    const moved = next.moves !== before.moves;
    if (moved) {
      this.switchoverSince = null;
      this.deferral = null;
      this.promoteSince = null;
    }
    this.isHandingOver = next.task?.kind === 'handover';
    if (before.task?.kind === 'handover' && !this.isHandingOver) this.switchoverSince = null;
    if (before.task?.kind === 'alone' && before.task.forced && next.task === null) this.promoteSince = null;
    if (!wished || this.switchoverSince !== null || this.stopping) return null;
    if (moved) return next.state === 'PASSIVE' ? null : `this server is ${next.state} now: ${next.reason}`;
    return whyNothing(next, s);
  }
}

/** Why a switchover that was accepted did not come about, where no move says it. */
export function whyNothing(ha: HaState, s: Situation | null): string {
  return whyNoSwitchover(ha, s) ?? s?.broker?.trouble ?? 'what clients had sent was not on the disks of both servers in time';
}

/** Why a wish is refused now; `null` when it is not. */
export function whyNot(wish: Wish, ha: HaState, s: Situation | null): string | null {
  return wish === 'switchover' ? whyNoSwitchover(ha, s) : whyNoPromotion(ha, s);
}

function whyNoSwitchover(ha: HaState, s: Situation | null): string | null {
  if (ha.state !== 'ACTIVE') return `a switchover needs this server ACTIVE; it is ${ha.state}`;
  if (s?.peer?.state !== 'PASSIVE' || s.peerSilent) return `a switchover needs the peer PASSIVE; it is ${s?.peerSilent === false ? s.peer?.state : 'DEAD'}`;
  if (s.peer.stopping) return 'a switchover needs a peer that goes on, and the peer is stopping';
  if (!s.share.usable) return `a switchover needs the share, and it cannot be used now (${s.share.detail ?? 'not looked at yet'})`;
  if (!s.lock.held) return 'a switchover needs the lock, and this server does not hold it now';
  return null;
}

function whyNoPromotion(ha: HaState, s: Situation | null): string | null {
  if (ha.state !== 'WAITING') return `a promotion is for a server that is WAITING; this one is ${ha.state}`;
  if (s === null || s.broker === null) return 'a promotion needs the broker of this server, and it is not running yet (it may be reading its journal)';
  if (!s.peerSilent && s.peer !== null && isServing(s.peer.state)) return `the peer serves (${s.peer.state}); nothing needs to be promoted`;
  return null;
}
