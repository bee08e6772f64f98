import { Orphans } from '../../../src/server/orphans.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeLog } from '../support/fake-log.js';

const GRACE_MS = 10_000;

function begun(loginsWait: () => boolean): { readonly clock: FakeClock; readonly buried: string[] } {
  const clock = new FakeClock();
  const buried: string[] = [];
  const orphans = new Orphans({ clock, log: new FakeLog(), graceMs: GRACE_MS, loginsWait }, { find: () => ['a', 'b'], bury: (ids) => buried.push(...ids) > 0 });
  orphans.begin();
  return { clock, buried };
}

describe('the clients of the server before', () => {
  it('are gone after their time', () => {
    const { clock, buried } = begun(() => false);
    clock.advance(GRACE_MS - 1);
    expect(buried).toEqual([]);
    clock.advance(1);
    expect(buried).toEqual(['a', 'b']);
  });

  it('have more of it while clients wait to be let in', () => {
    let wait = true;
    const { clock, buried } = begun(() => wait);
    clock.advance(GRACE_MS * 3);
    expect(buried).toEqual([]);
    wait = false;
    clock.advance(1_000);
    expect(buried).toEqual(['a', 'b']);
  });

  it('have no more than ten times their time, however many clients wait', () => {
    const { clock, buried } = begun(() => true);
    clock.advance(GRACE_MS * 10 - 1);
    expect(buried).toEqual([]);
    clock.advance(1_000);
    expect(buried).toEqual(['a', 'b']);
  });
});
