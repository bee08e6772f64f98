import type { TermRecord } from '../core/terms/record.js';
import type { KeptState, LocalState } from '../ports/local-state.js';
import type { Log } from '../ports/log.js';

const NOT_KEPT = "the newest term record cannot be kept on this server's disk, and is not acted on";

/**
 * Keeps the highest term record on this server's own disk before anything acts on it: `state` only ever shows what is
 * durable. One write at a time; what comes meanwhile waits, and only the highest of it is written.
 */
export class Keeping {
  private kept: KeptState;
  private wanted: KeptState | null = null;
  private writing = false;
  private trouble: string | null = null;
  private readonly probes: ((trouble: string | null) => void)[] = [];

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

  /** What an operator could do where the disk takes no record; `null`: it does. */
  get advice(): string | null {
    return this.trouble === null ? null : `${NOT_KEPT}: ${this.trouble}. This server takes no new role until it can be written, and gives none away: make room on the disk of data.folder, or mend it; "lockstep stop" here lets the other server go on without this one`;
  }

  /** Takes notice of a record that stands on the share named `shareId`. Lower ones are ignored. */
  see(record: TermRecord, shareId: string | null): void {
    const known = this.wanted ?? this.kept;
    if (known.record !== null && known.record.term >= record.term) return;
    this.wanted = { schema: 1, record, shareId: shareId ?? known.shareId };
    this.write();
  }

  /**
   * Whether the disk takes a record: what is kept is written once more.
   * @returns what is in the way; `null`: nothing is
   */
  probe(): Promise<string | null> {
    const answer = new Promise<string | null>((resolve) => this.probes.push(resolve));
    this.wanted ??= this.kept;
    this.write();
    return answer;
  }

  private answer(trouble: string | null): void {
    for (const tell of this.probes.splice(0)) tell(trouble);
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
    if (this.trouble !== null) this.log.write('info', "The newest term record is kept on this server's disk now");
    this.trouble = null;
    this.kept = state;
    this.answer(null);
    if (this.wanted === state) this.wanted = null;
    this.changed();
    this.write();
  }

  /** Nothing is acted on meanwhile: the record stays unknown to every decision. */
  private failed(error: unknown): void {
    this.writing = false;
    const trouble = error instanceof Error ? error.message : String(error);
    if (trouble !== this.trouble) this.log.write('error', `${NOT_KEPT.charAt(0).toUpperCase()}${NOT_KEPT.slice(1)}: ${trouble}`);
    this.trouble = trouble;
    this.answer(trouble);
  }
}
