import { NO_POSITION, type Position } from '../core/identity.js';
import { cutRecords } from '../core/replication/run-of-records.js';
import type { RecordRun } from './journal/api.js';

/**
 * What a run takes of the memory beside its records: itself, its view, its place here, and the header of its group in the block. Measured with Node.js 20, for
 * groups of one record: 152 to 186 bytes of the heap, and 45 of the block.
 */
export const RUN_BYTES = 232;
/** In the place of one that is gone: the list must not keep it. */
const GONE: RecordRun = { bytes: new Uint8Array(0), first: NO_POSITION, last: NO_POSITION };

/**
 * The newest groups of the log in memory, so that a follower in step is fed without reading the disk. Bounded by the memory that they
 * take, each with `RUN_BYTES` beside its records: the oldest go first, and whoever needs those reads the journal. The newest one stays, however long.
 */
export class RecentGroups {
  private runs: RecordRun[] = [];
  private first = 0;
  private bytes = 0;

  constructor(private readonly bytesMax: number) {}

  push(run: RecordRun): void {
    const before = this.runs[this.runs.length - 1];
    if (before !== undefined && run.first !== before.last + 1) this.clear();
    this.runs.push(run);
    this.bytes += run.bytes.length + RUN_BYTES;
    while (this.bytes > this.bytesMax && this.runs.length - this.first > 1) {
      this.bytes -= (this.runs[this.first] as RecordRun).bytes.length + RUN_BYTES;
      this.runs[this.first] = GONE;
      this.first += 1;
    }
    if (this.first > 256) {
      this.runs = this.runs.slice(this.first);
      this.first = 0;
    }
  }

  /** The last position that a group was made of; 0 before the first. */
  get last(): Position {
    return (this.runs[this.runs.length - 1]?.last ?? 0) as Position;
  }

  /** The rest of a group from `position` on; `null` when it is not among them. */
  from(position: Position): RecordRun | null {
    let low = this.first;
    let high = this.runs.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const run = this.runs[middle] as RecordRun;
      if (run.last < position) low = middle + 1;
      else if (run.first > position) high = middle - 1;
      else if (run.first === position) return run;
      else return { bytes: cutRecords(run.bytes, position, run.last), first: position, last: run.last };
    }
    return null;
  }

  clear(): void {
    this.runs = [];
    this.first = 0;
    this.bytes = 0;
  }
}
