import { Cron } from 'croner';
import type { Cancel, Clock } from '../ports/clock.js';
import type { RepositorySchedule } from './config.js';

/** The wall clock is looked at so often: it may be set, and stands while a host is suspended. */
const LOOK_MS = 60_000;
/** A timer may run a little early by the wall clock. */
const EARLY_MS = 1_000;

/** Calls `run` at the times of a schedule, until it is cancelled. Cron expressions go by local time, each of their times once. */
export function follow(schedule: RepositorySchedule, clock: Clock, run: () => void): Cancel {
  return schedule.kind === 'interval' ? followInterval(schedule.ms, clock, run) : followCron(schedule.expression, clock, run);
}

function followInterval(ms: number, clock: Clock, run: () => void): Cancel {
  let cancel: Cancel = () => undefined;
  const next = (): void => {
    cancel = clock.after(ms, () => {
      run();
      next();
    });
  };
  next();
  return () => cancel();
}

function followCron(expression: string, clock: Clock, run: () => void): Cancel {
  const cron = new Cron(expression, { paused: true });
  const timeAfter = (wall: number): number => cron.nextRun(new Date(wall))?.getTime() ?? Number.POSITIVE_INFINITY;
  let cancel: Cancel = () => undefined;
  const wait = (due: number): void => {
    cancel = clock.after(Math.min(LOOK_MS, Math.max(0, due - clock.wall())), () => {
      const now = clock.wall();
      if (now < due - EARLY_MS) return wait(timeAfter(now));
      run();
      wait(timeAfter(Math.max(now, due)));
    });
  };
  wait(timeAfter(clock.wall()));
  return () => cancel();
}
