import type { Monotonic, RunId, ServerId } from '../identity.js';
import type { TermRecord } from '../terms/record.js';
import type { Watermark } from '../terms/watermark.js';

/*
 * What the HA manager and the share keeper say to each other: an order and a status, as with the broker. The keeper is the
 * only process that touches the share. It may hang; then the manager kills it and starts another, and a claim that was
 * under way is in doubt.
 */

export interface KeeperOrder {
  readonly seq: number;
  /** The keeper renews the lock only while this is younger than the pulse limit. */
  readonly pulseAt: Monotonic;
  readonly wantLock: boolean;
  /** The peer says that it gave the lock up: when this turns true, a try is worth making at once. */
  readonly peerReleasedLock: boolean;
  /** The record to claim, or `null`. The same nonce is one attempt, however often it is ordered. */
  readonly claim: TermRecord | null;
  /** The highest record this server has kept on its own disk: where to look for it and for higher ones. */
  readonly kept: TermRecord | null;
  /** How far the copies reach in the term that is served; `null`: nothing can be said. Written beside the lock while that is held and the term is the highest there. */
  readonly watermark: Watermark | null;
  /** Known share id, to notice another share in its place; `null` before the first start. */
  readonly shareId: string | null;
  /** An earlier keeper of this manager found the share well on a mount of another host: a folder of this machine in its place is no other share. */
  readonly wasNetwork: boolean;
  readonly shutdown: boolean;
}

export type ShareCondition =
  | 'unknown' // not looked at yet
  | 'ok'
  | 'absent' // the folder is not there, or is an empty mount point
  | 'read-only'
  | 'denied' // the server's user may not read or write there
  | 'full'
  | 'hung' // an operation is past its deadline
  | 'replaced' // another share id, or a record that we have kept is missing or differs
  | 'refused' // mount options allow stale reads, or neither exclusive link nor rename works
  | 'failed'; // anything else; the detail says what

export interface LockStatus {
  readonly held: boolean;
  /** While held: our own deadline, counted from when the last confirmed renewal was sent, less the margin. */
  readonly until: Monotonic | null;
  /** Who holds it as far as we can see, when we do not. */
  readonly holder: ServerId | null;
  /** How long we have seen the other holder's heartbeat unchanged; `null` when nobody holds it or we do. */
  readonly holderSilentMs: number | null;
  /** Why we do not hold it though we want it; or why it was lost. */
  readonly detail: string | null;
}

export type ClaimOutcome =
  | { readonly kind: 'pending'; readonly nonce: string }
  /** Our record stands under its number. */
  | { readonly kind: 'won'; readonly nonce: string; readonly record: TermRecord }
  /** Another record stands under that number (or a higher term stands already). */
  | { readonly kind: 'lost'; readonly nonce: string; readonly record: TermRecord }
  /** No answer, and no record there: the request may still land. */
  | { readonly kind: 'in-doubt'; readonly nonce: string; readonly detail: string }
  /** Surely never sent: the share refused before anything that could land was asked for. */
  | { readonly kind: 'failed'; readonly nonce: string; readonly detail: string };

export interface KeeperStatus {
  readonly run: RunId;
  readonly orderSeq: number;
  readonly condition: ShareCondition;
  readonly detail: string | null;
  readonly shareId: string | null;
  /** The highest record seen on the share by this run; `null` when none was found. Meaningful when `lookedAt` is set. */
  readonly highest: TermRecord | null;
  /** The watermark that stood there at the last complete look, or that we wrote then; `null`: none that can be read, or none was written yet. */
  readonly watermark: Watermark | null;
  /** When the last complete look at the records was begun. */
  readonly lookedAt: Monotonic | null;
  /** This run found the share well on a mount of another host. For the keepers after it, which may never see it so. */
  readonly onNetwork: boolean;
  readonly lock: LockStatus;
  readonly claim: ClaimOutcome | null;
}

export type ManagerToKeeper = { readonly kind: 'order'; readonly order: KeeperOrder };
export type KeeperToManager =
  | { readonly kind: 'status'; readonly status: KeeperStatus }
  | { readonly kind: 'log'; readonly level: 'error' | 'warn' | 'info' | 'debug'; readonly message: string; readonly fields?: Record<string, unknown> }
  | { readonly kind: 'fatal'; readonly code: string; readonly message: string };
