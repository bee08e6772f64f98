import type { TermRecord } from '../core/terms/record.js';

/** What the HA manager remembers on its own disk across restarts. */
export interface KeptState {
  readonly schema: 1;
  /** Highest term record ever seen. */
  readonly record: TermRecord | null;
  readonly shareId: string | null;
}

export interface LocalState {
  /** @throws LockstepError LOCKSTEP_STATE_DAMAGED when the file is there and cannot be believed. */
  load(): Promise<KeptState>;
  /** Durable when it resolves. */
  keep(state: KeptState): Promise<void>;
}
