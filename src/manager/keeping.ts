import type { TermRecord } from '../core/terms/record.js';
import type { Monotonic } from '../core/identity.js';
import type { Clock } from '../ports/clock.js';
import type { KeptState, LocalState } from '../ports/local-state.js';
import type { Log } from '../ports/log.js';

const TAKES_NONE = "this server's disk takes no term record";
const NOT_KEPT = "the newest term record cannot be kept on this server's disk, and is not acted on";

/**
 * Keeps the highest term record on this server's own disk before anything acts on it: `state` only ever shows what is
 * durable. One write at a time; what comes meanwhile waits, and only the highest of it is written.
 */
export class Keeping {
  private kept: KeptState;
  private wanted: KeptState | null = null;
  private writingSince: Monotonic | null = null;
  private tookAt: Monotonic | null = null;
  private failure: string | null = null;
  /** What was last said of the disk; `null`: that it is well. */
  private told: { readonly trouble: string; readonly lacks: string } | null = null;
  /** Whoever asks while one answer is awaited gets that one: a disk can hang for long, and is asked again and again. */
  private probing: { readonly answer: Promise<string | null>; readonly tell: (trouble: string | null) => void } | null = null;

  constructor(
    loaded: KeptState,
    private readonly local: LocalState,
    private readonly log: Log,
    private readonly clock: Clock,
    /** A disk that takes longer for a record hangs. Milliseconds. */
    private readonly hangsMs: number,
    private readonly changed: () => void,
  ) {
    this.kept = loaded;
  }

  get state(): KeptState {
    return this.kept;
  }

  /** When the disk last took a record; `null`: not yet. */
  get takenAt(): Monotonic | null {
    return this.tookAt;
  }

  /** Why the disk takes none; `null`: it does, as far as it was tried. */
  get trouble(): string | null {
    const { failure, writingSince, clock, hangsMs } = this;
    if (failure !== null) return failure;
    return writingSince !== null && clock.monotonic() - writingSince > hangsMs ? 'it does not answer' : null;
  }

  /** What an operator could do where the disk takes no record; `null`: it does. */
  get advice(): string | null {
    const { trouble } = this;
    return trouble === null ? null : `${this.lacks}: ${trouble}. This server takes no new role until it can be written, and gives none away: make room on the disk of data.folder, or mend it; "lockstep stop" here lets the other server go on without this one`;
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
    const { answer } = (this.probing ??= awaited());
    this.wanted ??= this.kept;
    this.write();
    return answer;
  }

  private answer(trouble: string | null): void {
    this.probing?.tell(trouble);
    this.probing = null;
  }

  /** Tries again what could not be written, and says that the disk does not answer. To be called at every tick. */
  retry(): void {
    const { trouble } = this;
    if (trouble !== null) this.tell(trouble);
    if (this.wanted !== null) this.write();
  }

  /** What an operator is to know of it: a record that nobody can act on, or that there could be such a one. */
  private get lacks(): string {
    return this.wanted !== null && this.wanted.record !== this.kept.record ? NOT_KEPT : TAKES_NONE;
  }

  private tell(trouble: string): void {
    const { told, lacks } = this;
    if (told?.trouble === trouble && told.lacks === lacks) return;
    this.told = { trouble, lacks };
    this.log.write('error', `${lacks.charAt(0).toUpperCase()}${lacks.slice(1)}: ${trouble}`);
  }

  private write(): void {
    const next = this.wanted;
    if (this.writingSince !== null || next === null) return;
    this.writingSince = this.clock.monotonic();
    this.local.keep(next).then(
      () => this.wrote(next),
      (error: unknown) => this.failed(error),
    );
  }

  private wrote(state: KeptState): void {
    this.writingSince = null;
    this.tookAt = this.clock.monotonic();
    if (this.told !== null) this.log.write('info', this.told.lacks === NOT_KEPT ? "The newest term record is kept on this server's disk now" : "This server's disk takes term records again");
    this.told = null;
    this.failure = null;
    this.kept = state;
    this.answer(null);
    if (this.wanted === state) this.wanted = null;
    this.changed();
    this.write();
  }

  /** Nothing is acted on meanwhile: the record stays unknown to every decision. */
  private failed(error: unknown): void {
    this.writingSince = null;
    const trouble = error instanceof Error ? error.message : String(error);
    this.failure = trouble;
    this.tell(trouble);
    this.answer(trouble);
  }
}

function awaited(): { answer: Promise<string | null>; tell: (trouble: string | null) => void } {
  let tell: (trouble: string | null) => void = () => undefined;
  const answer = new Promise<string | null>((resolve) => (tell = resolve));
  return { answer, tell };
}
