import { encodeRepositoryFrame, type RepositoryFrame } from '../../../src/core/repository/frames.js';
import { RepositoryLink } from '../../../src/repository/link.js';
import { FakeClock, settle } from '../support/fake-clock.js';
import { FakeStream } from '../support/fake-stream.js';

const PIECE: readonly RepositoryFrame[] = [{ kind: 'drop', sync: 1 }, { kind: 'drop', sync: 2 }, { kind: 'drop', sync: 3 }];

function bytesOf(frames: readonly RepositoryFrame[]): Uint8Array {
  return Buffer.concat(frames.map((frame) => encodeRepositoryFrame(frame)));
}

/** A link that says what it took; `onTake` may throw, or hold the link. */
function linked(onTake: (frame: RepositoryFrame, link: RepositoryLink) => void): { receive: (bytes: Uint8Array) => void; taken: number[]; failures: string[]; closed: string[] } {
  const clock = new FakeClock();
  const stream = new FakeStream(clock);
  const [taken, failures, closed]: [number[], string[], string[]] = [[], [], []];
  const link: RepositoryLink = new RepositoryLink({
    stream,
    clock,
    take: (frame) => {
      if (frame.kind === 'drop') taken.push(frame.sync);
      onTake(frame, link);
    },
    work: () => false,
    failed: (error) => failures.push(String(error)),
    closed: (reason) => closed.push(reason),
  });
  const receive = (bytes: Uint8Array): void => {
    stream.receive(bytes);
    clock.turn();
  };
  return { receive, taken, failures, closed };
}

test('a frame that fails its sync takes none of those with it that came in the same piece, nor the place of the next', () => {
  const { receive, taken, failures, closed } = linked((frame) => {
    if (frame.kind === 'drop' && frame.sync === 1) throw new Error('ENOSPC');
  });
  const bytes = bytesOf([...PIECE, { kind: 'drop', sync: 4 }]);
  // The last frame is cut.
  receive(bytes.subarray(0, bytes.length - 3));
  receive(bytes.subarray(bytes.length - 3));
  expect(taken).toEqual([1, 2, 3, 4]);
  expect(failures).toEqual(['Error: ENOSPC']);
  expect(closed).toEqual([]);
});

test('the same of frames that waited while the link was held', async () => {
  let release = (): void => undefined;
  const { receive, taken, failures } = linked((frame, link) => {
    if (frame.kind !== 'drop') return;
    if (frame.sync === 1) link.hold(new Promise((resolve) => (release = resolve)));
    if (frame.sync === 2) throw new Error('ENOSPC');
  });
  receive(bytesOf(PIECE));
  expect(taken).toEqual([1]);
  release();
  await settle();
  expect(taken).toEqual([1, 2, 3]);
  expect(failures).toEqual(['Error: ENOSPC']);
});
