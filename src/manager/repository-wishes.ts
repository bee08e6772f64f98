import type { NumberedWish, RepositoryWish, WishAnswer } from '../core/control/repository.js';

/** What became of a wish. `unknown`: nothing is known of it any more, or never was. */
export type WishState = { readonly kind: 'under-way' } | { readonly kind: 'ended'; readonly answer: WishAnswer } | { readonly kind: 'unknown' };

/** Answers kept for those who ask for them; older ones are forgotten. */
const ANSWERS_MAX = 32;

interface Pending {
  readonly wish: NumberedWish;
  readonly isOwn: boolean;
  /** Which start of the keeper has it; `null`: none yet. */
  heldBy: number | null;
}

/** Wishes of repositories, until they are answered. Each is carried out by one keeper: what may have hung, or ended, one of them is not given to the next. */
export class RepositoryWishes {
  private readonly pending = new Map<number, Pending>();
  private readonly answers = new Map<number, WishAnswer>();
  private count = 0;

  get all(): readonly NumberedWish[] {
    return [...this.pending.values()].map(({ wish }) => wish);
  }

  /** Of those that operators ask for: how many there are. */
  get asked(): number {
    return [...this.pending.values()].filter(({ isOwn }) => !isOwn).length;
  }

  /** @param isOwn no operator asks for it @returns its number */
  put(repository: string, wish: RepositoryWish, isOwn: boolean): number {
    this.count += 1;
    this.pending.set(this.count, { wish: { ...wish, id: this.count, repository }, isOwn, heldBy: null });
    return this.count;
  }

  /** All of them were sent to the keeper of this start. */
  sent(start: number): void {
    for (const pending of this.pending.values()) pending.heldBy ??= start;
  }

  /** Those that a keeper had which is gone. @param start of the one that runs; `null`: none does */
  lost(start: number | null): readonly NumberedWish[] {
    return [...this.pending.values()].filter(({ heldBy }) => heldBy !== null && heldBy !== start).map(({ wish }) => wish);
  }

  /** False: it was answered before. */
  end(answer: WishAnswer): boolean {
    const pending = this.pending.get(answer.id);
    if (pending === undefined) return false;
    this.pending.delete(answer.id);
    if (pending.isOwn) return true;
    this.answers.set(answer.id, answer);
    for (const id of this.answers.keys()) {
      if (this.answers.size <= ANSWERS_MAX) break;
      this.answers.delete(id);
    }
    return true;
  }

  state(id: number): WishState {
    const answer = this.answers.get(id);
    if (answer !== undefined) return { kind: 'ended', answer };
    return this.pending.has(id) ? { kind: 'under-way' } : { kind: 'unknown' };
  }
}
