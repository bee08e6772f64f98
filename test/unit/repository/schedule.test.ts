import { follow } from '../../../src/repository/schedule.js';
import { FakeClock } from '../support/fake-clock.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const START = new Date(2026, 0, 1, 2, 10).getTime();

function runsOf(clock: FakeClock, expression: string): string[] {
  const runs: string[] = [];
  follow({ kind: 'cron', expression }, clock, () => {
    const at = new Date(clock.wall());
    runs.push(`${at.getHours()}:${String(at.getMinutes()).padStart(2, '0')}:${String(at.getSeconds()).padStart(2, '0')}`);
  });
  return runs;
}

it('an interval comes again and again, until it is cancelled', () => {
  const clock = new FakeClock();
  let runs = 0;
  const cancel = follow({ kind: 'interval', ms: 900_000 }, clock, () => (runs += 1));
  clock.advance(HOUR_MS);
  cancel();
  clock.advance(HOUR_MS);
  expect([runs, clock.pending]).toEqual([4, 0]);
});

it('each time of a cron expression comes once, also where the timer is a little early by the wall clock', () => {
  const clock = new FakeClock(1_000, START);
  const runs = runsOf(clock, '30 * * * *');
  for (let hours = 0; hours < 3; hours += 1) {
    clock.advance(19 * MINUTE_MS + 59_500);
    clock.jumpWall(-3); // It goes a little slower than the timers.
    clock.advance(40 * MINUTE_MS + 503);
  }
  expect(runs).toEqual(['2:29:59', '3:29:59', '4:29:59']);
});

it('a wall clock that is set counts from the next look on', () => {
  const clock = new FakeClock(1_000, START);
  const runs = runsOf(clock, '30 4 * * *');
  clock.advance(10_000);
  clock.jumpWall(2 * HOUR_MS); // The time of the network came late.
  clock.advance(21 * MINUTE_MS);
  expect(runs).toEqual(['4:30:00']);
  clock.jumpWall(-HOUR_MS);
  clock.advance(HOUR_MS + MINUTE_MS);
  expect(runs).toEqual(['4:30:00', '4:30:00']);
});

it('a time that the host slept through is made up for once', () => {
  const clock = new FakeClock(1_000, START);
  const runs = runsOf(clock, '*/30 * * * *');
  clock.advance(MINUTE_MS);
  clock.suspend(3 * HOUR_MS);
  clock.advance(2 * MINUTE_MS);
  expect(runs).toHaveLength(1);
  clock.advance(HOUR_MS);
  expect(runs).toHaveLength(3);
});
