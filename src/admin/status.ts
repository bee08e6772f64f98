import type { CopyProgress, Endpoint, ReplicationPhase } from '../core/control/broker.js';
import type { RepositoryCondition, RepositoryProgress } from '../core/control/repository.js';
import type { SyncType } from '../core/repository/entry.js';
import type { ShareCondition } from '../core/control/keeper.js';
import type { ConfiguredRole, JournalId, PeerState, Position, RunId, ServerId, ServerState, Term } from '../core/identity.js';
import type { Member, TermRecord } from '../core/terms/record.js';

/**
 * What GET /status answers: all that this server knows of itself and of the other, at one moment. Documented in
 * docs/status.md. Fields are only ever added; one that changes its meaning raises `schema`.
 *
 * Wall times are ISO 8601 in UTC. A field whose name ends in Ms is milliseconds, and how long ago or how long from now.
 */
export interface ServerStatus {
  readonly schema: 1;
  /** Wall time of this answer. */
  readonly at: string;
  readonly versions: { readonly lockstep: string; readonly node: string };
  readonly cluster: string;
  readonly server: ServerId;
  readonly configuredRole: ConfiguredRole;
  readonly profile: string;
  readonly manager: { readonly pid: number; readonly run: RunId; readonly uptimeMs: number };

  readonly state: ServerState;
  readonly previous: ServerState;
  /** Why the last move was made; while WAITING, what is waited for. */
  readonly reason: string;
  /** Wall time of the last move. */
  readonly since: string;
  /** True when this server answers clients. */
  readonly serving: boolean;
  /** What an operator could do now (who has the newer data, for one); `null` when nothing is called for. */
  readonly advice: string | null;
  readonly stopping: boolean;

  /** The term that this server serves or follows in; 0 when neither. */
  readonly term: Term;
  /** The copies that must have an operation before it is acknowledged, by the highest term record known here. */
  readonly inSync: readonly Member[];
  /** Highest term record known here; `null` for a new pair. */
  readonly record: TermRecord | null;
  /** A claim whose outcome is not known. */
  readonly inDoubt: Term | null;

  readonly peer: PeerView;
  /** What is not alike on the two servers, and keeps nobody from being a pair (versions, settings that should agree, user files, clocks), a sentence each. */
  readonly unlike: readonly string[];
  readonly lock: LockView;
  readonly backchannel: BackchannelView;
  readonly gateway: GatewayView;
  /** `null` while no broker process runs. */
  readonly broker: BrokerView | null;
  readonly journal: JournalView | null;
  readonly replication: ReplicationView | null;

  readonly repositories: RepositoriesStatus;

  /** Client connections, sessions (connected or not), and messages waiting for sessions. */
  readonly clients: number;
  readonly sessions: number;
  readonly queued: number;
  /** Where clients reach this server while it serves, `host:port`. */
  readonly clientEndpoints: readonly string[];
  /** Where they go next, `host:port` (BackupServerIp and BackUpServerPort). */
  readonly backupServer: string;

  /** Computed from the profile. `lockstep check` prints the derivation. */
  readonly worstCaseFailoverMs: { readonly crashedProcess: number; readonly deadHost: number; readonly hungDisk: number; readonly cutLink: number };
  /** Moves of this run, oldest first, at most TRANSITIONS_KEPT. */
  readonly history: readonly Transition[];
}

/** Older moves are in the log files. */
export const TRANSITIONS_KEPT = 100;

export interface Transition {
  readonly at: string;
  readonly from: ServerState;
  readonly to: ServerState;
  readonly term: Term;
  readonly reason: string;
}

/** The other server, as far as it has told us. */
export interface PeerView {
  readonly server: ServerId;
  /** DEAD when it is not heard. */
  readonly state: PeerState;
  readonly previous: PeerState;
  readonly reason: string | null;
  readonly term: Term;
  /** Its HA manager says that its broker is dead, hung or not started. */
  readonly brokerDown: boolean;
  readonly position: Position | null;
  readonly holdsLock: boolean | null;
  readonly gatewayAnswers: boolean | null;
  readonly clientEndpoints: readonly string[];
}

export interface LockView {
  readonly file: string;
  readonly held: boolean;
  /** While held: how long it is good for without another renewal. */
  readonly leftMs: number | null;
  readonly holder: ServerId | null;
  /** How long the other holder's heartbeat has stood still. */
  readonly holderSilentMs: number | null;
  readonly share: ShareCondition;
  readonly shareId: string | null;
  readonly detail: string | null;
}

export interface BackchannelView {
  readonly connected: boolean;
  /** Mutually authenticated and encrypted by the shared secret. */
  readonly secured: boolean;
  readonly listen: Endpoint;
  readonly peer: Endpoint;
  /** Since the peer was last heard; `null` before the first time. */
  readonly heardMs: number | null;
  /** Why the two servers refuse each other now (settings that differ, another secret, another cluster); `null` when they do not. */
  readonly refused: string | null;
}

export interface GatewayView {
  readonly endpoint: Endpoint;
  readonly answers: boolean;
  /** Since the last answer; `null` before the first. */
  readonly answeredMs: number | null;
}

export interface BrokerView {
  readonly pid: number;
  readonly run: RunId;
  readonly role: 'idle' | 'follow' | 'serve';
  readonly clientPort: 'closed' | 'bound' | 'accepting' | 'failed';
  readonly clientPortError: string | null;
  /** Wall time at which the certificate that clients are shown expires, or one of its chain; `null` without TLS. */
  readonly certificateUntil: string | null;
  /** What holds up acknowledgements (a full disk, for one); `null` when well. */
  readonly trouble: string | null;
  /** What should be mended, and holds up nothing until the broker is started anew (changed files of users or of the certificate that cannot be used); `null` when there is nothing. */
  readonly notice: string | null;
  /** Broker processes of this HA manager that ended unasked. */
  readonly crashes: number;
}

export interface JournalView {
  readonly id: JournalId;
  /** Term of the last record. */
  readonly term: Term;
  readonly position: Position;
  readonly durable: Position;
  readonly damage: string | null;
}

export interface ReplicationView {
  readonly phase: ReplicationPhase;
  /** Last position durable at the peer (serving), or here (following). */
  readonly peerDurable: Position;
  readonly lagRecords: number;
  readonly lagBytes: number;
  readonly stalledMs: number;
  /** While the passive copy is brought up to date. `percent` 0 to 100; `leftMs` null when it cannot be told yet. */
  readonly progress: (CopyProgress & { readonly percent: number; readonly leftMs: number | null }) | null;
}

/** Folders that the passive server holds as the serving one has them. */
export interface RepositoriesStatus {
  /** Process id of the repository keeper; `null` while none runs: there is nothing to keep, or it is being started. */
  readonly pid: number | null;
  /** Repository keepers of this HA manager that ended unasked. */
  readonly crashes: number;
  /** What keeps it from its work (a port that is taken); `null` when well. */
  readonly trouble: string | null;
  /** Serving, and the peer's repositories hold up its admission: how long they still may. `null` otherwise. */
  readonly admissionWaitLeftMs: number | null;
  readonly here: readonly RepositoryStatusView[];
  /** How the other server's copies stand, as it tells, while it receives from this server. */
  readonly peer: readonly { readonly name: string; readonly condition: RepositoryCondition; readonly detail: string | null }[];
}

export interface RepositoryStatusView {
  readonly name: string;
  readonly path: string;
  readonly syncType: SyncType;
  readonly when: 'join' | 'continuous' | 'schedule';
  /** `idle` where it is served from, or nothing is received. */
  readonly condition: RepositoryCondition;
  readonly detail: string | null;
  /** Wall time since which `condition` is so. */
  readonly since: string;
  /** Wall time of the end of the last sync into this folder that went well; `null`: none is known. */
  readonly syncedAt: string | null;
  /** Of the sync under way. */
  readonly progress: (RepositoryProgress & { readonly percent: number; readonly bytesPerSecond: number; readonly leftMs: number | null }) | null;
  /** How folders are exchanged here: in one step, or by two renames. `null` before it was first opened. */
  readonly exchange: 'atomic' | 'two-renames' | null;
  /** Names of the kept versions, newest first, at most 100. */
  readonly kept: readonly string[];
}

/** Percent, rate and time left of a sync, from its bytes. */
export function repositoryProgressView(progress: RepositoryProgress): NonNullable<RepositoryStatusView['progress']> {
  const { bytesDone, bytesTotal, elapsedMs } = progress;
  const share = bytesTotal > 0 ? Math.min(1, bytesDone / bytesTotal) : 0;
  return {
    ...progress,
    percent: Math.floor(share * 100),
    bytesPerSecond: elapsedMs > 0 ? Math.round((bytesDone * 1000) / elapsedMs) : 0,
    leftMs: share > 0 ? Math.round((elapsedMs * (1 - share)) / share) : null,
  };
}

/** Percent and time left, from bytes where there are any, else from records. */
export function progressView(progress: CopyProgress): NonNullable<ReplicationView['progress']> {
  const [done, total] = progress.bytesTotal > 0 ? [progress.bytesDone, progress.bytesTotal] : [progress.recordsDone, progress.recordsTotal];
  const share = total > 0 ? Math.min(1, done / total) : 1;
  const leftMs = share > 0 ? Math.round((progress.elapsedMs * (1 - share)) / share) : null;
  return { ...progress, percent: Math.floor(share * 100), leftMs };
}
