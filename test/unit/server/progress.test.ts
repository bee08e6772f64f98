import { Progress } from '../../../src/server/progress.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeLog } from '../support/fake-log.js';

function copy(records: number, bytes: number): { clock: FakeClock; log: FakeLog; progress: Progress } {
  const [clock, log] = [new FakeClock(), new FakeLog()];
  return { clock, log, progress: new Progress(clock, log, 'Copying to secondary', 2_000, records, bytes) };
}

test('a copy that is done within the interval says nothing, however much is sent afterwards', async () => {
  const { clock, log, progress } = copy(1, 141);
  progress.bytes(33);
  progress.records(1, 0);
  await clock.advance(4_000);
  progress.bytes(33);
  progress.records(900, 0);
  expect(log.lines).toEqual([]);
  expect(progress.value).toBeNull();
});

test('a long one says how far it is, and when it has ended', async () => {
  const { clock, log, progress } = copy(100, 1_000);
  await clock.advance(2_000);
  progress.bytes(250);
  progress.records(20, 0);
  expect(progress.value).toMatchObject({ recordsDone: 20, bytesDone: 250, elapsedMs: 2_000 });
  await clock.advance(6_000);
  progress.bytes(700);
  progress.records(100, 0);
  await clock.advance(6_000);
  progress.records(101, 10);
  expect(log.lines.map(({ message }) => message)).toEqual([
    'Copying to secondary: 0 of 100 records, 250 of 1000 bytes (25 %), about 6 s left',
    'Copying to secondary: 20 of 100 records, 950 of 1000 bytes (95 %), about 0 s left',
    'Copying to secondary: done, 100 records after 8 s',
  ]);
});

test('a snapshot without records behind it is measured by its bytes', async () => {
  const { clock, log, progress } = copy(0, 100);
  await clock.advance(3_000);
  progress.bytes(50);
  progress.bytes(50);
  expect(progress.value).toBeNull();
  expect(log.lines).toHaveLength(2);
});

test('without any bytes to go by nothing is divided by nothing', async () => {
  const { clock, log, progress } = copy(10, 0);
  await clock.advance(3_000);
  progress.records(0, 0);
  expect(log.lines.map(({ message }) => message)).toEqual(['Copying to secondary: 0 of 10 records, 0 of 0 bytes (0 %)']);
});
