import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { verifyPassword } from '../../../src/adapters/password.js';
import { parseUsers, userNameProblem, withoutUser, withUser } from '../../../src/adapters/user-file.js';
import { encodeText } from '../../../src/core/wire/bytes.js';
import { budgetFor, meteredNow } from '../meter.js';
import { anyText } from '../json.js';
import { damaged, damages, type Damage } from '../mutate.js';
import { outcome } from '../outcome.js';
import { target } from '../target.js';

/*
 * A file of users, as an operator may have spoilt it, and what `lockstep passwd` makes of it. Held: every user of an accepted file can log in as far as the
 * form of his password goes; setting a user changes that one and no other.
 */

const HASH = 'scrypt$16$8$1$AAAAAAAAAAAAAAAAAAAAAA==$BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA=';
const TEXT = encodeText(`# users\nalice:${HASH}\n\nbob:scrypt$2$1$1$YWJj$AAAAAAAAAAAAAAAAAAAAAA==\r\n  carol:${HASH}  \n`);

interface Input {
  readonly damage: Damage;
  readonly cost: { readonly N: number; readonly r: number; readonly p: number } | null;
  readonly name: string;
}

const inputs: fc.Arbitrary<Input> = fc.record({
  damage: damages(0, 3),
  cost: fc.oneof(fc.constant(null), fc.record({ N: fc.oneof(fc.nat(40).map((exponent) => 2 ** exponent), fc.nat(100)), r: fc.constantFrom(0, 1, 2, 8, 9999), p: fc.constantFrom(0, 1, 2, 16, 17, 9999) })),
  name: fc.oneof(fc.constantFrom('alice', 'bob', 'dave', 'a', '#x', ' x', '__proto__', 'é'), anyText(6), fc.string({ maxLength: 300 })),
});

const STEPS_PER_BYTE = 100;
const BYTES_PER_BYTE = 32;
/** Dearer ones are not tried here: one alone would take longer than all the rest. */
const TRIED_COST_MAX = 2 ** 20;

export const users = target<Input>({
  name: 'users',
  inputs,
  gateRuns: 200,
  acceptedLeast: 80,
  async holds({ damage, cost, name }) {
    let text = new TextDecoder().decode(damaged(TEXT, damage));
    if (cost !== null) text += `\nz:scrypt$${cost.N}$${cost.r}$${cost.p}$YWJj$AAAAAAAAAAAAAAAAAAAAAA==\n`;
    const read = outcome(() => meteredNow(budgetFor(text.length, STEPS_PER_BYTE, BYTES_PER_BYTE), () => parseUsers(text, 'users')));
    if (read.kind === 'refused') {
      assert.equal(read.code, 'LOCKSTEP_USERS_MALFORMED');
      return 0;
    }
    for (const [user, kept] of read.value) {
      assert.equal(userNameProblem(user), null);
      if (kept.N * kept.r * kept.p <= TRIED_COST_MAX) assert.equal(typeof (await verifyPassword('x', kept)), 'boolean');
    }
    if (userNameProblem(name) !== null) return read.value.size;
    const others = [...read.value].filter(([user]) => user !== name);
    const set = parseUsers(withUser(text, name, HASH), 'users');
    assert.ok(set.has(name), 'the user that was set is not there');
    assert.deepEqual([...set].filter(([user]) => user !== name), others);
    const gone = withoutUser(text, name);
    assert.equal(gone !== null, read.value.has(name));
    if (gone !== null) assert.deepEqual([...parseUsers(gone, 'users')], others);
    return read.value.size;
  },
});
