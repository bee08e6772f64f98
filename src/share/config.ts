import type { ServerId } from '../core/identity.js';

/** What a share keeper is started with. */
export interface KeeperConfig {
  readonly server: ServerId;
  readonly cluster: string;
  /** Who this server is to the file system, for messages: `uid 1000`. */
  readonly user: string;
  /** Absolute path of the lockfile. */
  readonly lockFile: string;
  readonly pingIntervalMs: number;
  /** ActiveLockReAcquistionInterval: how often the holder renews, and a contender tries. */
  readonly activeLockIntervalMs: number;
  /** PassiveLockAcquistionInterval: how long a heartbeat must stand still before the lock counts as abandoned. */
  readonly passiveLockIntervalMs: number;
  /** An operation on the share that takes longer is reported as hung; the manager then kills this process. */
  readonly operationDeadlineMs: number;
  /** The lock is renewed, and terms are claimed, only on an order younger than this. */
  readonly pulseLimitMs: number;
}
