import type { ConfiguredRole, JournalId, Position, RunId, ServerId, ServerState, Term } from '../identity.js';
import type { TermRecord } from '../terms/record.js';
import type { ReplicationPhase, UserList } from './broker.js';
import type { RepositoryCondition } from './repository.js';

/*
 * What the two HA managers say to each other over the backchannel: after a handshake, nothing but each one's whole status,
 * at every pingInterval and at every change. Decisions rest on the latest status, so a lost one costs a cycle.
 */

/** The first frame of each side. A difference that matters ends the conversation by name. */
export interface Hello {
  readonly cluster: string;
  readonly server: ServerId;
  readonly role: ConfiguredRole;
  /** This manager's run. */
  readonly run: RunId;
  readonly version: string;
  /** The settings that must agree, key by key, as text. */
  readonly settings: Readonly<Record<string, string>>;
  /** The settings that should agree: clients would notice a difference when the other server serves. It is told, and refuses nobody. `null`: of an older version, which does not say. */
  readonly advisedSettings: Readonly<Record<string, string>> | null;
}

export interface PeerStatus {
  readonly server: ServerId;
  readonly run: RunId;
  /** Grows by one with every status of this run; an older one than the last seen is dropped. */
  readonly seq: number;
  /** By the sender's clock when this left it; milliseconds since 1970. Clocks that differ are told of, and no rule goes by them. `null`: of an older version, which does not say. */
  readonly wallTime: number | null;
  /** The peer run and its highest seq that we have heard: proof that the other direction works. */
  readonly heard: { readonly run: RunId; readonly seq: number } | null;
  readonly state: ServerState;
  readonly previous: ServerState;
  /** Counts this run's moves. */
  readonly moves: number;
  readonly reason: string;
  /** The term this server serves or follows in; 0 when neither. */
  readonly term: Term;
  /** Highest term record that this server has kept. */
  readonly record: TermRecord | null;
  /** Set when a right was given away and its outcome is not known: no claim may rest on `record` alone. */
  readonly inDoubt: Term | null;
  readonly shareId: string | null;
  /** Where the share shows no record, and we have looked. */
  readonly shareEmpty: boolean;
  readonly shareReplaced: boolean;
  /** Replaced, and nothing is there: `shareId` is that of the share before. */
  readonly shareBare: boolean;
  /** WAITING, and the share could not be used for so long that the other server shall not wait for this one any more. */
  readonly shareGivenUp: boolean;
  /** The manager cannot vouch for its broker: dead, hung or not started. Peer lost, at once. */
  readonly brokerDown: boolean;
  readonly broker: {
    readonly run: RunId;
    readonly journal: JournalId;
    readonly logTerm: Term;
    readonly position: Position;
    readonly durable: Position;
    readonly damage: string | null;
    readonly diverged: string | null;
    readonly fencedThrough: Term;
    readonly replicationPhase: ReplicationPhase | null;
    /** As in BrokerStatus. No rule goes by it. */
    readonly users: UserList | null;
  } | null;
  readonly holdsLock: boolean;
  /** True between giving up the lock on purpose and wanting it again. */
  readonly releasedLock: boolean;
  readonly gatewayAnswers: boolean;
  /** The server is on its way out and asks the peer to take over, or asks for a switchover. */
  readonly wantsSwitchover: boolean;
  readonly stopping: boolean;
  /** As in Situation. `null`: an older version, which does not say. */
  readonly unfit: boolean | null;
  /** What keeps it from serving, or from following, for who reads of it at the other server; `null`: nothing that it knows of. A server gives way to a peer without one only; no right rests on it. */
  readonly hindrance: string | null;
  /** Where clients reach this server. */
  readonly clientEndpoints: readonly string[];
  /** `null`: it has none, and receives none. */
  readonly repositories: PeerRepositories | null;
}

/** What is put to a status when it leaves. */
type Stamp = 'seq' | 'wallTime';
export type PeerStatusBody = Omit<PeerStatus, Stamp>;

/** What a server tells the other of its repositories. */
export interface PeerRepositories {
  /** Its repository keeper; `null` while none runs. */
  readonly run: RunId | null;
  /** Those that it has: what it would send. */
  readonly names: readonly string[];
  /** The other server's run that `copies` are about. */
  readonly from: RunId | null;
  /** How its copies stand, as far as it receives from that run. */
  readonly copies: readonly RepositoryCopy[];
}

export interface RepositoryCopy {
  readonly name: string;
  readonly condition: RepositoryCondition;
  readonly detail: string | null;
}
