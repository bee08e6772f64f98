import fc from 'fast-check';

const STEPS = 10_000;

/**
 * A place in what is there, as a fraction of it, from 0 to `max`; evenly. fast-check draws a `double` evenly over all that there are, of which nearly all
 * between 0 and 1 are all but 0: every change would be made at the beginning.
 */
export function fraction(max = 1): fc.Arbitrary<number> {
  return fc.nat(STEPS).map((n) => (n / STEPS) * max);
}
