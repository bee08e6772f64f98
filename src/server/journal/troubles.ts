import { LockstepError } from '../../core/errors.js';
import { reasonOf } from './files.js';

/*
 * What can be wrong with a journal, in one place, so that the same trouble always has the same words.
 */

export function metaMissing(folder: string): LockstepError {
  return new LockstepError(
    'LOCKSTEP_JOURNAL_META_MISSING',
    `the journal folder ${folder} holds segments, but journal.json is not there`,
    'Check the disk. The broker moves the old log and its snapshots aside by itself (to a folder journal-unreadable-N), begins an empty journal and copies its peer.',
  );
}

export function metaDamaged(path: string, what: string, cause?: unknown): LockstepError {
  return new LockstepError(
    'LOCKSTEP_JOURNAL_META_DAMAGED',
    `${path} cannot be understood: ${what}`,
    'Check the disk. The broker moves the old log and its snapshots aside by itself (to a folder journal-unreadable-N), begins an empty journal and copies its peer.',
    { cause },
  );
}

/** Says nothing of what lies there: nothing is moved aside, and nobody's membership ends by it. */
export function unreadable(path: string, cause: unknown): LockstepError {
  return new LockstepError(
    'LOCKSTEP_JOURNAL_UNREADABLE',
    `${path} cannot be read now: ${reasonOf(cause)}`,
    "Check the disk, the rights of the user that runs Lockstep, and the host's limits; the broker is started anew by itself and tries again.",
    { cause },
  );
}

export function newer(what: string): LockstepError {
  return new LockstepError('LOCKSTEP_JOURNAL_NEWER', what, 'Start the version of Lockstep that wrote this journal, or a later one.');
}

export function foreign(what: string): LockstepError {
  return new LockstepError(
    'LOCKSTEP_JOURNAL_FOREIGN',
    what,
    'Check the journal folder in the profile, and move files away that do not belong to this journal.',
  );
}

export function damaged(what: string): LockstepError {
  return new LockstepError(
    'LOCKSTEP_JOURNAL_DAMAGED',
    `the journal is damaged: ${what}`,
    'Check the disk; while the peer has the data, the server takes a whole copy from it and keeps the damaged segments in quarantine.',
  );
}

export function diskFull(folder: string, pendingBytes: number): LockstepError {
  return new LockstepError(
    'LOCKSTEP_DISK_FULL',
    `no room on the disk of ${folder}; ${pendingBytes} bytes wait in memory for it`,
    'Make room on that disk; the journal goes on by itself.',
  );
}

export function diskBehind(folder: string, pendingBytes: number): LockstepError {
  return new LockstepError(
    'LOCKSTEP_DISK_BEHIND',
    `the disk of ${folder} does not keep up: ${pendingBytes} bytes wait to be written`,
    'Check the disk for errors or for other load; the journal goes on by itself when the disk does.',
  );
}

export function chainBroken(what: string): LockstepError {
  return new LockstepError(
    'LOCKSTEP_CHAIN_BROKEN',
    `records came that do not continue this log: ${what}`,
    'The session ends and the logs are compared anew; if it comes again, run `lockstep journal inspect` on both servers.',
  );
}

export function recordGone(position: number, why: string): LockstepError {
  return new LockstepError(
    'LOCKSTEP_RECORD_GONE',
    `the record at position ${position} cannot be read back: ${why}`,
    'Run `lockstep journal inspect` to see which positions the journal holds.',
  );
}
