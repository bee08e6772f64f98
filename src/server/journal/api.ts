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
  readonly bytes: number;

  /** Adds one record to the current group and starts a commit if none is running. Returns the record as it stands in the log. */
  append(type: number, version: number, origin: number, term: Term, payload: Uint8Array): LogRecord;
  /** Adds records that the leader encoded, after checking position and chain. @throws LockstepError LOCKSTEP_CHAIN_BROKEN */
  appendEncoded(bytes: Uint8Array, each: (record: LogRecord) => void): void;
  /** Called whenever `durable` grows, and with every group's bytes as they are handed to the disk (the leader sends the same bytes). */
  handle(handlers: {
    durable(position: Position): void;
    /** A group is being written: its encoded records. */
    group(run: RecordRun): void;
    failed(reason: string): void;
    room(full: boolean): void;
  }): void;

  epochs(): readonly Epoch[];
  /** The point at a position, read from disk if need be; `null` outside [base, head]. */
  pointAt(position: Position): Promise<LogPoint | null>;
  /** Records from `first` on, whole, at least one and at most about `bytesMax`; `null` when `first` is beyond the durable end or before the base. */
  read(first: Position, bytesMax: number): Promise<RecordRun | null>;
  /** The payload of one record; rejects with LOCKSTEP_RECORD_GONE when it is no longer kept. */
  payloadAt(position: Position): Promise<Uint8Array>;

  /** Moves what lies beyond `position` to a new quarantine folder and ends the log there. Resolves with that folder's name, or `null` when nothing lay beyond. */
  truncateAfter(position: Position): Promise<string | null>;
  /** Moves the whole log to quarantine (unless it is empty) and begins anew at `base`. With `newId` the journal is another one from then on. */
  restart(base: LogPoint, newId: boolean): Promise<string | null>;
  /** Removes segments that end before `position`, which a durable snapshot covers. */
  compactBefore(position: Position): Promise<void>;
  /** Commits what is appended, then closes. */
  close(): Promise<void>;
}
