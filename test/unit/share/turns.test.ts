import type { Monotonic } from '../../../src/core/identity.js';
import { Turns } from '../../../src/share/turns.js';
import { FakeClock } from '../support/fake-clock.js';

/** Turns that end when the test says so. */
function rig(dueAfterMs: number | null) {
  const clock = new FakeClock();
  let begun = 0;
  let end = (): void => undefined;
  const turn = (): Promise<void> => {
    begun += 1;
    return new Promise((resolve) => (end = resolve));
  };
  const turns = new Turns(clock, turn, () => (dueAfterMs === null ? null : ((clock.monotonic() + dueAfterMs) as Monotonic)));
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 10; i += 1) await Promise.resolve();
  };
  return { clock, turns, begun: () => begun, end: async () => { end(); await settle(); }, settle };
}

describe('turns', () => {
  it('come one at a time, and once more when they were woken meanwhile', async () => {
    const { turns, begun, end } = rig(null);
    turns.wake();
    turns.wake();
    turns.wake();
    expect(begun()).toBe(1);
    await end();
    expect(begun()).toBe(2);
    await end();
    expect(begun()).toBe(2);
  });

  it('come when they are due, or sooner when they are woken, and not twice then', async () => {
    const { clock, turns, begun, end } = rig(1000);
    turns.wake();
    await end();
    clock.advance(999);
    expect(begun()).toBe(1);
    turns.wake();
    expect(begun()).toBe(2);
    await end();
    clock.advance(500);
    expect(begun()).toBe(2);
    clock.advance(500);
    expect(begun()).toBe(3);
  });

  it('end with the present one', async () => {
    const { clock, turns, begun, end, settle } = rig(1000);
    turns.wake();
    turns.wake();
    let stopped = false;
    void turns.stop().then(() => (stopped = true));
    await settle();
    expect(stopped).toBe(false);
    await end();
    expect(stopped).toBe(true);
    turns.wake();
    clock.advance(5000);
    expect(begun()).toBe(1);
  });
});
