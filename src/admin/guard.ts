import { createHash, timingSafeEqual } from 'node:crypto';

/** What of a request decides whether it may pass. Header names in lower case. */
export interface Asked {
  readonly method: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The requested resource shows no more than whether this server serves, and where the other is. */
  readonly open: boolean;
}

export interface GuardSettings {
  /** The server listens on loopback only. */
  readonly loopback: boolean;
  /** `null`: none is asked for. */
  readonly token: string | null;
}

export type Passage = { readonly kind: 'pass' } | { readonly kind: 'stop'; readonly status: 401 | 403 | 415; readonly code: string; readonly message: string; readonly remedy: string };

/**
 * Keeps out web pages that a browser on this host was made to load, and whoever lacks the token.
 *
 * 1. A page of another site that rebinds its own name to 127.0.0.1 gives itself away by the Host header.
 * 2. A page that posts to http://127.0.0.1:port cannot send JSON without a preflight, and no preflight is ever answered.
 */
export function guard(asked: Asked, settings: GuardSettings): Passage {
  if (settings.loopback && !namesLoopback(header(asked, 'host'))) {
    return stop(403, 'LOCKSTEP_ADMIN_HOST', 'this admin server is on loopback and answers only to that name', 'Use http://127.0.0.1:<port>, or localhost.');
  }
  const site = header(asked, 'sec-fetch-site');
  if (site !== '' && site !== 'same-origin' && site !== 'none') {
    return stop(403, 'LOCKSTEP_ADMIN_ORIGIN', 'a web page of another site may not ask this server', 'Use the lockstep command, or a tool that is no browser.');
  }
  if (settings.token !== null && !asked.open && !sameToken(bearer(asked), settings.token)) {
    return stop(401, 'LOCKSTEP_ADMIN_TOKEN', 'the right token is needed', 'Send the header "Authorization: Bearer <token>" with the content of admin.tokenFile.');
  }
  if (asked.method === 'POST' && !/^application\/json\s*(;|$)/i.test(header(asked, 'content-type'))) {
    return stop(415, 'LOCKSTEP_ADMIN_CONTENT_TYPE', 'a command must come as application/json', 'Send the header "Content-Type: application/json" and a JSON body, {} at least.');
  }
  return { kind: 'pass' };
}

function stop(status: 401 | 403 | 415, code: string, message: string, remedy: string): Passage {
  return { kind: 'stop', status, code, message, remedy };
}

function header(asked: Asked, name: string): string {
  const value = asked.headers[name];
  return (Array.isArray(value) ? value[0] : value) ?? '';
}

function namesLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i.test(host);
}

function bearer(asked: Asked): string {
  return /^Bearer +(\S+)$/i.exec(header(asked, 'authorization'))?.[1] ?? '';
}

/** Takes the same time wherever the two differ: digests are of one length, whatever was sent. */
function sameToken(given: string, token: string): boolean {
  // A request without one is none that has an empty one.
  if (given === '') return false;
  const digest = (text: string): Buffer => createHash('sha256').update(text, 'utf8').digest();
  return timingSafeEqual(digest(given), digest(token));
}
