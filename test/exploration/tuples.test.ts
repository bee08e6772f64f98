import { Tuples } from './tuples.js';

describe('rows of numbers', () => {
  test('are numbered as they come, and found again by their key alone', () => {
    const rows = new Tuples(2, 3);
    expect([rows.add([7, 8, 1]), rows.add([8, 7, 2]), rows.add([7, 8, 3])]).toEqual([0, 1, 0]);
    expect([rows.size, rows.at(0, 2), rows.at(1, 2)]).toEqual([2, 1, 2]);
    rows.set(0, 2, 9);
    expect(rows.at(0, 2)).toBe(9);
  });

  test('stay apart and in place while the table grows', () => {
    const rows = new Tuples(3, 4, 2);
    const of = (n: number): number[] => [n % 7, n % 11, n, 2 * n];
    for (let n = 0; n < 20_000; n += 1) expect(rows.add(of(n))).toBe(n);
    for (let n = 0; n < 20_000; n += 137) expect([rows.add(of(n)), rows.at(n, 3)]).toEqual([n, 2 * n]);
    expect(rows.size).toBe(20_000);
  });

  test('keep the greatest number that fits', () => {
    const rows = new Tuples(1);
    rows.add([0xffff_ffff]);
    expect(rows.at(0, 0)).toBe(0xffff_ffff);
  });
});
