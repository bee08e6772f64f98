import { Worker } from 'node:worker_threads';
import type { Batch, BatchResult } from './worker.js';

export interface Campaign {
  readonly target: string;
  readonly firstSeed: number;
  readonly runsPerBatch: number;
  /** Milliseconds; no batch begins after it. */
  readonly forMs: number;
}

export interface Tally {
  readonly executions: number;
  readonly batches: number;
  /** Of this whole process, seconds. */
  readonly processorSeconds: number;
  readonly failure: BatchResult | null;
}

/** So long without an answer is a hang that no budget caught. The batch's seed finds it again. */
const BATCH_MS_MAX = 300_000;

/** Threads that stay from one target to the next. */
export class Crew {
  private readonly workers: Worker[];

  constructor(count: number) {
    this.workers = Array.from({ length: count }, () => new Worker(new URL('./worker.js', import.meta.url)));
  }

  /** Batches of seeds one after the other, on all threads, until the time is over or one fails. */
  async run({ target, firstSeed, runsPerBatch, forMs }: Campaign): Promise<Tally> {
    const began = performance.now();
    const cpu = process.cpuUsage();
    let seed = firstSeed;
    let batches = 0;
    let failure: BatchResult | null = null;
    const one = async (worker: Worker): Promise<void> => {
      while (failure === null && performance.now() - began < forMs) {
        const result = await answer(worker, { target, seed: seed++, runs: runsPerBatch });
        batches += 1;
        if (result.finding !== null || result.broken !== null) failure ??= result;
      }
    };
    await Promise.all(this.workers.map(one));
    const { user, system } = process.cpuUsage(cpu);
    return { executions: batches * runsPerBatch, batches, processorSeconds: (user + system) / 1e6, failure };
  }

  /** One batch: a seed, or straight the input at a path. */
  once(batch: Batch): Promise<BatchResult> {
    return answer(this.workers[0] as Worker, batch);
  }

  async end(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.terminate()));
  }
}

function answer(worker: Worker, batch: Batch): Promise<BatchResult> {
  return new Promise((resolve) => {
    const done = (result: BatchResult): void => {
      clearTimeout(timer);
      worker.off('message', done);
      worker.off('error', failed);
      resolve(result);
    };
    const broken = (what: string): void => done({ batch, finding: null, broken: what });
    const failed = (error: Error): void => broken(error.stack ?? error.message);
    const timer = setTimeout(() => broken(`no answer within ${BATCH_MS_MAX} ms`), BATCH_MS_MAX);
    worker.once('message', done);
    // What no promise of the target's caught.
    worker.once('error', failed);
    worker.postMessage(batch);
  });
}
