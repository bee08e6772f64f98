import type { RunId } from '../core/identity.js';
import type { Cancel, Clock } from '../ports/clock.js';
import type { Hashing } from '../ports/hashing.js';
import type { Log } from '../ports/log.js';
import type { RepositoryStore } from '../ports/repository.js';
import type { Network } from '../ports/stream.js';
import type { RepositoryConfig, RepositoryKeeperConfig } from './config.js';
import type { ReceiverParts, ReceiverSession, SenderParts, SenderSession } from './session.js';

/** Hears of changes in a folder and everything below. */
export interface FolderWatch {
  /** What changed: folders, relative; `null`: look at everything. */
  readonly changed: (folders: readonly string[] | null) => void;
  /** Not every folder can be watched; said once. */
  readonly failed: (reason: string) => void;
}

/** What this server remembers of its repositories over restarts: the wall time of the last sync that went well, by name. */
export interface SyncMemory {
  load(): ReadonlyMap<string, number>;
  keep(times: ReadonlyMap<string, number>): void;
}

/** What the keeper works with. */
export interface KeeperTools {
  readonly config: RepositoryKeeperConfig;
  readonly run: RunId;
  readonly network: Network;
  readonly clock: Clock;
  readonly log: Log;
  readonly hashing: Hashing;
  readonly memory: SyncMemory;
  /** @throws LockstepError when the folder cannot be used */
  readonly open: (config: RepositoryConfig) => RepositoryStore;
  /** Watches what `exclude` does not leave out. */
  readonly watch: (path: string, exclude: readonly string[], watch: FolderWatch) => Cancel;
  readonly createSender: (parts: SenderParts) => SenderSession;
  readonly createReceiver: (parts: ReceiverParts) => ReceiverSession;
}

/** Whom the present, young order tells to receive from, and in which term. */
export type ReceiveAuthority = ReturnType<ReceiverParts['authority']>;
export type SendAuthority = ReturnType<SenderParts['authority']>;
