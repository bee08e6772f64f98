import { randomBytes } from 'node:crypto';
import type { Random } from '../ports/random.js';

const ID_BYTES = 16;
const FRACTION_BITS = 48;

/** Random numbers of the operating system. */
export function createRandom(): Random {
  return {
    id: () => randomBytes(ID_BYTES).toString('hex'),
    fraction: () => randomBytes(FRACTION_BITS / 8).readUIntBE(0, FRACTION_BITS / 8) / 2 ** FRACTION_BITS,
  };
}
