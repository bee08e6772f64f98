import type { Monotonic, RunId, ServerId, Term } from '../identity.js';
import type { SyncType } from '../repository/entry.js';
import type { Endpoint } from './broker.js';

/*
 * What the HA manager and the repository keeper say to each other: an order and a status, as with the other two children. The keeper is the only process
 * that touches repositories. It may hang; then the manager kills it and starts another, and nothing of it is waited for by messages or roles.
 */

/** Touches nothing. */
export interface IdleRepositories {
  readonly kind: 'idle';
}

/** Lets that run of the peer's keeper fetch. */
export interface SendRepositories {
  readonly kind: 'send';
  /** The term that this server serves in. */
  readonly term: Term;
  readonly to: { readonly server: ServerId; readonly run: RunId };
}

/** Fetches from that run of the peer's keeper, and changes the folders here. */
export interface ReceiveRepositories {
  readonly kind: 'receive';
  /** The term that is followed. Refused when it is not above `fenceThrough`. */
  readonly term: Term;
  readonly from: { readonly server: ServerId; readonly run: RunId; readonly endpoint: Endpoint; /** What the peer has. */ readonly names: readonly string[] };
}

export type RepositoryRole = IdleRepositories | SendRepositories | ReceiveRepositories;

/** What an operator asks of one repository. */
export type RepositoryWish =
  | { readonly ask: 'sync' | 'diff' | 'verify'; /** Read every file on both servers, whatever is recorded of it. */ readonly checksum: boolean }
  /** Bring back a kept version: all of it without `paths`. */
  | { readonly ask: 'restore'; readonly version: string; readonly paths: readonly string[] | null };

/** `id` is one wish, however often it is ordered. */
export type NumberedWish = RepositoryWish & { readonly id: number; readonly repository: string };

export interface RepositoryOrder {
  readonly seq: number;
  /** A folder is changed, and the end of a sync is said, only while this is younger than the pulse limit. */
  readonly pulseAt: Monotonic;
  /** What a sender says in this term or an older one is refused. Never decreases. */
  readonly fenceThrough: Term;
  readonly role: RepositoryRole;
  /** Those without an answer yet. */
  readonly wishes: readonly NumberedWish[];
  /** Clients' messages are written on this server now: a sync gives way to them. */
  readonly messagesFlow: boolean;
  readonly shutdown: boolean;
}

export interface RepositoryProgress {
  readonly phase: 'scanning' | 'comparing' | 'copying' | 'verifying' | 'exchanging';
  readonly filesDone: number;
  readonly filesTotal: number;
  readonly bytesDone: number;
  readonly bytesTotal: number;
  /** Bytes that came over the link. */
  readonly wireBytes: number;
  readonly elapsedMs: number;
}

/**
 * `unused`: at its default place, and not there on either server. `idle`: nothing is received here. `waiting`: to be received, and the sender is not reached
 * yet. `syncing`: the first sync from this sender is under way. `in-sync`, `failed`: how the last sync from this sender ended.
 */
export type RepositoryCondition = 'unused' | 'idle' | 'waiting' | 'syncing' | 'in-sync' | 'failed';

export interface RepositoryView {
  readonly name: string;
  readonly path: string;
  readonly syncType: SyncType;
  readonly when: 'join' | 'continuous' | 'schedule';
  readonly condition: RepositoryCondition;
  /** Why it failed or waits, with what an operator can do; or what else is worth knowing (a difference with NO). */
  readonly detail: string | null;
  /** Wall time since which `condition` is so; milliseconds since 1970. */
  readonly since: number;
  /** Wall time of the end of the last sync that went well, from whomever; `null`: none in this run of the keeper, nor remembered. */
  readonly syncedAt: number | null;
  /** Of the sync under way. */
  readonly progress: RepositoryProgress | null;
  /** How folders are exchanged here; `null` before it was opened. */
  readonly exchange: 'atomic' | 'two-renames' | null;
  /** Names of the kept versions, newest first, at most KEPT_SHOWN_MAX. */
  readonly kept: readonly string[];
}

export const KEPT_SHOWN_MAX = 100;

export interface RepositoryDifference {
  readonly path: string;
  readonly what: 'missing' | 'extra' | 'content' | 'meta' | 'kind';
}

/** How a wish ended. */
export interface WishAnswer {
  readonly id: number;
  readonly outcome: 'same' | 'changed' | 'differs' | 'failed';
  readonly detail: string | null;
  readonly files: number;
  readonly bytes: number;
  readonly wireBytes: number;
  readonly elapsedMs: number;
  readonly kept: string | null;
  readonly differences: readonly RepositoryDifference[];
  readonly differencesTotal: number;
}

export interface RepositoryStatus {
  readonly run: RunId;
  readonly orderSeq: number;
  /** Bound, and able to send. */
  readonly listening: boolean;
  /** What keeps the whole keeper from its work (a port that is taken); `null` when well. */
  readonly trouble: string | null;
  /** The peer's run that the conditions are about: of the present order to receive; else `null`. */
  readonly from: RunId | null;
  readonly repositories: readonly RepositoryView[];
  /** To wishes that are still ordered. */
  readonly answers: readonly WishAnswer[];
}

export type ManagerToRepositoryKeeper = { readonly kind: 'order'; readonly order: RepositoryOrder };
export type RepositoryKeeperToManager =
  | { readonly kind: 'status'; readonly status: RepositoryStatus }
  | { readonly kind: 'log'; readonly level: 'error' | 'warn' | 'info' | 'debug'; readonly message: string; readonly fields?: Record<string, unknown> }
  | { readonly kind: 'fatal'; readonly code: string; readonly message: string };
