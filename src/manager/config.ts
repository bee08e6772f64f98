import type { ConfiguredRole, ServerId } from '../core/identity.js';
import type { Endpoint } from '../core/control/broker.js';

/** What the HA manager needs of a profile. All times in milliseconds. */
export interface ManagerConfig {
  readonly server: ServerId;
  readonly role: ConfiguredRole;
  readonly peerServer: ServerId;
  readonly cluster: string;
  readonly version: string;
  readonly lockFile: string;
  readonly pingIntervalMs: number;
  /** Heartbeats that may be missed before the peer counts as silent. */
  readonly pingMissLimit: number;
  readonly activeLockIntervalMs: number;
  readonly passiveLockIntervalMs: number;
  readonly peerWaitMs: number;
  readonly stallLimitMs: number;
  /** A broker that has answered once and then gives no status for this long is killed and started again. */
  readonly brokerAnswerLimitMs: number;
  /** A broker that gives no first status for this long (it reads its journal) is killed and started again. */
  readonly brokerStartLimitMs: number;
  readonly keeperAnswerLimitMs: number;
  /** How long a switchover may drain, and how long a doubtful admission may stay open, before it is dropped or settled. */
  readonly taskLimitMs: number;
  /**
   * How long a takeover that is held up (a share that gives no answer, a lock that is not stale yet) may go on trying before the server is WAITING. More than a share
   * operation may take and the watching of a lock after it, less than makes a peer that has come back wait in vain.
   */
  readonly patienceMs: number;
  /** How long a stop may wait for a switchover before it goes on without. */
  readonly stopLimitMs: number;
  /** Where the peer's broker listens for ours. */
  readonly peerReplication: Endpoint;
  readonly clientEndpoints: readonly string[];
  readonly repositories: RepositoriesConfig;
  /** Moves kept for the status page; older ones are forgotten. */
  readonly historyMax: number;
}

export interface RepositoriesConfig {
  /** What this server has and would send. */
  readonly names: readonly string[];
  /** Where the peer's repository keeper listens for ours. */
  readonly peer: Endpoint;
  /** How long the peer's repositories may hold up its admission, from when its messages were first in step. */
  readonly waitMs: number;
  /** A keeper that gives no status for this long is killed and started again. */
  readonly answerLimitMs: number;
}

export function silenceLimitMs(config: ManagerConfig): number {
  return config.pingIntervalMs * config.pingMissLimit;
}
