import type { Position, ServerState, Term } from '../../../src/core/identity.js';
import { INITIAL_STATE, type HaState } from '../../../src/core/ha/state.js';
import { Announcer, SHARE_WELL_MS, STANDSTILL_MS } from '../../../src/manager/announcer.js';
import type { ManagerConfig } from '../../../src/manager/config.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeLog } from '../support/fake-log.js';

const config = { role: 'primary', peerServer: 'secondary', historyMax: 10, lockFile: '/share/l.lck' } as unknown as ManagerConfig;

/** What is said of copies while a server makes these moves, each with the state in which it was said. */
function said(...states: ServerState[]): string[] {
  const log = new FakeLog();
  const clock = new FakeClock();
  const announcer = new Announcer(config, log, () => 'now', () => clock.monotonic());
  const lines: string[] = [];
  let before: HaState = INITIAL_STATE;
  for (const state of states) {
    const after: HaState = { ...before, state, previous: before.state, moves: before.moves + 1, reason: 'so', term: (before.term + 1) as Term };
    log.lines.length = 0;
    announcer.state(before, after);
    lines.push(...log.lines.filter(({ fields }) => fields['event'] === 'copies').map(({ level, fields }) => `${state}: ${level} ${String(fields['copies'])}`));
    before = after;
  }
  return lines;
}

describe('the copies that count', () => {
  it.each<[string, ServerState[], string[]]>([
    ['a start of both, and a switchover', ['ACTIVE_SYNC', 'ACTIVE', 'PASSIVE', 'ACTIVE'], []],
    ['a start of one that is let in', ['PASSIVE_SYNC', 'PASSIVE'], []],
    ['the peer is lost, and comes back', ['ACTIVE_SYNC', 'ACTIVE', 'STANDALONE', 'ACTIVE_SYNC', 'ACTIVE'], ['STANDALONE: warn 1', 'ACTIVE: info 2']],
    ['it is lost again while it is brought up to date', ['ACTIVE_SYNC', 'ACTIVE', 'STANDALONE', 'ACTIVE_SYNC', 'STANDALONE', 'ACTIVE_SYNC', 'ACTIVE'], ['STANDALONE: warn 1', 'ACTIVE: info 2']],
    ['a takeover', ['PASSIVE_SYNC', 'PASSIVE', 'STANDALONE'], ['STANDALONE: warn 1']],
    ['one that served alone, and follows later', ['STANDALONE', 'WAITING', 'PASSIVE_SYNC', 'PASSIVE', 'STANDALONE'], ['STANDALONE: warn 1', 'PASSIVE: info 2', 'STANDALONE: warn 1']],
  ])('are said at a change, once: %s', (_, states, lines) => {
    expect(said(...states)).toEqual(lines);
  });

  it('are said with what it means and what to do', () => {
    const log = new FakeLog();
    const announcer = new Announcer(config, log, () => 'now', () => new FakeClock().monotonic());
    announcer.state(INITIAL_STATE, { ...INITIAL_STATE, state: 'STANDALONE', moves: 1, term: 3 as Term });
    expect(log.from('warn')).toEqual(["Only this server's copy counts now: what is acknowledged from here on is on this server's disk alone, and no server can take over. Start the secondary server, or see to what keeps it away; it is admitted by itself"]);
  });
});

describe('what the own disk has lost', () => {
  it('is said once, and again when it is something else', () => {
    const log = new FakeLog();
    const announcer = new Announcer(config, log, () => 'now', () => new FakeClock().monotonic());
    for (const reach of [null, 35, 35, null, 35, 60]) announcer.lostData(reach === null ? null : { durable: 17 as Position, reach: reach as Position });
    expect(log.lines.map(({ level, fields }) => [level, fields['code'], fields['reach']])).toEqual([['error', 'LOCKSTEP_DISK_LOST_DATA', 35], ['error', 'LOCKSTEP_DISK_LOST_DATA', 60]]);
    expect(log.lines[0]?.message).toMatch(/log ends at position 17, and was durable up to 35/);
  });
});

describe('a share in trouble', () => {
  it('is said with what it means in the present state', () => {
    const log = new FakeLog();
    const announcer = new Announcer(config, log, () => 'now', () => new FakeClock().monotonic());
    announcer.share('ok', null, null);
    announcer.share('absent', '/mnt/s is not there', 'clients are served');
    announcer.share('absent', '/mnt/s is not there', 'clients are served');
    announcer.share('ok', null, null);
    announcer.share('full', 'no room', null);
    expect(log.from('info')).toEqual(['The share is absent: /mnt/s is not there (clients are served)', 'The share is well again: /share/l.lck', 'The share is full: no room']);
  });
});

describe('a share that comes and goes', () => {
  it('fills no log: it is said to be well when it has been so for a while', () => {
    const log = new FakeLog();
    const clock = new FakeClock();
    const announcer = new Announcer(config, log, () => 'now', () => clock.monotonic());
    announcer.share('ok', null, null);
    for (let i = 0; i < 100; i += 1) {
      clock.advance(500);
      announcer.share(i % 2 === 0 ? 'failed' : 'ok', 'EIO', null);
    }
    const [trouble, well] = ['The share is in trouble: EIO', 'The share is well again: /share/l.lck'];
    expect(log.from('info')).toEqual([trouble, well, trouble]);
    clock.advance(SHARE_WELL_MS);
    announcer.share('ok', null, null);
    expect(log.from('info')).toEqual([trouble, well, trouble, well]);
  });
});

describe('that nobody serves for want of the share', () => {
  it('is said once when it has lasted, until somebody serves or the share is back', () => {
    const log = new FakeLog();
    const clock = new FakeClock();
    const announcer = new Announcer(config, log, () => 'now', () => clock.monotonic());
    const lines = (why: string | null, isOver: boolean): number => {
      clock.advance(STANDSTILL_MS / 2);
      announcer.standstill(why, isOver);
      return log.from('warn').length;
    };
    const why = 'nobody serves: so';
    expect([lines(why, false), lines(null, true), lines(why, false), lines(null, false), lines(why, false), lines(why, false)]).toEqual([0, 0, 0, 0, 1, 1]);
    expect([lines(null, true), lines(why, false), lines(why, false), lines(why, false)]).toEqual([1, 1, 1, 2]);
    expect(log.from('warn')[0]).toBe('Nobody serves: so');
  });
});

describe('that both servers serve', () => {
  it('is said once when it has lasted, and when it is over', () => {
    const log = new FakeLog();
    const clock = new FakeClock();
    const announcer = new Announcer(config, log, () => 'now', () => clock.monotonic());
    const look = (why: string | null): string[] => {
      clock.advance(STANDSTILL_MS / 2);
      announcer.split(why);
      return log.lines.map(({ level, message }) => `${level} ${message}`);
    };
    expect([look('both'), look(null), look('both'), look('both')].at(-1)).toEqual([]);
    expect([look('both'), look('both')].at(-1)).toEqual(['error Both']);
    expect([look(null), look(null)].at(-1)).toEqual(['error Both', 'info No longer do both servers serve']);
    expect(log.lines[0]?.fields).toMatchObject({ code: 'LOCKSTEP_BOTH_SERVE' });
  });
});
