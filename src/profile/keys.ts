import { assumed, bytes, count, defaulted, duration, flag, host, listOf, name, oneOf, optional, path, port, required, url } from './key.js';
import type { Key } from './key.js';
import { DEFAULT_PATHS, folders, syncType } from './repository-keys.js';

/*
 * Every key that a profile may hold, section by section. From this table come the validation, the defaults, the names
 * that an unknown key is compared with, and the table in docs/profile.md (a test holds it to this one).
 */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const PIB = 1024 * 1024 * GIB;

const server = {
  cluster: required(name, 'Name of the pair. Two servers of different clusters refuse each other, and a lockfile of another cluster is refused.'),
  role: required(
    oneOf(['primary', 'secondary']),
    'Which of the two this server is; also its name in logs and records. It decides only when nothing else does: either server may serve.',
  ),
};

const mqtt = {
  host: defaulted(host, '127.0.0.1', 'Interface on which clients are accepted while this server serves. Beyond loopback, usersFile is needed.'),
  port: defaulted(port, 1883, 'Port for MQTT 3.1.1 clients. It is closed while this server does not serve, so that clients move on at once.'),
  advertisedHost: optional(host, 'Address under which clients reach this server, when it is not host (host may be 0.0.0.0). Shown in the log, /status and /serving. MQTT clients are not told: give them both addresses.'),
  usersFile: optional(path, 'User names with hashed passwords, made by `lockstep passwd`; the same on both servers. Without it clients are anonymous. Must not be readable by others.'),
  allowAnyoneOnTheNetworkWithoutPassword: defaulted(flag, false, 'Lets every machine that reaches the port read and write every topic. Only for networks where that is meant.'),
  tlsPort: optional(port, 'Port for MQTT over TLS, beside port. Needs tlsCertificateFile and tlsKeyFile.'),
  tlsCertificateFile: optional(path, 'Certificate, PEM: the server\'s own, then those of its issuers. A running server takes a changed one with its key.'),
  tlsKeyFile: optional(path, 'Private key of that certificate, PEM, without a passphrase. Must not be readable by others.'),
  connectionsMax: defaulted(count(1, 1_000_000), 10_000, 'Client connections at one time. A further one is closed at once.'),
  packetBytesMax: defaulted(bytes(1 * KIB, 32 * MIB), '4MiB', 'Longest MQTT packet accepted from a client. A client that sends a longer one is disconnected. Must agree on both servers.'),
  connectTimeout: defaulted(duration(100, 5 * MINUTE), '10s', 'A connection that has not sent CONNECT within this time is closed.'),
  outgoingBytesPerClientMax: defaulted(bytes(64 * KIB, 1 * GIB), '4MiB', 'What may wait for one client that does not read. Beyond half of it, but not below 256 KiB, nothing more is read from that client; beyond all of it QoS 0 messages for it are dropped.'),
  stalledReaderLimit: defaulted(duration(1 * SECOND, 60 * MINUTE), '2m', 'A client that takes nothing for so long of what waits for it, more than 256 KiB, is disconnected; its session and its queue stay.'),
  failoverGrace: defaulted(
    duration(0, 60 * MINUTE),
    '30s',
    'After a change of the serving server: how long clients have to come back before their wills are published and their clean sessions end.',
  ),
};

const peer = {
  backupServerIp: optional(host, 'Address at which clients reach the other server; default: backupHaIpAddress. Shown in the log, /status and /serving as the next server. MQTT clients are not told: give them both addresses.', 'BackupServerIp'),
  backupServerPort: defaulted(port, 1883, 'Port at which clients reach the other server.', 'BackUpServerPort'),
  backupHaIpAddress: required(host, 'Address of the other server on the private network of the pair. The backchannel and replication dial it.', 'BackupHAIPAddress'),
  backupHaPort: defaulted(port, 2101, "The other server's ha.port.", 'BackupHAPort'),
  backupReplicationPort: defaulted(port, 2102, "The other server's ha.replicationPort."),
  backupRepositoryPort: optional(port, "The other server's ha.repositoryPort; default: the port after backupReplicationPort."),
  backupAdminPort: defaulted(port, 8081, "The other server's admin.port. Used by `lockstep check`.", 'BackupRMIServerPort'),
};

const ha = {
  host: defaulted(host, '127.0.0.1', 'Interface for the backchannel and for replication. Beyond loopback, secretFile is needed.'),
  port: defaulted(port, 2101, 'Port on which the HA manager listens for the backchannel.', 'Port'),
  replicationPort: defaulted(port, 2102, "Port on which the broker listens for the other server's broker."),
  repositoryPort: optional(port, 'Port on which the repository keeper listens for the one of the other server; default: the port after replicationPort. Bound only where there are repositories.'),
  secretFile: optional(path, 'Shared secret of the pair, the same on both servers (`lockstep init` makes one): all links between the two are then authenticated and encrypted. 32 to 4,096 characters. Must not be readable by others.'),
  lockFile: required(path, 'The lockfile, on the share that both servers mount. Lockstep makes it at the first start; the folder must be there.', 'LockFile'),
  gatewayServerIpAddress: required(
    host,
    'The machine that hosts the share. A server that does not hear it, by ICMP or TCP, takes no authority.',
    'GatewayServerIPAddress',
  ),
  gatewayServerPort: defaulted(port, 2049, 'TCP port of the gateway (2049 NFS, 445 SMB). A refused connection is an answer, too. Keep it reachable: where ICMP cannot be asked (neither by net-ping nor by the program ping) it is all there is.', 'GatewayServerPort'),
  pingInterval: defaulted(duration(50, 1 * MINUTE), '500ms', 'How often each HA manager sends its status to the other. Decisions and retries are made at least at every half of it.', 'PingInterval'),
  pingMissLimit: defaulted(count(2, 100), 3, 'So many intervals without a word from the other server, and the backchannel counts as broken.'),
  activeLockReacquisitionInterval: defaulted(
    duration(100, 1 * MINUTE),
    '1s',
    'How often the holder renews the lock, and a contender tries for it. Should be a multiple of pingInterval/2; otherwise the next multiple is used, with a warning.',
    'ActiveLockReAcquistionInterval',
  ),
  passiveLockAcquisitionInterval: defaulted(
    duration(250, 10 * MINUTE),
    '2.5s',
    "How long a contender must have seen the holder's heartbeat unchanged before it takes the lock for abandoned. Refused unless greater than twice activeLockReacquisitionInterval.",
    'PassiveLockAcquistionInterval',
  ),
  peerWait: defaulted(duration(0, 60 * MINUTE), '10s', 'How long a starting server waits for the other before it serves alone, if it has the right to.'),
  stallLimit: defaulted(duration(200, 5 * MINUTE), '2s', "The other server is dropped when replication awaits it and hears nothing for so long: a full disk there does not stop the pair. An ACTIVE server gives way to the other when its own disk makes nothing durable for so long, though not before five times this after it became ACTIVE."),
  repositoryWait: defaulted(
    duration(0, 60 * MINUTE),
    '2m',
    'How long the serving server, once the messages are in step, lets the repositories of the other one hold up its admission. It is then admitted with a warning, and their sync goes on.',
  ),
};

const data = {
  folder: required(path, 'Folder on this server\'s own disk for its journal, its snapshots, quarantined data and the HA manager\'s memory. Never on the share.'),
  durability: defaulted(
    oneOf(['both', 'bothWithoutDiskSync']),
    'both',
    'When an operation is acknowledged. both: written and synced to disk at every in-sync server. bothWithoutDiskSync: written at every in-sync server without waiting for the disks, so that a power failure of both loses acknowledged messages; a server that counts alone syncs all the same. Must agree on both servers.',
  ),
  segmentBytes: defaulted(bytes(1 * MIB, 256 * MIB), '64MiB', "Size of one journal file. Old ones are removed whole, when a snapshot covers them."),
  snapshotEveryBytes: defaulted(bytes(1 * MIB, 1024 * GIB), '512MiB', 'A snapshot is taken when the journal has grown by so much since the last; or by 500,000 records, or as many as there are sessions, subscriptions, messages and deliveries where those are more.'),
  payloadCacheBytes: defaulted(bytes(1 * MIB, 1024 * GIB), '32MiB', 'Memory for the payloads of waiting messages. Beyond it they are read back from the journal. Those of wills that were published and wait come beside it, until two snapshots have them.'),
};

const limits = {
  inflightMessagesMax: defaulted(count(1, 65_535), 256, 'Messages sent to one client and not yet acknowledged; more wait in its queue. Must agree.'),
  sessionsMax: defaulted(count(1, 10_000_000), 100_000, 'Sessions, connected or not. A client that would make one more is refused. Must agree.'),
  subscriptionsPerSessionMax: defaulted(count(1, 1_000_000), 1_000, 'Subscriptions of one session. One more is refused. Must agree.'),
  queuedMessagesPerSessionMax: defaulted(count(1, 100_000_000), 100_000, 'Messages waiting for one session. A publish beyond it is not accepted, and its publisher is disconnected. Must agree.'),
  storedBytesMax: defaulted(bytes(1 * MIB, 1 * PIB), '4GiB', 'Payload bytes of all messages held. A publish beyond it is not accepted, as above. The wills of clients may have as many again; a CONNECT beyond that is refused (CONNACK 3). Must agree.'),
  retainedMessagesMax: defaulted(count(0, 100_000_000), 100_000, 'Retained messages. A further one is not accepted, as above. Must agree.'),
  unadmittedBytesMax: defaulted(bytes(1 * MIB, 16 * GIB), '32MiB', 'Bytes of operations that wait for the disks and the other server. Beyond it nothing more is read from clients until some are through.'),
};

const admin = {
  host: defaulted(host, '127.0.0.1', 'Interface of the admin HTTP server. Beyond loopback, tokenFile is needed.'),
  port: defaulted(port, 8081, 'Port of the admin HTTP server: /status, /live, /serving, and the commands of the CLI.', 'RMIServerPort'),
  tokenFile: optional(path, 'A token that /status and every command must then bring: one word of at least 16 characters. Must not be readable by others.'),
};

const log = {
  level: defaulted(oneOf(['error', 'warn', 'info', 'debug']), 'info', 'The least important lines that are still written.'),
  folder: optional(path, 'Folder of the JSON log files; default: the folder `log` in data.folder.'),
  fileBytesMax: defaulted(bytes(64 * KIB, 1 * GIB), '10MiB', 'A log file of this size is followed by a new one.'),
  files: defaulted(count(1, 1_000), 10, 'So many log files are kept; older ones are removed.'),
};

const LATER = 'Checked now, acted on by a later version.';

const repositories = {
  applicationRepositoryPath: assumed(path, DEFAULT_PATHS.applications, 'Folder of the repository `applications`. At its default it takes part only where that folder is there when the server starts, or the other server has one.', 'AppRepositoryPath'),
  componentRepositoryPath: assumed(path, DEFAULT_PATHS.components, 'Folder of the repository `components`; as above.', 'ComponentRepositoryPath'),
  fpsRepositoryPath: assumed(path, DEFAULT_PATHS.peers, "Folder of the repository `peers`, the configurations of the reference's peer servers (FPS), not of this pair's other server; as above. Its sync type is FULL, unless `folders` says otherwise.", 'FPSRepositoryPath'),
  applicationSyncType: defaulted(syncType, 'FULL', 'What becomes of the copy of `applications` at the passive server. FULL (0): it becomes equal. PARTIAL (1): what is new is added, what is there is neither changed nor removed. NO (2): it is only compared, and a difference is a warning. Must agree.', 'ApplicationSyncType'),
  componentSyncType: defaulted(syncType, 'FULL', 'The same of `components`. Must agree.', 'ComponentSyncType'),
  folders: optional(folders, 'Further repositories, and further settings of the three above: see [below](#repositoriesfolders).'),
  primaryUrl: optional(url, `Server from which a peer server's configuration is loaded. ${LATER}`, 'PrimaryURL'),
  backupUrls: optional(listOf(url, 8), `Servers to load it from when that one does not answer. ${LATER}`, 'BackupURL(s)'),
};

export const KEYS = { server, mqtt, peer, ha, data, limits, admin, log, repositories } as const;

type Section = Readonly<Record<string, Key<unknown>>>;
type ValuesOf<S> = { readonly [K in keyof S]: S[K] extends Key<infer T> ? T : never };
/** A profile's values after validation, defaults filled in, paths as they were written. */
export type ProfileValues = { readonly [S in keyof typeof KEYS]: ValuesOf<(typeof KEYS)[S]> };

/** The same table for those who go through all of it. */
export const SECTIONS: Readonly<Record<string, Section>> = KEYS;
