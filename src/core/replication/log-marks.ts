/**
 * Records that the broker's state knows nothing of: types from 64 on, which mark something in the log itself.
 *
 * `termContinued`: the same run of the same server, which served without a break, goes on in a higher term. Its clients stay, so
 * the state does not change; the record only makes the term visible in the log. Version 1, empty payload.
 */
export const LogMark = { termContinued: 64 } as const;
export const LOG_MARK_VERSION = 1;
export const STATE_RECORD_TYPE_MAX = 63;

/** The name of a mark; `null`: none of this build. */
export function markName(type: number): string | null {
  return Object.entries(LogMark).find(([, number]) => number === type)?.[0] ?? null;
}

/** Whether this build knows the mark. Whoever meets another one must stop before it. */
export function isKnownMark(type: number, version: number): boolean {
  return type === LogMark.termContinued && version === LOG_MARK_VERSION;
}
