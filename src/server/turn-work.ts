import type { Clock } from '../ports/clock.js';

/** As much as 65,000 deliveries, which take some 50 ms, and on their way to the clients some 80. */
export const TURN_WORK_BYTES = 4 * 1024 * 1024;
/** What a record takes of it beside what comes of it: as long as a dozen deliveries. */
export const RECORD_WORK_BYTES = 1024;

/**
 * What is carried out in one turn of the event loop, in the bytes by which a backlog is measured, payloads aside. What the server writes by itself (ends of
 * connections that bring wills or end sessions, orphans that are gone) does not stop reading from anybody, nor does what is said: it stops here, and goes on in the next turn.
 *
 * A turn is no shorter than it seems: what little was done in turns before may count with it, until so much has come together once.
 */
export class TurnWork {
  private bytes = 0;

  /** @param next a turn begins after one that was over */
  constructor(
    private readonly clock: Clock,
    private readonly next: () => void,
  ) {}

  get isOver(): boolean {
    return this.bytes >= TURN_WORK_BYTES;
  }

  readonly over = (): boolean => this.isOver;

  add(bytes: number): void {
    const wasOver = this.isOver;
    this.bytes += bytes;
    if (wasOver || !this.isOver) return;
    this.clock.soon(() => {
      this.bytes = 0;
      this.next();
    });
  }
}
