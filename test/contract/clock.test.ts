import { createClock } from '../../src/adapters/clock.js';
import type { Clock } from '../../src/ports/clock.js';
import { FakeClock } from '../unit/support/fake-clock.js';
import { SimHost } from '../simulation/host.js';
import { SimProcess } from '../simulation/process.js';
import { World } from '../simulation/world.js';

interface Ground {
  readonly clock: Clock;
  /** Lets time go on until the condition holds. */
  until(condition: () => boolean): Promise<void>;
}

const GIVE_UP_MS = 5_000;

/** What Clock promises, on the host's own clock and on those that stand in for it. */
const grounds: Readonly<Record<string, () => Ground>> = {
  'of a real machine'() {
    return {
      clock: createClock(),
      async until(condition) {
        const giveUpAt = performance.now() + GIVE_UP_MS;
        while (!condition()) {
          if (performance.now() > giveUpAt) throw new Error('it never happened');
          await new Promise((resolve) => setImmediate(resolve));
        }
      },
    };
  },
  'of a unit test'() {
    const clock = new FakeClock();
    return {
      clock,
      async until(condition) {
        for (let ms = 0; !condition(); ms += 1) {
          if (ms > GIVE_UP_MS) throw new Error('it never happened');
          await clock.advanceAsync(1);
        }
      },
    };
  },
  ...Object.fromEntries(
    [1, 0.99, 1.02].map((rate) => [
      `of a simulated process, whose host's clock runs ${rate} times as fast as time`,
      (): Ground => {
        const world = new World(3);
        const host = new SimHost(world, 'primary', { rate, wallOffsetMs: 5_000 });
        return {
          clock: new SimProcess(host, 'manager', 1, world.random.fork('manager')).clock,
          async until(condition) {
            if (!(await world.run(world.now + GIVE_UP_MS, condition)) && !condition()) throw new Error(`it never happened; violation: ${JSON.stringify(world.violation)}`);
          },
        };
      },
    ]),
  ),
};

describe.each(Object.keys(grounds))('Clock %s', (name) => {
  let clock: Clock;
  let until: Ground['until'];
  beforeEach(() => {
    const ground = (grounds[name] as () => Ground)();
    ({ clock } = ground);
    until = (condition) => ground.until(condition);
  });

  // Their order is not promised: a real host that stalls between two looks at its clock can run the later one first.
  it('runs every timer, whatever the order of asking', async () => {
    const ran: string[] = [];
    clock.after(40, () => ran.push('late'));
    clock.after(2, () => ran.push('early'));
    clock.after(20, () => ran.push('middle'));
    await until(() => ran.length === 3);
    expect(ran.sort()).toEqual(['early', 'late', 'middle']);
  });

  it('runs no timer before its time by the monotonic clock', async () => {
    const early: number[] = [];
    let left = 0;
    for (const delay of [0, 0.4, 1, 2.5, 7.3, 11]) {
      left += 1;
      const due = clock.monotonic() + delay;
      clock.after(delay, () => {
        left -= 1;
        if (clock.monotonic() < due) early.push(delay);
      });
    }
    await until(() => left === 0);
    expect(early).toEqual([]);
  });

  it('never runs what was asked for within the call that asks', async () => {
    const ran: string[] = [];
    clock.after(0, () => ran.push('timer'));
    clock.after(-5, () => ran.push('past'));
    clock.soon(() => ran.push('soon'));
    expect(ran).toEqual([]);
    await until(() => ran.length === 3);
    expect([...ran].sort()).toEqual(['past', 'soon', 'timer']);
  });

  it('runs what is soon in its order, and what that asks for after it', async () => {
    const ran: string[] = [];
    clock.soon(() => {
      ran.push('one');
      clock.soon(() => ran.push('three'));
    });
    clock.soon(() => ran.push('two'));
    await until(() => ran.length === 3);
    expect(ran).toEqual(['one', 'two', 'three']);
  });

  it('runs what is next in its order, after what asks for it and before what is soon or has its time', async () => {
    const ran: string[] = [];
    clock.after(0, () => {
      clock.next(() => {
        ran.push('one');
        clock.next(() => ran.push('three'));
      });
      clock.next(() => ran.push('two'));
      clock.soon(() => {
        ran.push('soon');
        clock.next(() => ran.push('next to soon'));
        clock.after(0, () => ran.push('timer'));
      });
      ran.push('what asks');
    });
    await until(() => ran.includes('timer'));
    expect(ran.slice(0, 3)).toEqual(['what asks', 'one', 'two']);
    expect([...ran].sort()).toEqual(['next to soon', 'one', 'soon', 'three', 'timer', 'two', 'what asks']);
    expect(ran.slice(-2)).toEqual(['next to soon', 'timer']);
  });

  it('runs each once, and takes back what has not run; to take back twice, or later, is nothing', async () => {
    const ran: string[] = [];
    const never = clock.after(3, () => ran.push('never'));
    const other = clock.after(4, () => ran.push('taken back by another timer'));
    const once = clock.after(1, () => {
      ran.push('once');
      other();
    });
    never();
    never();
    let over = false;
    clock.after(25, () => (over = true));
    await until(() => over);
    once();
    never();
    other();
    over = false;
    clock.after(10, () => (over = true));
    await until(() => over);
    expect(ran).toEqual(['once']);
  });

  it('may be told to take a timer back from within it', async () => {
    let ran = 0;
    const cancel = clock.after(2, () => {
      ran += 1;
      cancel();
    });
    await until(() => ran > 0);
    expect(ran).toBe(1);
  });

  it('never comes to the end of a delay without end, nor of one longer than the system’s timers', async () => {
    let ran = 0;
    const cancels = [clock.after(Infinity, () => (ran += 1)), clock.after(2 ** 33, () => (ran += 1))];
    let over = false;
    clock.after(20, () => (over = true));
    await until(() => over);
    for (const cancel of cancels) cancel();
    expect(ran).toBe(0);
  });

  it('has clocks that go on together', async () => {
    const before = { monotonic: clock.monotonic(), boot: clock.sinceBoot(), wall: clock.wall() };
    let over = false;
    clock.after(60, () => (over = true));
    await until(() => over);
    expect(clock.monotonic() - before.monotonic).toBeGreaterThanOrEqual(60);
    // Since boot is counted in steps of ten milliseconds.
    expect(clock.sinceBoot() - before.boot).toBeGreaterThanOrEqual(40);
    expect(clock.wall() - before.wall).toBeGreaterThanOrEqual(50);
    expect(clock.monotonic()).toBeGreaterThan(0);
  });
});
