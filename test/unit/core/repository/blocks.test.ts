import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { BLOCK_BYTES_MAX, BLOCK_BYTES_MIN, blockBytesFor, BlockSummer, DeltaFinder, SEARCH_BYTES_MAX, type BlockHash, type BlockSums } from '../../../../src/core/repository/blocks.js';

const HASH: BlockHash = {
  crc32: (bytes) => crc32(bytes),
  hash64(bytes, into) {
    const digest = createHash('md5').update(bytes).digest();
    into[0] = digest.readUInt32BE(0);
    into[1] = digest.readUInt32BE(4);
  },
};

function sumsOf(bytes: Uint8Array, blockBytes: number, cut: number): BlockSums {
  const summer = new BlockSummer(blockBytes, bytes.length, HASH);
  for (let at = 0; at < bytes.length; at += cut) summer.push(bytes.subarray(at, at + cut));
  return summer.end();
}

interface Found {
  readonly bytes: Uint8Array;
  readonly literal: number;
  readonly copies: number;
}

/** Finds, and puts together again what was found. */
function found(old: Uint8Array, fresh: Uint8Array, blockBytes: number, cut = 1000): Found {
  const pieces: Uint8Array[] = [];
  const counted = { literal: 0, copies: 0 };
  const finder = new DeltaFinder(sumsOf(old, blockBytes, cut), HASH, {
    literal(bytes) {
      counted.literal += bytes.length;
      pieces.push(bytes.slice());
    },
    copy(offset, length) {
      counted.copies += 1;
      pieces.push(old.subarray(offset, offset + length));
    },
  });
  for (let at = 0; at < fresh.length; at += cut) finder.push(fresh.subarray(at, at + cut));
  finder.end();
  return { bytes: Buffer.concat(pieces), ...counted };
}

/** Bytes that look random and are the same every time. */
function noise(length: number, seed: number): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 24);
}

describe('the size of blocks', () => {
  it.each([
    [0, BLOCK_BYTES_MIN],
    [1024 * 1024, 2048],
    [1024 * 1024 * 1024, 64 * 1024],
    [2 ** 50, BLOCK_BYTES_MAX],
  ])('of %d bytes', (bytes, expected) => expect(blockBytesFor(bytes)).toBe(expected));
});

describe('what changed of a file', () => {
  it('gives the new one, whatever the two are and however they are cut', () => {
    const text = fc.array(fc.constantFrom(0, 1, 2), { maxLength: 200 }).map((values) => Uint8Array.from(values));
    fc.assert(
      fc.property(text, text, fc.constantFrom(4, 8, 16), fc.integer({ min: 1, max: 50 }), (old, fresh, blockBytes, cut) => {
        expect(Buffer.compare(found(old, fresh, blockBytes, cut).bytes, fresh)).toBe(0);
      }),
      { numRuns: 1_000 },
    );
  });

  const old = noise(64 * 1024, 1);
  it.each<[string, Uint8Array, number]>([
    ['nothing', old, 0],
    ['bytes replaced', Uint8Array.from(old).fill(0, 30_000, 31_000), 1_000 + 2 * 512],
    ['bytes inserted', Buffer.concat([old.subarray(0, 30_000), noise(1_001, 2), old.subarray(30_000)]), 1_001 + 512],
    ['bytes removed', Buffer.concat([old.subarray(0, 30_000), old.subarray(31_003)]), 2 * 512],
    ['parts exchanged', Buffer.concat([old.subarray(40_000), old.subarray(0, 40_000)]), 3 * 512],
    ['bytes appended', Buffer.concat([old, noise(777, 3)]), 777],
  ])('%s travels and little more', (_, fresh, atMost) => {
    const result = found(old, fresh, 512);
    expect(Buffer.compare(result.bytes, fresh)).toBe(0);
    expect(result.literal).toBeLessThanOrEqual(atMost);
  });

  it('of a file of equal blocks is found at once', () => {
    const zeros = new Uint8Array(256 * 1024);
    expect(found(zeros, zeros, 512)).toMatchObject({ literal: 0 });
  });

  it('after a long new part is found again where blocks begin', () => {
    const fresh = Buffer.concat([new Uint8Array(SEARCH_BYTES_MAX + 8192).fill(7), old]);
    const result = found(old, fresh, 4096, 256 * 1024);
    expect(Buffer.compare(result.bytes, fresh)).toBe(0);
    expect(result.literal).toBe(SEARCH_BYTES_MAX + 8192);
  });
});

test('sums of which all have the same CRC, as no file has them, take no longer than others', () => {
  const sums = new Uint32Array(50_000 * 3);
  for (let block = 0; block < sums.length / 3; block += 1) sums.set([7, block, block], block * 3);
  const begun = performance.now();
  const finder = new DeltaFinder({ blockBytes: BLOCK_BYTES_MIN, sums }, HASH, { literal: () => undefined, copy: () => undefined });
  finder.push(new Uint8Array(BLOCK_BYTES_MIN * 4));
  finder.end();
  expect(performance.now() - begun).toBeLessThan(5_000);
});
