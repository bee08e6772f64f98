import type { Clock } from '../../../src/ports/clock.js';
import type { Child } from '../../../src/ports/process.js';

interface Handlers<In> {
  message(message: In): void;
  closed(reason: string): void;
}

/** A child process whose inside is the test: what it says is heard at once, and what it said before anybody listened by `Clock.soon`. Killed, it is gone when the test says so. */
export class FakeChild<Out, In> implements Child<Out, In> {
  /** What its parent sent, while it was there. */
  readonly sent: Out[] = [];
  killed = false;
  private handlers: Handlers<In> | null = null;
  private readonly said: In[] = [];
  private gone: string | null = null;
  private told = false;

  constructor(
    private readonly clock: Clock,
    readonly pid: number = 1,
  ) {}

  // The port.

  send(message: Out): void {
    if (this.gone === null) this.sent.push(message);
  }

  handle(handlers: Handlers<In>): void {
    if (this.handlers !== null) throw new Error('handlers are set once');
    this.handlers = handlers;
    this.clock.soon(() => this.pass());
  }

  kill(): void {
    this.killed = true;
  }

  // The test's side.

  tell(message: In): void {
    if (this.gone !== null) return;
    this.said.push(message);
    this.pass();
  }

  /** It is gone. */
  die(reason: string): void {
    this.gone ??= reason;
    this.pass();
  }

  get isGone(): boolean {
    return this.gone !== null;
  }

  private pass(): void {
    const { handlers } = this;
    if (handlers === null) return;
    for (let next = this.said.shift(); next !== undefined; next = this.said.shift()) handlers.message(next);
    if (this.gone === null || this.told) return;
    this.told = true;
    handlers.closed(this.gone);
  }
}
