import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import type { ServerId } from '../../../src/core/identity.js';
import { decodeHeartbeat, encodeHeartbeat, HEARTBEAT_BYTES, type Heartbeat } from '../../../src/core/lock/heartbeat.js';
import { budgetFor, meteredNow } from '../meter.js';
import { damaged, damages, type Damage } from '../mutate.js';
import { hex } from '../outcome.js';
import { target } from '../target.js';

/*
 * The holder's sign of life, which is rewritten in place and so may be met half written. Held: it is one of the heartbeats that were
 * written, whole, or none; a mixture of two, or a changed one, is none.
 */

const BEATS: readonly Heartbeat[] = [
  { token: 'ab0123456789abcdef0123456789abcd', server: 'primary' as ServerId, counter: 1, state: 'held' },
  { token: 'ab0123456789abcdef0123456789abcd', server: 'primary' as ServerId, counter: 2, state: 'held' },
  { token: 'cd0123456789abcdef0123456789abcd', server: 'secondary' as ServerId, counter: 99_999, state: 'released' },
];
const ENCODED = BEATS.map(encodeHeartbeat);

interface Input {
  readonly which: number;
  readonly damage: Damage;
  /** A second beat written over the first in part: from 0 to there, or from there to the end. */
  readonly torn: { readonly by: number; readonly at: number; readonly front: boolean } | null;
}

const inputs: fc.Arbitrary<Input> = fc.record({
  which: fc.nat(BEATS.length - 1),
  damage: damages(0, 3),
  torn: fc.option(fc.record({ by: fc.nat(BEATS.length - 1), at: fc.nat(HEARTBEAT_BYTES), front: fc.boolean() })),
});

export const heartbeat = target<Input>({
  name: 'heartbeat',
  inputs,
  gateRuns: 500,
  holds({ which, damage, torn }) {
    let bytes = (ENCODED[which] as Uint8Array).slice();
    if (torn !== null) {
      const over = ENCODED[torn.by] as Uint8Array;
      bytes.set(torn.front ? over.subarray(0, torn.at) : over.subarray(torn.at), torn.front ? 0 : torn.at);
    }
    bytes = Uint8Array.from(damaged(bytes, damage, ENCODED));
    const read = meteredNow(budgetFor(bytes.length, 100, 16), () => decodeHeartbeat(bytes));
    if (read === null) return;
    assert.equal(hex(bytes), hex(encodeHeartbeat(read)));
    assert.ok(BEATS.some((one) => JSON.stringify(one) === JSON.stringify(read)), `nobody wrote ${JSON.stringify(read)}`);
  },
});
