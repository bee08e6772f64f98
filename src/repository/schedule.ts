import { Cron } from 'croner';
import type { Cancel, Clock } from '../ports/clock.js';
import type { RepositorySchedule } from './config.js';

/** Calls `run` at the times of a schedule, until it is cancelled. Cron expressions go by local time. */
export function follow(schedule: RepositorySchedule, clock: Clock, run: () => void): Cancel {
  const delay = delays(schedule, clock);
  let cancel: Cancel = () => undefined;
  const next = (): void => {
    const ms = delay();
    if (ms === null) return;
    cancel = clock.after(ms, () => {
      run();
      next();
    });
  };
  next();
  return () => cancel();
}

/** How long until the next time; `null`: there is none. */
function delays(schedule: RepositorySchedule, clock: Clock): () => number | null {
  if (schedule.kind === 'interval') return () => schedule.ms;
  const cron = new Cron(schedule.expression, { paused: true });
  return () => {
    const now = clock.wall();
    const next = cron.nextRun(new Date(now));
    // A timer may run a little early by the wall clock: not twice for one time.
    return next === null ? null : Math.max(1_000, next.getTime() - now);
  };
}
