import type { TermRecord } from '../core/terms/record.js';
import type { KeptState, LocalState } from '../ports/local-state.js';
import type { Log } from '../ports/log.js';

/**
 * Keeps the highest term record on this server's own disk before anything acts on it: `state` only ever shows what is
 * durable. One write at a time; what comes meanwhile waits, and only the highest of it is written.
 */
export class Keeping {
  private kept: KeptState;
  private wanted: KeptState | null = null;
  private writing = false;
  private trouble: string | null = null;

  constructor(
    loaded: KeptState,
    private readonly local: LocalState,
    private readonly log: Log,
    private readonly changed: () => void,
  ) {
    this.kept = loaded;
  }

  get state(): KeptState {
    return this.kept;
  }

  /** Takes notice of a record that stands on the share named `shareId`. Lower ones are ignored. */
  see(record: TermRecord, shareId: string | null): void {
    const known = this.wanted ?? this.kept;
    if (known.record !== null && known.record.term >= record.term) return;
    this.wanted = { schema: 1, record, shareId: shareId ?? known.shareId };
    this.write();
  }

  /** Tries again what could not be written. To be called at every tick. */
  retry(): void {
    if (this.wanted !== null) this.write();
  }

  private write(): void {
    const next = this.wanted;
    if (this.writing || next === null) return;
    this.writing = true;
    this.local.keep(next).then(
      () => this.wrote(next),
      (error: unknown) => this.failed(error),
    );
  }

  private wrote(state: KeptState): void {
    this.writing = false;
    this.trouble = null;
    this.kept = state;
    if (this.wanted === state) this.wanted = null;
    this.changed();
    this.write();
  }

  /** Nothing is acted on meanwhile: the record stays unknown to every decision. */
  private failed(error: unknown): void {
    this.writing = false;
    const trouble = error instanceof Error ? error.message : String(error);
    if (trouble !== this.trouble) this.log.write('error', `The newest term record cannot be kept on this server's disk, and is not acted on: ${trouble}`);
    this.trouble = trouble;
  }
}
