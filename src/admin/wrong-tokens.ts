import type { Clock } from '../ports/clock.js';
import type { LogLevel } from '../ports/log.js';

/** An answer to a wrong token comes so much later: who tries tokens gets few of them tried. Milliseconds. */
export const WRONG_TOKEN_DELAY_MS = 100;
/** So many answers are held back at a time; one more is given at once, so that they fill nothing. */
export const HELD_MAX = 16;

/** Writes a line now and then, and counts the others: what strangers can cause fills no log. `who` is told apart. */
export interface SparingLog {
  write(key: string, level: LogLevel, message: string, fields: Readonly<Record<string, unknown>>, who: string): void;
}

/** What asking with a wrong token costs, and the trace that it leaves. */
export class WrongTokens {
  private held = 0;

  constructor(
    private readonly clock: Pick<Clock, 'after'>,
    private readonly log: SparingLog,
  ) {}

  /** Resolves when the refusal may be sent. */
  async refuse(remote: string): Promise<void> {
    this.log.write('admin-token', 'warn', `Refused a request to the admin port from ${remote}: it came without the right token`, { code: 'LOCKSTEP_ADMIN_TOKEN', remote }, remote);
    if (this.held >= HELD_MAX) return;
    this.held += 1;
    await new Promise<void>((resolve) => this.clock.after(WRONG_TOKEN_DELAY_MS, resolve));
    this.held -= 1;
  }
}
