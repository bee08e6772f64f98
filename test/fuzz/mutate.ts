import fc from 'fast-check';
import { fraction } from './place.js';

/*
 * Inputs that are nearly right: a valid sample, changed a little. What is quite random seldom comes behind a reader's first check.
 */

/** One change to bytes. Places and lengths are fractions of what is there, so that they fit whatever came before them. */
type Change =
  | { readonly kind: 'flip'; readonly at: number; readonly bit: number }
  | { readonly kind: 'put'; readonly at: number; readonly byte: number }
  | { readonly kind: 'cut'; readonly at: number }
  | { readonly kind: 'remove'; readonly at: number; readonly length: number }
  | { readonly kind: 'repeat'; readonly at: number; readonly length: number; readonly to: number }
  | { readonly kind: 'insert'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'splice'; readonly at: number; readonly from: number; readonly sample: number }
  | { readonly kind: 'number'; readonly at: number; readonly width: number; readonly value: number };

/** Lengths and counts at which things go wrong. */
const EXTREMES: readonly number[] = [0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff];

const place = fraction();
const some = fraction(0.4);

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at: place, bit: fc.nat(7) }),
  fc.record({ kind: fc.constant('put' as const), at: place, byte: fc.nat(255) }),
  fc.record({ kind: fc.constant('cut' as const), at: place }),
  fc.record({ kind: fc.constant('remove' as const), at: place, length: some }),
  fc.record({ kind: fc.constant('repeat' as const), at: place, length: some, to: place }),
  fc.record({ kind: fc.constant('insert' as const), at: place, bytes: fc.uint8Array({ maxLength: 12 }) }),
  fc.record({ kind: fc.constant('splice' as const), at: place, from: place, sample: fc.nat(63) }),
  fc.record({ kind: fc.constant('number' as const), at: place, width: fc.constantFrom(1, 2, 4), value: fc.constantFrom(...EXTREMES) }),
);

export interface Damage {
  readonly changes: readonly Change[];
}

/** Changes to be made to bytes that are known later only. */
export function damages(least = 0, most = 5): fc.Arbitrary<Damage> {
  return fc.record({ changes: fc.array(change, { minLength: least, maxLength: most }) });
}

/** The bytes after the damage; a copy. `others`: what parts may be spliced in from. */
export function damaged(bytes: Uint8Array, { changes }: Damage, others: readonly Uint8Array[] = []): Uint8Array {
  // Not `slice`, which of a Buffer is no copy: the sample itself would be damaged, more and more with each execution.
  let present: Uint8Array = new Uint8Array(bytes);
  for (const one of changes) present = apply(present, one, others);
  return present;
}

/** Bytes near to one of the samples. */
export function nearTo(samples: readonly Uint8Array[], least = 0, most = 5): fc.Arbitrary<Uint8Array> {
  return fc.tuple(fc.nat(samples.length - 1), damages(least, most)).map(([which, damage]) => damaged(samples[which] as Uint8Array, damage, samples));
}

function apply(bytes: Uint8Array, one: Change, others: readonly Uint8Array[]): Uint8Array {
  const at = Math.min(Math.floor(one.at * (bytes.length + 1)), bytes.length);
  switch (one.kind) {
    case 'flip':
      if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << one.bit);
      return bytes;
    case 'put':
      if (at < bytes.length) bytes[at] = one.byte;
      return bytes;
    case 'cut':
      return bytes.slice(0, at);
    case 'remove':
      return joined(bytes.subarray(0, at), bytes.subarray(at + Math.ceil(one.length * bytes.length)));
    case 'repeat': {
      const part = bytes.slice(at, at + Math.ceil(one.length * bytes.length));
      const to = Math.floor(one.to * bytes.length);
      return joined(bytes.subarray(0, to), part, bytes.subarray(to));
    }
    case 'insert':
      return joined(bytes.subarray(0, at), one.bytes, bytes.subarray(at));
    case 'splice': {
      const other = others[one.sample % Math.max(1, others.length)] ?? bytes;
      return joined(bytes.subarray(0, at), other.subarray(Math.floor(one.from * other.length)));
    }
    case 'number':
      for (let i = 0; i < one.width && at + i < bytes.length; i++) bytes[at + i] = Math.floor(one.value / 2 ** (8 * (one.width - 1 - i))) & 0xff;
      return bytes;
  }
}

export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** So many pieces, about, and no more: of a long input each is longer. */
const PIECES_MAX = 2_000;

/** The bytes in pieces: sizes are taken one after the other, again and again. */
export function pieces(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const all: Uint8Array[] = [];
  const scale = Math.ceil(bytes.length / PIECES_MAX);
  let which = 0;
  for (let at = 0; at < bytes.length; ) {
    const size = (sizes[which++ % sizes.length] as number) * scale;
    // A copy each, as they come from a socket.
    all.push(bytes.slice(at, at + size));
    at += size;
  }
  return all;
}

/** How bytes may come in: mostly small pieces, byte by byte among them. */
export const chunkings: fc.Arbitrary<readonly number[]> = fc.oneof(fc.constant([1]), fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 6 }), fc.array(fc.integer({ min: 1, max: 2000 }), { minLength: 1, maxLength: 4 }));
