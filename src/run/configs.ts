import path from 'node:path';
import { showEndpoint } from '../adapters/network-errors.js';
import { userOfProcess } from '../adapters/process-identity.js';
import type { Endpoint } from '../core/control/broker.js';
import type { RunId } from '../core/identity.js';
import type { LogOptions } from '../log/log.js';
import type { BackchannelOptions } from '../manager/backchannel.js';
import type { ManagerConfig } from '../manager/config.js';
import { settingsThatMustAgree, settingsThatShouldAgree } from '../profile/agree.js';
import type { Profile } from '../profile/profile.js';
import { MQTT_LIMITS_DEFAULT } from '../protocols/mqtt/limits.js';
import { DEFAULT_BROKER_TUNING, linkTimes } from '../server/config.js';
import { JOURNAL_DEFAULTS } from '../server/journal/options.js';
import type { RepositoryKeeperConfig } from '../repository/config.js';
import type { BrokerProcessConfig } from '../server/process-config.js';
import type { KeeperConfig } from '../share/config.js';

/**
 * An order is a pulse, too: sent each pingInterval. Older than this, the broker acknowledges nothing and the keeper
 * renews nothing: a manager that is frozen keeps no authority.
 */
export function pulseLimitMs(profile: Profile): number {
  return Math.max(1_000, 3 * profile.ha.pingInterval);
}

/** It works in slices of milliseconds; a single call that takes longer than this hangs. */
const REPOSITORY_ANSWER_MS = 60_000;

/** A healthy share answers in milliseconds; one that takes longer than the holder's whole lease is as good as hung. */
export function shareDeadlineMs(profile: Profile): number {
  return Math.max(1_000, profile.ha.passiveLockAcquisitionInterval);
}

export function repositoryKeeperConfig(profile: Profile, used: readonly string[]): RepositoryKeeperConfig {
  const { ha, server, data, repositories } = profile;
  return {
    cluster: server.cluster,
    server: server.id,
    listen: { host: ha.host, port: ha.repositoryPort },
    secretFile: ha.secretFile,
    folder: path.join(data.folder, 'repositories'),
    pulseLimitMs: pulseLimitMs(profile),
    repositories: repositories.all.map(({ name, path: at, syncType, include, exclude, when, schedule, throttle, keptVersions }) => ({
      name, path: at, syncType, include, exclude, when, schedule, throttle, keptVersions, used: used.includes(name),
    })),
  };
}

/** `repositories`: names of those that are in use (`repositoriesInUse`). */
export function managerConfig(profile: Profile, version: string, repositories: readonly string[]): ManagerConfig {
  const { ha, server } = profile;
  return {
    server: server.id,
    role: server.role,
    peerServer: server.peerId,
    cluster: server.cluster,
    version,
    lockFile: ha.lockFile,
    pingIntervalMs: ha.pingInterval,
    pingMissLimit: ha.pingMissLimit,
    activeLockIntervalMs: ha.effectiveActiveLockInterval,
    passiveLockIntervalMs: ha.passiveLockAcquisitionInterval,
    peerWaitMs: ha.peerWait,
    stallLimitMs: ha.stallLimit,
    brokerAnswerLimitMs: Math.max(3_000, 6 * ha.pingInterval),
    brokerStartLimitMs: 10 * 60_000,
    keeperAnswerLimitMs: shareDeadlineMs(profile) + 2 * ha.effectiveActiveLockInterval,
    taskLimitMs: Math.max(5_000, 2 * ha.stallLimit),
    patienceMs: shareDeadlineMs(profile) + 2 * ha.passiveLockAcquisitionInterval,
    stopLimitMs: 15_000,
    peerReplication: { host: profile.peer.backupHaIpAddress, port: profile.peer.backupReplicationPort },
    clientEndpoints: clientEndpoints(profile),
    repositories: {
      names: repositories,
      peer: { host: profile.peer.backupHaIpAddress, port: profile.peer.backupRepositoryPort },
      waitMs: ha.repositoryWait,
      answerLimitMs: REPOSITORY_ANSWER_MS,
    },
    historyMax: 100,
  };
}

/** The plain one first, then the one with TLS. */
export function clientEndpoints(profile: Profile): string[] {
  const { mqtt } = profile;
  const at = (port: number): string => showEndpoint({ host: mqtt.advertisedHost, port });
  return mqtt.tlsPort === null ? [at(mqtt.port)] : [at(mqtt.port), at(mqtt.tlsPort)];
}

export function keeperConfig(profile: Profile): KeeperConfig {
  const { ha, server } = profile;
  return {
    server: server.id,
    cluster: server.cluster,
    user: userOfProcess(),
    lockFile: ha.lockFile,
    pingIntervalMs: ha.pingInterval,
    activeLockIntervalMs: ha.effectiveActiveLockInterval,
    passiveLockIntervalMs: ha.passiveLockAcquisitionInterval,
    operationDeadlineMs: shareDeadlineMs(profile),
    pulseLimitMs: pulseLimitMs(profile),
  };
}

/** Where clients go next. */
export function nextServer({ peer }: Profile): string {
  return showEndpoint({ host: peer.backupServerIp, port: peer.backupServerPort });
}

export function backchannelOptions(profile: Profile, version: string, run: RunId): BackchannelOptions {
  const { ha, peer, server } = profile;
  return {
    hello: { cluster: server.cluster, server: server.id, role: server.role, run, version, settings: settingsThatMustAgree(profile), advisedSettings: settingsThatShouldAgree(profile) },
    expectedPeer: server.peerId,
    listenAt: { host: ha.host, port: ha.port },
    peerAt: { host: peer.backupHaIpAddress, port: peer.backupHaPort },
    pingIntervalMs: ha.pingInterval,
    missLimit: ha.pingMissLimit,
    handshakeTimeoutMs: 5_000,
  };
}

export function gatewayEndpoint({ ha }: Profile): Endpoint {
  return { host: ha.gatewayServerIpAddress, port: ha.gatewayServerPort };
}

export function logOptions({ server, log }: Profile): LogOptions {
  return { server: server.id, folder: log.folder, console: 'text', level: log.level, fileBytesMax: log.fileBytesMax, files: log.files };
}

/** Clients are stopped by `limits.unadmittedBytesMax`; the journal's own limit must lie beyond what they can have sent by then. */
function pendingBytesMax({ limits }: Profile): number {
  return Math.max(JOURNAL_DEFAULTS.pendingBytesMax, 2 * limits.unadmittedBytesMax);
}

export function brokerConfig(profile: Profile): BrokerProcessConfig {
  const { server, ha, data, limits, mqtt } = profile;
  const { unadmittedBytesMax, ...brokerLimits } = limits;
  return {
    broker: {
      cluster: server.cluster,
      server: server.id,
      replicationListen: { host: ha.host, port: ha.replicationPort },
      replicationSecured: ha.secretFile !== null,
      tickMs: ha.pingInterval / 2,
      pulseLimitMs: pulseLimitMs(profile),
      limits: brokerLimits,
      tuning: {
        ...DEFAULT_BROKER_TUNING,
        unadmittedBytesMax,
        payloadCacheBytes: data.payloadCacheBytes,
        snapshotEveryBytes: data.snapshotEveryBytes,
        orphanGraceMs: mqtt.failoverGrace,
        ...linkTimes(ha.pingInterval, ha.stallLimit),
        journal: { segmentBytes: data.segmentBytes, pendingBytesMax: pendingBytesMax(profile) },
      },
    },
    folder: path.join(data.folder, 'broker'),
    durability: data.durability,
    secretFile: ha.secretFile,
    clients: {
      host: mqtt.host,
      port: mqtt.port,
      tls:
        mqtt.tlsPort === null || mqtt.tlsCertificateFile === null || mqtt.tlsKeyFile === null
          ? null
          : { port: mqtt.tlsPort, certFile: mqtt.tlsCertificateFile, keyFile: mqtt.tlsKeyFile },
      usersFile: mqtt.usersFile,
      connectionsMax: mqtt.connectionsMax,
      mqtt: {
        ...MQTT_LIMITS_DEFAULT,
        packetBytesMax: mqtt.packetBytesMax,
        connectTimeoutMs: mqtt.connectTimeout,
        outgoingBytesMax: mqtt.outgoingBytesPerClientMax,
        stalledReaderMs: mqtt.stalledReaderLimit,
      },
    },
  };
}
