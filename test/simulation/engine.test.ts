import { SimHost } from './host.js';
import { Prng } from './prng.js';
import { SimProcess } from './process.js';
import { EventQueue, type Ordered } from './queue.js';
import { World } from './world.js';

const PERFECT = { rate: 1, wallOffsetMs: 0 };

function process(world: World, host: SimHost, pid = 1): SimProcess {
  return new SimProcess(host, 'broker', pid, world.random.fork(`p${pid}`));
}

describe('EventQueue', () => {
  it('gives events back by time, and by scheduling order among equals', () => {
    const random = new Prng(7);
    const queue = new EventQueue<Ordered>();
    const all = Array.from({ length: 500 }, (_, sequence) => ({ at: random.below(40), sequence }));
    for (const event of all) queue.push(event);
    const got: Ordered[] = [];
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) got.push(next);
    expect(got).toEqual([...all].sort((a, b) => a.at - b.at || a.sequence - b.sequence));
  });
});

describe('Prng', () => {
  it('repeats itself for a seed, and a fork does not depend on draws elsewhere', () => {
    const one = new Prng(42);
    const other = new Prng(42);
    other.u32();
    other.fork('faults').u32();
    expect(one.fork('clients').id()).toBe(other.fork('clients').id());
    expect(new Prng(43).fork('clients').id()).not.toBe(new Prng(42).fork('clients').id());
  });
});

describe('World', () => {
  it('runs every promise callback of an event before the next event', async () => {
    const world = new World(1);
    const seen: string[] = [];
    world.schedule(5, () => {
      void (async () => {
        for (let i = 0; i < 20; i += 1) await null;
        seen.push('end of first');
      })();
    });
    world.schedule(5, () => seen.push('second'));
    await world.run(10);
    expect(seen).toEqual(['end of first', 'second']);
    expect(world.now).toBe(10);
  });

  it('stops at the first violation and keeps it', async () => {
    const world = new World(1);
    world.schedule(1, () => world.fail('first', 'a'));
    world.schedule(2, () => world.fail('second', 'b'));
    await world.run(10);
    expect(world.violation).toMatchObject({ check: 'first', atMs: 1 });
  });

  it('does not run what was taken back', async () => {
    const world = new World(1);
    let ran = 0;
    world.schedule(1, () => (ran += 1))();
    await world.run(10);
    expect(ran).toBe(0);
  });

  it('reports an error that production code does not catch, and ends its process', async () => {
    const world = new World(1);
    const it = process(world, new SimHost(world, 'primary', PERFECT));
    it.clock.after(3, () => {
      throw new Error('broken');
    });
    await world.run(10);
    expect(world.violation?.check).toBe('uncaught error');
    expect(it.alive).toBe(false);
  });
});

describe('SimProcess', () => {
  it('drops the timers of a dead run', async () => {
    const world = new World(1);
    const it = process(world, new SimHost(world, 'primary', PERFECT));
    let ran = 0;
    it.clock.after(5, () => (ran += 1));
    world.schedule(4, () => it.end('killed'));
    await world.run(10);
    expect(ran).toBe(0);
  });

  it('holds the events of a paused process and runs all of them late, in order', async () => {
    const world = new World(1);
    const it = process(world, new SimHost(world, 'primary', PERFECT));
    const seen: string[] = [];
    for (const at of [10, 20, 30]) it.clock.after(at, () => seen.push(`${at} at ${world.now}, clock ${it.clock.monotonic()}`));
    it.clock.after(200, () => seen.push('200'));
    world.schedule(5, () => it.pause());
    world.schedule(100, () => it.resume());
    await world.run(300);
    expect(seen).toEqual(['10 at 100, clock 1100', '20 at 100, clock 1100', '30 at 100, clock 1100', '200']);
  });

  it('comes to what was said meanwhile, all of it, before or after its overdue timers, first to its turns that were due before, and last to new ones', async () => {
    const orders = new Set<string>();
    for (let pid = 1; pid <= 20; pid += 1) {
      const world = new World(1);
      const it = process(world, new SimHost(world, 'primary', PERFECT), pid);
      const seen: string[] = [];
      it.clock.after(20, () => {
        seen.push('timer');
        it.clock.soon(() => seen.push('turn'));
      });
      world.schedule(5, () => {
        world.continueAs(it, () => it.clock.soon(() => seen.push('due turn')));
        it.pause();
      });
      it.schedule(10, () => {
        seen.push('message');
        it.schedule(0, () => it.schedule(0, () => seen.push('rest')));
      });
      it.schedule(30, () => seen.push('message'));
      world.schedule(100, () => it.resume());
      await world.run(200);
      orders.add(seen.join(', '));
    }
    expect([...orders].sort()).toEqual(['due turn, message, timer, message, rest, turn', 'due turn, timer, message, message, rest, turn']);
  });

  it('does not count a suspend in monotonic time, but in the time since boot', async () => {
    const world = new World(1);
    const host = new SimHost(world, 'primary', PERFECT);
    const it = process(world, host);
    let firedAt = 0;
    it.clock.after(50, () => {
      firedAt = world.now;
    });
    world.schedule(10, () => host.suspend());
    world.schedule(1_010, () => host.wake());
    await world.run(2_000);
    expect(firedAt).toBeCloseTo(1_050, 3);
    expect(it.clock.sinceBoot() - it.clock.monotonic()).toBeCloseTo(1_000, 3);
  });

  it('has timers that follow its own clock rate', async () => {
    const world = new World(1);
    const fast = process(world, new SimHost(world, 'primary', { rate: 1.1, wallOffsetMs: 0 }));
    let firedAt = 0;
    fast.clock.after(110, () => {
      firedAt = world.now;
    });
    await world.run(1_000);
    expect(firedAt).toBeCloseTo(100, 3);
  });

  it('starts anew with a new boot: clocks near zero', async () => {
    const world = new World(1);
    const host = new SimHost(world, 'primary', PERFECT);
    const it = process(world, host);
    world.schedule(60_000, () => host.powerOff());
    world.schedule(70_000, () => host.powerOn());
    await world.run(70_500);
    expect(it.alive).toBe(false);
    expect(host.monotonic()).toBeCloseTo(1_500, 3);
    expect(host.sinceBoot()).toBeCloseTo(1_500, 3);
  });
});
