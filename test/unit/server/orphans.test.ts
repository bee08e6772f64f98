import { Orphans } from '../../../src/server/orphans.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeLog } from '../support/fake-log.js';

const GRACE_MS = 10_000;

function begun(loginsWait: () => boolean): { readonly clock: FakeClock; readonly buried: string[] } {
  const clock = new FakeClock();
  const buried: string[] = [];
  const orphans = new Orphans({ clock, log: new FakeLog(), graceMs: GRACE_MS, loginsWait }, { find: () => ['a', 'b'], sessions: () => 2, removedWith: () => 0, bury: (ids) => buried.push(...ids) > 0 });
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

describe('very many of them', () => {
  /** @param room for so many records */
  function all(count: number, sessions: number, room: number, removedWith: (clientId: string) => number = () => 0): { readonly clock: FakeClock; readonly records: number[]; readonly log: FakeLog; more(records: number): void } {
    const clock = new FakeClock();
    const log = new FakeLog();
    const records: number[] = [];
    const bury = (ids: readonly string[]): boolean => room-- > 0 && records.push(ids.length) > 0;
    const orphans = new Orphans({ clock, log, graceMs: GRACE_MS, loginsWait: () => false }, { find: () => Array.from({ length: count }, (_, at) => `${at}`), sessions: () => sessions, removedWith, bury });
    orphans.begin();
    clock.advance(GRACE_MS);
    const more = (extra: number): void => {
      room = extra;
      orphans.goOn();
    };
    return { clock, records, log, more };
  }

  it('are buried in records that bring no more than some ten thousand deliveries each, and one will at least', () => {
    expect(all(1_200, 100, 9).records).toEqual([500, 500, 200]);
    expect(all(25, 5_000, 9).records).toEqual([10, 10, 5]);
    expect(all(2, 1_000_000, 9).records).toEqual([1, 1]);
  });

  it('are buried in records with which a bounded part of sessions goes, and one will at least', () => {
    expect(all(10, 100, 9, () => 100_000).records).toEqual([4, 4, 2]);
    expect(all(3, 100, 9, () => 1_000_000).records).toEqual([1, 1, 1]);
    expect(all(4, 100, 9, (clientId) => (clientId === '2' ? 1_000_000 : 1)).records).toEqual([2, 1, 1]);
  });

  it('wait while too much waits, and are told of once', () => {
    const { clock, records, log, more } = all(25, 5_000, 1);
    expect(records).toEqual([10]);
    clock.advance(10_000);
    expect(records).toEqual([10]);
    more(1);
    expect(records).toEqual([10, 10]);
    more(9);
    expect(records).toEqual([10, 10, 5]);
    more(9);
    clock.advance(10_000);
    expect(records).toEqual([10, 10, 5]);
    expect(log.lines.filter(({ message }) => message.includes('Did not come back'))).toHaveLength(1);
  });
});
