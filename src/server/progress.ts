import type { CopyProgress } from '../core/control/broker.js';
import { counted } from '../core/counted.js';
import type { Monotonic } from '../core/identity.js';
import type { Clock } from '../ports/clock.js';
import type { Log } from '../ports/log.js';

/** How far a copy has come: for the status at any time, and for the log now and then. */
export class Progress {
  private recordsDone = 0;
  private bytesDone = 0;
  private readonly begun: Monotonic;
  private saidAt: Monotonic;
  private told = false;
  private over = false;

  constructor(
    private readonly clock: Clock,
    private readonly log: Log,
    private readonly title: string,
    private readonly intervalMs: number,
    private readonly recordsTotal: number,
    private readonly bytesTotal: number,
  ) {
    this.begun = clock.monotonic();
    this.saidAt = this.begun;
  }

  bytes(count: number): void {
    this.bytesDone += count;
    this.say();
  }

  records(done: number, bytes: number): void {
    this.recordsDone = Math.max(this.recordsDone, done);
    this.bytes(bytes);
  }

  /** `null` once everything that was there at the beginning is copied: what comes since is ordinary traffic. */
  get value(): CopyProgress | null {
    if (this.over) return null;
    return {
      recordsDone: Math.min(this.recordsDone, this.recordsTotal),
      recordsTotal: this.recordsTotal,
      bytesDone: Math.min(this.bytesDone, this.bytesTotal),
      bytesTotal: this.bytesTotal,
      elapsedMs: Math.max(0, this.clock.monotonic() - this.begun),
    };
  }

  private say(): void {
    const { value, recordsTotal, title } = this;
    if (value === null) return;
    const now = this.clock.monotonic();
    // The bytes of the records are an estimate; their count is not.
    this.over = recordsTotal > 0 ? this.recordsDone >= recordsTotal : this.bytesDone >= this.bytesTotal;
    if (this.over) {
      if (this.told) this.log.write('info', `${title}: done, ${counted(recordsTotal, 'record')} after ${Math.round(value.elapsedMs / 1000)} s`, { records: recordsTotal, elapsedMs: value.elapsedMs });
      return;
    }
    if (now - this.saidAt < this.intervalMs) return;
    this.saidAt = now;
    this.told = true;
    const share = value.bytesTotal > 0 ? value.bytesDone / value.bytesTotal : value.recordsDone / value.recordsTotal;
    const left = share > 0 ? `, about ${Math.round((value.elapsedMs * (1 - share)) / share / 1000)} s left` : '';
    this.log.write('info', `${title}: ${value.recordsDone} of ${value.recordsTotal} records, ${value.bytesDone} of ${value.bytesTotal} bytes (${Math.floor(share * 100)} %)${left}`, { ...value });
  }
}
