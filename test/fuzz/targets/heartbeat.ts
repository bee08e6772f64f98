import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import type { Position, ServerId, Term } from '../../../src/core/identity.js';
import { decodeHeartbeat, encodeHeartbeat, type Heartbeat } from '../../../src/core/lock/heartbeat.js';
import { decodeWatermark, encodeWatermark, type Watermark } from '../../../src/core/terms/watermark.js';
import { IN_PLACE_BYTES } from '../../../src/core/wire/in-place.js';
import { budgetFor, meteredNow } from '../meter.js';
import { damaged, damages, type Damage } from '../mutate.js';
import { hex } from '../outcome.js';
import { target } from '../target.js';

/*
 * The holder's sign of life, and the watermark beside it, which are rewritten in place and so may be met half written. Held: what is read is one of
 * those that were written, whole, or none; a mixture of two, or a changed one, is none, and neither is taken for the other.
 */

const BEATS: readonly Heartbeat[] = [
  { token: 'ab0123456789abcdef0123456789abcd', server: 'primary' as ServerId, counter: 1, state: 'held' },
  { token: 'ab0123456789abcdef0123456789abcd', server: 'primary' as ServerId, counter: 2, state: 'held' },
  { token: 'cd0123456789abcdef0123456789abcd', server: 'secondary' as ServerId, counter: 99_999, state: 'released' },
];
const MARKS: readonly Watermark[] = [
  { term: 7 as Term, nonce: 'ab0123456789abcdef0123456789abcd', position: 1999 as Position },
  { term: 7 as Term, nonce: 'ab0123456789abcdef0123456789abcd', position: 2000 as Position },
];
const ENCODED = [...BEATS.map(encodeHeartbeat), ...MARKS.map(encodeWatermark)];

interface Input {
  readonly which: number;
  readonly damage: Damage;
  /** A second beat written over the first in part: from 0 to there, or from there to the end. */
  readonly torn: { readonly by: number; readonly at: number; readonly front: boolean } | null;
}

const inputs: fc.Arbitrary<Input> = fc.record({
  which: fc.nat(ENCODED.length - 1),
  damage: damages(0, 3),
  torn: fc.oneof(fc.constant(null), fc.record({ by: fc.nat(ENCODED.length - 1), at: fc.nat(IN_PLACE_BYTES), front: fc.boolean() })),
});

function holdsOne<T>(read: T, written: readonly T[], encode: (one: T) => Uint8Array, bytes: Uint8Array): void {
  assert.equal(hex(bytes), hex(encode(read)));
  assert.ok(written.some((one) => JSON.stringify(one) === JSON.stringify(read)), `nobody wrote ${JSON.stringify(read)}`);
}

export const heartbeat = target<Input>({
  name: 'heartbeat',
  inputs,
  gateRuns: 500,
  acceptedLeast: 60,
  holds({ which, damage, torn }) {
    let bytes = (ENCODED[which] as Uint8Array).slice();
    if (torn !== null) {
      const over = ENCODED[torn.by] as Uint8Array;
      bytes.set(torn.front ? over.subarray(0, torn.at) : over.subarray(torn.at), torn.front ? 0 : torn.at);
    }
    bytes = Uint8Array.from(damaged(bytes, damage, ENCODED));
    const read = meteredNow(budgetFor(bytes.length, 100, 16), () => decodeHeartbeat(bytes));
    const mark = meteredNow(budgetFor(bytes.length, 100, 16), () => decodeWatermark(bytes));
    assert.ok(read === null || mark === null, 'both a heartbeat and a watermark');
    if (read !== null) holdsOne(read, BEATS, encodeHeartbeat, bytes);
    if (mark !== null) holdsOne(mark, MARKS, encodeWatermark, bytes);
    return read === null && mark === null ? 0 : 1;
  },
});
