import type { Random } from '../../src/ports/random.js';

/** A well-known 32-bit mixing step (splitmix32), used to spread seeds. */
function spread(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) >>> 0;
  };
}

function hashName(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i += 1) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/**
 * The generator sfc32 with named forks. A fork's numbers depend on the seed and on the names on the way to it, never on
 * how many numbers were drawn elsewhere: a fault that is added does not shift what the clients do.
 */
export class Prng implements Random {
  private a: number;
  private b: number;
  private c: number;
  private d = 1;

  constructor(
    protected readonly seed: number,
    protected readonly path = '',
  ) {
    const next = spread((seed ^ hashName(path)) >>> 0);
    this.a = next();
    this.b = next() ^ (Math.floor(seed / 0x1_0000_0000) >>> 0);
    this.c = next();
    for (let i = 0; i < 12; i += 1) this.u32();
  }

  fork(name: string): Prng {
    return new Prng(this.seed, `${this.path}/${name}`);
  }

  u32(): number {
    const sum = (this.a + this.b + this.d) | 0;
    this.d = (this.d + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = ((this.c << 21) | (this.c >>> 11)) + sum;
    return sum >>> 0;
  }

  /** Uniform in [0, 1). */
  fraction(): number {
    return this.u32() / 0x1_0000_0000;
  }

  /** Uniform in [low, high). */
  between(low: number, high: number): number {
    return low + (high - low) * this.fraction();
  }

  /** Whole, uniform in [0, count). */
  below(count: number): number {
    return Math.floor(this.fraction() * count);
  }

  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  /** One of `choices`, which is not empty. */
  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T;
  }

  /** Spread evenly over orders of magnitude: short times are as likely as long ones. `low` above 0. */
  logBetween(low: number, high: number): number {
    return Math.exp(this.between(Math.log(low), Math.log(high)));
  }

  id(): string {
    let text = '';
    for (let i = 0; i < 4; i += 1) text += this.u32().toString(16).padStart(8, '0');
    return text;
  }
}
