/*
 * Node.js works off a process's disk operations and its password sums (scrypt) in one pool of threads, whose size is read from the environment when the process
 * starts (https://nodejs.org/docs/latest-v20.x/api/cli.html#uv_threadpool_sizesize). A login holds its thread for some 40 ms, an operation of the disk for less than one.
 */

const SIZE_DEFAULT = 4;
/** Logins never take these. */
const FOR_DISK = 2;
/** 16 MB of memory each. */
const LOGINS_MAX = 8;

export const POOL_SIZE_VARIABLE = 'UV_THREADPOOL_SIZE';

/**
 * What a process that judges logins needs in its environment on a machine with so many processors: after a failover every client logs in again, and all
 * processors but two may work on that. What an operator has set stays.
 */
export function poolFor(processors: number, environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  if ((environment[POOL_SIZE_VARIABLE] ?? '') !== '') return {};
  return { [POOL_SIZE_VARIABLE]: String(FOR_DISK + loginsOn(processors)) };
}

/** How many passwords may be verified at one time in a process with this environment, on so many processors: never more than `poolFor` would make room for, and at least one. */
export function loginsAtOnce(processors: number, environment: Readonly<Record<string, string | undefined>>): number {
  const text = environment[POOL_SIZE_VARIABLE] ?? '';
  const size = /^\d{1,4}$/.test(text) ? Number(text) : SIZE_DEFAULT;
  return Math.max(1, Math.min(size - FOR_DISK, loginsOn(processors)));
}

function loginsOn(processors: number): number {
  return Math.min(LOGINS_MAX, Math.max(SIZE_DEFAULT, processors) - FOR_DISK);
}
