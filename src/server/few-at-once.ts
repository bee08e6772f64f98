/** Runs pieces of work in the order in which they were asked for, at most `limit` at a time. What waits costs a function each. */
export class FewAtOnce {
  private running = 0;
  private waiting: (() => void)[] = [];
  private first = 0;

  constructor(private readonly limit: number) {}

  /** Settles as the work does. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.running < this.limit) this.running += 1;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      return await work();
    } finally {
      this.pass();
    }
  }

  /** The place goes to the one that has waited longest. */
  private pass(): void {
    const next = this.waiting[this.first];
    if (next === undefined) {
      this.running -= 1;
      return;
    }
    this.first += 1;
    if (this.first === this.waiting.length || this.first > 1_024) {
      this.waiting = this.waiting.slice(this.first);
      this.first = 0;
    }
    next();
  }
}
