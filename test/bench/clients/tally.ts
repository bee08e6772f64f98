/** What one pair of publisher and consumer saw. Milliseconds for times. */
export interface Account {
  readonly acknowledged: number;
  readonly received: number;
  /** Acknowledged and never received. */
  readonly lost: number;
  readonly duplicates: number;
  /** The longest gap between two acknowledgements that ended after the event. */
  readonly acknowledgementGapMs: number;
  /** The same of received messages, duplicates not counted. */
  readonly receptionGapMs: number;
}

/** Keeps the books of numbered messages: which were acknowledged and which received, and when. */
export class Tally {
  private readonly acknowledged = new Set<number>();
  private readonly received = new Set<number>();
  private readonly acknowledgedAt: number[] = [];
  private readonly receivedAt: number[] = [];
  private duplicates = 0;

  acknowledge(sequence: number): void {
    this.acknowledged.add(sequence);
    this.acknowledgedAt.push(performance.now());
  }

  receive(sequence: number): void {
    if (this.received.has(sequence)) {
      this.duplicates += 1;
      return;
    }
    this.received.add(sequence);
    this.receivedAt.push(performance.now());
  }

  /** Acknowledgements and receptions since a moment, the smaller of the two. */
  progressSince(moment: number): number {
    return Math.min(countSince(this.acknowledgedAt, moment), countSince(this.receivedAt, moment));
  }

  get missing(): number {
    let missing = 0;
    for (const sequence of this.acknowledged) if (!this.received.has(sequence)) missing += 1;
    return missing;
  }

  account(eventAt: number): Account {
    return {
      acknowledged: this.acknowledged.size,
      received: this.received.size,
      lost: this.missing,
      duplicates: this.duplicates,
      acknowledgementGapMs: longestGap(this.acknowledgedAt, eventAt),
      receptionGapMs: longestGap(this.receivedAt, eventAt),
    };
  }
}

function countSince(times: readonly number[], moment: number): number {
  let count = 0;
  for (let at = times.length - 1; at >= 0 && (times[at] as number) > moment; at--) count += 1;
  return count;
}

/** Between neighbours of which the later one came after the event. */
export function longestGap(times: readonly number[], eventAt: number): number {
  let longest = 0;
  for (let at = 1; at < times.length; at++) {
    const now = times[at] as number;
    if (now > eventAt) longest = Math.max(longest, now - (times[at - 1] as number));
  }
  return Math.round(longest);
}
