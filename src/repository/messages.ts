import { LockstepError } from '../core/errors.js';

/** A failure as a sentence for the operator: what, and what can be done. */
export function reasonOf(error: unknown): string {
  if (error instanceof LockstepError) return `${error.message}. ${error.remedy}`;
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  const text = error instanceof Error ? error.message : String(error);
  const advice = ADVICE[code];
  return advice === undefined ? text : `${text}. ${advice}`;
}

const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: 'The disk is full: make room for the new tree beside the old one.',
  EDQUOT: 'The quota is used up: raise it, or make room.',
  EACCES: 'Let the user that Lockstep runs as read and write there.',
  EPERM: 'Let the user that Lockstep runs as read and write there.',
  EROFS: 'The file system is mounted read-only.',
  EIO: 'The disk does not read or write: see the system log.',
  ENOENT: 'Something vanished meanwhile, or the folder is not there: make it, or mount its disk.',
};
