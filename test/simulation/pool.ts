import { Worker } from 'node:worker_threads';
import type { ProofOptions } from './prove-seed.js';
import type { SeedResult } from './run-seed.js';
import type { SeedTask } from './seed-worker.js';

/** Results that may wait for an earlier seed's; beyond it no worker begins another seed. */
const AHEAD_MAX = 64;
/** A seed leaves much garbage and little else: with more room for it, it is collected less often. */
const YOUNG_GENERATION_MB = 96;

export interface PoolOptions {
  readonly first: number;
  readonly count: number;
  readonly workers: number;
  readonly proof: ProofOptions;
  /** The module that the workers run: this build's own, or a copy with a planted flaw. */
  readonly worker: URL;
}

/**
 * Runs seeds on worker threads, and tells of each in the order of the seeds, whichever was done first. `told` answers false to end it.
 * Rejects when a worker dies.
 */
export async function runSeeds(options: PoolOptions, told: (result: SeedResult) => boolean): Promise<void> {
  const { first, count, proof } = options;
  const done = new Map<number, SeedResult>();
  const workers: Worker[] = [];
  let next = first;
  let due = first;
  let over = count === 0;
  await new Promise<void>((resolve, reject) => {
    const idle: Worker[] = [];
    const give = (): void => {
      while (!over && idle.length > 0 && next < first + count && next < due + AHEAD_MAX) {
        const task: SeedTask = { seed: next, options: proof };
        next += 1;
        idle.pop()?.postMessage(task);
      }
    };
    const take = (worker: Worker, result: SeedResult): void => {
      idle.push(worker);
      done.set(result.seed, result);
      for (let ready = done.get(due); !over && ready !== undefined; ready = done.get(due)) {
        done.delete(due);
        due += 1;
        over = !told(ready) || due === first + count;
      }
      if (over) resolve();
      else give();
    };
    for (let i = 0; i < Math.min(options.workers, count); i += 1) {
      const worker = new Worker(options.worker, { resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB } });
      workers.push(worker);
      idle.push(worker);
      worker.on('message', (result: SeedResult) => take(worker, result));
      worker.on('error', reject);
    }
    if (over) resolve();
    else give();
  }).finally(() => Promise.all(workers.map((worker) => worker.terminate())));
}
