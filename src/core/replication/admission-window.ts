import { assert } from '../errors.js';
import type { Effect } from '../broker/effects.js';
import { NO_POSITION, type Position } from '../identity.js';

/** Asked before the effects of each position leave; a `false` keeps them and all later ones. */
export type Gate = () => boolean;

/**
 * The effects that wait until their record is admitted: durable at every member that counts (arbitration R2).
 *
 * Invariants
 * - Effects leave in the order in which they were held, each once, and none before `admitted` reached its position.
 * - What the gate refuses stays; nothing is dropped but by `clear`.
 * - `admitted` never decreases.
 */
export class AdmissionWindow {
  private effects: (Effect | null)[] = [];
  private positions: number[] = [];
  private first = 0;
  private releasing = false;
  private reached: Position = NO_POSITION;

  /** The highest position that was admitted. */
  get admitted(): Position {
    return this.reached;
  }

  /** Up to here everything is admitted, and has left; what the gate keeps is behind it. */
  get released(): Position {
    const next = this.positions[this.first];
    return next === undefined || next > this.reached ? this.reached : ((next - 1) as Position);
  }

  /** Effects that wait. */
  get held(): number {
    return this.effects.length - this.first;
  }

  /** Takes an effect of the record at `position`, or of a volatile message that came when the log ended there. */
  hold(position: Position, effect: Effect): void {
    this.effects.push(effect);
    this.positions.push(position);
  }

  /** @returns whether `admitted` grew */
  admit(position: Position): boolean {
    if (position <= this.reached) return false;
    this.reached = position;
    return true;
  }

  /** Lets go what is admitted, as long as `gate` agrees and it is not `enough`, which is asked before each. Re-entrant calls do nothing: the outer one goes on. */
  release(gate: Gate, deliver: (effect: Effect) => void, enough: () => boolean = NEVER): void {
    if (this.releasing) return;
    this.releasing = true;
    let asked = -1;
    try {
      while (this.first < this.effects.length) {
        const position = this.positions[this.first] as number;
        if (position > this.reached || enough()) break;
        if (position !== asked) {
          if (!gate()) break;
          asked = position;
        }
        const effect = this.effects[this.first];
        assert(effect !== null && effect !== undefined, 'a held effect was let go twice');
        this.effects[this.first] = null;
        this.first += 1;
        deliver(effect);
      }
    } finally {
      this.releasing = false;
      this.trim();
    }
  }

  /** Forgets everything: nobody serves here any more. */
  clear(): void {
    this.effects = [];
    this.positions = [];
    this.first = 0;
  }

  private trim(): void {
    if (this.first === this.effects.length) this.clear();
    else if (this.first > TRIM_ABOVE && this.first * 2 > this.effects.length) {
      this.effects = this.effects.slice(this.first);
      this.positions = this.positions.slice(this.first);
      this.first = 0;
    }
  }
}

const TRIM_ABOVE = 4096;
const NEVER = (): boolean => false;

/** What counts as admitted. Pure: the rule R2 with R6's step towards a second member. */
export interface MembersDurable {
  /** Durable here. */
  readonly own: Position;
  /** What the peer said is durable there; `null` when it said nothing that counts. */
  readonly peer: Position | null;
  /** The term's record names the peer. */
  readonly peerIsMember: boolean;
  /** From this position on the peer is needed though the record does not name it yet (R6); `null`: not asked for. */
  readonly peerRequiredFrom: Position | null;
}

/** The highest position that is durable at every member that counts. */
export function admittedPosition(of: MembersDurable): Position {
  const peer = of.peer ?? NO_POSITION;
  const both = Math.min(of.own, peer);
  if (of.peerIsMember) return both as Position;
  if (of.peerRequiredFrom === null) return of.own;
  return Math.max(both, Math.min(of.own, of.peerRequiredFrom - 1)) as Position;
}
