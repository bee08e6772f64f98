import type { Position } from '../core/identity.js';
import { cutRecords } from '../core/replication/run-of-records.js';
import type { RecordRun } from './journal/api.js';

/**
 * The newest groups of the log in memory, so that a follower in step is fed without reading the disk. Bounded: the oldest
 * go first, and whoever needs those reads the journal.
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
    this.bytes += run.bytes.length;
    while (this.bytes > this.bytesMax && this.runs.length - this.first > 1) {
      this.bytes -= (this.runs[this.first] as RecordRun).bytes.length;
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
