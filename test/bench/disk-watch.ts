import path from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Wait, WatchOrder } from './disk-watch-worker.js';

/** A wait of this length is told apart from what any synced write takes. Milliseconds. */
export const LONG_MS = 20;
const EVERY_MS = 5;

/**
 * Whether the disk itself stands still: a thread of its own writes 4 KiB every few milliseconds beside the load, to a file that is nobody's, and
 * waits until each is durable. Disks that many machines share do that for up to a second, also with no load at all, and nobody who acknowledges
 * what is durable can acknowledge meanwhile.
 */
export class DiskWatch {
  private readonly waits: Wait[] = [];
  private readonly stopWord = new SharedArrayBuffer(4);
  private readonly worker: Worker;
  private readonly ended: Promise<void>;

  constructor(folder: string) {
    const order: WatchOrder = { file: path.join(folder, 'disk-watch'), longMs: LONG_MS, everyMs: EVERY_MS, stop: this.stopWord };
    this.worker = new Worker(new URL('./disk-watch-worker.js', import.meta.url), { workerData: order });
    this.worker.on('message', (wait: Wait) => this.waits.push(wait));
    this.ended = new Promise((resolve, reject) => {
      this.worker.once('exit', () => resolve());
      this.worker.once('error', reject);
    });
    // Said where the watch is stopped.
    this.ended.catch(() => undefined);
  }

  /** For how long of the span the disk stood still. Milliseconds of `performance.now()`. */
  stoodStillMs(from: number, to: number): number {
    return stoodStillMs(this.waits, performance.timeOrigin + from, performance.timeOrigin + to);
  }

  /** The longest time that it stood still within the span; 0 when it did not. */
  longestMs(from: number, to: number): number {
    const [began, ended] = [performance.timeOrigin + from, performance.timeOrigin + to];
    return this.waits.reduce((longest, wait) => (wait.to < began || wait.from > ended ? longest : Math.max(longest, wait.to - wait.from)), 0);
  }

  /** @throws Error when the file could not be written (rejects) */
  async stop(): Promise<void> {
    const word = new Int32Array(this.stopWord);
    Atomics.store(word, 0, 1);
    Atomics.notify(word, 0);
    await this.ended;
  }
}

/** What of the span the waits take up; they follow one another. */
export function stoodStillMs(waits: readonly Wait[], from: number, to: number): number {
  return waits.reduce((sum, wait) => sum + Math.max(0, Math.min(wait.to, to) - Math.max(wait.from, from)), 0);
}
