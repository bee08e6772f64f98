import type { ShareCondition } from '../core/control/keeper.js';
import { LockstepError } from '../core/errors.js';

/** What is wrong with the share, for the manager and the operator. */
export interface Trouble {
  readonly condition: Exclude<ShareCondition, 'ok' | 'unknown'>;
  readonly detail: string;
}

const CONDITIONS: Readonly<Record<string, Trouble['condition']>> = {
  EROFS: 'read-only',
  EACCES: 'read-only',
  EPERM: 'read-only',
  ENOSPC: 'full',
  EDQUOT: 'full',
  ESTALE: 'absent',
  ENOTCONN: 'absent',
  EHOSTDOWN: 'absent',
  ENODEV: 'absent',
};

/** Codes that say: this file system has no hard links. */
export const WITHOUT_LINKS: readonly string[] = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'];

/** The system's code of a failure; empty when it has none. */
export function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

export function textOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : String(error);
}

/** `doing` completes the sentence "… while …". */
export function troubleOf(error: unknown, doing: string): Trouble {
  if (error instanceof ShareTrouble) return error.trouble;
  const detail = error instanceof LockstepError ? `${error.message}. ${error.remedy}` : `${textOf(error)}, while ${doing}`;
  return { condition: CONDITIONS[codeOf(error)] ?? 'failed', detail };
}

/** A finding that is already judged, on its way to the status. */
export class ShareTrouble extends Error {
  constructor(readonly trouble: Trouble) {
    super(trouble.detail);
    this.name = 'ShareTrouble';
  }
}
