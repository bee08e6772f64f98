import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import type { JournalId, Position, ServerId, Term } from '../../../src/core/identity.js';
import { decodeShareIdentity, decodeTermRecord, encodeShareIdentity, encodeTermRecord } from '../../../src/core/terms/codec.js';
import type { TermRecord } from '../../../src/core/terms/record.js';
import { encodeText } from '../../../src/core/wire/bytes.js';
import { changedJson, jsonChange, type JsonChange } from '../json.js';
import { budgetFor, meteredNow } from '../meter.js';
import { damaged, damages, type Damage } from '../mutate.js';
import { hex, outcome, sameBytes } from '../outcome.js';
import { target } from '../target.js';

/*
 * The files that say who may serve. Held: bytes that are accepted are, to the last one, what this version would have written for that record; so no change
 * of a record, of however few bits, is another record.
 */

const RECORDS: readonly TermRecord[] = [
  {
    schema: 1,
    term: 42 as Term,
    server: 'primary' as ServerId,
    inSync: [
      { server: 'primary' as ServerId, journal: '0123456789abcdef0123456789abcdef' as JournalId },
      { server: 'secondary' as ServerId, journal: 'fedcba9876543210fedcba9876543210' as JournalId },
    ],
    position: 1000 as Position,
    cause: 'admission',
    at: '2026-01-01T00:00:00.000Z',
    nonce: 'ab0123456789abcdef0123456789abcd',
  },
  { schema: 1, term: 4_294_967_295 as Term, server: 'secondary' as ServerId, inSync: [{ server: 'secondary' as ServerId, journal: 'j' as JournalId }], position: 0 as Position, cause: 'promotion', forced: true, at: 'ö', nonce: '\ud800' },
];
const IDENTITY = { schema: 1, share: 'ab0123456789abcdef0123456789abcd', cluster: 'orders', method: 'rename' } as const;
const RECORD_BYTES = RECORDS.map(encodeTermRecord);
const IDENTITY_BYTES = encodeShareIdentity(IDENTITY);
const OTHERS = [...RECORD_BYTES, IDENTITY_BYTES];

interface Input {
  readonly of: 'record' | 'identity';
  readonly which: number;
  readonly changes: readonly JsonChange[];
  readonly damage: Damage;
}

const inputs: fc.Arbitrary<Input> = fc.record({
  of: fc.constantFrom('record', 'record', 'identity' as const) as fc.Arbitrary<'record' | 'identity'>,
  which: fc.nat(RECORDS.length - 1),
  changes: fc.array(jsonChange, { maxLength: 3 }),
  damage: damages(0, 3),
});

const STEPS_PER_BYTE = 200;
const BYTES_PER_BYTE = 16;

function bytesOf(input: Input): Uint8Array {
  const sound = input.of === 'record' ? (RECORD_BYTES[input.which] as Uint8Array) : IDENTITY_BYTES;
  const text = new TextDecoder().decode(sound);
  const changed = input.changes.length === 0 ? sound : encodeText(`${changedJson(JSON.parse(text), input.changes)}\n`);
  return damaged(changed, input.damage, OTHERS);
}

export const terms = target<Input>({
  name: 'terms',
  inputs,
  gateRuns: 500,
  acceptedLeast: 25,
  holds(input) {
    const bytes = bytesOf(input);
    const budget = budgetFor(bytes.length, STEPS_PER_BYTE, BYTES_PER_BYTE);
    let kind: 'accepted' | 'refused';
    if (input.of === 'record') {
      const read = outcome(() => meteredNow(budget, () => decodeTermRecord(bytes, 'x.json')));
      if (read.kind === 'accepted') sameBytes(bytes, encodeTermRecord(read.value), 'a record is accepted that nobody wrote so');
      else assert.equal(read.code, 'LOCKSTEP_TERM_RECORD_DAMAGED');
      ({ kind } = read);
    } else {
      const read = outcome(() => meteredNow(budget, () => decodeShareIdentity(bytes, 'pair.lck')));
      if (read.kind === 'accepted') sameBytes(bytes, encodeShareIdentity(read.value), 'an identity is accepted that nobody wrote so');
      else assert.equal(read.code, 'LOCKSTEP_SHARE_IDENTITY_DAMAGED');
      ({ kind } = read);
    }
    if (input.changes.length === 0) notAnother(input, bytes);
    return kind === 'accepted' ? 1 : 0;
  },
});

/** A change of the bytes alone, without a new checksum, is never another record. */
function notAnother(input: Input, bytes: Uint8Array): void {
  if (input.of !== 'record') return;
  const read = outcome(() => decodeTermRecord(bytes, 'x.json'));
  if (read.kind === 'accepted') assert.ok(RECORDS.some((one) => isSame(one, read.value)), `changed bytes are another record: ${JSON.stringify(read.value)}`);
}

function isSame(one: TermRecord, other: TermRecord): boolean {
  return hex(encodeTermRecord(one)) === hex(encodeTermRecord(other));
}
