import type { Digest, Entry, Manifest, Patterns, Scope, SyncType } from '../core/repository/entry.js';
import type { Term } from '../core/identity.js';
import type { Naming } from '../core/repository/names.js';

/*
 * One repository's folder on this machine. Calls are synchronous and short (one file, one read or write of at most 256 KiB, one slice of a scan): the
 * process that makes them does nothing else, may hang in them and is then killed. Paths are those of entries. Failures throw an Error with the
 * system's `code` (ENOSPC, EACCES, ENOENT …); what is refused for its name or kind throws a LockstepError.
 */

/** Work in slices: `step` until it gives a result. */
export interface Slices<Result> {
  /** Works for some milliseconds. `null`: there is more to do. */
  step(): Result | null;
  /** Gives up: what is open is closed. */
  close(): void;
}

export interface ScanOptions {
  /** `null`: all of it. */
  readonly scope: Scope | null;
  /** An absent folder is one that holds nothing, and the manifest says so. Otherwise it throws ENOENT. */
  readonly mayBeAbsent?: boolean;
  /** Read every file, whatever is recorded of it. */
  readonly checksum: boolean;
  /** Which paths belong to it; absent: as it was opened. Of the last whole scan for `apply` too. */
  readonly patterns?: Patterns;
}

/** An open file that is read. */
export interface ContentFile {
  readonly size: number;
  readonly mtimeUs: number;
  readonly mode: number;
  /** Reads up to `into.length` bytes; 0 at the end. */
  read(into: Uint8Array, offset: number): number;
  /** Up to `bytes` in a memory of their own, which is nobody else's afterwards; empty at the end. */
  piece(bytes: number, offset: number): Uint8Array;
  /** True when the file was written to, or replaced by another under its name, since it was opened. */
  changed(): boolean;
  /** Remembers the digest of what was read, unless it changed or changed too short before. */
  record(digest: Digest): void;
  close(): void;
}

/** The folder as whoever reads it sees it. */
export interface RepositoryFolder {
  /** What it holds. With digests as far as they are recorded, or all of them with `checksum`. */
  scan(options: ScanOptions): Slices<Manifest>;
  /** Opens a file, never through a symbolic link. */
  open(path: string): ContentFile;
}

/** A file that is being written, of a size and digest that are known when it is finished. */
export interface ContentWriter {
  write(bytes: Uint8Array): void;
  /** Bytes written since it was last synced. */
  readonly unsyncedBytes: number;
  sync(): Promise<void>;
  /** The content is complete and was compared: gives it permissions and time, and its place. */
  finish(entry: Entry): void;
  /** Gives up. What was written stays as a basis for the next try. */
  abandon(): void;
}

export interface Commit {
  /** The sender's, when the sync began. */
  readonly term: Term;
  /** Asked at the last moment before the live folder changes, and before each single change of a continuous sync. */
  readonly mayChange: () => boolean;
  /** Why, for those who look at the kept versions. */
  readonly reason: string;
  /** PARTIAL: what this server's own users make or write until the exchange stays as well. Absent: FULL. */
  readonly type?: SyncType;
  /** Wall time, milliseconds since 1970: names the kept version. */
  readonly at: number;
}

/** `not-allowed`: `mayChange` said no; staged, nothing was changed then, and file by file nothing more. */
export type CommitOutcome =
  /** `said`: what an operator is to hear of it besides. */
  | { readonly kind: 'done'; readonly kept: KeptVersion | null; readonly said?: string }
  | { readonly kind: 'not-allowed' };

/** Files of a plan, by what becomes of them. */
export interface Coming {
  /** Their contents come from the sender. */
  readonly fetched: readonly Entry[];
  /** For `keep`, and for `touch`: copies, where the disk has nothing better. */
  readonly kept: readonly Entry[];
  readonly touched: readonly Entry[];
}

/**
 * Carries out the steps of a plan, in its order. Two kinds: the whole tree staged and exchanged at once (`commit`), or file by file in the live
 * folder, each atomically. Nothing of it is seen in the live folder before `commit`.
 */
export interface Applier {
  folder(entry: Entry): void;
  /** Is as it shall be. False when the live file is not that any more. */
  keep(entry: Entry): boolean;
  /** Its content is right, permissions or time are not. False when the live file is not that any more. */
  touch(entry: Entry): boolean;
  link(entry: Entry): void;
  /** Is there and shall not be. */
  remove(entry: Entry): void;
  /** An older version whose parts may be of use: live, or begun by an interrupted sync. Closed by who asked. */
  basis(path: string): ContentFile | null;
  /** What an interrupted sync staged for this very entry, to be believed by its digest only. Closed by who asked. */
  left(entry: Entry): ContentFile | null;
  /** Takes over what `left` gave: its digest was compared. */
  takeLeft(entry: Entry): void;
  /**
   * This will be written. `null`: the disk has room for it, beside what is left to others; otherwise that is so when the slices have ended.
   * @throws Error ENOSPC when it has none: at once, or in a slice
   */
  roomFor(coming: Coming): Slices<true> | null;
  /** A whole small file at once: content that was compared with `entry.digest`. */
  put(entry: Entry, content: Uint8Array): void;
  /** A file in pieces. One at a time. */
  create(entry: Entry): ContentWriter;
  /** Makes everything durable and then changes the live folder: by the exchange, or file by file. */
  commit(): Promise<CommitOutcome>;
  /** Leaves the live folder as it is. What was staged stays for the next try. */
  abandon(): void;
}

export interface KeptVersion {
  readonly name: string;
  readonly at: number;
  readonly term: number;
  readonly reason: string;
  readonly files: number;
  readonly bytes: number;
  /** The first of them, for the log. */
  readonly paths: readonly string[];
}

/** The folder as its owner sees it: also written to. Commits, restores, `recover` and `discard` are done one after the other, in the order in which they were asked for. */
export interface RepositoryStore extends RepositoryFolder {
  /**
   * Ends what a crash interrupted; says what it did. Call before everything else. An absent folder is not made: the first exchange puts the whole tree in its
   * place. An empty one, be it for a path that is wrong, a disk that is not mounted or a first sync that never ended, would be what the other server's is made equal to.
   */
  recover(): Promise<readonly string[]>;
  /** `staged`: whole tree and exchange; the whole folder was scanned right before. `live`: file by file. */
  apply(mode: 'staged' | 'live', commit: Commit): Applier;
  /** How the folders are exchanged here. */
  readonly exchange: 'atomic' | 'two-renames';
  /**
   * Gives back the room that interrupted syncs take: what was staged is forgotten. Not while an applier is at work. Nothing happens while an exchange is to
   * be ended, since the stage can be the old tree then.
   */
  discard(): Promise<void>;
  kept(): KeptVersion[];
  /**
   * Brings back files of a kept version (all of them without `paths`), each atomically; what they replace is kept as well. Resolves to how many.
   * @throws LockstepError LOCKSTEP_REPOSITORY_KEPT when there is no such version or path, or none that a repository carries (rejects)
   */
  restore(name: string, paths: readonly string[] | null, commit: Commit): Promise<number>;
  /**
   * Writes the record of digests, when it changed. `restedMs`: only of files that nobody has touched for so long, since what the record says of a file must not
   * outlive a loss of power that the file does not.
   */
  save(restedMs?: number): void;
  readonly naming: Naming;
}
