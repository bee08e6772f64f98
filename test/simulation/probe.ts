import type { ClaimOutcome, LockStatus } from '../../src/core/control/keeper.js';
import type { RunId, ServerState } from '../../src/core/identity.js';
import type { LogPoint } from '../../src/core/journal/envelope.js';
import type { TermRecord } from '../../src/core/terms/record.js';
import type { HostName } from './faults.js';

/** A manager's decisions as a checker may look at them. */
export interface ManagerView {
  readonly state: ServerState;
  readonly term: number;
  readonly reason: string;
}

/** One move as the manager said it to its operator. */
export interface Move {
  readonly run: string;
  readonly from: ServerState;
  readonly to: ServerState;
  readonly term: number;
  readonly reason: string;
}

/** A broker's insides as a checker may look at them. */
export interface BrokerView {
  /** Tells this run of the process from others. */
  readonly run: RunId | string;
  readonly role: 'idle' | 'follow' | 'serve';
  /** The term served or followed in. */
  readonly term: number;
  readonly fencedThrough: number;
  readonly journal: string;
  readonly damage: string | null;
  readonly head: LogPoint;
  readonly durable: number;
  /** What the state amounts to at `head`; `null` while it is being built. */
  digest(): string | null;
}

/** What a share keeper has said about a claim. */
export interface ClaimWord {
  /** The number that the claim was for. */
  readonly term: number;
  readonly outcome: ClaimOutcome;
}

/** What a share keeper last said about its lock. */
export interface LockWord {
  readonly lock: LockStatus;
  /** The keeper that said it; its name on the share. */
  readonly keeper: string;
  /** True time of its deadline, as its clock ran when it said it; `null` when it does not hold the lock. */
  readonly untilTrue: number | null;
  /** Whether that server may still rely on it: by its own clock, and its keeper lives. */
  relied(): boolean;
  /** Whether its deadline lies ahead, by the server's own clock: what its manager may still take for true, also when the keeper has died or said more since. */
  ahead(): boolean;
}

/** One server as the checkers see it. Reading it changes nothing. */
export interface ServerProbe {
  readonly name: HostName;
  /** `null` while there is none. */
  manager(): ManagerView | null;
  /** Every move of every run so far, oldest first. */
  readonly moves: readonly Move[];
  /** Every claim that its managers have ordered, oldest first. */
  readonly ordered: readonly TermRecord[];
  /** Every outcome of a claim that its keepers said, oldest first. */
  readonly claims: readonly ClaimWord[];
  lock(): LockWord | null;
  /** `null` while there is none, or while it has not read its journal. */
  broker(): BrokerView | null;
  /** Of the highest record that this server has kept on its own disk; 0 while it has kept none. */
  keptTerm(): number;
  /** Segments of its log of which something counts as durable that the system has let go of; none while it has no broker that has read its journal. */
  forgotten(): readonly string[];
  /** It has written down that its log gives way to one that begins anew, and has not done it yet. */
  givesWay(): boolean;
  /** Files of its copy, but for the end of its log, of which the disk does not hold all that the system shows. */
  unsynced(): readonly string[];
}

/** The share as it really is, whatever the servers can see of it. */
export interface ShareProbe {
  /** Grows with every change of the records. */
  readonly version: number;
  /** How often an empty share was put in its place. */
  readonly replacements: number;
  /** Every term record that stands there, by number. */
  records(): ReadonlyMap<number, TermRecord>;
  /** True time at which a keeper's last heartbeat took effect; `null` when none did. */
  beatAt(keeper: string): number | null;
  /** Locks that were taken over as abandoned since the last call. */
  takenOver(): readonly TakeOver[];
}

export interface TakeOver {
  readonly from: HostName;
  /** True time at which the taker asked for it. */
  readonly askedAt: number;
  /** The taker's lock stands still, and the lock works. */
  stands(): boolean;
}
