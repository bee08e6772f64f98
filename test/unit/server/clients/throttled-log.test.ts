import { ThrottledLog } from '../../../../src/server/clients/throttled-log.js';
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
});
