import { readFileSync } from 'node:fs';
import type { ClientEvent } from './client-events.js';

/** What a history says of the promise, from outside: nothing of Lockstep is asked. */
export interface Judgement {
  readonly acknowledged: number;
  /** Different messages that the consumer which got fewest of them has received. */
  readonly received: number;
  /** Acknowledged, and missing at a consumer: broken promises. */
  readonly lost: readonly string[];
  /** Received more than once at QoS 1: allowed, counted. */
  readonly duplicates: number;
  /** Received more than once at QoS 2, or never sent: broken promises. */
  readonly wrong: readonly string[];
  /** The longest time between two acknowledgements, whoever got them. Milliseconds. */
  readonly longestGapMs: number;
}

export function readHistory(file: string): ClientEvent[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as ClientEvent);
}

/** Judges what the clients wrote down. A consumer counts from its subscription; the lab's consumers subscribe before anything is published. */
export function judge(events: readonly ClientEvent[]): Judgement {
  const sent = new Map<string, 1 | 2>();
  const acknowledged = new Set<string>();
  const received = new Map<string, Map<string, number>>();
  const wrong: string[] = [];
  let duplicates = 0;
  let longestGapMs = 0;
  let lastAck: number | null = null;
  for (const event of events) {
    if (event.op === 'subscribed') received.set(event.client, new Map());
    if (event.op === 'publish') sent.set(event.id, event.qos);
    if (event.op === 'acknowledged') {
      acknowledged.add(event.id);
      if (lastAck !== null) longestGapMs = Math.max(longestGapMs, event.at - lastAck);
      lastAck = event.at;
    }
    if (event.op !== 'receive') continue;
    const counts = received.get(event.client) ?? new Map<string, number>();
    received.set(event.client, counts);
    const before = counts.get(event.id) ?? 0;
    counts.set(event.id, before + 1);
    if (!sent.has(event.id)) wrong.push(`${event.client} received ${event.id}, which nobody has sent`);
    if (before > 0 && event.qos === 2) wrong.push(`${event.client} received ${event.id} ${before + 1} times at QoS 2`);
    if (before > 0 && event.qos !== 2) duplicates += 1;
  }
  const lost = [...received].flatMap(([client, counts]) => [...acknowledged].filter((id) => !counts.has(id)).map((id) => `${id} at ${client}`));
  const fewest = received.size === 0 ? 0 : Math.min(...[...received.values()].map((counts) => counts.size));
  return { acknowledged: acknowledged.size, received: fewest, lost, duplicates, wrong, longestGapMs };
}
