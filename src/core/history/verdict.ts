import type { Outage } from './outages.js';

/** What a history can show to be broken. */
export const CHECKS = {
  lost: 'an acknowledged message did not come to a session that must have it',
  repeated: 'a QoS 2 message came more than once',
  disordered: 'messages of one sender, topic and QoS came in another order than they were sent in',
  invented: 'a message came that nobody had sent, or that its client had not subscribed to',
  altered: 'a message came with another payload, topic or QoS than it was sent with',
  'session-lost': 'a session that was to be kept was gone',
  'retained-stale': 'a new subscription got a retained message that a newer one had replaced',
  'retained-missing': 'a new subscription did not get the retained message',
} as const;

export type Check = keyof typeof CHECKS;

export interface Violation {
  readonly check: Check;
  readonly count: number;
  /** The first few, in words. */
  readonly examples: readonly string[];
}

export interface Figures {
  readonly messages: number;
  readonly acknowledged: number;
  /** QoS 1 and 2 messages that nobody answered. They may have come or not. */
  readonly unanswered: number;
  /** Deliveries to programs, all consumers together. */
  readonly received: number;
  /** Pairs of an acknowledged message and a session that must have it. */
  readonly owed: number;
  readonly lost: number;
  /** Deliveries at QoS 0 and 1 beyond the first. Allowed. */
  readonly duplicates: number;
  /** The same at QoS 2. Not allowed. */
  readonly repeated: number;
}

export interface Verdict {
  readonly holds: boolean;
  readonly violations: readonly Violation[];
  readonly figures: Figures;
  readonly outages: readonly Outage[];
  /** Consumers whose losses could not be judged: they never said that they were drained. */
  readonly undrained: readonly string[];
}

/** Violations kept in words, per check. */
const EXAMPLES_MAX = 5;

/** Collects violations: all are counted, the first few are told. */
export class Findings {
  private readonly found = new Map<Check, { count: number; examples: string[] }>();

  add(check: Check, example: string): void {
    const entry = this.found.get(check) ?? { count: 0, examples: [] };
    entry.count += 1;
    if (entry.examples.length < EXAMPLES_MAX) entry.examples.push(example);
    this.found.set(check, entry);
  }

  count(check: Check): number {
    return this.found.get(check)?.count ?? 0;
  }

  get violations(): Violation[] {
    return [...this.found].map(([check, { count, examples }]) => ({ check, count, examples }));
  }
}
