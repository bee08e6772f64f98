import { parse } from 'yaml';
import type { ConfiguredRole } from '../core/identity.js';
import { isLoopback } from './values.js';

/** One server as the commented profile describes it. */
export interface TemplateServer {
  /** Address of the host on the network of the pair, and for clients. */
  readonly host: string;
  readonly mqttPort: number;
  readonly haPort: number;
  readonly replicationPort: number;
  readonly repositoryPort: number;
  readonly adminPort: number;
}

export interface TemplatePair {
  readonly cluster: string;
  readonly primary: TemplateServer;
  readonly secondary: TemplateServer;
  readonly lockFile: string;
  readonly gateway: string;
  readonly gatewayPort: number;
  /** Per role: folder of this server's own data. */
  readonly dataFolder: Readonly<Record<ConfiguredRole, string>>;
  /** Beyond loopback: names of the files beside the profile. `null`: everything stays on loopback. */
  readonly secretFile: string | null;
  readonly usersFile: string | null;
}

/** The commented profile of one server of a pair: the bundled profiles are made by it, and what `lockstep init` writes. */
export function renderProfile(pair: TemplatePair, role: ConfiguredRole): string {
  const written = writtenPair(pair);
  const own = written[role];
  const other = written[role === 'primary' ? 'secondary' : 'primary'];
  return [header(pair, role), serverPart(written, role), mqttPart(written, own), peerPart(other), haPart(written, own), dataPart(written, role), adminPart(own), restPart()].join('\n');
}

/** The same with each text as it stands in YAML. */
function writtenPair(pair: TemplatePair): TemplatePair {
  const { primary, secondary, dataFolder, secretFile, usersFile } = pair;
  return {
    cluster: scalar(pair.cluster),
    primary: { ...primary, host: scalar(primary.host) },
    secondary: { ...secondary, host: scalar(secondary.host) },
    lockFile: scalar(pair.lockFile),
    gateway: scalar(pair.gateway),
    gatewayPort: pair.gatewayPort,
    dataFolder: { primary: scalar(dataFolder.primary), secondary: scalar(dataFolder.secondary) },
    secretFile: secretFile === null ? null : scalar(secretFile),
    usersFile: usersFile === null ? null : scalar(usersFile),
  };
}

/** Plain where YAML reads just this text from it, else in quotes: `123` and `true` are no texts, and `#` begins a comment. */
function scalar(text: string): string {
  return /^[\w./-]+$/.test(text) && parse(text) === text ? text : JSON.stringify(text);
}

function header(pair: TemplatePair, role: ConfiguredRole): string {
  const place = isLoopback(pair.primary.host)
    ? `# Everything is on this one machine and on loopback: for trying out. A pair that shall survive the loss of a machine
# needs two, and the share on a third; \`lockstep init\` writes the profiles for that.`
    : `# This server runs on ${pair[role].host}, the other one on ${pair[role === 'primary' ? 'secondary' : 'primary'].host}; the share is on ${pair.gateway}.`;
  return `# Lockstep profile: ${role} server of the pair ${pair.cluster}.
#
${place}
#
# Durations: 500ms, 5s, 2m, or plain milliseconds. Sizes: 64MiB, or plain bytes. Paths are relative to this file.
# A key behind a # stands at its default. \`lockstep check\` on this file says what is wrong with it, and why.
# Every key, with the reference's names: docs/profile.md and docs/operations.md.
`;
}

function serverPart(pair: TemplatePair, role: ConfiguredRole): string {
  return `server:
  # The same on both servers; it also names the share's owner.
  cluster: ${pair.cluster}
  # primary or secondary. Decides only when nothing else does (two empty servers): either may serve.
  role: ${role}
`;
}

function mqttPart(pair: TemplatePair, own: TemplateServer): string {
  const users = pair.usersFile === null ? '# usersFile: users' : `usersFile: ${pair.usersFile}`;
  return `# Clients (MQTT 3.1.1). The port is open only while this server serves, so that clients move to the other at once.
mqtt:
  host: ${own.host}
  port: ${own.mqttPort}
  # Where clients find this server, when that is not host (for host 0.0.0.0, or behind address translation). Shown to operators; clients are
  # not told: give them both addresses.
  # advertisedHost: ${own.host}
  # User names and hashed passwords, made by \`lockstep passwd\`; the same on both servers. Needed beyond loopback.
  ${users}
  # Lets everybody who reaches the port read and write everything. Leave it.
  # allowAnyoneOnTheNetworkWithoutPassword: false
  # MQTT over TLS, beside the plain port.
  # tlsPort: 8883
  # tlsCertificateFile: server.crt
  # tlsKeyFile: server.key
  # A connection beyond this number is closed at once.
  # connectionsMax: 10000
  # A client that sends a longer packet is disconnected. The same on both servers.
  # packetBytesMax: 4MiB
  # A connection without CONNECT is closed after this time.
  # connectTimeout: 10s
  # Beyond so much waiting for a client that does not read, QoS 0 messages for it are dropped.
  # outgoingBytesPerClientMax: 4MiB
  # A client that takes nothing at all for so long is disconnected; its session and its queue stay.
  # stalledReaderLimit: 2m
  # How long clients have to come back after a failover, before their wills are published.
  # failoverGrace: 30s
`;
}

function peerPart(other: TemplateServer): string {
  return `# The other server.
peer:
  # Where clients find it. Shown to operators as the next server; clients are not told: give them both addresses. Default: backupHaIpAddress.
  backupServerIp: ${other.host}
  backupServerPort: ${other.mqttPort}
  # Where the two servers meet: best on a network of their own.
  backupHaIpAddress: ${other.host}
  backupHaPort: ${other.haPort}
  backupReplicationPort: ${other.replicationPort}
  backupRepositoryPort: ${other.repositoryPort}
  backupAdminPort: ${other.adminPort}
`;
}

function haPart(pair: TemplatePair, own: TemplateServer): string {
  const secret = pair.secretFile === null ? '# secretFile: secret' : `secretFile: ${pair.secretFile}`;
  return `# High availability. The intervals must be the same on both servers; they refuse each other otherwise.
ha:
  host: ${own.host}
  # Backchannel of the HA managers.
  port: ${own.haPort}
  # Replication between the brokers: a connection of its own, so that data never delays a heartbeat.
  replicationPort: ${own.replicationPort}
  # Repositories, on a third connection. Bound only where there are some (at the end of this file).
  repositoryPort: ${own.repositoryPort}
  # Authenticates and encrypts all links between the two. The same file on both servers, chmod 600. Needed beyond loopback.
  ${secret}
  # On the share that both servers mount (docs/operations.md has the mount options). Made at the first start; its folder must be there.
  lockFile: ${pair.lockFile}
  # The machine that hosts the share. A server that does not hear it, by ICMP or by TCP, takes no authority.
  gatewayServerIpAddress: ${pair.gateway}
  # 2049 for NFS, 445 for SMB. A refused connection is an answer, too.
  gatewayServerPort: ${pair.gatewayPort}
  # Each server tells the other its state so often; so many intervals without a word, and the link counts as broken.
  pingInterval: 500ms
  pingMissLimit: 3
  # How often the holder renews the lock and a contender tries for it. A multiple of pingInterval/2.
  activeLockReacquisitionInterval: 1s
  # How long the holder's heartbeat must stand still before its lock may be taken. More than twice the former.
  passiveLockAcquisitionInterval: 2.5s
  # How long a starting server waits for the other before it serves alone.
  peerWait: 10s
  # The other server is dropped when replication hears nothing from it for so long: its full disk does not stop this one.
  stallLimit: 2s
  # How long repositories may hold up the admission of the other server, once its messages are in step.
  # repositoryWait: 2m
`;
}

function dataPart(pair: TemplatePair, role: ConfiguredRole): string {
  return `# This server's own disk. Never on the share.
data:
  folder: ${pair.dataFolder[role]}
  # both: acknowledged means written and synced to disk at every in-sync server.
  # bothWithoutDiskSync: written at both, not synced: a power failure of both loses acknowledged messages. A server that counts alone syncs all the same.
  # durability: both
  # segmentBytes: 64MiB
  # A snapshot follows when the journal has grown by so much; older segments are then removed.
  # snapshotEveryBytes: 512MiB
  # Payloads beyond it are read back from the journal when they are delivered.
  # payloadCacheBytes: 32MiB

# What the pair holds at most. All but the last must be the same on both servers.
limits:
  # inflightMessagesMax: 256
  # sessionsMax: 100000
  # subscriptionsPerSessionMax: 1000
  # A publisher whose message does not fit is disconnected without an acknowledgement.
  # queuedMessagesPerSessionMax: 100000
  # storedBytesMax: 4GiB
  # retainedMessagesMax: 100000
  # Operations that wait for the disks and the other server; beyond it nothing more is read from clients for a while.
  # unadmittedBytesMax: 32MiB
`;
}

function adminPart(own: TemplateServer): string {
  return `# Admin HTTP: /status, /live, /serving, and what the lockstep command talks to.
admin:
  # Beyond loopback only with a token.
  host: 127.0.0.1
  port: ${own.adminPort}
  # tokenFile: admin-token
`;
}

function restPart(): string {
  return `log:
  # error, warn, info or debug
  level: info
  # JSON lines. Default: the folder log in data.folder.
  # folder: log
  # fileBytesMax: 10MiB
  # files: 10

# Repositories: folders that the passive server holds as the serving one has them (docs/profile.md, docs/operations.md).
# The three of the reference take part where their folder is there when a server starts, or where a path is written here.
repositories:
  # applicationRepositoryPath: repository/applications
  # componentRepositoryPath: repository/components
  # fpsRepositoryPath: repository/peers
  # At the passive server: FULL (0) becomes equal, PARTIAL (1) gets what is new, NO (2) is only compared.
  # applicationSyncType: FULL
  # componentSyncType: FULL
  # Others, and more settings of those three. Both servers should say the same; paths may differ.
  # folders:
  #   reports:
  #     path: /srv/reports
  #     syncType: PARTIAL
  #     # join, continuous, or schedule with an interval or a cron expression
  #     when: schedule
  #     schedule: "30 2 * * *"
  #     include: ["**/*.csv"]
  #     exclude: [tmp, "*.part"]
  #     # bytes a second
  #     throttle: 10MiB
  #     # so many folders with what was replaced or removed are kept
  #     keptVersions: 5
  # Checked now, acted on by a later version.
  # primaryUrl: mqtt://192.0.2.10:1883
  # backupUrls: [mqtt://192.0.2.11:1883]
`;
}

/** The pairs that come with Lockstep, by the name of their folder under `profiles/`. */
export function bundledPair(cluster: 'haprofile1' | 'haprofile2'): TemplatePair {
  const [mqttPort, haPort, adminPort] = cluster === 'haprofile1' ? [1883, 2101, 8081] : [1893, 2111, 8091];
  const runtime = `../../../runtime/${cluster}`;
  return {
    cluster,
    primary: { host: '127.0.0.1', mqttPort, haPort, replicationPort: haPort + 1, repositoryPort: haPort + 2, adminPort },
    secondary: { host: '127.0.0.1', mqttPort: mqttPort + 1, haPort: haPort + 100, replicationPort: haPort + 101, repositoryPort: haPort + 102, adminPort: adminPort + 1 },
    lockFile: `${runtime}/share/lockstep.lck`,
    gateway: '127.0.0.1',
    gatewayPort: 2049,
    dataFolder: { primary: `${runtime}/primary`, secondary: `${runtime}/secondary` },
    secretFile: null,
    usersFile: null,
  };
}
