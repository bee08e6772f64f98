import { BrokerCore } from '../../../../src/core/broker/core.js';
import type { Effect } from '../../../../src/core/broker/effects.js';
import type { Operation } from '../../../../src/core/broker/operations.js';
import { RETAINED_LOOKS_MAX } from '../../../../src/core/broker/refusals.js';
import { LIMITS, line, recordOf } from './rig.js';

const TOPICS = 1_000;

class Told {
  readonly core = new BrokerCore({ ...LIMITS, retainedMessagesMax: 10_000, subscriptionsPerSessionMax: 10_000 });
  private position = 0;

  constructor() {
    this.tell({ kind: 'connect', connection: 1, clientId: 'c', clean: true, user: null, will: null });
    for (let number = 0; number < TOPICS; number += 1) this.retain(`device ${number}`, 'x');
  }

  tell(operation: Operation): string[] {
    const effects: Effect[] = [];
    this.core.apply(recordOf(operation, ++this.position), (effect) => effects.push(effect));
    return effects.map(line);
  }

  retain(topic: string, text: string): void {
    this.tell({ kind: 'publish', connection: 1, packetId: 0, topic, qos: 0, retain: true, payload: Buffer.from(text) });
  }

  /** How much was looked at for what `action` did. */
  looks(action: () => void): number {
    const before = this.core.looked;
    action();
    return this.core.looked - before;
  }
}

function subscribe(...filters: string[]): Operation {
  return { kind: 'subscribe', connection: 1, packetId: 5, subscriptions: filters.map((filter) => ({ filter, qos: 1 })) };
}

test('one filter may look at everything; the filters of one packet together at no more than the limit, also when they find nothing', () => {
  const { core } = new Told();
  const filters = (count: number): string[] => Array.from({ length: count }, (_, number) => `+/nothing ${number}`);
  expect(core.refusal(subscribe('#'))).toBeNull();
  expect(core.refusal(subscribe(...filters(RETAINED_LOOKS_MAX / TOPICS / 4)))).toBeNull();
  expect(core.refusal(subscribe(...filters((RETAINED_LOOKS_MAX / TOPICS) * 2)))).toMatchObject({ detail: expect.stringContaining('levels of topics') });
});

test('the same filter again looks at nothing, until a retained message comes, changes or goes', () => {
  const told = new Told();
  const { core } = told;
  expect(told.looks(() => core.refusal(subscribe('+/a', '+/a')))).toBeLessThan(TOPICS * 3);
  expect(told.looks(() => told.tell(subscribe(...Array.from({ length: 500 }, () => '+/a'))))).toBe(0);
  told.retain('new/a', 'one');
  expect(told.tell(subscribe('+/a'))).toEqual(['1 suback #5 1', '1 publish new/a=one q0 retain']);
  told.retain('new/a', 'two');
  expect(told.tell(subscribe('+/a'))).toContain('1 publish new/a=two q0 retain');
  told.retain('new/a', '');
  expect(told.tell(subscribe('+/a'))).toEqual(['1 suback #5 1']);
});
