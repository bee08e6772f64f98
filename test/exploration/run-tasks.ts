import { Worker } from 'node:worker_threads';
import type { Outcome, Task } from './plan.js';

/**
 * Explores on several threads. Outcomes stand in the order of the tasks; `told` hears of each as it ends.
 * Rejects when a thread dies.
 */
export async function runTasks(tasks: readonly Task[], threads: number, told: (outcome: Outcome) => void): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  let next = 0;
  const serve = (worker: Worker): Promise<void> =>
    new Promise((resolve, reject) => {
      let under = -1;
      const give = (): void => {
        const task = tasks[next];
        if (task === undefined) return resolve();
        under = next;
        next += 1;
        worker.postMessage(task);
      };
      worker.on('error', reject);
      worker.on('message', (outcome: Outcome) => {
        outcomes[under] = outcome;
        told(outcome);
        give();
      });
      give();
    });
  const workers = Array.from({ length: Math.min(threads, tasks.length) }, () => new Worker(new URL('./worker.js', import.meta.url)));
  await Promise.all(workers.map(serve)).finally(() => Promise.all(workers.map((worker) => worker.terminate())));
  return outcomes;
}
