import type { World } from './world.js';

/** What is wrong just now, and since when nothing is. */
export class Troubles {
  private active = 0;
  private lastAt = 0;

  constructor(private readonly world: World) {}

  /** Something goes wrong. `lasts`: until `mended`. */
  begun(lasts: boolean): void {
    this.lastAt = this.world.now;
    if (lasts) this.active += 1;
  }

  mended(): void {
    this.lastAt = this.world.now;
    this.active -= 1;
  }

  /** Milliseconds for which nothing has been wrong, nor went wrong, nor was mended; 0 while something is. */
  get quietMs(): number {
    return this.active > 0 ? 0 : this.world.now - this.lastAt;
  }
}
