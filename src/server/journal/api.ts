import type { LogPoint, LogRecord } from '../../core/journal/envelope.js';
import type { JournalId, Position, Term } from '../../core/identity.js';

/** Where each term begins in a log: enough to find the last record that two logs share. Oldest first. */
export interface Epoch {
  readonly term: Term;
  readonly first: Position;
}

/** Encoded records that follow one another, as they stand in the journal. */
export interface RecordRun {
  readonly bytes: Uint8Array;
  readonly first: Position;
  readonly last: Position;
}

export interface JournalHandlers {
  /** `durable` has grown. */
  durable(position: Position): void;
  /**
   * Appended records on their way to the disk, encoded, once each and in order: with their commit, or before it when many wait for the commit under
   * way. A stable view; the leader sends the same bytes.
   */
  records(run: RecordRun): void;
  /** A sync or a write failed, or damage was met while reading: the journal takes nothing more. */
  failed(reason: string): void;
  /** `full` has changed. */
  room(full: boolean): void;
}

/**
 * A server's log on its own disk: append-only segments of checksummed records, committed in groups.
 *
 * Invariants
 * - A record is durable only when a `sync` that began after its write has ended without error.
 * - `durable <= head.position`; both only grow, except by `truncateAfter` and `restart`.
 * - After a failed sync the journal accepts nothing more and says so by `failed`.
 */
export interface Journal {
  readonly id: JournalId;
  /** The point before the first record kept: what a snapshot stands for, or the empty log. */
  readonly base: LogPoint;
  readonly head: LogPoint;
  readonly durable: Position;
  /** Damage found at opening, or a failed sync. A damaged journal accepts no records. */
  readonly damage: string | null;
  /** No room: appends wait, and are written when there is room again. */
  readonly full: boolean;
  /** What they wait for, in words; `null` while they do not. */
  readonly waitsFor: string | null;
  readonly bytes: number;
  /** `records` of what was appended and waits for a disk that stands still: nothing else would tell of it until the disk goes on. */
  handOut(): void;
  /** How much of that, of what is durable, stands behind a position, to within a few records. */
  bytesAfter(position: Position): number;

  /**
   * Adds one record to the current group and starts a commit if none is running. Returns the record as it stands in the log.
   * Its payload is a stable view: the bytes are never changed and the memory never used again, but they share a block of up to
   * `groupBytes` with their neighbours; copy what is kept for long.
   * @throws LockstepError LOCKSTEP_DISK_FULL or LOCKSTEP_DISK_BEHIND when too much waits already (ask `canAppend` before),
   * LOCKSTEP_JOURNAL_DAMAGED. Nothing was added then.
   */
  append(type: number, version: number, origin: number, term: Term, payload: Uint8Array): LogRecord;
  /** True when records with payloads of `bytes` together can be appended now. */
  canAppend(bytes: number): boolean;
  /**
   * Adds records that the leader encoded, after checking position and chain, until `each` returns false; the bytes are copied. As `append`, and
   * @returns how many of the bytes were added
   * @throws LockstepError LOCKSTEP_CHAIN_BROKEN; `each` was called for the records before the broken one, which are added
   */
  appendEncoded(bytes: Uint8Array, each: (record: LogRecord) => boolean): number;
  /** Set once. Never called from within `append`. */
  handle(handlers: JournalHandlers): void;

  /** Of the records kept. The first may have begun before them: its `first` is then the first position kept. */
  epochs(): readonly Epoch[];
  /** The point at a position, read from disk if need be; `null` outside [base, head]. As `recordAt`, while the log's past is being changed. */
  pointAt(position: Position): Promise<LogPoint | null>;
  /** Records from `first` on, whole, at least one and at most about `bytesMax`; `null` when `first` is beyond the durable end or before the base. As `recordAt`, while the log's past is being changed. */
  read(first: Position, bytesMax: number): Promise<RecordRun | null>;
  /** One record, durable or not yet, with a payload that may be kept; rejects with LOCKSTEP_RECORD_GONE when it is no longer kept, and while a change of the log's past moves the files. */
  recordAt(position: Position): Promise<LogRecord>;

  /**
   * Moves what lies beyond `position` to a new quarantine folder and ends the log there. Resolves with that folder (a path on the
   * disk, for `readSegments`), or `null` when nothing lay beyond. Waits until what was appended is durable; nothing may be
   * appended until it resolves. A crash leaves the old log or the new one. When there is no room it rejects, and the log is as it was.
   * @throws LockstepError LOCKSTEP_JOURNAL_DAMAGED (only `restart` mends a damaged journal)
   */
  truncateAfter(position: Position): Promise<string | null>;
  /**
   * Moves the whole log to quarantine (unless it is empty) and begins anew at `base`. With `newId`, and always when it was damaged,
   * the journal is another one from then on; damage is gone. Otherwise as `truncateAfter`.
   */
  restart(base: LogPoint, newId: boolean): Promise<string | null>;
  /**
   * Syncs every file of the log, also where a disk without syncing had said that it was. One that cannot be is damage, as after a failed sync; rejects
   * with what passes by itself (no file to be had).
   */
  settle(): Promise<void>;
  /** What this log builds on is lost as by a failed sync: as after one, it takes nothing more, and says so by `failed`. */
  giveUp(reason: string): void;
  /** Removes segments that end before `position`, which a durable snapshot covers. */
  compactBefore(position: Position): Promise<void>;
  /** Commits what is appended, then closes. Rejects with LOCKSTEP_DISK_FULL when there was no room for the last of it. */
  close(): Promise<void>;
}
