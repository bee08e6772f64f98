import { parentPort } from 'node:worker_threads';
import { proveSeed, type ProofOptions } from './prove-seed.js';

/** What a worker is asked for. */
export interface SeedTask {
  readonly seed: number;
  readonly options: ProofOptions;
}

// A thread that runs one seed after the other as it is told, and answers each with its result.
const port = parentPort;
if (port === null) throw new Error('this module runs in a worker thread');
port.on('message', ({ seed, options }: SeedTask) => {
  void proveSeed(seed, options).then((result) => port.postMessage(result));
});
