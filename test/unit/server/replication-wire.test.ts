import { encodeReplicationFrame, FOLLOWER_FRAME_BYTES_MAX, type ReplicationFrame } from '../../../src/core/replication/frames.js';
import { EPOCHS_MAX } from '../../../src/core/replication/known-log.js';
import { frameHeader } from '../../../src/core/wire/frame.js';
import { ReplicationWire } from '../../../src/server/replication-wire.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeStream } from '../support/fake-stream.js';

function wired(onFrame: (frame: ReplicationFrame, wire: ReplicationWire) => void = () => undefined): { clock: FakeClock; stream: FakeStream; closed: string[] } {
  const clock = new FakeClock();
  const stream = new FakeStream(clock);
  const closed: string[] = [];
  const wire: ReplicationWire = new ReplicationWire(stream, FOLLOWER_FRAME_BYTES_MAX, { came: () => undefined, frame: (frame) => onFrame(frame, wire), drain: () => undefined, closed: (reason) => closed.push(reason) });
  return { clock, stream, closed };
}

test('what came behind the last word is nobody’s: the reason of the end stays the reason', () => {
  const { clock, stream, closed } = wired((_, wire) => wire.destroy('enough'));
  stream.receive(Uint8Array.of(...encodeReplicationFrame({ kind: 'pong', count: 1 }), 1, 2, 3, 4, 99, 6, 7, 8));
  clock.turn();
  expect(closed).toEqual(['enough']);
});

test('whoever has not said who he is announces no frame that is longer than a follower’s', () => {
  const { clock, stream, closed } = wired();
  stream.receive(frameHeader(1, FOLLOWER_FRAME_BYTES_MAX + 1));
  clock.turn();
  expect(closed[0]).toContain(`${FOLLOWER_FRAME_BYTES_MAX} are allowed here`);
});

test('the longest hello of a follower fits its limit', () => {
  const name = '\uffff'.repeat(512);
  const epochs = Array.from({ length: EPOCHS_MAX }, (_, i) => ({ term: i + 1, first: i + 1 }));
  const hello = { kind: 'hello', cluster: name, server: name, run: name, leaderRun: name, journal: name, term: 1, head: { term: 1, position: 1, chain: 1 }, floor: 0, resync: false, epochs } as unknown as ReplicationFrame;
  const seen: ReplicationFrame[] = [];
  const { clock, stream, closed } = wired((frame) => seen.push(frame));
  stream.receive(encodeReplicationFrame(hello));
  clock.turn();
  expect(closed).toEqual([]);
  expect(seen).toEqual([hello]);
});
