import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Position } from '../../../src/core/identity.js';
import type { RecordRun } from '../../../src/server/journal/api.js';
import { RUN_BYTES, RecentGroups } from '../../../src/server/recent-groups.js';

const at = (position: number): Position => position as Position;
const run = (position: number, bytes: number): RecordRun => ({ bytes: new Uint8Array(bytes), first: at(position), last: at(position) });

/** How many of `count` runs of one record each are there, and that they are the newest. */
function kept(recent: RecentGroups, count: number): number {
  const there = Array.from({ length: count }, (_, index) => recent.from(at(index + 1)) !== null);
  const first = there.indexOf(true);
  expect(there.slice(first).every(Boolean)).toBe(true);
  expect(recent.last).toBe(count);
  return count - first;
}

describe('the newest groups', () => {
  test('of however few bytes count as the objects that they are', () => {
    const recent = new RecentGroups(100 * (40 + RUN_BYTES));
    for (let position = 1; position <= 5_000; position += 1) recent.push(run(position, 40));
    expect(kept(recent, 5_000)).toBe(100);
  });

  test('that are long count as their bytes; one alone stays, however long', () => {
    const recent = new RecentGroups(10 * (100_000 + RUN_BYTES));
    for (let position = 1; position <= 30; position += 1) recent.push(run(position, 100_000));
    expect(kept(recent, 30)).toBe(10);
    recent.push(run(31, 9_000_000));
    expect(kept(recent, 31)).toBe(1);
  });

  test('are let go with their bytes at once', async () => {
    const recent = new RecentGroups(10 * (1_000 + RUN_BYTES));
    const refs: WeakRef<RecordRun>[] = [];
    const push = (position: number): void => {
      const one = run(position, 1_000);
      refs.push(new WeakRef(one));
      recent.push(one);
    };
    for (let position = 1; position <= 100; position += 1) push(position);
    // What a WeakRef was made of lasts to the end of the turn.
    await new Promise((resolve) => setImmediate(resolve));
    setFlagsFromString('--expose-gc');
    (runInNewContext('gc') as () => void)();
    expect(refs.filter((ref) => ref.deref() !== undefined).length).toBeLessThanOrEqual(11);
    expect(kept(recent, 100)).toBe(10);
  });
});
