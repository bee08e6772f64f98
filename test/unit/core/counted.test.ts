import { counted } from '../../../src/core/counted.js';

test.each([
  [0, 'record', '0 records'],
  [1, 'record', '1 record'],
  [2, 'record', '2 records'],
  [1_000, 'client', '1000 clients'],
])('%d of "%s" are "%s"', (count, noun, text) => {
  expect(counted(count, noun)).toBe(text);
});

test('a plural of its own is used for all but one', () => {
  expect([1, 2].map((count) => counted(count, 'copy', 'copies'))).toEqual(['1 copy', '2 copies']);
});
