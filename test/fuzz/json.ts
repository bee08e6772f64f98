import fc from 'fast-check';
import { fraction } from './place.js';

/** Values that no field of ours can have, and some that one can. Those that nest are built when they are needed. */
const STRANGE: readonly unknown[] = [
  null, true, false, 0, -0, -1, 1, 1.5, 2 ** 31, 2 ** 32, 2 ** 53, 2 ** 53 - 1, 1e308, '', ' ', '0', 'primary', 'secondary', 'constructor', '__proto__', 'toString',
  '\ud800', '\u0000', '\ufeff', '\u202e', 'é', '😀', [], {}, [[]], [null], { a: 1 }, { toString: 1 }, { length: 3 }, { kind: 'x' },
]; // prettier-ignore

/** Any code points, halves of pairs among them. fast-check's own such text takes seconds to get ready. */
export function anyText(maxLength: number): fc.Arbitrary<string> {
  return fc.array(fc.oneof(fc.integer({ min: 0, max: 0x7f }), fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: 0x1_0000, max: 0x10_ffff })), { maxLength }).map((points) => String.fromCodePoint(...points));
}

export type JsonChange =
  | { readonly kind: 'replace'; readonly at: number; readonly by: unknown }
  | { readonly kind: 'delete'; readonly at: number }
  | { readonly kind: 'add'; readonly at: number; readonly key: string; readonly value: unknown }
  | { readonly kind: 'repeat'; readonly at: number; readonly times: number }
  | { readonly kind: 'nest'; readonly at: number; readonly depth: number; readonly list: boolean }
  | { readonly kind: 'swap'; readonly at: number; readonly with: number }
  | { readonly kind: 'lengthen'; readonly at: number; readonly length: number };

const place = fraction();
const strange: fc.Arbitrary<unknown> = fc.oneof(fc.constantFrom(...STRANGE), fc.jsonValue({ maxDepth: 2 }), anyText(20), fc.double(), fc.integer());

export const jsonChange: fc.Arbitrary<JsonChange> = fc.oneof(
  fc.record({ kind: fc.constant('replace' as const), at: place, by: strange }),
  fc.record({ kind: fc.constant('delete' as const), at: place }),
  fc.record({ kind: fc.constant('add' as const), at: place, key: fc.oneof(fc.constantFrom('__proto__', 'constructor', 'toString', 'hasOwnProperty', 'extra', ''), fc.string({ maxLength: 12 })), value: strange }),
  fc.record({ kind: fc.constant('repeat' as const), at: place, times: fc.integer({ min: 2, max: 300 }) }),
  fc.record({ kind: fc.constant('nest' as const), at: place, depth: fc.constantFrom(1, 3, 50, 1_000, 12_000), list: fc.boolean() }),
  fc.record({ kind: fc.constant('swap' as const), at: place, with: place }),
  fc.record({ kind: fc.constant('lengthen' as const), at: place, length: fc.constantFrom(127, 128, 129, 512, 513, 2_049, 5_000) }),
);

type Spot = { readonly holder: Record<string, unknown>; readonly key: string };

/**
 * The value, as JSON text, after the changes. Deep nesting is written and not built: who builds it may fall over it himself.
 */
export function changedJson(value: unknown, changes: readonly JsonChange[]): string {
  const root: Record<string, unknown> = { value: structuredClone(value) };
  const nests = new Map<string, string>();
  for (const one of changes) change(root, one, nests);
  let text = JSON.stringify(root['value']) ?? 'null';
  for (const [mark, nest] of nests) text = text.split(JSON.stringify(mark)).join(nest);
  return text;
}

function change(root: Record<string, unknown>, one: JsonChange, nests: Map<string, string>): void {
  const all = spots(root);
  if (all.length === 0) return;
  const spot = pick(all, one.at);
  const present = spot.holder[spot.key];
  switch (one.kind) {
    case 'replace':
      return put(spot, one.by);
    case 'delete':
      if (Array.isArray(spot.holder)) spot.holder.splice(Number(spot.key), 1);
      else delete spot.holder[spot.key];
      return;
    case 'add':
      if (typeof present === 'object' && present !== null) put({ holder: present as Record<string, unknown>, key: one.key }, one.value);
      return;
    case 'repeat':
      if (Array.isArray(present)) put(spot, Array.from({ length: one.times }, (_, i) => present[i % Math.max(1, present.length)] as unknown));
      else put(spot, Array.from({ length: one.times }, () => present));
      return;
    case 'nest': {
      const mark = `nest ${nests.size}`;
      nests.set(mark, one.list ? '['.repeat(one.depth) + ']'.repeat(one.depth) : '{"a":'.repeat(one.depth) + '1' + '}'.repeat(one.depth));
      return put(spot, mark);
    }
    case 'swap': {
      const other = pick(all, one.with);
      const theirs = other.holder[other.key];
      put(other, present === root['value'] ? null : present);
      return put(spot, theirs === root['value'] ? null : theirs);
    }
    case 'lengthen':
      return put(spot, 'x'.repeat(one.length));
  }
}

/** As a key of its own, also when it is called __proto__. */
function put({ holder, key }: Spot, value: unknown): void {
  // A value may stand in its own inside after a swap; a copy cannot.
  Object.defineProperty(holder, key, { value: structuredClone(value), writable: true, enumerable: true, configurable: true });
}

function pick(all: readonly Spot[], at: number): Spot {
  return all[Math.min(all.length - 1, Math.floor(at * all.length))] as Spot;
}

function spots(holder: Record<string, unknown>): Spot[] {
  return Object.keys(holder).flatMap((key) => {
    const value = holder[key];
    const own: Spot = { holder, key };
    return typeof value === 'object' && value !== null ? [own, ...spots(value as Record<string, unknown>)] : [own];
  });
}
