import { createHashing } from '../../src/adapters/repository/hashing.js';
import type { Hashing } from '../../src/ports/hashing.js';

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'));
/** The same in every run: bytes without a pattern that a block size could meet. */
const noise = (length: number): Uint8Array => {
  let state = 1;
  return Uint8Array.from({ length }, () => (state = Math.imul(state, 1_103_515_245) + 12_345) >>> 16);
};

/* There is one hashing; nothing stands in for it, since both servers must make the same sums of the same bytes. */
describe('Hashing', () => {
  let hashing: Hashing;
  beforeAll(async () => {
    hashing = await createHashing();
  });

  const hash64 = (content: Uint8Array): string => {
    const halves = new Uint32Array(2);
    hashing.hash64(content, halves);
    return [...halves].map((half) => half.toString(16).padStart(8, '0')).join('');
  };

  it.each([
    ['', '99aa06d3014798d86001c324468d497f'],
    ['a', 'a96faf705af16834e6c632b61e964e1f'],
    ['abc', '06b05ab6733a618578af5f94892f3950'],
  ])('digests %j as XXH128 is known to, in 32 small hexadecimal digits', (content, digest) => {
    expect(hashing.digest(bytes(content))).toBe(digest);
  });

  it.each([
    ['', 0],
    ['a', 0xe8b7be43],
    ['123456789', 0xcbf43926],
  ])('sums %j as the CRC-32 of IEEE is known to, unsigned', (content, crc) => {
    expect(hashing.crc32(bytes(content))).toBe(crc);
  });

  it.each([
    ['', '99aa06d3014798d8'],
    ['a', 'a96faf705af16834'],
  ])('hashes %j to the 64 bits that both servers make of it', (content, hash) => {
    expect(hash64(bytes(content))).toBe(hash);
  });

  it('hashes into the first two places and no other', () => {
    const into = Uint32Array.of(1, 2, 3);
    hashing.hash64(bytes('a'), into);
    expect([...into]).toEqual([0xa96faf70, 0x5af16834, 3]);
  });

  it.each([0, 1, 63, 64, 240, 241, 1_024, 70_001])('digests %d bytes in pieces of any length as it does at once', (length) => {
    const content = noise(length);
    const whole = hashing.digest(content);
    expect(whole).toMatch(/^[0-9a-f]{32}$/);
    for (const piece of [1, 7, 64, 256, 4_096, 1_000_000]) {
      if (length / piece > 5_000) continue;
      const stream = hashing.begin();
      stream.update(new Uint8Array());
      for (let at = 0; at < length; at += piece) stream.update(content.subarray(at, at + piece));
      expect(stream.digest()).toBe(whole);
    }
  });

  it('keeps streams apart that go on by turns, also from what is summed at once between them', () => {
    const content = noise(10_000);
    const contents = [content, content.subarray(1), content.subarray(0, 9_000)];
    const streams = contents.map(() => hashing.begin());
    for (let at = 0; at < content.length; at += 500) {
      streams.forEach((stream, i) => stream.update((contents[i] ?? content).subarray(at, at + 500)));
      hashing.digest(content.subarray(at));
      hash64(content.subarray(at));
      hashing.crc32(content);
    }
    expect(streams.map((stream) => stream.digest())).toEqual(contents.map((one) => hashing.digest(one)));
  });

  it('forgets a stream that was left before its end', () => {
    const left = hashing.begin();
    left.update(noise(1_000));
    expect(hashing.digest(bytes('a'))).toBe('a96faf705af16834e6c632b61e964e1f');
    const next = hashing.begin();
    next.update(bytes('a'));
    expect(next.digest()).toBe('a96faf705af16834e6c632b61e964e1f');
  });

  it('changes no byte of what it sums, and is not changed by what becomes of the bytes later', () => {
    const content = noise(5_000);
    const before = Uint8Array.from(content);
    const stream = hashing.begin();
    stream.update(content);
    const digest = hashing.digest(content);
    hash64(content);
    hashing.crc32(content);
    expect(content).toEqual(before);
    content.fill(0);
    expect(stream.digest()).toBe(digest);
  });

  it('sums a part of a memory, wherever it begins, as those bytes alone', () => {
    const content = noise(3_000);
    for (const from of [0, 1, 3, 8, 1_001]) {
      const [part, alone] = [content.subarray(from, from + 1_500), content.slice(from, from + 1_500)];
      expect([hashing.digest(part), hashing.crc32(part), hash64(part)]).toEqual([hashing.digest(alone), hashing.crc32(alone), hash64(alone)]);
    }
  });

  it('tells contents apart that differ in one bit', () => {
    const content = noise(256);
    const seen = { digests: new Set<string>(), crcs: new Set<number>(), hashes: new Set<string>() };
    for (let bit = 0; bit < 8 * content.length; bit += 1) {
      const other = content.map((byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
      seen.digests.add(hashing.digest(other));
      seen.crcs.add(hashing.crc32(other));
      seen.hashes.add(hash64(other));
    }
    expect([seen.digests.size, seen.crcs.size, seen.hashes.size]).toEqual([2_048, 2_048, 2_048]);
  });
});
