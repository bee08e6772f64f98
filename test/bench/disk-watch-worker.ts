import { closeSync, constants, openSync, rmSync, writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';

/* Writes a little to the disk every few milliseconds, each time waiting until it is durable, until it is told to stop; tells of each wait that was long. */

/** What a wait is told as: milliseconds since the epoch. */
export interface Wait {
  readonly from: number;
  readonly to: number;
}

export interface WatchOrder {
  readonly file: string;
  /** Waits longer than this are told of. Milliseconds. */
  readonly longMs: number;
  readonly everyMs: number;
  /** One 32-bit word: not zero means stop. */
  readonly stop: SharedArrayBuffer;
}

const PIECE_BYTES = 4_096;
const FILE_PIECES = 256;

const { file, longMs, everyMs, stop } = workerData as WatchOrder;
const told = new Int32Array(stop);
const piece = Buffer.alloc(PIECE_BYTES, 0x2e);
const made = openSync(file, 'w');
writeSync(made, Buffer.alloc(PIECE_BYTES * FILE_PIECES));
closeSync(made);
const handle = openSync(file, constants.O_WRONLY | constants.O_DSYNC);
for (let turn = 0; Atomics.load(told, 0) === 0; turn++) {
  const from = performance.now();
  writeSync(handle, piece, 0, PIECE_BYTES, (turn % FILE_PIECES) * PIECE_BYTES);
  const to = performance.now();
  if (to - from > longMs) parentPort?.postMessage({ from: performance.timeOrigin + from, to: performance.timeOrigin + to } satisfies Wait);
  Atomics.wait(told, 0, 0, everyMs);
}
closeSync(handle);
rmSync(file);
