import fc from 'fast-check';
import { crc32 } from 'node:zlib';
import type { Position, Term } from '../../../../src/core/identity.js';
import { blockOf, isFlaw, samePoint } from '../../../../src/core/journal/codec.js';
import { EMPTY_LOG, RECORD_HEADER_BYTES, RECORD_PAYLOAD_BYTES_MAX } from '../../../../src/core/journal/envelope.js';
import { codec, decode, encode, point } from './rig.js';

test('the layout is the one that is written down', () => {
  const after = point(2, 0x1_0000_0004, 0xdeadbeef);
  const block = blockOf(new Uint8Array(RECORD_HEADER_BYTES + 3));
  const record = codec.encode(block, 0, 0x1234, 7, 9, 0x89abcdef as Term, (after.position + 1) as Position, after.chain, Uint8Array.of(1, 2, 3));
  expect(Buffer.from(block.bytes.subarray(0, 20)).toString('hex')).toBe('00000003123407' + '0989abcdef' + '0000000100000005');
  expect(record.chain).toBe(crc32(Uint8Array.of(1, 2, 3), crc32(block.bytes.subarray(0, 20), 0xdeadbeef)));
  expect(block.view.getUint32(20)).toBe(record.chain);
  expect(decode(block.bytes, after)).toEqual(record);
});

test('any record is read back as it was written', () => {
  const whole = (max: number): fc.Arbitrary<number> => fc.integer({ min: 0, max });
  fc.assert(
    fc.property(whole(0xffff), whole(255), whole(255), whole(0xffffffff), fc.maxSafeNat(), whole(0xffffffff), fc.uint8Array({ maxLength: 300 }), (type, version, origin, term, position, chain, payload) => {
      fc.pre(position < Number.MAX_SAFE_INTEGER);
      const block = blockOf(new Uint8Array(RECORD_HEADER_BYTES + payload.length + 10));
      const record = codec.encode(block, 5, type, version, origin, term as Term, (position + 1) as Position, chain, payload);
      expect(record).toMatchObject({ type, version, origin, term, position: position + 1 });
      expect([...record.payload]).toEqual([...payload]);
      expect(codec.decode(block, 5, block.bytes.length, 0, position, chain)).toEqual(record);
    }),
  );
});

test('every turned bit is noticed, and every cut', () => {
  const { bytes } = encode(EMPTY_LOG, Uint8Array.from({ length: 40 }, (_, at) => at));
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const damaged = bytes.slice();
    damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << bit % 8);
    expect(isFlaw(codec.decode(blockOf(damaged), 0, damaged.length, 0, 0, 0))).toBe(true);
  }
  for (let length = 0; length < bytes.length; length++) expect(isFlaw(codec.decode(blockOf(bytes.slice(0, length)), 0, length, 0, 0, 0))).toBe(true);
});

test('a record is accepted only where it belongs', () => {
  const { bytes, record } = encode(point(3, 10, 77), Uint8Array.of(1), 4);
  const at = (term: number, position: number, chain: number): boolean => !isFlaw(codec.decode(blockOf(bytes), 0, bytes.length, term, position, chain));
  expect(at(3, 10, 77)).toBe(true);
  expect(at(4, 10, 77)).toBe(true);
  expect(at(5, 10, 77)).toBe(false);
  expect(at(3, 11, 77)).toBe(false);
  expect(at(3, 9, 77)).toBe(false);
  expect(at(3, 10, 78)).toBe(false);
  expect(record.position).toBe(11);
});

test('what does not fit the envelope is a broken assumption', () => {
  const block = blockOf(new Uint8Array(100));
  const write = (type: number, version: number, origin: number, term: number, payload: Uint8Array) => () => codec.encode(block, 0, type, version, origin, term as Term, 1 as Position, 0, payload);
  const none = new Uint8Array();
  expect(write(0x10000, 0, 0, 1, none)).toThrow('record type');
  expect(write(1, 256, 0, 1, none)).toThrow('version');
  expect(write(1, 0, -1, 1, none)).toThrow('origin');
  expect(write(1, 0, 0, 2 ** 32, none)).toThrow('term');
  expect(write(1, 0, 0, 1, new Uint8Array(RECORD_PAYLOAD_BYTES_MAX + 1))).toThrow('payload');
});

test('points are the same when all three agree', () => {
  expect(samePoint(point(1, 2, 3), point(1, 2, 3))).toBe(true);
  for (const other of [point(2, 2, 3), point(1, 3, 3), point(1, 2, 4)]) expect(samePoint(point(1, 2, 3), other)).toBe(false);
});
