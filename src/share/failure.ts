import type { ShareCondition } from '../core/control/keeper.js';
import { LockstepError } from '../core/errors.js';

/** What is wrong with the share, for the manager and the operator. */
export interface Trouble {
  readonly condition: Exclude<ShareCondition, 'ok' | 'unknown'>;
  readonly detail: string;
}

const CONDITIONS: Readonly<Record<string, Trouble['condition']>> = {
  EROFS: 'read-only',
  EACCES: 'denied',
  EPERM: 'denied',
  ENOSPC: 'full',
  EDQUOT: 'full',
  ESTALE: 'absent',
  ENOTCONN: 'absent',
  EHOSTDOWN: 'absent',
  ENODEV: 'absent',
};

/** What to do where somebody may not write. */
const MAY_WRITE = "The user of both servers must be able to read and write in the lockfile's folder: on NFS the same uid on both, or all_squash; on SMB mount it with uid=USER";

/** The share is there and can be read, as far as is known; nothing can be written there now. */
export function isUnwritable(condition: ShareCondition): boolean {
  return condition === 'full' || condition === 'read-only' || condition === 'denied';
}

/** Codes that say: this file system has no hard links. */
export const WITHOUT_LINKS: readonly string[] = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'];

const NO_RECORD: readonly string[] = ['ENOENT', 'EISDIR', 'EFBIG'];

/** The system's code of a failure; empty when it has none. */
export function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** Nothing stands under the name, or surely none of our records that are rewritten in place: a folder, or a file that is far too large. */
export function isNoRecord(error: unknown): boolean {
  return NO_RECORD.includes(codeOf(error));
}

/** With the random part of temporary names left out: each try has another, and the same trouble would be news every time. */
export function textOf(error: unknown): string {
  const text = typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : String(error);
  return text.replace(/(?:\.[0-9a-f]{32})+(?=\.tmp\b)/g, '.*');
}

/** `doing` completes the sentence "… while …"; `user` is who was refused, where one was (`uid 1000`). */
export function troubleOf(error: unknown, doing: string, user: string): Trouble {
  if (error instanceof ShareTrouble) return error.trouble;
  const condition = CONDITIONS[codeOf(error)] ?? 'failed';
  const detail = error instanceof LockstepError ? `${error.message}. ${error.remedy}` : `${textOf(error)}, while ${doing}`;
  return { condition, detail: condition === 'denied' ? `${detail}: ${user} may not. ${MAY_WRITE}` : detail };
}

export function isDenied(error: unknown): boolean {
  return CONDITIONS[codeOf(error)] === 'denied';
}

/** Something that stands there and must be written was refused; `remedy` says what to do with it, beside giving it to `user`. */
export function deniedTo(user: string, error: unknown, remedy: string): string {
  return `${textOf(error)}: ${user} may not. A server that ran as another user may have made it: chown it to ${user}, as whom both servers must run${remedy}`;
}

/** A finding that is already judged, on its way to the status. */
export class ShareTrouble extends Error {
  constructor(readonly trouble: Trouble) {
    super(trouble.detail);
    this.name = 'ShareTrouble';
  }
}
