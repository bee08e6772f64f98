import { SingleBar } from 'cli-progress';
import { sizeText } from '../core/counted.js';

export interface BarProgress {
  readonly phase: string;
  readonly bytesDone: number;
  readonly bytesTotal: number;
  readonly bytesPerSecond: number;
  /** `null`: unknown. */
  readonly leftMs: number | null;
}

/** Goes back to the start of the line and takes away what stands there. */
export const CLEAR_LINE = '\r\u001b[2K';

/** The progress of something long, in the last line of a terminal (on standard error). */
export class ProgressBar {
  private readonly bar: SingleBar;
  private isBegun = false;

  constructor(name: string) {
    // It takes no signals: whoever shows it ends it. The cursor stays, since a process that is killed could not bring it back.
    this.bar = new SingleBar({ format: `${name} {phase} [{bar}] {percentage} % {size} {rate}/s{left}`, clearOnComplete: true, gracefulExit: false });
  }

  show({ phase, bytesDone, bytesTotal, bytesPerSecond, leftMs }: BarProgress): void {
    const words = { phase, size: `${sizeText(bytesDone)} of ${sizeText(bytesTotal)}`, rate: sizeText(bytesPerSecond), left: leftMs === null ? '' : `, ${Math.ceil(leftMs / 1000)} s left` };
    if (!this.isBegun) this.bar.start(Math.max(1, bytesTotal), 0, words);
    this.isBegun = true;
    this.bar.setTotal(Math.max(1, bytesTotal));
    this.bar.update(bytesDone, words);
  }

  /** The line is empty again. */
  end(): void {
    if (this.isBegun) this.bar.stop();
  }
}
