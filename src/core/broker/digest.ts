import { encodeText } from '../wire/bytes.js';

/** A text or bytes as one 32-bit hash in each lane. */
export interface Hash {
  readonly a: number;
  readonly b: number;
}

export const NO_HASH: Hash = { a: 0, b: 0 };

/**
 * A sum over a set of entries that can be kept up to date by adding and taking away single ones: two lanes of 32 bits, each
 * the sum, modulo 2^32, of the entries' mixed hashes (MurmurHash3's rounds with constants of each lane's own).
 * The order in which entries came does not matter; where order matters, it is a field of the entry.
 *
 * It is to notice faults, not forgery: whoever chooses the entries can make two sets that agree.
 */
export class Digest {
  private sumA = 0;
  private sumB = 0;

  /**
   * Adds (`sign` 1) or takes away (`sign` -1) the entry of a kind, a key and four words, of which the lower 32 bits count.
   */
  count(sign: 1 | -1, kind: number, key: Hash, w: number, x: number, y: number, z: number): void {
    let a = roundA(key.a, kind);
    a = roundA(a, w);
    a = roundA(a, x);
    a = roundA(a, y);
    a = roundA(a, z);
    let b = roundB(key.b, kind);
    b = roundB(b, w);
    b = roundB(b, x);
    b = roundB(b, y);
    b = roundB(b, z);
    this.sumA = (this.sumA + Math.imul(sign, finish(a))) | 0;
    this.sumB = (this.sumB + Math.imul(sign, finish(b))) | 0;
  }

  /** 16 hexadecimal digits. */
  toString(): string {
    return hex(this.sumA) + hex(this.sumB);
  }
}

export function hashBytes(bytes: Uint8Array): Hash {
  let a = 0x811c9dc5 ^ bytes.length;
  let b = 0x2f0b4c47 ^ bytes.length;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    a = Math.imul(a ^ byte, 0x01000193);
    b = Math.imul(b ^ byte, 0x5bd1e995) + 0x1b873593;
    b ^= b >>> 15;
  }
  return { a: finish(a), b: finish(b) };
}

export function hashText(text: string): Hash {
  return hashBytes(encodeText(text));
}

/** The part of a whole number below 2^53 that lies above its lower 32 bits. */
export function high(value: number): number {
  return Math.floor(value / 0x1_0000_0000);
}

function roundA(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = (k << 15) | (k >>> 17);
  const mixed = hash ^ Math.imul(k, 0x1b873593);
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

function roundB(hash: number, word: number): number {
  let k = Math.imul(word, 0x239b961b);
  k = (k << 16) | (k >>> 16);
  const mixed = hash ^ Math.imul(k, 0xab0e9789);
  return (Math.imul((mixed << 17) | (mixed >>> 15), 5) + 0x561ccd1b) | 0;
}

function finish(hash: number): number {
  let mixed = hash ^ (hash >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

function hex(lane: number): string {
  return (lane >>> 0).toString(16).padStart(8, '0');
}
