import { isServing } from '../core/identity.js';
import type { Situation } from '../core/ha/situation.js';
import type { HaState } from '../core/ha/state.js';

export type Wish = 'switchover' | 'promote';
export type WishAnswer = { readonly kind: 'accepted' } | { readonly kind: 'refused'; readonly why: string };

/** What an operator asked of this server and has not come true or to nothing yet. */
export class Wishes {
  private switchover = false;
  private promote = false;
  private stopping = false;

  get now(): Situation['wishes'] {
    const { switchover, promote, stopping } = this;
    return { switchover, stop: stopping, promote };
  }

  /** Whether it comes true shows in the state. */
  ask(wish: Wish, ha: HaState, s: Situation | null): WishAnswer {
    const refusal = wish === 'switchover' ? whyNoSwitchover(ha, s) : whyNoPromotion(ha, s);
    if (refusal !== null) return { kind: 'refused', why: refusal };
    this[wish] = true;
    return { kind: 'accepted' };
  }

  /** For good. */
  stop(): void {
    this.stopping = true;
  }

  /** A wish ends with the state that answers it, or with the task that it began. */
  entered(before: HaState, next: HaState): void {
    if (next.moves !== before.moves) {
      if (next.state === 'PASSIVE' || !isServing(next.state)) this.switchover = false;
      if (isServing(next.state)) this.promote = false;
    }
    if (next.task !== null) return;
    if (before.task?.kind === 'alone' && before.task.forced) this.promote = false;
    if (before.task?.kind === 'handover') this.switchover = false;
  }
}

function whyNoSwitchover(ha: HaState, s: Situation | null): string | null {
  if (ha.state !== 'ACTIVE') return `a switchover needs this server ACTIVE; it is ${ha.state}`;
  if (s?.peer?.state !== 'PASSIVE') return `a switchover needs the peer PASSIVE; it is ${s?.peerSilent === false ? s.peer?.state : 'DEAD'}`;
  if (!s.lock.held) return 'a switchover needs the lock, and this server does not hold it now';
  return null;
}

function whyNoPromotion(ha: HaState, s: Situation | null): string | null {
  if (ha.state !== 'WAITING') return `a promotion is for a server that is WAITING; this one is ${ha.state}`;
  if (s !== null && !s.peerSilent && s.peer !== null && isServing(s.peer.state)) return `the peer serves (${s.peer.state}); nothing needs to be promoted`;
  return null;
}
