import type { ServerId } from '../../../src/core/identity.js';
import type { ManagerConfig } from '../../../src/manager/config.js';

/** A primary's, with the times of the bundled profile. */
export const MANAGER_CONFIG = {
  server: 'primary' as ServerId, role: 'primary', peerServer: 'secondary' as ServerId, cluster: 'test', version: '1', lockFile: '/share/lock', pingIntervalMs: 500, pingMissLimit: 3,
  activeLockIntervalMs: 1_000, passiveLockIntervalMs: 2_500, peerWaitMs: 10_000, stallLimitMs: 2_000, brokerAnswerLimitMs: 3_000, brokerStartLimitMs: 600_000, keeperAnswerLimitMs: 4_500,
  taskLimitMs: 5_000, patienceMs: 7_500, stopLimitMs: 15_000, peerReplication: { host: '127.0.0.1', port: 1 }, clientEndpoints: [],
  repositories: { names: [], peer: { host: '127.0.0.1', port: 2 }, waitMs: 120_000, answerLimitMs: 60_000 }, historyMax: 10,
} as const satisfies ManagerConfig;
