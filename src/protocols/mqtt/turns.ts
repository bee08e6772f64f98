import type { Clock } from '../../ports/clock.js';

/** So long what comes from clients, and goes to them, is worked at before everything else that this process does has its turn: disks, the other server, the HA manager. */
export const ALL_TURN_MS = 50;

/**
 * The turns of all connections of a process: what they take of one turn of the event loop together is bounded, however many they are. Who comes when that is used
 * up waits, and has its turn in the next ones, in the order in which they came.
 *
 * The time counts on over turns in which little was done, until it is used up once: who finds it so waits for one turn that it need not have waited for.
 */
export class Turns {
  private readonly waiting = new Set<() => void>();
  private workedMs = 0;
  /** Since the beginning. */
  private totalMs = 0;
  private isDue = false;

  constructor(private readonly clock: Clock) {}

  /** The time of this turn is used up. */
  get isOver(): boolean {
    return this.workedMs >= ALL_TURN_MS;
  }

  /** So long was worked at what one connection brought. */
  worked(ms: number): void {
    this.workedMs += ms;
    this.totalMs += ms;
    if (this.isOver) this.arm();
  }

  /** Works at something; what was told of by `worked` meanwhile counts once. */
  work(action: () => void): void {
    const [begunAt, before] = [this.clock.monotonic(), this.totalMs];
    action();
    this.worked(Math.max(0, this.clock.monotonic() - begunAt - (this.totalMs - before)));
  }

  /** Calls `turn` in a turn that has time for it, behind those that wait already. */
  wait(turn: () => void): void {
    this.waiting.add(turn);
    this.arm();
  }

  private arm(): void {
    if (this.isDue) return;
    this.isDue = true;
    this.clock.soon(() => this.next());
  }

  private next(): void {
    this.isDue = false;
    this.workedMs = 0;
    for (const turn of this.waiting) {
      if (this.isOver) break;
      this.waiting.delete(turn);
      turn();
    }
    if (this.waiting.size > 0) this.arm();
  }
}
