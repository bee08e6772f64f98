import type { Endpoint } from '../core/control/broker.js';
import type { ServerId } from '../core/identity.js';
import type { SyncType } from '../core/repository/entry.js';

/** When a repository is synced by the clock. */
export type RepositorySchedule = { readonly kind: 'interval'; readonly ms: number } | { readonly kind: 'cron'; readonly expression: string };

export interface RepositoryConfig {
  readonly name: string;
  /** Absolute. */
  readonly path: string;
  readonly syncType: SyncType;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly when: 'join' | 'continuous' | 'schedule';
  /** With `when: schedule` only. */
  readonly schedule: RepositorySchedule | null;
  /** Bytes a second that may leave this server; `null`: no limit. */
  readonly throttle: number | null;
  /** Kept versions to hold. */
  readonly keptVersions: number;
  /** False: at its default place, and not there. It is received when the peer has it, and never sent. */
  readonly used: boolean;
}

/** Everything that the repository keeper is told by the HA manager that starts it: plain data, as JSON in its first argument. */
export interface RepositoryKeeperConfig {
  readonly cluster: string;
  readonly server: ServerId;
  readonly listen: Endpoint;
  /** Shared secret of the pair; `null`: plain TCP, on loopback alone. */
  readonly secretFile: string | null;
  /** The keeper's own folder on this server's disk, for what it remembers. Absolute. */
  readonly folder: string;
  /** Folders are changed, and the end of a sync is said, only on an order younger than this. */
  readonly pulseLimitMs: number;
  readonly repositories: readonly RepositoryConfig[];
}
