import type { JournalId, Monotonic, Position, RunId, ServerId, Term } from '../identity.js';
import type { Member } from '../terms/record.js';

/*
 * What the HA manager and the broker process say to each other.
 *
 * Both sides speak in whole states, never in steps: the manager sends the *order* (what the broker shall be), the broker
 * answers with its *status* (what it is). Either may be sent again, and a lost one costs a cycle. The manager sends the
 * order as its pulse (each pingInterval) and at every change; the broker sends its status on receiving an order, on
 * every change that the manager waits for, and at its own tick (each pingInterval/2) when it differs from what was said last.
 */

/** An address that can be dialled or bound. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Serve nobody. With `keepClients` the clients' connections stay open but nothing is read from them or answered. */
export interface IdleRole {
  readonly kind: 'idle';
  readonly keepClients: boolean;
}

/** Copy the serving server's log, and acknowledge to it what is durable here. */
export interface FollowRole {
  readonly kind: 'follow';
  /** The term that the leader serves in. Refused when it is not above `fenceThrough`. */
  readonly term: Term;
  readonly leader: { readonly server: ServerId; readonly brokerRun: RunId; readonly endpoint: Endpoint };
  /** Take a whole snapshot even if the logs seem to agree (own copy damaged, or digests differed). */
  readonly resync: boolean;
}

/** Answer clients. */
export interface ServeRole {
  readonly kind: 'serve';
  readonly term: Term;
  /** The members that the broker must hear from before it acknowledges: always itself, and the peer when two. */
  readonly inSync: readonly Member[];
  /** Every operation that is acknowledged from now on must be durable at the peer, even if `inSync` does not name it yet (R6). */
  readonly requirePeer: boolean;
  /** While only this server's copy counts, an acknowledgement may leave only before this time; `null` when both copies count. */
  readonly soloUntil: Monotonic | null;
  /** Who may fetch the log from here; `null` when nobody may. */
  readonly peer: { readonly server: ServerId; readonly brokerRun: RunId } | null;
  /** Take no new operation; finish those under way until both logs are equal (R10). */
  readonly drain: boolean;
}

export type BrokerRole = IdleRole | FollowRole | ServeRole;

export interface BrokerOrder {
  /** Grows by one with every order of this manager run. */
  readonly seq: number;
  /** When the manager made this order; the broker acknowledges only while it is younger than the pulse limit. */
  readonly pulseAt: Monotonic;
  /** Accept nothing from this term or an older one, as follower or as server, ever again. Never decreases. */
  readonly fenceThrough: Term;
  /** `bound`: the client port is surely ours, and connections are held unread until the broker serves. Serving implies it. */
  readonly clientPort: 'closed' | 'bound';
  readonly role: BrokerRole;
  /** Close the journal cleanly and exit. */
  readonly shutdown: boolean;
}

/** How far a copy has come. */
export interface CopyProgress {
  readonly recordsDone: number;
  readonly recordsTotal: number;
  readonly bytesDone: number;
  readonly bytesTotal: number;
  /** Milliseconds since the copy began. */
  readonly elapsedMs: number;
}

export type ReplicationPhase = 'connecting' | 'negotiating' | 'snapshot' | 'catching-up' | 'in-step';

export interface ReplicationStatus {
  readonly phase: ReplicationPhase;
  readonly peerRun: RunId | null;
  /** The journal that the peer named when this session began; the copy that an admission may name. */
  readonly peerJournal: JournalId | null;
  readonly term: Term;
  /** Highest position that the peer has said is durable there (leader), or that is durable here (follower). */
  readonly peerDurable: Position;
  /** How long nothing that we wait for from the peer has come. 0 while nothing is awaited. Milliseconds. */
  readonly stalledMs: number;
  readonly lagRecords: number;
  readonly lagBytes: number;
  readonly progress: CopyProgress | null;
}

export interface JournalStatus {
  readonly id: JournalId;
  /** Term of the last record; 0 when empty. */
  readonly term: Term;
  /** Position of the last record appended. */
  readonly position: Position;
  /** Position up to which this server's copy is durable. */
  readonly durable: Position;
  /** How long records have waited for this server's disk without one more getting durable (it hangs, or is full). 0 while none waits or the disk goes on. Milliseconds. */
  readonly stalledMs: number;
  /** What was found wrong beyond an ordinary torn tail, or a failed fsync. The copy is then no member's copy. */
  readonly damage: string | null;
}

/** A user file, as far as two of them are compared: no name, no password and nothing from which one could be guessed. */
export interface UserList {
  readonly count: number;
  /** Equal where the same users have the same password hashes. 1 to 64 characters. */
  readonly digest: string;
}

export interface BrokerStatus {
  readonly run: RunId;
  /** The last order that was carried out as far as it can be at once. */
  readonly orderSeq: number;
  /** Everything up to this term is fenced: confirmed, and remembered for as long as this process lives. */
  readonly fencedThrough: Term;
  /** Nothing that counts as durable here waits for the disk, also where the durability is `bothWithoutDiskSync`. Only then may this copy come to count alone. */
  readonly onDisk: boolean;
  readonly clientPort: 'closed' | 'bound' | 'accepting' | 'failed';
  readonly clientPortError: string | null;
  /** When the certificate that clients are shown expires, or one of its chain: wall time, milliseconds since 1970. `null` without TLS. */
  readonly certificateUntil: number | null;
  /** Whom clients are asked to be; `null`: nobody in particular (there is no user file), or not known. */
  readonly users: UserList | null;
  readonly role: 'idle' | 'follow' | 'serve';
  readonly term: Term;
  /** Serving and `requirePeer` in force: the position from which on every operation needs the peer; else `null`. */
  readonly peerRequiredFrom: Position | null;
  /**
   * Serving in `term`: the highest position that is durable at every member that counts. `null`: not serving, or the journal is not synced to disk,
   * and a loss of power may take what counts as durable.
   */
  readonly admitted: Position | null;
  /** Serving with `drain`: nothing is under way and both logs are equal at `journal.position`. */
  readonly drained: boolean;
  readonly journal: JournalStatus;
  readonly replication: ReplicationStatus | null;
  /** Following: this copy's digest differed from the leader's at the same position. Says where. */
  readonly diverged: string | null;
  /** What an operator must know and what holds up acknowledgements (disk full, for one); `null` when well. */
  readonly trouble: string | null;
  /** What an operator should mend, and holds up nothing while this process runs (a changed user file that is wrong, for one); `null` when there is nothing. */
  readonly notice: string | null;
  readonly clients: number;
  readonly sessions: number;
  readonly queued: number;
}

export type ManagerToBroker = { readonly kind: 'order'; readonly order: BrokerOrder };
export type BrokerToManager =
  /** A sign of life while a large journal is opened, before the first status. */
  | { readonly kind: 'opening' }
  | { readonly kind: 'status'; readonly status: BrokerStatus }
  /** A line for the log. */
  | { readonly kind: 'log'; readonly level: 'error' | 'warn' | 'info' | 'debug'; readonly message: string; readonly fields?: Record<string, unknown> }
  /** The process stops by itself after this. */
  | { readonly kind: 'fatal'; readonly code: string; readonly message: string };
