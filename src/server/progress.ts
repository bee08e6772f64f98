import type { CopyProgress } from '../core/control/broker.js';
import type { Monotonic } from '../core/identity.js';
import type { Clock } from '../ports/clock.js';
import type { Log } from '../ports/log.js';

/** How far a copy has come: for the status at any time, and for the log now and then. */
export class Progress {
  private recordsDone = 0;
  private bytesDone = 0;
  private readonly begun: Monotonic;
  private saidAt: Monotonic;

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

  get value(): CopyProgress {
    return {
      recordsDone: Math.min(this.recordsDone, this.recordsTotal),
      recordsTotal: this.recordsTotal,
      bytesDone: Math.min(this.bytesDone, this.bytesTotal),
      bytesTotal: this.bytesTotal,
      elapsedMs: Math.max(0, this.clock.monotonic() - this.begun),
    };
  }

  private say(): void {
    const now = this.clock.monotonic();
    if (now - this.saidAt < this.intervalMs) return;
    this.saidAt = now;
    const { value } = this;
    const share = value.bytesTotal > 0 ? value.bytesDone / value.bytesTotal : 1;
    const leftS = share > 0 ? Math.round((value.elapsedMs * (1 - share)) / share / 1000) : 0;
    const percent = Math.floor(share * 100);
    this.log.write('info', `${this.title}: ${value.recordsDone} of ${value.recordsTotal} records, ${value.bytesDone} of ${value.bytesTotal} bytes (${percent} %), about ${leftS} s left`, { ...value });
  }
}
