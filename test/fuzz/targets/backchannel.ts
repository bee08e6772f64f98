import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import type { Hello, PeerStatus } from '../../../src/core/control/peer.js';
import { LockstepError } from '../../../src/core/errors.js';
import { BACKCHANNEL_PAYLOAD_BYTES_MAX, BackchannelKind } from '../../../src/core/wire/backchannel.js';
import { encodeText } from '../../../src/core/wire/bytes.js';
import { encodeFrame } from '../../../src/core/wire/frame.js';
import { decodeHello, encodeHello } from '../../../src/core/wire/hello.js';
import { decodePeerStatus, encodePeerStatus } from '../../../src/core/wire/peer-status.js';
import { BackchannelConnection } from '../../../src/manager/backchannel-connection.js';
import { StatusReader } from '../../../src/manager/status-reader.js';
import { HELLO, STATUS } from '../../unit/core/wire/samples.js';
import { FakeClock } from '../../unit/support/fake-clock.js';
import { FakeStream } from '../../unit/support/fake-stream.js';
import { changedJson, jsonChange, type JsonChange } from '../json.js';
import { budgetFor, meteredNow } from '../meter.js';
import { chunkings, damaged, damages, joined, pieces, type Damage } from '../mutate.js';
import { target } from '../target.js';

/*
 * What a stranger, or a peer gone mad, sends on the backchannel: to the connection as the HA manager has it. Held: it is heard the
 * same however it is cut, nothing but a named refusal ends it, what is accepted comes out of its own encoding as it went in, and neither
 * work nor memory grows with what a length field announces.
 */

interface Input {
  readonly frames: readonly { readonly kind: number; readonly changes: readonly JsonChange[] }[];
  readonly damage: Damage;
  readonly sizes: readonly number[];
}

const inputs: fc.Arbitrary<Input> = fc.record({
  frames: fc.array(fc.record({ kind: fc.constantFrom(1, 2, 2, 2, 3, 4, 5), changes: fc.oneof(fc.constant([]), fc.array(jsonChange, { maxLength: 3 })) }), { minLength: 1, maxLength: 4 }),
  damage: damages(0, 3),
  sizes: chunkings,
});

const STEPS_PER_BYTE = 300;
/** A frame is held in pieces, joined, and made a text and values of. */
const BYTES_PER_BYTE = 12;

function bytesOf({ frames, damage }: Input): Uint8Array {
  const all = frames.map(({ kind, changes }) => {
    const payload = kind === BackchannelKind.hello ? changedJson(HELLO, changes) : kind === BackchannelKind.status ? changedJson(STATUS, changes) : 'for a reason';
    return encodeFrame(kind, encodeText(payload));
  });
  return damaged(joined(encodeFrame(BackchannelKind.hello, encodeHello(HELLO)), ...all), damage, all);
}

/** What the user of the connection hears of it, line by line. */
function hear(parts: readonly Uint8Array[]): string[] {
  const clock = new FakeClock();
  const stream = new FakeStream(clock);
  const heard: string[] = [];
  const ours: Hello = { ...HELLO, server: 'secondary' as never, run: 'run-9' as never, role: 'secondary' };
  const connection = new BackchannelConnection(stream, false, ours, { handshakeTimeoutMs: 1_000, silenceMs: 1_000 }, clock, {
    statuses: new StatusReader(),
    judge: () => null,
    accepted: (_, hello) => heard.push(`hello ${JSON.stringify(again(hello, encodeHello, decodeHello))}`),
    status: (_, status) => heard.push(`status ${JSON.stringify(again(status, (one: PeerStatus) => encodePeerStatus(one), decodePeerStatus))}`),
    wasRefused: (_, reason) => heard.push(`refused ${reason}`),
    nonsense: (_, error) => {
      assert.ok(error instanceof LockstepError);
      assert.ok(error.message.length <= 4_000, `${error.message.length} characters of an error`);
      heard.push(`nonsense ${error.code} ${error.message}`);
    },
    closed: (_, reason) => heard.push(`closed ${reason}`),
  });
  for (const part of parts) {
    stream.receive(part);
    clock.turn();
    assert.ok(heldBytes(connection) <= BACKCHANNEL_PAYLOAD_BYTES_MAX + 6 + part.length, 'more is held than one frame and a piece');
  }
  return heard;
}

/** Accepted: then it is what its own encoding says. */
function again<T>(value: T, encode: (value: T) => Uint8Array, decode: (bytes: Uint8Array) => T): T {
  assert.deepEqual(decode(encode(value)), value);
  return value;
}

function heldBytes(connection: BackchannelConnection): number {
  return (connection as unknown as { reader: { room: Uint8Array } }).reader.room.length;
}

export const backchannel = target<Input>({
  name: 'backchannel',
  inputs,
  gateRuns: 300,
  acceptedLeast: 150,
  holds(input) {
    const bytes = bytesOf(input);
    const budget = budgetFor(bytes.length, STEPS_PER_BYTE, BYTES_PER_BYTE);
    const whole = meteredNow(budget, () => hear([bytes]));
    const cut = meteredNow(budget, () => hear(pieces(bytes, input.sizes)));
    assert.deepEqual(cut, whole);
    return whole.filter((line) => /^(hello|status) /.test(line)).length;
  },
});
