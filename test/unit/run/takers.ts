import type { ProcessIdentity } from '../../../src/adapters/process-identity.js';
import { PidFile } from '../../../src/run/pid-file.js';

/** Steps of a take that meets nobody: it leaves its note, looks for others, looks at the file, takes it. */
export const STEPS = 4;

/** One of several processes that take a pid file. It does its next step when it is told to. */
export class OneTaker {
  readonly self: ProcessIdentity;
  outcome: 'under way' | 'taken' | 'refused' | { readonly failed: unknown } = 'under way';
  alive = true;
  /** What it waited for others, in milliseconds. */
  waitedMs = 0;
  private goOn: (() => void) | null = null;
  private arrived: () => void = () => undefined;

  constructor(
    private readonly file: string,
    pid: number,
    private readonly lives: (other: ProcessIdentity) => boolean,
  ) {
    this.self = { pid, begun: 'boot/7' };
  }

  /** Resolves when the step is done. */
  step(): Promise<void> {
    if (!this.alive || this.outcome !== 'under way') return Promise.resolve();
    return new Promise((resolve) => {
      this.arrived = resolve;
      if (this.goOn === null) void this.take();
      else this.goOn();
    });
  }

  private async take(): Promise<void> {
    const pause = (ms: number): Promise<void> => {
      this.waitedMs += ms;
      return new Promise((resolve) => {
        this.goOn = resolve;
        this.arrived();
      });
    };
    try {
      await PidFile.take(this.file, { self: this.self, lives: this.lives, pause });
      this.outcome = 'taken';
    } catch (error) {
      this.outcome = (error as { code?: unknown }).code === 'LOCKSTEP_ALREADY_RUNNING' ? 'refused' : { failed: error };
    }
    this.arrived();
  }
}

/** So many takers, numbered from 11 on, that know each other. Whoever else is named has ended. */
export function takers(file: string, count: number): OneTaker[] {
  const all: OneTaker[] = [];
  const lives = ({ pid, begun }: ProcessIdentity): boolean => all.some(({ self, alive }) => alive && self.pid === pid && (begun === '' || begun === self.begun));
  for (let at = 0; at < count; at += 1) all.push(new OneTaker(file, 11 + at, lives));
  return all;
}

/** All, in turn, until each has ended. */
export async function toTheEnd(all: readonly OneTaker[]): Promise<void> {
  while (all.some(({ alive, outcome }) => alive && outcome === 'under way')) for (const one of all) await one.step();
}

/** Every order of `left[i]` steps of the i-th. */
export function* orders(left: readonly number[], before: readonly number[] = []): Generator<readonly number[]> {
  if (left.every((steps) => steps === 0)) yield before;
  for (const [at, steps] of left.entries()) if (steps > 0) yield* orders(left.with(at, steps - 1), [...before, at]);
}
