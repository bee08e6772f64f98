import fc from 'fast-check';
import { damaged, damages, pieces } from './mutate.js';

const BYTES = Uint8Array.from({ length: 60 }, (_, at) => at);

test.each([
  ['bytes', () => Uint8Array.from(BYTES)],
  ['a part of a Buffer', () => Buffer.concat([Buffer.from('before'), BYTES, Buffer.from('after')]).subarray(6, 66)],
])('damage leaves the sample as it was: %s', (_, make) => {
  const sample = make();
  let changed = 0;
  for (const damage of fc.sample(damages(1, 5), { seed: 1, numRuns: 400 })) {
    const bytes = damaged(sample, damage, [sample]);
    if (Buffer.compare(bytes, BYTES) !== 0) changed += 1;
    for (const piece of pieces(bytes, [3, 1])) piece.fill(0xee);
  }
  expect([...sample]).toEqual([...BYTES]);
  expect(changed).toBeGreaterThan(300);
});
