import { Prng } from '../simulation/prng.js';

/**
 * Draws nothing but names: every delay is the same each time, so that a simulator that draws in another order, or once more, writes the same
 * transcript. What belongs to the secondary takes somewhat longer, or the two would do everything at the same moment.
 */
export class EvenPrng extends Prng {
  override fork(name: string): EvenPrng {
    return new EvenPrng(this.seed, `${this.path}/${name}`);
  }

  override fraction(): number {
    return this.path.includes('secondary') ? 0.6 : 0.4;
  }
}
