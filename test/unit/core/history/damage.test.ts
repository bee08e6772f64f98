import fc from 'fast-check';
import type { HistoryEvent } from '../../../../src/core/history/events.js';
import type { Check } from '../../../../src/core/history/verdict.js';
import { CLOCK, judged, Teller, type File } from './told.js';

/** A history of a pair that kept its promises: what each step of the plan makes of it. */
function honest(plan: readonly Step[]): File {
  const told = new Teller();
  for (const consumer of CONSUMERS) told.connected(consumer).subscribes(consumer, '#');
  for (const publisher of PUBLISHERS) told.connected(publisher);
  const waiting = new Map<string, { readonly message: string; readonly qos: 1 | 2 }[]>(CONSUMERS.map((consumer) => [consumer, []]));
  const away = new Set<string>();
  let count = 0;
  const drain = (consumer: string): void => {
    for (const { message, qos } of waiting.get(consumer) ?? []) told.receives(consumer, message, { qos });
    waiting.set(consumer, []);
  };
  for (const { kind, who, qos, answered, again } of plan) {
    const consumer = CONSUMERS[who] as string;
    if (kind === 'publish') {
      const message = `m${(count += 1)}`;
      told.sends(PUBLISHERS[who] as string, message, { qos });
      for (const queue of waiting.values()) queue.push({ message, qos }, ...(again && qos === 1 ? [{ message, qos } as const] : []));
      if (answered) told.acknowledged(PUBLISHERS[who] as string, message);
    } else if (kind === 'deliver' && !away.has(consumer)) drain(consumer);
    else if (kind === 'leave' && !away.has(consumer)) {
      told.disconnected(consumer);
      away.add(consumer);
    } else if (kind === 'return' && away.delete(consumer)) told.connected(consumer, { sessionPresent: true });
  }
  for (const consumer of CONSUMERS) {
    if (away.has(consumer)) told.connected(consumer, { sessionPresent: true });
    drain(consumer);
    told.drained(consumer);
  }
  return told.file;
}

const CONSUMERS = ['c0', 'c1'];
const PUBLISHERS = ['p0', 'p1'];

interface Step {
  readonly kind: 'publish' | 'deliver' | 'leave' | 'return';
  readonly who: number;
  readonly qos: 1 | 2;
  readonly answered: boolean;
  readonly again: boolean;
}

const steps = fc.array(
  fc.record({ kind: fc.constantFrom<Step['kind']>('publish', 'publish', 'publish', 'deliver', 'leave', 'return'), who: fc.nat({ max: 1 }), qos: fc.constantFrom<1 | 2>(1, 2), answered: fc.boolean(), again: fc.boolean() }),
  { minLength: 1, maxLength: 60 },
);

type Damage = (events: readonly HistoryEvent[], pick: number) => readonly HistoryEvent[] | null;

function choose<Item>(items: readonly Item[], pick: number): Item | null {
  return items.length === 0 ? null : (items[pick % items.length] as Item);
}

const DAMAGES: readonly (readonly [Check, Damage])[] = [
  [
    'lost',
    (events, pick) => {
      const answered = new Set(events.flatMap((event) => (event.event === 'acknowledged' ? [event.message] : [])));
      const victim = choose(events.flatMap((event) => (event.event === 'received' && answered.has(event.message) ? [event] : [])), pick);
      return victim === null ? null : events.filter((event) => !(event.event === 'received' && event.message === victim.message && event.client === victim.client));
    },
  ],
  [
    'repeated',
    (events, pick) => {
      const victim = choose(events.filter((event) => event.event === 'received' && event.qos === 2), pick);
      return victim === null ? null : events.flatMap((event) => (event === victim ? [event, event] : [event]));
    },
  ],
  [
    'altered',
    (events, pick) => {
      const victim = choose(events.filter((event) => event.event === 'received'), pick);
      return victim === null ? null : events.map((event) => (event === victim && event.event === 'received' ? { ...event, digest: 'other' } : event));
    },
  ],
  [
    'invented',
    (events, pick) => {
      const victim = choose(events.filter((event) => event.event === 'received'), pick);
      return victim === null ? null : events.flatMap((event) => (event === victim && event.event === 'received' ? [event, { ...event, message: 'nobody-sent-it' }] : [event]));
    },
  ],
  [
    'disordered',
    (events, pick) => {
      const sender = new Map(events.flatMap((event) => (event.event === 'send' ? [[event.message, event.client] as const] : [])));
      const seen = new Set<string>();
      const first = events.filter((event) => event.event === 'received' && seen.size < seen.add(`${event.client} ${event.message}`).size);
      const pairs = first.flatMap((one, index) =>
        first.slice(index + 1).flatMap((other) => (one.event === 'received' && other.event === 'received' && one.client === other.client && one.qos === other.qos && sender.get(one.message) === sender.get(other.message) ? [[one, other] as const] : [])),
      );
      const victims = choose(pairs, pick);
      if (victims === null) return null;
      const [one, other] = victims;
      return events.map((event) => (event === one ? { ...other, at: one.at } : event === other ? { ...one, at: other.at } : event));
    },
  ],
  [
    'session-lost',
    (events, pick) => {
      const victim = choose(events.filter((event) => event.event === 'connected' && event.sessionPresent), pick);
      return victim === null ? null : events.map((event) => (event === victim && event.event === 'connected' ? { ...event, sessionPresent: false } : event));
    },
  ],
];

test('whatever an honest pair does, its history holds', () => {
  fc.assert(fc.property(steps, (plan) => expect(judged(honest(plan)).violations).toEqual([])), { numRuns: 300 });
});

test.each(DAMAGES)('%s is seen in whatever history it is planted', (check, damage) => {
  let planted = 0;
  fc.assert(
    fc.property(steps, fc.nat(), (plan, pick) => {
      const { events } = honest(plan);
      const damaged = damage(events, pick);
      if (damaged === null) return;
      planted += 1;
      expect(judged({ header: CLOCK, events: damaged }).violations.map((violation) => violation.check)).toContain(check);
    }),
    { numRuns: 300 },
  );
  expect(planted).toBeGreaterThan(30);
});
