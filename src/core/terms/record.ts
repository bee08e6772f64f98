import type { JournalId, Position, ServerId, Term } from '../identity.js';

/** A copy of the data: which server has it, in which journal. */
export interface Member {
  readonly server: ServerId;
  readonly journal: JournalId;
}

/** Why a term began. For people and transcripts; no rule reads it, except that a switchover names another server than the claimer. */
export type TermCause = 'start' | 'takeover' | 'alone' | 'peer-lost' | 'admission' | 'switchover' | 'promotion';

/**
 * One term: who may acknowledge in it, and which copies must hold an operation first. Written once, never changed
 * (design: arbitration, section 2).
 */
export interface TermRecord {
  readonly schema: 1;
  readonly term: Term;
  /** The server that may serve in this term. */
  readonly server: ServerId;
  /** One or two members. An operation is acknowledged only when it is durable at every one. */
  readonly inSync: readonly Member[];
  /** A log that ends before this position is not a member's log, whatever `inSync` says. */
  readonly position: Position;
  readonly cause: TermCause;
  /** Set when an operator forced the promotion, accepting loss. */
  readonly forced?: true;
  /** Wall time of the claim, ISO 8601, for people. */
  readonly at: string;
  /** Made anew for every attempt; tells two claims of the same number apart. */
  readonly nonce: string;
}

/** The lockfile's own content, made at the first start: it names the share, so that another share in its place is noticed. */
export interface ShareIdentity {
  readonly schema: 1;
  /** Random. */
  readonly share: string;
  readonly cluster: string;
  /** How term records are published on this share. Both servers must use the same, so it is settled once, when the share is made. */
  readonly method: PublishMethod;
}

/**
 * The one step that creates a term record with its whole content: `link` a file to the term's name, or, on a share without hard
 * links, `rename` a prepared, non-empty folder onto it. Both fail when the name is taken.
 */
export type PublishMethod = 'link' | 'rename';
