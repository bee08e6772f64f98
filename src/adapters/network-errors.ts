import type { Endpoint } from '../core/control/broker.js';
import { LockstepError } from '../core/errors.js';

const PLAIN_WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused: nothing listens there',
  ECONNRESET: 'the other side reset the connection',
  EPIPE: 'the other side had closed the connection',
  ETIMEDOUT: 'the network gave no answer',
  EHOSTUNREACH: 'no route to that host',
  ENETUNREACH: 'no route to that network',
  EHOSTDOWN: 'that host is down',
  ENOTFOUND: 'that host name is not known',
  EAI_AGAIN: 'the name service gave no answer',
  EADDRNOTAVAIL: 'that address is not one of this machine',
  EACCES: 'the operating system does not permit it',
  EMFILE: 'this process has no file descriptor left',
  ENFILE: 'this machine has no file descriptor left',
};

interface Told {
  readonly message?: unknown;
  readonly code?: unknown;
  readonly errors?: unknown;
}

/** By its shape and not by `instanceof`: errors of Node.js can come from another realm (a test runner, a worker). */
function told(error: unknown): Told {
  return typeof error === 'object' && error !== null ? error : {};
}

/** The system's code of an error, also where several tries failed together; `null` when there is none. */
export function systemCode(error: unknown): string | null {
  const { code, errors } = told(error);
  if (typeof code === 'string') return code;
  return Array.isArray(errors) && errors.length > 0 ? systemCode(errors[0]) : null;
}

/** What happened in plain words, with the system's code; one line. */
export function plainReason(error: unknown): string {
  const code = systemCode(error);
  const words = code === null ? undefined : PLAIN_WORDS[code];
  if (code !== null && words !== undefined) return `${words} (${code})`;
  const { message } = told(error);
  const line = (typeof message === 'string' ? message : String(error)).split('\n', 1)[0] ?? '';
  return code === null || line.includes(code) ? line : `${line} (${code})`;
}

export function showEndpoint({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** @param isAnswered what listens there was reached, and does not share our secret */
export function dialFailed(endpoint: Endpoint, reason: string, remedy: string, cause?: unknown, isAnswered = false): LockstepError {
  return new LockstepError(isAnswered ? 'LOCKSTEP_SECRET_REFUSED' : 'LOCKSTEP_DIAL_FAILED', `cannot connect to ${showEndpoint(endpoint)}: ${reason}`, remedy, { cause });
}

/** Why a port could not be bound, as LOCKSTEP_PORT_TAKEN or LOCKSTEP_PORT_REFUSED. */
export function listenFailed(endpoint: Endpoint, error: unknown): LockstepError {
  const where = `port ${endpoint.port} on ${endpoint.host}`;
  if (systemCode(error) === 'EADDRINUSE') {
    return new LockstepError(
      'LOCKSTEP_PORT_TAKEN',
      `${where} is taken by another program`,
      `Stop that program, which \`ss -ltnp 'sport = :${endpoint.port}'\` names on Linux (an earlier run of this server, perhaps), or give this server another port in its profile.`,
      { cause: error },
    );
  }
  return new LockstepError(
    'LOCKSTEP_PORT_REFUSED',
    `cannot listen on ${where}: ${plainReason(error)}`,
    'Use an address of this machine and a port that this user may bind (above 1023, unless the process has the right).',
    { cause: error },
  );
}
