import type { Cancel, Clock } from '../../ports/clock.js';

/** A note that the disk did not take is written again so often. Milliseconds. */
const RETRY_MS = 2_000;

export interface FailureNoteTools {
  readonly clock: Clock;
  /** Writes it durably. Rejects when the disk refuses. */
  write(reason: string): Promise<void>;
  /** Gives back what room can be done without. */
  makeRoom(): Promise<void>;
  /** Calls `attempt` as soon as nothing else is changed on the disk. */
  arrange(): void;
}

/**
 * That a journal has failed, so that no later opening believes what it may see in the system's cache. The disk may refuse that too: then until it takes it,
 * or until another log has taken the place of this one.
 */
export class FailureNote {
  /** What is not on the disk yet. */
  private reason: string | null = null;
  private again: Cancel | null = null;

  constructor(private readonly tools: FailureNoteTools) {}

  begin(reason: string): void {
    this.drop();
    this.reason = reason;
    this.tools.arrange();
  }

  /** There is nothing to note any more. */
  drop(): void {
    this.again?.();
    this.again = null;
    this.reason = null;
  }

  /** One try of what is not on the disk yet. Never rejects. @param isLast nothing comes after it */
  async attempt(isLast = false): Promise<void> {
    const { reason, tools } = this;
    if (reason === null) return;
    const withRoom = async (): Promise<void> => {
      await tools.makeRoom();
      await tools.write(reason);
    };
    const isTaken = await tools.write(reason).catch(withRoom).then(
      () => true,
      () => false,
    );
    if (this.reason !== reason) return;
    if (isTaken || isLast) this.drop();
    else this.again = tools.clock.after(RETRY_MS, () => tools.arrange());
  }
}
