import type { Operation } from '../../../../src/core/broker/operations.js';
import { decodeOperation, encodeOperation, messagePayload } from '../../../../src/core/broker/records.js';
import type { ServerId } from '../../../../src/core/identity.js';
import { ByteWriter, encodeText, MalformedBytes } from '../../../../src/core/wire/bytes.js';
import { LIMITS, recordOf } from './rig.js';

const connection = 7 * 2 ** 29 + 3;
const payload = encodeText('päyload');

const OPERATIONS: readonly Operation[] = [
  { kind: 'connect', connection, clientId: 'c', clean: true, will: null, user: null },
  { kind: 'connect', connection, clientId: 'c', clean: false, will: null, user: '' },
  { kind: 'connect', connection, clientId: 'ö', clean: false, will: { topic: 'w', qos: 2, retain: true, payload }, user: 'u' },
  { kind: 'connect', connection, clientId: 'c', clean: true, will: { topic: 'w', qos: 0, retain: false, payload: new Uint8Array(0) }, user: null },
  { kind: 'disconnect', connection, publishWill: true },
  { kind: 'disconnect', connection, publishWill: false },
  { kind: 'subscribe', connection, packetId: 65_535, subscriptions: [{ filter: 'a/#', qos: 2 }, { filter: '+', qos: 0 }] },
  { kind: 'unsubscribe', connection, packetId: 1, filters: ['a/#', 'b'] },
  { kind: 'publish', connection, packetId: 9, topic: 't', qos: 2, retain: true, payload },
  { kind: 'publish', connection, packetId: 0, topic: 't', qos: 0, retain: true, payload: new Uint8Array(0) },
  { kind: 'acknowledge', connection, packetId: 1 },
  { kind: 'received', connection, packetId: 2 },
  { kind: 'release', connection, packetId: 3 },
  { kind: 'complete', connection, packetId: 65_535 },
  { kind: 'term-start', server: 'primary' as ServerId, limits: null },
  { kind: 'term-start', server: 'primary' as ServerId, limits: { ...LIMITS, storedBytesMax: 2 ** 50 } },
  { kind: 'orphans-gone', clientIds: ['a', 'b'] },
  { kind: 'orphans-gone', clientIds: [] },
];

test.each(OPERATIONS.map((operation) => [operation.kind, operation] as const))('%s survives its record', (_, operation) => {
  expect(decodeOperation(recordOf(operation, 1))).toEqual(operation);
});

test('a writer can be used again', () => {
  const writer = new ByteWriter();
  for (const operation of OPERATIONS) expect(encodeOperation(operation, writer)).toEqual(encodeOperation(operation));
});

test('every payload that is cut short or has bytes left over is refused, but for the free end of a publication', () => {
  for (const operation of OPERATIONS) {
    const record = recordOf(operation, 1);
    const fixed = operation.kind === 'publish' ? record.payload.length - operation.payload.length : record.payload.length;
    for (let length = 0; length < fixed; length++) {
      expect(() => decodeOperation({ ...record, payload: record.payload.subarray(0, length) })).toThrow(MalformedBytes);
    }
    if (operation.kind === 'publish') continue;
    expect(() => decodeOperation({ ...record, payload: new Uint8Array([...record.payload, 0]) })).toThrow(MalformedBytes);
  }
});

test.each([
  ['a type that is not known', { type: 12 }, 'type 12, version 1'],
  ['a newer version', { version: 2 }, 'type 5, version 2'],
  ['version 0', { version: 0 }, 'type 5, version 0'],
  ['a term of a newer version', { type: 10, version: 3 }, 'type 10, version 3'],
  ['a type of snapshots', { type: 64 }, 'type 64, version 1'],
])('%s is refused by name', (_, change, words) => {
  const record = recordOf({ kind: 'publish', connection, packetId: 1, topic: 't', qos: 1, retain: false, payload }, 44);
  expect(() => decodeOperation({ ...record, ...change })).toThrow(
    expect.objectContaining({ code: 'LOCKSTEP_RECORD_UNKNOWN', message: expect.stringContaining(words) }),
  );
  expect(() => decodeOperation({ ...record, ...change })).toThrow('position 44');
});

test('flags and QoS that do not exist are refused', () => {
  const record = recordOf({ kind: 'publish', connection, packetId: 1, topic: 't', qos: 1, retain: false, payload }, 1);
  for (const flags of [3, 7, 8, 255]) {
    const bytes = record.payload.slice();
    bytes[10] = flags;
    expect(() => decodeOperation({ ...record, payload: bytes })).toThrow(MalformedBytes);
  }
});

test('a client that connects by no connection is refused', () => {
  const record = recordOf({ kind: 'connect', connection, clientId: 'c', clean: true, will: null, user: null }, 1);
  expect(() => decodeOperation({ ...record, payload: record.payload.slice().fill(0, 0, 8) })).toThrow(MalformedBytes);
});

test('flags of a will that is not there are refused', () => {
  const record = recordOf({ kind: 'connect', connection, clientId: 'c', clean: true, will: null, user: null }, 1);
  for (const flags of [8, 16, 32]) {
    const bytes = record.payload.slice();
    bytes[8] = flags;
    expect(() => decodeOperation({ ...record, payload: bytes })).toThrow(MalformedBytes);
  }
});

test('a number above 2^53 and a topic that is not UTF-8 are refused', () => {
  const record = recordOf({ kind: 'publish', connection, packetId: 1, topic: 't', qos: 1, retain: false, payload }, 1);
  for (const [at, byte] of [[1, 0x20], [0, 1], [13, 0xff]] as const) {
    const bytes = record.payload.slice();
    bytes[at] = byte;
    expect(() => decodeOperation({ ...record, payload: bytes })).toThrow(MalformedBytes);
  }
});

test('a decoded payload is a view', () => {
  const record = recordOf({ kind: 'publish', connection, packetId: 1, topic: 't', qos: 1, retain: false, payload }, 1);
  const operation = decodeOperation(record);
  expect(operation.kind === 'publish' && operation.payload.buffer).toBe(record.payload.buffer);
});

test('the payload of the message that a record brought', () => {
  const will = { topic: 'w', qos: 2, retain: true, payload } as const;
  expect(messagePayload(recordOf({ kind: 'publish', connection, packetId: 1, topic: 't', qos: 1, retain: false, payload }, 1))).toEqual(payload);
  expect(messagePayload(recordOf({ kind: 'connect', connection, clientId: 'c', clean: true, will, user: null }, 1))).toEqual(payload);
  expect(messagePayload(recordOf({ kind: 'connect', connection, clientId: 'c', clean: true, will: null, user: null }, 1))).toBeNull();
  expect(messagePayload(recordOf({ kind: 'acknowledge', connection, packetId: 1 }, 1))).toBeNull();
});

test.each([{ inflightMessagesMax: 0 }, { inflightMessagesMax: 65_536 }, { queuedMessagesPerSessionMax: 0 }])('a term with limits %j is refused', (limit) => {
  const record = recordOf({ kind: 'term-start', server: 'primary' as ServerId, limits: { ...LIMITS, ...limit } }, 1);
  expect(() => decodeOperation(record)).toThrow(MalformedBytes);
});
