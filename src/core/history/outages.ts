import type { Marked, Sent } from './account.js';

/** The longest time in which messages waited and none was acknowledged. */
export interface Outage {
  /** What was done to the pair before; `null`: over the whole history. */
  readonly mark: string | null;
  /** Milliseconds. 0 when nothing was acknowledged, or all at once. */
  readonly longestMs: number;
  /** When it began, on the clock of the file; `null` when there was none. */
  readonly from: number | null;
}

interface Wait {
  readonly from: number;
  readonly to: number;
}

/**
 * The longest wait over all, and one for each mark, of those that were under way between it and the next one. Clocks of several files are
 * taken for one: an outage is a figure, not a judgement.
 */
export function outages(messages: Iterable<Sent>, marks: readonly Marked[]): Outage[] {
  const waits = waitsOf(messages);
  const ordered = [...marks].sort((a, b) => a.at - b.at);
  return [
    longest(null, waits),
    ...ordered.map((mark, index) => {
      const next = ordered[index + 1]?.at ?? Infinity;
      // A wait that was under way at the mark counts from the mark on; one that the next mark meets counts here, where it began.
      return longest(mark.text, waits.filter(({ from, to }) => to > mark.at && from < next).map(({ from, to }) => ({ from: Math.max(from, mark.at), to })));
    }),
  ];
}

/** Between one acknowledgement and the next, as far as something was waiting. */
function waitsOf(messages: Iterable<Sent>): Wait[] {
  const answered: { sent: number; at: number }[] = [];
  for (const { sentAt, acknowledgedAt } of messages) if (acknowledgedAt !== null) answered.push({ sent: sentAt, at: acknowledgedAt });
  answered.sort((a, b) => a.at - b.at);
  // From the back: the oldest of all that were not answered yet.
  const waits: Wait[] = [];
  let oldest = Infinity;
  for (let i = answered.length - 1; i >= 0; i -= 1) {
    const { sent, at } = answered[i] as { sent: number; at: number };
    oldest = Math.min(oldest, sent);
    const before = answered[i - 1]?.at ?? -Infinity;
    waits.push({ from: Math.max(before, oldest), to: at });
  }
  return waits.reverse();
}

function longest(mark: string | null, waits: readonly Wait[]): Outage {
  let found: Wait | null = null;
  for (const wait of waits) if (found === null || wait.to - wait.from > found.to - found.from) found = wait;
  return { mark, longestMs: found === null ? 0 : Math.max(0, found.to - found.from), from: found?.from ?? null };
}
