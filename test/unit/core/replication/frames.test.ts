import fc from 'fast-check';
import { LockstepError } from '../../../../src/core/errors.js';
import { EMPTY_LOG } from '../../../../src/core/journal/envelope.js';
import { REPLICATION_FRAME_BYTES_MAX, decodeReplicationFrame, encodeReplicationFrame, recordPieces, type ReplicationFrame } from '../../../../src/core/replication/frames.js';
import { EPOCHS_MAX } from '../../../../src/core/replication/known-log.js';
import { FrameReader } from '../../../../src/core/wire/frame.js';

const point = { term: 3, position: 2 ** 40, chain: 0xffff_ffff };
const FRAMES = [
  { kind: 'hello', cluster: 'c', server: 'primary', run: 'r', leaderRun: 'l', journal: 'j', term: 4, head: point, floor: 7, resync: true, epochs: [{ term: 1, first: 1 }, { term: 3, first: 9 }] },
  { kind: 'offer', mode: 'snapshot', server: 'secondary', run: 'r', journal: 'j', term: 4, point, head: EMPTY_LOG, snapshotBytes: 123, logBytes: 4_567_890_123 },
  { kind: 'mismatch', point },
  { kind: 'ready', journal: 'j', point },
  { kind: 'records', bytes: new Uint8Array([1, 2, 3]) },
  { kind: 'durable', position: 12 },
  { kind: 'ping', count: 5, head: 99 },
  { kind: 'pong', count: 5 },
  { kind: 'term', term: 9, first: 100 },
  { kind: 'digest', position: 5, digest: '0123456789abcdef' },
  { kind: 'chunk', bytes: new Uint8Array([9]) },
  { kind: 'snapshot-end', bytes: 77 },
  { kind: 'refused', reason: 'because' },
] as unknown as ReplicationFrame[];

function read(bytes: Uint8Array, cut: number): ReplicationFrame[] {
  const found: ReplicationFrame[] = [];
  const reader = new FrameReader(REPLICATION_FRAME_BYTES_MAX, ({ kind, payload }) => found.push(decodeReplicationFrame(kind, payload.slice())));
  for (let at = 0; at < bytes.length; at += cut) reader.push(bytes.subarray(at, at + cut));
  return found;
}

test.each([1, 7, 1_000])('every frame comes back as it was, %i bytes at a time', (cut) => {
  const all = FRAMES.map(encodeReplicationFrame);
  const joined = new Uint8Array(all.reduce((sum, one) => sum + one.length, 0));
  all.reduce((at, one) => (joined.set(one, at), at + one.length), 0);
  expect(read(joined, cut)).toEqual(FRAMES);
});

test('large records go out in two pieces that make one frame', () => {
  const bytes = new Uint8Array(100_000).fill(7);
  const pieces = recordPieces(bytes);
  expect(pieces).toHaveLength(2);
  expect(pieces[1]).toBe(bytes);
  const joined = new Uint8Array([...(pieces[0] as Uint8Array), ...bytes]);
  expect(read(joined, 65_536)).toEqual([{ kind: 'records', bytes }]);
});

test('a frame cut short or with bytes left over is refused by name', () => {
  for (const frame of FRAMES) {
    if (frame.kind === 'records' || frame.kind === 'chunk') continue;
    const whole = encodeReplicationFrame(frame);
    const kind = whole[5] as number;
    const payload = whole.subarray(6);
    for (let length = 0; length < payload.length; length++) {
      expect(() => decodeReplicationFrame(kind, payload.subarray(0, length))).toThrow(expect.objectContaining({ code: 'LOCKSTEP_BYTES_MALFORMED' }));
    }
    expect(() => decodeReplicationFrame(kind, new Uint8Array([...payload, 0]))).toThrow('left over');
  }
});

test('garbage never makes anything but a frame or a named error', () => {
  fc.assert(
    fc.property(fc.nat(20), fc.uint8Array({ maxLength: 200 }), (kind, payload) => {
      try {
        decodeReplicationFrame(kind, payload);
      } catch (error) {
        expect(error).toBeInstanceOf(LockstepError);
      }
    }),
    { numRuns: 2_000 },
  );
});

test('epochs are limited, the newest are kept, and must be in order', () => {
  const epochs = Array.from({ length: EPOCHS_MAX + 10 }, (_, i) => ({ term: i + 1, first: i * 2 + 1 }));
  const hello = { ...FRAMES[0], epochs } as unknown as ReplicationFrame;
  const [back] = read(encodeReplicationFrame(hello), 10_000);
  expect(back).toMatchObject({ kind: 'hello' });
  expect((back as unknown as { epochs: typeof epochs }).epochs).toEqual(epochs.slice(10));
  const wrong = { ...FRAMES[0], epochs: [{ term: 3, first: 9 }, { term: 1, first: 20 }] } as unknown as ReplicationFrame;
  expect(() => read(encodeReplicationFrame(wrong), 10_000)).toThrow('epochs out of order');
});
