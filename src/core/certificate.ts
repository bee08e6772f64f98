import { counted } from './counted.js';

/** One certificate of those that a server shows its clients: whose it is, and from when to when it counts (wall time, milliseconds since 1970). */
export interface Certificate {
  readonly subject: string;
  readonly validFrom: number;
  readonly validUntil: number;
}

export type Validity = 'good' | 'expires-soon' | 'not-valid-yet' | 'expired';

export interface Judged {
  readonly validity: Validity;
  /** One line that names the certificate which decides. */
  readonly text: string;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** So long before its end a certificate is said to expire soon. */
export const EXPIRY_NOTICE_MS = 30 * DAY_MS;

/** When the first of them ends: from then on clients that check refuse the whole chain. Wall time. */
export function validUntil(chain: readonly [Certificate, ...Certificate[]]): number {
  return firstToEnd(chain).validUntil;
}

/** What clients that check would make of the chain at this moment; both ends of the span belong to it. */
export function judgeChain(chain: readonly [Certificate, ...Certificate[]], wall: number): Judged {
  const ending = firstToEnd(chain);
  if (wall > ending.validUntil) {
    return { validity: 'expired', text: `the certificate of ${ending.subject} expired ${span(wall - ending.validUntil)} ago, at ${moment(ending.validUntil)}: clients that check it cannot connect` };
  }
  const beginning = chain.reduce((last, one) => (one.validFrom > last.validFrom ? one : last));
  if (wall < beginning.validFrom) {
    return { validity: 'not-valid-yet', text: `the certificate of ${beginning.subject} is not valid before ${moment(beginning.validFrom)}, in ${span(beginning.validFrom - wall)}: clients that check it cannot connect until then` };
  }
  const left = ending.validUntil - wall;
  const text = `the certificate of ${ending.subject} expires in ${span(left)}, at ${moment(ending.validUntil)}`;
  return { validity: left <= EXPIRY_NOTICE_MS ? 'expires-soon' : 'good', text };
}

function firstToEnd(chain: readonly [Certificate, ...Certificate[]]): Certificate {
  return chain.reduce((first, one) => (one.validUntil < first.validUntil ? one : first));
}

function span(ms: number): string {
  if (ms >= 2 * DAY_MS) return counted(Math.floor(ms / DAY_MS), 'day');
  if (ms >= 2 * HOUR_MS) return counted(Math.floor(ms / HOUR_MS), 'hour');
  return counted(Math.floor(ms / MINUTE_MS), 'minute');
}

function moment(wall: number): string {
  return `${new Date(wall).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
