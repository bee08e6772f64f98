import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunId } from '../../../src/core/identity.js';
import { RECORD_PAYLOAD_BYTES_MAX } from '../../../src/core/journal/envelope.js';
import { SECTIONS } from '../../../src/profile/keys.js';
import { parseProfile } from '../../../src/profile/load.js';
import type { Profile } from '../../../src/profile/profile.js';
import { repositoriesInUse } from '../../../src/profile/repositories.js';
import { applyRules } from '../../../src/profile/rules.js';
import { JOURNAL_DEFAULTS } from '../../../src/server/journal/options.js';
import { backchannelOptions, brokerConfig, clientEndpoints, gatewayEndpoint, keeperConfig, logOptions, managerConfig, nextServer, repositoryKeeperConfig } from '../../../src/run/configs.js';

type Values = Record<string, Record<string, unknown>>;

const BASE: Values = {
  server: { cluster: 'one', role: 'primary' },
  mqtt: { tlsPort: 8883, tlsCertificateFile: 'cert', tlsKeyFile: 'key', usersFile: 'users' },
  peer: { backupHaIpAddress: '127.0.0.1', backupServerPort: 1884, backupHaPort: 2201, backupReplicationPort: 2202 },
  ha: { lockFile: 'share/lck', gatewayServerIpAddress: '127.0.0.1', secretFile: 'secret' },
  data: { folder: 'data' },
};

/** Another value for each key, as unlike the one in BASE or the default as the rules allow. */
const OTHER: Values = {
  server: { cluster: 'two', role: 'secondary' },
  mqtt: {
    host: '0.0.0.0', port: 1999, advertisedHost: 'broker.example', usersFile: 'others', allowAnyoneOnTheNetworkWithoutPassword: true, tlsPort: 8899, tlsCertificateFile: 'cert2', tlsKeyFile: 'key2',
    connectionsMax: 77, packetBytesMax: '2MiB', connectTimeout: '7s', outgoingBytesPerClientMax: '1MiB', stalledReaderLimit: '77s', failoverGrace: '77s',
  },
  peer: { backupServerIp: '127.0.0.9', backupServerPort: 1999, backupHaIpAddress: '127.0.0.9', backupHaPort: 2999, backupReplicationPort: 2998, backupRepositoryPort: 2997, backupAdminPort: 8999 },
  ha: {
    host: '127.0.0.7', port: 2777, replicationPort: 2778, repositoryPort: 2779, secretFile: 'secret2', lockFile: 'share/other', gatewayServerIpAddress: '127.0.0.8', gatewayServerPort: 777, pingInterval: '250ms', pingMissLimit: 9,
    activeLockReacquisitionInterval: '500ms', passiveLockAcquisitionInterval: '7s', peerWait: '77s', stallLimit: '7s', repositoryWait: '77s',
  },
  data: { folder: 'elsewhere', durability: 'bothWithoutDiskSync', segmentBytes: '7MiB', snapshotEveryBytes: '77MiB', payloadCacheBytes: '7MiB' },
  limits: { inflightMessagesMax: 7, sessionsMax: 7, subscriptionsPerSessionMax: 7, queuedMessagesPerSessionMax: 7, storedBytesMax: '7MiB', retainedMessagesMax: 7, unadmittedBytesMax: '7MiB' },
  admin: { host: '127.0.0.7', port: 8777, tokenFile: 'token' },
  log: { level: 'debug', folder: 'logs', fileBytesMax: '1MiB', files: 3 },
  repositories: {
    applicationRepositoryPath: 'apps', componentRepositoryPath: 'parts', fpsRepositoryPath: 'configurations', applicationSyncType: 1, componentSyncType: 'NO',
    folders: { reports: { path: 'reports', include: ['*.csv'] }, peers: { throttle: '1MiB', keptVersions: 9 } },
  },
};

/** Keys with no effect on a server, and why that is right. */
const NOT_FOR_SERVERS: Readonly<Record<string, string>> = {
  'peer.backupAdminPort': 'lockstep check asks there (test/integration/trouble-check.test.ts)',
  'repositories.primaryUrl': 'checked now, acted on by a later version',
  'repositories.backupUrls': 'checked now, acted on by a later version',
};

function profileOf(values: Values): Profile {
  return parseProfile(JSON.stringify(values), '/etc/lockstep/lockstep.yaml').profile;
}

function withOther(section: string, key: string): Profile {
  const value = OTHER[section]?.[key];
  if (value === undefined) throw new Error(`a key without another value: add ${section}.${key} to this test`);
  const changed = structuredClone(BASE);
  changed[section] = { ...changed[section], [key]: value };
  // Alone it would be refused; only the warning that comes with it is its effect.
  if (key === 'allowAnyoneOnTheNetworkWithoutPassword') changed['mqtt'] = { host: '0.0.0.0', [key]: true };
  return profileOf(changed);
}

/** Everything that a server is started with, and nothing that is only compared with the peer. */
function effects(profile: Profile): string {
  const { hello, ...backchannel } = backchannelOptions(profile, '1', 'run' as RunId);
  return JSON.stringify({
    manager: managerConfig(profile, '1', repositoriesInUse(profile)), repositories: repositoryKeeperConfig(profile, repositoriesInUse(profile)), keeper: keeperConfig(profile), broker: brokerConfig(profile), backchannel, id: [hello.cluster, hello.server, hello.role],
    gateway: gatewayEndpoint(profile), log: logOptions(profile), admin: profile.admin, clients: [clientEndpoints(profile), nextServer(profile)], rules: applyRules(profile).map(({ text }) => text),
  });
}

const keys = Object.entries(SECTIONS).flatMap(([section, table]) => Object.keys(table).map((key) => [section, key] as const));

test.each(keys.filter(([section, key]) => NOT_FOR_SERVERS[`${section}.${key}`] === undefined))('%s.%s changes what a server is started with', (section, key) => {
  expect(effects(withOther(section, key))).not.toBe(effects(profileOf(BASE)));
});

/** Names of all values in a configuration, those of inner objects too. */
function leaves(value: unknown): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
  return Object.entries(value).flatMap(([name, inner]) => [name, ...leaves(inner)]);
}

function sources(...folders: string[]): string {
  const read = (folder: string): string[] =>
    readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return read(path);
      // Where a setting is only declared or given its default, it is not used.
      return /(^|-)(config|limits|options)\.ts$/.test(entry.name) ? [] : [readFileSync(path, 'utf8')];
    });
  return folders.flatMap(read).join('\n');
}

test.each([
  ['share keeper', keeperConfig(profileOf(BASE)), ['src/share']],
  ['repository keeper', repositoryKeeperConfig(profileOf(BASE), []), ['src/repository']],
  ['broker', brokerConfig(profileOf(BASE)), ['src/server', 'src/protocols', 'src/core/broker']],
])('whatever the %s is started with is read there', (_name, config, folders) => {
  const text = sources(...folders);
  expect(text.length).toBeGreaterThan(1_000);
  const unread = [...new Set(leaves(config))].filter((name) => !new RegExp(`[.{,(\\s]${name}\\b`).test(text));
  expect(unread).toEqual([]);
});

test('the longest packet that may be allowed fits a record, with what the record holds beside it', () => {
  const [, largest] = /to (\d+)MiB/.exec(SECTIONS['mqtt']?.['packetBytesMax']?.allowed ?? '') ?? [];
  expect(Number(largest) * 1024 * 1024 + 128 * 1024).toBeLessThanOrEqual(RECORD_PAYLOAD_BYTES_MAX);
});

test('clients are held back before the journal refuses: its limit lies beyond limits.unadmittedBytesMax', () => {
  const pending = (unadmittedBytesMax: string): number => brokerConfig(profileOf({ ...BASE, limits: { unadmittedBytesMax } })).broker.tuning.journal.pendingBytesMax ?? 0;
  expect(pending('1MiB')).toBe(JOURNAL_DEFAULTS.pendingBytesMax);
  expect(pending('1GiB')).toBe(2 * 1024 ** 3);
});
