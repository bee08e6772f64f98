import type { Monotonic } from '../../../src/core/identity.js';
import type { Clock } from '../../../src/ports/clock.js';
import { Deadline } from '../../../src/share/deadline.js';

const LIMIT_MS = 2_000;

/** A clock whose timers fire when the test says so, however late that is. */
function handClock(): { clock: Clock; set: (ms: number) => void; fire: () => void } {
  let now = 0;
  let due: (() => void) | null = null;
  const clock = {
    monotonic: () => now as Monotonic,
    after: (_: number, action: () => void) => {
      due = action;
      return () => {
        due = null;
      };
    },
  } as unknown as Clock;
  const fire = (): void => {
    const action = due;
    due = null;
    action?.();
  };
  return { clock, set: (ms) => (now = ms), fire };
}

test('an operation that is past its limit is reported, and so is its answer', async () => {
  const { clock, set, fire } = handClock();
  const told: string[] = [];
  const deadline = new Deadline(clock, LIMIT_MS, { late: (operation) => told.push(`late ${operation}`), back: (operation) => told.push(`back ${operation}`) });
  let answer: () => void = () => undefined;
  const watched = deadline.watch('read', () => new Promise<void>((resolve) => (answer = resolve)));
  set(LIMIT_MS + 5);
  fire();
  expect(told).toEqual(['late read']);
  answer();
  await watched;
  expect(told).toEqual(['late read', 'back read']);
});

test('a process that stood still itself gives its operation the time once more, and no more than that', async () => {
  const { clock, set, fire } = handClock();
  const told: string[] = [];
  const deadline = new Deadline(clock, LIMIT_MS, { late: () => told.push('late'), back: () => told.push('back') });
  let answer: () => void = () => undefined;
  const watched = deadline.watch('read', () => new Promise<void>((resolve) => (answer = resolve)));
  set(60_000);
  fire();
  expect(told).toEqual([]);
  set(60_000 + LIMIT_MS);
  fire();
  expect(told).toEqual(['late']);
  answer();
  await watched;
});
