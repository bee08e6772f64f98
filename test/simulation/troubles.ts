import type { FaultKind } from './faults.js';
import type { World } from './world.js';

/** What is wrong just now, and since when nothing is. */
export class Troubles {
  private readonly all: Spell;
  private readonly answered: Spell;

  /** @param spares whether a pair in sync has nothing to answer to that */
  constructor(
    world: World,
    private readonly spares: (kind: FaultKind) => boolean,
  ) {
    this.all = new Spell(world);
    this.answered = new Spell(world);
  }

  /** Something goes wrong. `lasts`: until `mended`. */
  begun(kind: FaultKind, lasts: boolean): void {
    for (const spell of this.of(kind)) spell.begun(lasts);
  }

  mended(kind: FaultKind): void {
    for (const spell of this.of(kind)) spell.mended();
  }

  /** Milliseconds for which nothing has been wrong, nor went wrong, nor was mended; 0 while something is. */
  get quietMs(): number {
    return this.all.overMs;
  }

  /** … but for what is nothing to a pair in sync. */
  get sparedMs(): number {
    return this.answered.overMs;
  }

  private of(kind: FaultKind): readonly Spell[] {
    return this.spares(kind) ? [this.all] : [this.all, this.answered];
  }
}

class Spell {
  private active = 0;
  private lastAt = 0;

  constructor(private readonly world: World) {}

  begun(lasts: boolean): void {
    this.lastAt = this.world.now;
    if (lasts) this.active += 1;
  }

  mended(): void {
    this.lastAt = this.world.now;
    this.active -= 1;
  }

  get overMs(): number {
    return this.active > 0 ? 0 : this.world.now - this.lastAt;
  }
}
