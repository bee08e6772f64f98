import type { Position } from '../../../src/core/identity.js';
import { DISK_PAUSE_MS, DiskPause } from '../../../src/server/disk-pause.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeLog } from '../support/fake-log.js';

const TICK_MS = 250;

function watched(tickMs = TICK_MS): { pause: DiskPause; look: (head: number, durable: number | null, afterMs?: number, isToldOf?: boolean) => string | null; lines: () => string[] } {
  const [clock, log] = [new FakeClock(), new FakeLog()];
  const pause = new DiskPause(clock, log, tickMs);
  const look = (head: number, durable: number | null, afterMs = tickMs, isToldOf = false): string | null => {
    clock.advance(afterMs);
    pause.look(head as Position, durable as Position | null, isToldOf);
    return pause.trouble;
  };
  return { pause, look, lines: () => log.lines.map(({ level, message }) => `${level}: ${message}`) };
}

test('a disk that makes nothing durable while records wait is told of when it begins and when it ends', () => {
  const { look, lines } = watched();
  expect(look(10, 10)).toBeNull();
  expect(look(20, 12)).toBeNull();
  expect(look(20, 12)).toBeNull();
  expect(look(30, 12)).toContain(`${DISK_PAUSE_MS} ms`);
  expect(look(30, 12)).not.toBeNull();
  expect(look(30, 30)).toBeNull();
  expect(lines()).toEqual(['warn: The disk has made nothing durable for 500 ms; nothing is acknowledged until it does', 'info: The disk goes on; it had made nothing durable for 1000 ms']);
});

test('a disk that goes on, however slowly, and one that has nothing to do, are not told of', () => {
  const { look, lines } = watched();
  for (let durable = 1; durable < 20; durable++) expect(look(1_000, durable)).toBeNull();
  for (let turn = 0; turn < 20; turn++) expect(look(1_000, 1_000)).toBeNull();
  expect(lines()).toEqual([]);
});

test('neither a process that was held up itself nor a full disk nor a damaged copy is a pause of the disk', () => {
  const { look, lines } = watched();
  look(20, 12);
  expect(look(20, 12, 60_000)).toBeNull();
  expect(look(20, 13)).toBeNull();
  for (let turn = 0; turn < 20; turn++) expect(look(20, 13, TICK_MS, true)).toBeNull();
  for (let turn = 0; turn < 20; turn++) expect(look(20, null)).toBeNull();
  expect(lines()).toEqual([]);
});

test.each([50, TICK_MS, 1_000, 5_000])('how long nothing has got durable is said with the next look, at every %d ms, also of a full disk', (tickMs) => {
  const { pause, look } = watched(tickMs);
  const stalledMs = (durable = 20): number => pause.stalledMs(durable as Position);
  look(20, 20);
  look(30, 20);
  expect(stalledMs()).toBe(0);
  look(30, 20);
  expect(stalledMs()).toBe(0);
  look(30, 20);
  expect(stalledMs()).toBe(tickMs);
  look(40, 20, tickMs, true);
  expect(stalledMs()).toBe(2 * tickMs);
  expect(stalledMs(21)).toBe(0);
  look(40, 21);
  expect(stalledMs(21)).toBe(0);
  look(40, 21);
  look(40, null);
  expect(stalledMs(21)).toBe(0);
});

test('time in which this process was held up counts only when the disk has made nothing durable after it, too', () => {
  const { pause, look, lines } = watched();
  const stalledMs = (): number => pause.stalledMs(20 as Position);
  look(30, 20);
  look(30, 20);
  look(30, 20, 60_000);
  expect(stalledMs()).toBe(TICK_MS);
  look(30, 20);
  expect(stalledMs()).toBe(TICK_MS + 60_000);
  expect(lines()).toHaveLength(1);
});

test('a pause is told of at slow ticks, too', () => {
  const { look, lines } = watched(2_000);
  look(30, 20);
  look(30, 20);
  expect(lines()).toEqual(['warn: The disk has made nothing durable for 2000 ms; nothing is acknowledged until it does']);
});

test('a disk that pauses again and again does not fill the log', () => {
  const { look, lines } = watched();
  for (let durable = 1; durable <= 10; durable++) for (let turn = 0; turn < 4; turn++) look(1_000, durable);
  expect(lines().length).toBeLessThan(5);
  expect(lines().length).toBeGreaterThan(1);
});
