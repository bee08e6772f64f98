import { ByteReader, ByteWriter } from '../../../../src/core/wire/bytes.js';

test.each([0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1])('%d comes back from eight bytes', (value) => {
  expect(new ByteReader(new ByteWriter().u64(value).take()).u64()).toBe(value);
});

test.each([2 ** 53, 2 ** 53 + 2 ** 33, 2 ** 64, -1, 0.5, NaN, Infinity])('%d is not written into eight bytes, from which something else would come back', (value) => {
  const writer = new ByteWriter();
  expect(() => writer.u64(value)).toThrow(`${value} is no whole number below 2^53`);
  expect(writer.length).toBe(0);
});
