import type { Monotonic } from '../core/identity.js';
import type { Cancel, Clock } from '../ports/clock.js';

/** One kind of work that comes again and again: at its time, or when it is woken. One turn at a time; woken during one, it has another right after it. */
export class Turns {
  private running: Promise<void> | null = null;
  private again = false;
  private stopped = false;
  private cancel: Cancel = () => undefined;

  /** @param turn never rejects. @param due when the next turn is due; asked at the end of each. `null`: not before it is woken */
  constructor(
    private readonly clock: Clock,
    private readonly turn: () => Promise<void>,
    private readonly due: () => Monotonic | null,
  ) {}

  wake(): void {
    if (this.stopped) return;
    this.cancel();
    if (this.running === null) this.running = this.run();
    else this.again = true;
  }

  /** No further turn begins. Resolves when the present one has ended, which may be never. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.cancel();
    await this.running;
  }

  private async run(): Promise<void> {
    do {
      this.again = false;
      await this.turn();
    } while (this.again && !this.stopped);
    this.running = null;
    const due = this.stopped ? null : this.due();
    if (due !== null) this.cancel = this.clock.after(Math.max(1, due - this.clock.monotonic()), () => this.wake());
  }
}
