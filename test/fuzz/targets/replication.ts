import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { EMPTY_LOG } from '../../../src/core/journal/envelope.js';
import { encodeReplicationFrame, REPLICATION_FRAME_BYTES_MAX, type ReplicationFrame } from '../../../src/core/replication/frames.js';
import { ReplicationWire } from '../../../src/server/replication-wire.js';
import { FakeClock } from '../../unit/support/fake-clock.js';
import { FakeStream } from '../../unit/support/fake-stream.js';
import { budgetFor, meteredNow } from '../meter.js';
import { chunkings, damaged, damages, joined, pieces, type Damage } from '../mutate.js';
import { hex } from '../outcome.js';
import { target } from '../target.js';

/*
 * What comes over the replication link, to the wire as the broker has it. Held: the frames accepted, encoded again, are the very bytes that
 * came, up to the first that is refused; it is heard the same however it is cut; only a named refusal ends it.
 */

const point = { term: 3, position: 2 ** 40, chain: 0xffff_ffff };
const FRAMES = [
  { kind: 'hello', cluster: 'c', server: 'primary', run: 'r', leaderRun: 'l', journal: 'j', term: 4, head: point, floor: 7, resync: true, epochs: [{ term: 1, first: 1 }, { term: 3, first: 9 }] },
  { kind: 'offer', mode: 'snapshot', server: 'secondary', run: 'r', journal: 'ö', term: 4, point, head: EMPTY_LOG, snapshotBytes: 123, logBytes: 4_567_890_123 },
  { kind: 'mismatch', point },
  { kind: 'ready', journal: 'j', point },
  { kind: 'records', bytes: new Uint8Array(60).fill(5) },
  { kind: 'durable', position: 12 },
  { kind: 'ping', count: 5, head: 99 },
  { kind: 'pong', count: 5 },
  { kind: 'term', term: 9, first: 100 },
  { kind: 'digest', position: 5, digest: '0123456789abcdef' },
  { kind: 'chunk', bytes: new Uint8Array([9, 8, 7]) },
  { kind: 'snapshot-end', bytes: 77 },
  { kind: 'refused', reason: 'because' },
] as unknown as ReplicationFrame[];
const ENCODED = FRAMES.map(encodeReplicationFrame);

interface Input {
  readonly frames: readonly { readonly which: number; readonly damage: Damage }[];
  readonly damage: Damage;
  readonly sizes: readonly number[];
}

const inputs: fc.Arbitrary<Input> = fc.record({
  frames: fc.array(fc.record({ which: fc.nat(FRAMES.length - 1), damage: fc.oneof(fc.constant({ changes: [] }), damages(1, 2)) }), { minLength: 1, maxLength: 6 }),
  damage: damages(0, 3),
  sizes: chunkings,
});

const STEPS_PER_BYTE = 100;
const BYTES_PER_BYTE = 12;

/** The damage of one frame is in its payload, whose length then fits: else hardly anything would come behind the header. */
function bytesOf({ frames, damage }: Input): Uint8Array {
  const all = frames.map((one) => {
    const whole = ENCODED[one.which] as Uint8Array;
    const payload = damaged(whole.subarray(6), one.damage, ENCODED);
    const header = whole.slice(0, 6);
    new DataView(header.buffer).setUint32(0, payload.length);
    return joined(header, payload);
  });
  return damaged(joined(...all), damage, ENCODED);
}

interface Heard {
  readonly frames: number;
  /** The frames, encoded again. */
  readonly accepted: string;
  readonly closed: string | null;
}

function hear(parts: readonly Uint8Array[]): Heard {
  const clock = new FakeClock();
  const stream = new FakeStream(clock);
  let frames = 0;
  let accepted = '';
  let closed: string | null = null;
  const wire = new ReplicationWire(stream, REPLICATION_FRAME_BYTES_MAX, {
    came: () => undefined,
    // Within the call: byte fields are views into what came.
    frame: (frame) => {
      frames += 1;
      accepted += hex(encodeReplicationFrame(frame));
    },
    drain: () => undefined,
    closed: (reason) => (closed = reason),
  });
  for (const part of parts) {
    stream.receive(part);
    clock.turn();
    assert.ok((wire as unknown as { reader: { room: Uint8Array } }).reader.room.length <= REPLICATION_FRAME_BYTES_MAX + 6 + part.length, 'more is held than one frame and a piece');
  }
  return { frames, accepted, closed };
}

export const replication = target<Input>({
  name: 'replication',
  inputs,
  gateRuns: 400,
  acceptedLeast: 200,
  holds(input) {
    const bytes = bytesOf(input);
    const budget = budgetFor(bytes.length, STEPS_PER_BYTE, BYTES_PER_BYTE);
    const whole = meteredNow(budget, () => hear([bytes]));
    const cut = meteredNow(budget, () => hear(pieces(bytes, input.sizes)));
    assert.deepEqual(cut, whole);
    const text = hex(bytes);
    assert.equal(whole.accepted, text.slice(0, whole.accepted.length), 'what was accepted is not what came');
    // What is left is the beginning of a frame, or was refused with a reason.
    if (whole.closed === null) assert.ok(isBeginning(bytes.subarray(whole.accepted.length / 2)), 'a whole frame was passed over');
    else assert.match(whole.closed, /malformed bytes|a frame of/);
    return whole.frames;
  },
});

function isBeginning(rest: Uint8Array): boolean {
  return rest.length < 6 || new DataView(rest.buffer, rest.byteOffset).getUint32(0) + 6 > rest.length;
}
