import type { Monotonic, RunId, ServerId, Term } from '../core/identity.js';
import type { Patterns, RepositorySettings, SyncType } from '../core/repository/entry.js';
import type { Clock } from '../ports/clock.js';
import type { Hashing } from '../ports/hashing.js';
import type { Log } from '../ports/log.js';
import type { RepositoryFolder, RepositoryStore } from '../ports/repository.js';
import type { Stream } from '../ports/stream.js';

/*
 * The two ends of the repository link, as the keeper sees them. Each is made for one stream that was dialled or accepted, and lives as long as it.
 */

export interface SessionIdentity {
  readonly cluster: string;
  readonly server: ServerId;
  /** This keeper's run. */
  readonly run: RunId;
}

export interface SenderParts {
  readonly stream: Stream;
  readonly hashing: Hashing;
  readonly identity: SessionIdentity;
  readonly clock: Clock;
  readonly log: Log;
  readonly folders: ReadonlyMap<string, RepositoryFolder>;
  /** What is asked of it waits until `wake`. */
  readonly isOpening: (repository: string) => boolean;
  /** The peer's run that may fetch, and the term that we serve in: as the present, young order has it; `null`: nobody may. Asked for every manifest, every slice of content and every `end`. */
  readonly authority: () => { readonly peer: { readonly server: ServerId; readonly run: RunId }; readonly term: Term } | null;
  /** Bytes that may leave now, and taking them: the throttle of a repository. Infinity without one. */
  readonly allowance: (repository: string) => number;
  readonly sent: (repository: string, bytes: number) => void;
  /** What this server's profile says of its repositories: told to each receiver. */
  readonly settings: readonly RepositorySettings[];
  /**
   * The receiver tells how a sync went; for status and log of this server. `wholeSince`: when it asked for the whole tree that the report is about, by the
   * monotonic clock; `null` when it asked for single folders only. Of what failed and was not begun: now.
   */
  readonly reported: (report: SyncReport, wholeSince: Monotonic | null) => void;
  readonly closed: (reason: string) => void;
}

export interface SenderSession {
  /** Tells the receiver that something changed, or that an operator asks for something. */
  hint(hint: SyncHint): void;
  /** The allowance may have grown, or a folder was opened. */
  wake(): void;
  /** Says why and closes. */
  refuse(reason: string): void;
}

/** What the sender suggests to the receiver. */
export interface SyncHint {
  readonly repository: string;
  readonly purpose: SyncPurpose;
  /** Folders in which something changed; `null`: look at everything. */
  readonly folders: readonly string[] | null;
}

/** `sync` applies; `diff` says what would change; `verify` compares all digests, read on both sides. */
export type SyncPurpose = 'sync' | 'diff' | 'verify';

export interface SyncRequest {
  readonly repository: string;
  readonly type: SyncType;
  readonly purpose: SyncPurpose;
  /** Read every file instead of believing what is recorded. */
  readonly checksum: boolean;
  /** `null`: the whole tree, staged and exchanged. Otherwise these folders, file by file. */
  readonly folders: readonly string[] | null;
  /** For the kept version. */
  readonly reason: string;
  /** Which paths belong to the repository; absent: as this server's profile has it. */
  readonly patterns?: Patterns;
}

export interface SyncProgress {
  readonly phase: 'scanning' | 'comparing' | 'copying' | 'verifying' | 'exchanging';
  readonly filesDone: number;
  readonly filesTotal: number;
  readonly bytesDone: number;
  readonly bytesTotal: number;
  readonly wireBytes: number;
  readonly elapsedMs: number;
}

export interface SyncDifference {
  readonly path: string;
  /** `content`: bytes differ. `meta`: only permissions or time. `kind`: a file here, a folder there. */
  readonly what: 'missing' | 'extra' | 'content' | 'meta' | 'kind';
}

export interface SyncReport {
  readonly repository: string;
  readonly purpose: SyncPurpose;
  readonly outcome: 'same' | 'changed' | 'differs' | 'failed';
  /** Why it failed, with what an operator can do; of one that went well what else is worth knowing: what PARTIAL leaves as it is. */
  readonly detail: string | null;
  readonly files: number;
  readonly bytes: number;
  readonly wireBytes: number;
  readonly elapsedMs: number;
  /** Name of the kept version; `null` when nothing was replaced. */
  readonly kept: string | null;
  /** The first 1,000, and how many there are in all. `diff`, `verify` and NO only. */
  readonly differences: readonly SyncDifference[];
  readonly differencesTotal: number;
  /** Sockets, pipes, devices, links to the outside … in what the sync was about of the sender's folder, each with what it is: the first 1,000. */
  readonly leftOut: readonly string[];
}

export interface ReceiverParts {
  readonly stream: Stream;
  readonly hashing: Hashing;
  /** The sender's run that this link was dialled for. */
  readonly senderRun: RunId;
  readonly identity: SessionIdentity;
  readonly clock: Clock;
  readonly log: Log;
  readonly stores: ReadonlyMap<string, RepositoryStore>;
  /** Whom the present, young order tells us to receive from; `null`: nobody. Asked for every frame that carries a term and before every change of a live folder. */
  readonly authority: () => { readonly from: { readonly server: ServerId; readonly run: RunId }; readonly term: Term; readonly fencedThrough: Term } | null;
  readonly hinted: (hint: SyncHint) => void;
  /** Before `ready`: what the sender's profile says of its repositories. */
  readonly told: (settings: readonly RepositorySettings[]) => void;
  /** The conversation has begun: syncs may be asked for. */
  readonly ready: () => void;
  readonly finished: (report: SyncReport) => void;
  readonly closed: (reason: string) => void;
}

export interface ReceiverSession {
  /** Begins a sync. One at a time: asserts that none is under way. */
  sync(request: SyncRequest): void;
  /** Tells the sender that what it hinted at cannot be begun. */
  tell(report: SyncReport): void;
  /** Drops the sync under way, if there is one; the live folder stays as it is. `finished` is called with `failed`. */
  cancel(reason: string): void;
  readonly progress: (SyncProgress & { readonly repository: string }) | null;
  close(reason: string): void;
}
