import type { RunId, ServerId, JournalId, ServerState, Term } from '../identity.js';
import { NO_TERM } from '../identity.js';
import type { Endpoint } from '../control/broker.js';
import type { TermCause, TermRecord } from '../terms/record.js';

/** The serving broker that a passive one copies from. */
export interface Leader {
  readonly server: ServerId;
  readonly brokerRun: RunId;
  readonly endpoint: Endpoint;
}

/** The passive broker that a serving one requires, or is about to. */
export interface Partner {
  readonly server: ServerId;
  readonly brokerRun: RunId;
}

/**
 * R4: fence, then claim `{me, [me]}`, then serve alone. `claim` is set from the moment that the claim may have been sent; until then
 * the task can be dropped without a trace, but for the fence.
 */
export interface AloneTask {
  readonly kind: 'alone';
  readonly to: 'STANDALONE' | 'ACTIVE_SYNC';
  readonly cause: TermCause;
  /** An operator's promotion: membership is not asked for. */
  readonly forced: boolean;
  /** The share knows nothing usable: number the term above everything that either server has seen (R9). */
  readonly fresh: boolean;
  readonly claim: TermRecord | null;
  /** Something that it needs failed or is not there, and it goes on trying: no longer than `Situation.patienceEnded` says. */
  readonly heldUp: boolean;
}

/** R6: require the peer for every operation, then claim `{me, [me, peer]}`. */
export interface AdmitTask {
  readonly kind: 'admit';
  readonly requirePeer: boolean;
  readonly claim: TermRecord | null;
}

/** R10: drain, then claim `{peer, [both]}`. */
export interface HandoverTask {
  readonly kind: 'handover';
  readonly claim: TermRecord | null;
}

/** R10, the other side: bind the client port, then serve in the term that was handed over. */
export interface AcceptTask {
  readonly kind: 'accept';
  readonly record: TermRecord;
}

export type Task = AloneTask | AdmitTask | HandoverTask | AcceptTask;

/** What a server is, as far as its own rules decide it. Everything else is situation. */
export interface HaState {
  readonly state: ServerState;
  readonly previous: ServerState;
  /** Counts the moves of this run. */
  readonly moves: number;
  /** Why the last move was made; or, in WAITING, what is waited for. One sentence. */
  readonly reason: string;
  /** The term served or followed in; 0 when neither. */
  readonly term: Term;
  /** The record that serving rests on: claimed by this run, or accepted once by R10. */
  readonly record: TermRecord | null;
  readonly leader: Leader | null;
  readonly partner: Partner | null;
  /** The broker was, or is being, told to accept nothing up to here. Never decreases. */
  readonly fence: Term;
  readonly task: Task | null;
  /** The broker run that the state rests on. Another run means that the broker died in between. */
  readonly brokerRun: RunId | null;
}

export const INITIAL_STATE: HaState = {
  state: 'WAITING',
  previous: 'WAITING',
  moves: 0,
  reason: 'started',
  term: NO_TERM,
  record: null,
  leader: null,
  partner: null,
  fence: NO_TERM,
  task: null,
  brokerRun: null,
};

export type { JournalId };
