import type { BrokerLimits } from '../../src/core/broker/limits.js';
import type { Endpoint } from '../../src/core/control/broker.js';
import type { Hello } from '../../src/core/control/peer.js';
import type { RunId, ServerId } from '../../src/core/identity.js';
import type { ManagerConfig } from '../../src/manager/config.js';
import { DEFAULT_BROKER_TUNING, linkTimes, type BrokerConfig, type BrokerTuning } from '../../src/server/config.js';
import { JOURNAL_DEFAULTS, type JournalOptions } from '../../src/server/journal/options.js';
import type { BrokerProcessConfig } from '../../src/server/process-config.js';
import type { KeeperConfig } from '../../src/share/config.js';
import type { HostName } from './faults.js';

const CLUSTER = 'simulated';
const LOCK_FILE_NAME = 'lockstep.lock';

/** The bundled profile's times, milliseconds. A pair of another pace has all of them so many times as long, as an operator may want it. */
const PING_INTERVAL_MS = 500;
const PING_MISS_LIMIT = 3;
const STALL_LIMIT_MS = 2_000;
const ACTIVE_LOCK_INTERVAL_MS = 1_000;
const PASSIVE_LOCK_INTERVAL_MS = 2_500;

const PORTS = {
  primary: { client: 1883, backchannel: 2101, replication: 2102 },
  secondary: { client: 1884, backchannel: 2201, replication: 2202 },
} as const;

export const LIMITS: BrokerLimits = {
  inflightMessagesMax: 20,
  sessionsMax: 100,
  subscriptionsPerSessionMax: 50,
  queuedMessagesPerSessionMax: 20_000,
  storedBytesMax: 64 * 1024 * 1024,
  retainedMessagesMax: 1_000,
};

/** What both profiles say and an operator may change, while neither server runs. */
export interface PairSettings {
  limits: BrokerLimits;
  durability: Durability;
  /** How many faults keep each host's brokers from starting. */
  readonly unable: Record<HostName, number>;
}

export type Durability = BrokerProcessConfig['durability'];

/** What a seed has of its own among the brokers' limits. */
export interface SeedTuning extends Pick<BrokerTuning, 'payloadCacheBytes' | 'snapshotEveryRecords'> {
  readonly journal: Pick<JournalOptions, 'segmentBytes' | 'indexEveryBytes' | 'readHandlesMax'>;
}

export const PLAIN_TUNING: SeedTuning = { payloadCacheBytes: 32 * 1024, snapshotEveryRecords: 400, journal: { segmentBytes: 24 * 1024, indexEveryBytes: JOURNAL_DEFAULTS.indexEveryBytes, readHandlesMax: JOURNAL_DEFAULTS.readHandlesMax } };

export const otherHost = (name: HostName): HostName => (name === 'primary' ? 'secondary' : 'primary');

export function clientEndpoint(name: HostName): Endpoint {
  return { host: name, port: PORTS[name].client };
}

/** A host's name on the network for its backchannel: a way of its own, so that it can be cut while the replication link stands. */
export function backchannelHost(name: HostName): string {
  return `${name}-ha`;
}

export function backchannelEndpoint(name: HostName): Endpoint {
  return { host: backchannelHost(name), port: PORTS[name].backchannel };
}

export function replicationEndpoint(name: HostName): Endpoint {
  return { host: name, port: PORTS[name].replication };
}

export function backchannelHello(name: HostName, run: RunId): Hello {
  return { cluster: CLUSTER, server: name as ServerId & HostName, role: name, run, version: '0.0.0-simulated', settings: {}, advisedSettings: {} };
}

export function managerConfig(name: HostName, pace = 1): ManagerConfig {
  return {
    server: name as ServerId & HostName,
    role: name,
    peerServer: otherHost(name) as ServerId & HostName,
    cluster: CLUSTER,
    version: '0.0.0-simulated',
    lockFile: `/share/${LOCK_FILE_NAME}`,
    pingIntervalMs: PING_INTERVAL_MS * pace,
    pingMissLimit: PING_MISS_LIMIT,
    activeLockIntervalMs: ACTIVE_LOCK_INTERVAL_MS * pace,
    passiveLockIntervalMs: PASSIVE_LOCK_INTERVAL_MS * pace,
    peerWaitMs: 10_000 * pace,
    stallLimitMs: STALL_LIMIT_MS * pace,
    brokerAnswerLimitMs: 3_000 * pace,
    brokerStartLimitMs: 30_000,
    keeperAnswerLimitMs: 3_000 * pace,
    taskLimitMs: 5_000 * pace,
    patienceMs: 7_000 * pace,
    stopLimitMs: 8_000 * pace,
    peerReplication: replicationEndpoint(otherHost(name)),
    clientEndpoints: [`mqtt://${name}:${PORTS[name].client}`],
    repositories: { names: [], peer: replicationEndpoint(otherHost(name)), waitMs: 120_000, answerLimitMs: 60_000 },
    historyMax: 50,
  };
}

export function keeperConfig(name: HostName, pace = 1): KeeperConfig {
  return {
    server: name as ServerId & HostName,
    cluster: CLUSTER,
    user: 'uid 0',
    lockFile: `/share/${LOCK_FILE_NAME}`,
    pingIntervalMs: PING_INTERVAL_MS * pace,
    activeLockIntervalMs: ACTIVE_LOCK_INTERVAL_MS * pace,
    passiveLockIntervalMs: PASSIVE_LOCK_INTERVAL_MS * pace,
    operationDeadlineMs: 2_000 * pace,
    pulseLimitMs: PING_INTERVAL_MS * PING_MISS_LIMIT * pace,
  };
}

export function brokerConfig(name: HostName, pace = 1, { limits }: Pick<PairSettings, 'limits'> = { limits: LIMITS }, tuning = PLAIN_TUNING): BrokerConfig {
  return {
    cluster: CLUSTER,
    server: name as ServerId & HostName,
    replicationListen: replicationEndpoint(name),
    replicationSecured: false,
    tickMs: (PING_INTERVAL_MS * pace) / 2,
    pulseLimitMs: PING_INTERVAL_MS * PING_MISS_LIMIT * pace,
    limits,
    tuning: {
      ...DEFAULT_BROKER_TUNING,
      ...linkTimes(PING_INTERVAL_MS * pace, STALL_LIMIT_MS * pace),
      // Small, so that two minutes see snapshots, copies in several chunks, and payloads that are read back.
      snapshotEveryBytes: 256 * 1024,
      // Some states are captured, some are built a second time.
      snapshotCapturedItemsMax: 60,
      chunkBytes: 8 * 1024,
      recentBytesMax: 16 * 1024,
      ...tuning,
      orphanGraceMs: 4_000,
      journal: { ...tuning.journal, groupBytes: 4 * 1024, hurryBytes: 400, preallocate: false },
    },
  };
}

/** After so long without a word a replication link is made anew, with the bundled times. */
export function replicationSilenceMs(): number {
  return linkTimes(PING_INTERVAL_MS, STALL_LIMIT_MS).linkSilenceMs;
}

export const LOCK_FILE = LOCK_FILE_NAME;
