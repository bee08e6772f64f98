import { FakeClock } from './fake-clock.js';

describe('FakeClock', () => {
  test('runs by time, then by the order of asking, each at its own time', () => {
    const clock = new FakeClock(0);
    const ran: string[] = [];
    const note = (name: string) => (): void => void ran.push(`${name}@${clock.monotonic()}`);
    clock.after(20, note('d'));
    clock.after(10, note('b'));
    clock.soon(note('a'));
    clock.after(10, () => {
      note('c')();
      clock.soon(note('c2'));
      clock.after(5, note('c3'));
      clock.after(50, note('late'));
    });
    const cancel = clock.after(15, note('never'));
    cancel();
    cancel();
    clock.advance(30);
    expect(ran).toEqual(['a@0', 'b@10', 'c@10', 'c2@10', 'c3@15', 'd@20']);
    expect(clock.monotonic()).toBe(30);
    expect(clock.pending).toBe(1);
    expect(clock.nextInMs).toBe(30);
  });

  test('a suspended host: only the monotonic clock stands still', () => {
    const clock = new FakeClock(100, 5_000);
    clock.suspend(60);
    expect([clock.monotonic(), clock.sinceBoot(), clock.wall()]).toEqual([100, 160, 5_060]);
  });

  test('promises settle between timers', async () => {
    const clock = new FakeClock(0);
    const ran: number[] = [];
    const step = async (): Promise<void> => {
      await Promise.resolve();
      ran.push(clock.monotonic());
      if (ran.length < 3) clock.after(10, () => void step());
    };
    void step();
    await clock.advanceAsync(25);
    expect(ran).toEqual([0, 10, 20]);
  });
});
