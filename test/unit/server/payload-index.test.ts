import type { Position } from '../../../src/core/identity.js';
import { PayloadIndex } from '../../../src/server/payload-index.js';

const placeOf = (id: number): { offset: number; length: number; sum: number } => ({ offset: id * 10, length: id % 7, sum: id * 3 });

function filled(ids: Iterable<number>): PayloadIndex {
  const index = new PayloadIndex();
  for (const id of ids) index.add(id as Position, placeOf(id));
  return index;
}

/** 2, 4, 6, …: as many messages, each of which was published under the id that it bears. */
const even = (count: number): number[] => Array.from({ length: count }, (_, at) => 2 * (at + 1));

test('each payload is found, and no other', () => {
  const index = filled(even(3_000));
  for (let id = 0; id <= 6_001; id++) expect(index.find(id as Position)).toEqual(id > 0 && id % 2 === 0 && id <= 6_000 ? placeOf(id) : null);
});

test('messages of wills, which bear older ids than those before them, are found as well', () => {
  const ids = even(3_000);
  ids.splice(2_000, 0, 1_001, 7, 3_999);
  ids.push(5);
  const index = filled(ids);
  for (const id of ids) expect(index.find(id as Position)).toEqual(placeOf(id));
  for (const id of [1, 3, 1_003, 4_001]) expect(index.find(id as Position)).toBeNull();
});

test('one such message among many is no more work for the first that is looked for: nothing is put into another order', () => {
  const ids = even(3_000);
  ids.splice(1_500, 0, 1);
  const index = filled(ids);
  const { ids: before } = index as unknown as { ids: Float64Array };
  expect(index.find(4_000 as Position)).toEqual(placeOf(4_000));
  expect((index as unknown as { ids: Float64Array }).ids).toBe(before);
});
