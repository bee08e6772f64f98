import { APART_MAX, ThrottledLog } from '../../../../src/server/clients/throttled-log.js';
import { FakeClock } from '../../support/fake-clock.js';
import { FakeLog } from '../../support/fake-log.js';

describe('ThrottledLog', () => {
  test('one line of a kind in the time, and then how many were not written', () => {
    const clock = new FakeClock();
    const log = new FakeLog();
    const throttled = new ThrottledLog(log, clock, 1_000);
    for (let i = 0; i < 5; i++) throttled.write('a', 'warn', `a${i}`);
    throttled.write('b', 'info', 'b');
    clock.advance(999);
    throttled.write('a', 'warn', 'a5');
    clock.advance(1);
    throttled.write('a', 'warn', 'a6', { client: 'x' });
    expect(log.lines).toEqual([
      { level: 'warn', message: 'a0', fields: {} },
      { level: 'info', message: 'b', fields: {} },
      { level: 'warn', message: 'a6 (and 5 more of this kind since the last such line)', fields: { client: 'x', unsaid: 5 } },
    ]);
  });

  test('lines about one do not hide those about another', () => {
    const clock = new FakeClock();
    const log = new FakeLog();
    const throttled = new ThrottledLog(log, clock, 1_000);
    const say = (who: string): void => throttled.write('login', 'warn', who, {}, who);
    for (let i = 0; i < 3; i++) for (const who of ['ann', 'bob']) say(who);
    clock.advance(1_000);
    say('ann');
    expect(log.from('warn')).toEqual(['ann', 'bob', 'ann (and 2 more of this kind since the last such line)']);
  });

  test('nobody fills the log, or the memory, under a thousand names; nothing goes uncounted', () => {
    const clock = new FakeClock();
    const log = new FakeLog();
    const throttled = new ThrottledLog(log, clock, 1_000);
    const many = 1_000;
    const counted = (): number => log.lines.reduce((sum, { fields }) => sum + 1 + Number(fields['unsaid'] ?? 0), 0);
    for (let i = 0; i < many; i++) throttled.write('login', 'warn', 'x', {}, `${'long'.repeat(1_000)}${i}`);
    expect(log.lines).toHaveLength(1);
    for (let i = 0; i < many; i++) throttled.write('login', 'warn', 'x', {}, `name ${i}`);
    // Those told apart, and one line for all others.
    expect(log.lines).toHaveLength(APART_MAX + 1);
    clock.advance(1_000);
    for (let i = 0; i < many; i++) throttled.write('login', 'warn', 'x', {}, `other ${i}`);
    expect(log.lines.length).toBeLessThanOrEqual(2 * (APART_MAX + 1));
    clock.advance(1_000);
    for (let i = 0; i <= APART_MAX; i++) throttled.write('login', 'warn', 'x', {}, `last ${i}`);
    expect(counted()).toBe(3 * many + APART_MAX + 1);
  });
});
