import { ENDS_SAID_AGAIN_MAX, LINGERING_MAX, START_LIMIT_FACTOR_MAX, Supervisor, type SupervisorOptions } from '../../../src/manager/supervisor.js';
import type { Spawner } from '../../../src/ports/process.js';
import { FakeChild } from '../support/fake-child.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeLog } from '../support/fake-log.js';

interface Status {
  readonly run: string;
  readonly orderSeq: number;
}
type Message = { readonly kind: 'opening' } | { readonly kind: 'status'; readonly status: Status } | { readonly kind: 'fatal'; readonly code: string; readonly message: string };

class Watched extends FakeChild<unknown, Message> {
  answer(): void {
    this.tell({ kind: 'status', status: { run: `run-${this.pid}`, orderSeq: 1 } });
  }
}

const TICK_MS = 250;
const PER_MINUTE = 60_000 / TICK_MS;

function watched(changed = (): void => undefined, words: Partial<SupervisorOptions> = {}): { clock: FakeClock; log: FakeLog; children: Watched[]; supervisor: Supervisor<object, Status>; ticks: (count: number) => void } {
  const clock = new FakeClock();
  const log = new FakeLog();
  const children: Watched[] = [];
  const spawner: Spawner<unknown, Message> = {
    start: () => {
      const child = new Watched(clock, children.length + 1);
      children.push(child);
      return child;
    },
  };
  const options = { name: 'broker', startLimitMs: 60_000, answerLimitMs: 3_000, restartDelayMs: 100, restartDelayMaxMs: 5_000, abandonsKilled: false, ...words };
  const supervisor = new Supervisor<object, Status>(spawner, clock, log, options, changed);
  supervisor.start();
  const ticks = (count: number): void => {
    for (let tick = 0; tick < count; tick += 1) {
      clock.advance(TICK_MS);
      supervisor.check();
    }
  };
  return { clock, log, children, supervisor, ticks };
}

test('a child that gives no answer for its limit is killed, and another is started when it is gone', () => {
  const { clock, children, supervisor, ticks } = watched();
  children[0]?.answer();
  ticks(12);
  expect(children[0]?.killed).toBe(false);
  ticks(1);
  expect(children[0]?.killed).toBe(true);
  expect(supervisor.status).toBeNull();
  expect(children).toHaveLength(1);
  children[0]?.die('was ended by SIGKILL');
  clock.advance(100);
  expect(children).toHaveLength(2);
});

test('a manager that was paused itself gives its child the whole limit anew', () => {
  const { clock, children, supervisor, ticks } = watched();
  children[0]?.answer();
  ticks(1);
  clock.advance(60_000);
  supervisor.check();
  expect(children[0]?.killed).toBe(false);
  ticks(4);
  children[0]?.answer();
  ticks(12);
  expect(children[0]?.killed).toBe(false);
  // A child that hangs as well is killed all the same, by the limit counted from the pause.
  clock.advance(60_000);
  supervisor.check();
  ticks(12);
  expect(children[0]?.killed).toBe(false);
  ticks(1);
  expect(children[0]?.killed).toBe(true);
});

test('a child that is slow to start is given longer the next time, within bounds, until one has answered', () => {
  const { clock, children, ticks } = watched();
  const killedAfter = (): number => {
    const child = children.at(-1);
    let waited = 0;
    for (; child?.killed === false; waited += 1) ticks(1);
    child?.die('was ended by SIGKILL');
    clock.advance(10_000);
    return Math.floor((waited * TICK_MS) / 60_000);
  };
  // The first tick behind a start comes 10 s late, and is this process's own pause.
  expect([1, 2, 3, 4, 5].map(() => killedAfter())).toEqual([1, 2, 4, 8, START_LIMIT_FACTOR_MAX]);
  children.at(-1)?.answer();
  children.at(-1)?.die('exited with 1');
  clock.advance(10_000);
  expect(killedAfter()).toBe(1);
});

test('a child that was started anew is counted, and told of at once: it has heard no order yet', () => {
  const seen: number[] = [];
  const { clock, children, supervisor } = watched(() => seen.push(supervisor.starts));
  children[0]?.die('exited with 1');
  clock.advance(100);
  expect(seen).toEqual([1, 2]);
});

test('a process that cannot be started is no end of the manager: another is tried later', () => {
  const clock = new FakeClock();
  const log = new FakeLog();
  let trials = 0;
  const child = new Watched(clock);
  const spawner: Spawner<unknown, Message> = {
    start: () => {
      trials += 1;
      if (trials < 3) throw new Error('spawn ENOMEM');
      return child;
    },
  };
  const options = { name: 'share keeper', startLimitMs: 60_000, answerLimitMs: 3_000, restartDelayMs: 100, restartDelayMaxMs: 5_000, abandonsKilled: true };
  const supervisor = new Supervisor<object, Status>(spawner, clock, log, options, () => undefined);
  supervisor.start();
  expect(log.from('error').join()).toContain('ENOMEM');
  clock.advance(100);
  clock.advance(200);
  expect(trials).toBe(3);
  child.answer();
  expect(supervisor.status).not.toBeNull();
});

test('killed processes that do not end are not joined by ever more of them', () => {
  const { clock, log, children, ticks } = watched(undefined, { name: 'share keeper', startLimitMs: 1_000, answerLimitMs: 1_000, restartDelayMaxMs: 200, abandonsKilled: true });
  ticks(1_000);
  expect(children).toHaveLength(LINGERING_MAX);
  expect(log.from('error').join()).toContain('have not ended');
  children[0]?.die('was ended by SIGKILL');
  clock.advance(TICK_MS);
  expect(children).toHaveLength(LINGERING_MAX + 1);
});

test('why a process cannot go on is told as long as none is there that lives', () => {
  const { clock, children, supervisor } = watched();
  children[0]?.tell({ kind: 'fatal', code: 'LOCKSTEP_JOURNAL_UNREADABLE', message: 'journal/journal.json cannot be read now: EMFILE' });
  children[0]?.die('exit 1');
  // Once is not again and again.
  expect(supervisor.fatal).toBeNull();
  clock.advance(100);
  children[1]?.tell({ kind: 'fatal', code: 'LOCKSTEP_JOURNAL_UNREADABLE', message: 'journal/journal.json cannot be read now: EMFILE' });
  children[1]?.die('exit 1');
  expect(supervisor.fatal).toContain('EMFILE');
  clock.advance(200);
  children[2]?.answer();
  expect(supervisor.fatal).toBeNull();
});

describe('the end of a process', () => {
  /** Each gives a status and ends at once. */
  const crash = ({ clock, children }: ReturnType<typeof watched>, livesMs = 0): void => {
    children.at(-1)?.answer();
    clock.advance(livesMs);
    children.at(-1)?.answer();
    children.at(-1)?.die('was ended by SIGKILL');
    clock.advance(5_000);
  };

  test('is said with its cause also when the one before was said a moment ago, where a process with a status lay between them', () => {
    const all = watched();
    crash(all);
    crash(all);
    expect(all.log.from('warn')).toEqual(['The broker process ended (was ended by SIGKILL); a new one is started in 100 ms.', 'The broker process ended (was ended by SIGKILL); a new one is started in 200 ms.']);
  });

  test('in a loop of such ends is said as rarely as any line that repeats, until one has lived for a while', () => {
    const all = watched();
    for (let i = 0; i < 60; i += 1) crash(all);
    const looped = all.log.from('warn').length;
    expect(looped).toBeLessThanOrEqual(1 + ENDS_SAID_AGAIN_MAX + 60 / 6);
    expect(all.log.from('warn').at(-1)).toMatch(/\(5 more since the last such line\)$/);
    crash(all, 6_000);
    expect(all.log.from('warn')).toHaveLength(looped + 1);
  });

  test('of one that never gave a status is not said anew', () => {
    const { log, children, clock } = watched();
    for (let i = 0; i < 4; i += 1) {
      children.at(-1)?.die('exited with 1');
      clock.advance(5_000);
    }
    expect(log.from('warn')).toHaveLength(1);
  });
});

test('a child that opens a large journal is waited for as long as it gives a sign of life, and no longer', () => {
  const { children, ticks } = watched();
  for (let half = 0; half < 60; half += 1) {
    ticks(PER_MINUTE / 2);
    children[0]?.tell({ kind: 'opening' });
  }
  expect(children[0]?.killed).toBe(false);
  ticks(PER_MINUTE);
  expect(children[0]?.killed).toBe(false);
  ticks(1);
  expect(children[0]?.killed).toBe(true);
});

test('such a sign counts for nothing once there was a status', () => {
  const { children, ticks } = watched();
  children[0]?.answer();
  for (let i = 0; i < 13; i += 1) {
    children[0]?.tell({ kind: 'opening' });
    ticks(1);
  }
  expect(children[0]?.killed).toBe(true);
});
