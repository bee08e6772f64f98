import { parentPort } from 'node:worker_threads';
import type { Finding } from './target.js';
import { TARGETS } from './targets.js';

export interface Batch {
  readonly target: string;
  readonly seed: number;
  readonly runs: number;
  readonly path?: string;
}

/** `broken`: the target itself could not be run. */
export interface BatchResult {
  readonly batch: Batch;
  readonly finding: Finding | null;
  readonly broken: string | null;
}

// A thread that executes one batch after the other as it is told.
const port = parentPort;
if (port === null) throw new Error('this module runs in a worker thread');
port.on('message', (batch: Batch | 'close') => {
  if (batch === 'close') void Promise.all(TARGETS.map((one) => one.close())).then(() => port.close());
  else void run(batch).then((result) => port.postMessage(result));
});

async function run(batch: Batch): Promise<BatchResult> {
  const target = TARGETS.find(({ name }) => name === batch.target);
  if (target === undefined) return { batch, finding: null, broken: `there is no target ${batch.target}` };
  try {
    return { batch, finding: await target.check(batch.seed, batch.runs, batch.path), broken: null };
  } catch (error) {
    return { batch, finding: null, broken: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}
