import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { BrokerCore } from '../../../src/core/broker/core.js';
import type { Operation } from '../../../src/core/broker/operations.js';
import { decodeOperation, encodeOperation } from '../../../src/core/broker/records.js';
import type { Position, ServerId, Term } from '../../../src/core/identity.js';
import type { LogRecord } from '../../../src/core/journal/envelope.js';
import { encodeText } from '../../../src/core/wire/bytes.js';
import { LIMITS } from '../../unit/core/broker/rig.js';
import { budgetFor, meteredNow } from '../meter.js';
import { damaged, damages, type Damage } from '../mutate.js';
import { outcome, sameBytes } from '../outcome.js';
import { target } from '../target.js';

/*
 * Records as a leader, or an older journal, hands them over: their payloads are applied on both servers. Held: a payload that is accepted is, byte for
 * byte, what this version writes for that operation; the broker's state takes whatever is accepted, in any order, and two copies stay equal.
 */

const payload = encodeText('päyload');
const OPERATIONS: readonly Operation[] = [
  { kind: 'connect', connection: 1, clientId: 'c', clean: false, will: { topic: 'w', qos: 2, retain: true, payload }, user: 'u' },
  { kind: 'connect', connection: 2, clientId: 'd', clean: true, will: null, user: null },
  { kind: 'subscribe', connection: 1, packetId: 7, subscriptions: [{ filter: 'a/#', qos: 2 }, { filter: '+', qos: 0 }, { filter: 't', qos: 1 }] },
  { kind: 'publish', connection: 2, packetId: 9, topic: 't', qos: 2, retain: true, payload },
  { kind: 'publish', connection: 2, packetId: 10, topic: 'a/b', qos: 1, retain: false, payload },
  { kind: 'publish', connection: 2, packetId: 0, topic: 't', qos: 0, retain: true, payload: new Uint8Array(0) },
  { kind: 'acknowledge', connection: 1, packetId: 1 },
  { kind: 'received', connection: 1, packetId: 1 },
  { kind: 'release', connection: 2, packetId: 9 },
  { kind: 'complete', connection: 1, packetId: 1 },
  { kind: 'unsubscribe', connection: 1, packetId: 1, filters: ['a/#', 'b'] },
  { kind: 'disconnect', connection: 1, publishWill: true },
  { kind: 'term-start', server: 'primary' as ServerId, limits: LIMITS },
  { kind: 'term-start', server: 'primary' as ServerId, limits: null },
  { kind: 'orphans-gone', clientIds: ['c', 'd'] },
];
const DRAFTS = OPERATIONS.map((operation) => {
  const draft = encodeOperation(operation);
  return { ...draft, payload: draft.payload.slice() };
});
const PAYLOADS = DRAFTS.map((draft) => draft.payload);

type Input = readonly { readonly which: number; readonly type: number | null; readonly damage: Damage }[];

const inputs: fc.Arbitrary<Input> = fc.array(
  fc.record({
    which: fc.nat(DRAFTS.length - 1),
    type: fc.oneof({ weight: 11, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.nat(90) }),
    damage: fc.oneof({ weight: 3, arbitrary: fc.constant<Damage>({ changes: [] }) }, { weight: 2, arbitrary: damages(1, 3) }),
  }),
  { minLength: 1, maxLength: 20 },
);

const STEPS_PER_BYTE = 300;
const BYTES_PER_BYTE = 24;

function accepted(input: Input): LogRecord[] {
  const records: LogRecord[] = [];
  for (const { which, type, damage } of input) {
    const draft = DRAFTS[which] as (typeof DRAFTS)[number];
    const bytes = damaged(draft.payload, damage, PAYLOADS);
    const record: LogRecord = { type: type ?? draft.type, version: draft.version, origin: 1, term: 1 as Term, position: (records.length + 1) as Position, chain: 0, payload: bytes };
    const read = outcome(() => meteredNow(budgetFor(bytes.length, STEPS_PER_BYTE, BYTES_PER_BYTE), () => decodeOperation(record)));
    if (read.kind === 'refused') {
      assert.ok(['LOCKSTEP_BYTES_MALFORMED', 'LOCKSTEP_RECORD_UNKNOWN'].includes(read.code), read.code);
      continue;
    }
    const written = encodeOperation(read.value);
    assert.equal(written.type, record.type);
    sameBytes(bytes, written.payload, 'a payload is accepted that nobody wrote so');
    records.push(record);
  }
  return records;
}

export const records = target<Input>({
  name: 'records',
  inputs,
  gateRuns: 200,
  acceptedLeast: 450,
  holds(input) {
    const [one, other] = [new BrokerCore(LIMITS), new BrokerCore(LIMITS)];
    const records = accepted(input);
    for (const record of records) {
      let effects = 0;
      let again = 0;
      one.apply(record, () => (effects += 1));
      other.apply(record, () => (again += 1));
      assert.equal(again, effects);
      assert.equal(one.recomputeDigest(), one.digest());
      assert.equal(other.digest(), one.digest());
    }
    return records.length;
  },
});
