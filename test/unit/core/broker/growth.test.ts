import { BrokerCore } from '../../../../src/core/broker/core.js';
import type { Operation } from '../../../../src/core/broker/operations.js';
import { LIMITS, recordOf } from './rig.js';

/** What one of each counts. */
const LEVEL = 430;
const DELIVERY = 200;

class Told {
  readonly core = new BrokerCore({ ...LIMITS, queuedMessagesPerSessionMax: 50, subscriptionsPerSessionMax: 6 });
  private position = 0;

  constructor() {
    this.tell({ kind: 'connect', connection: 1, clientId: 'c', clean: true, user: null, will: null });
  }

  /** @returns what it brought */
  tell(operation: Operation): number {
    const before = this.core.grown;
    this.core.apply(recordOf(operation, ++this.position), () => undefined);
    return this.core.grown - before;
  }

  retain(topic: string): number {
    return this.tell({ kind: 'publish', connection: 1, packetId: 1, topic, qos: 1, retain: true, payload: Buffer.from('x') });
  }
}

function subscribe(...filters: string[]): Operation {
  return { kind: 'subscribe', connection: 1, packetId: 5, subscriptions: filters.map((filter) => ({ filter, qos: 1 })) };
}

test('what a SUBSCRIBE takes is known before, by the levels of filters that it adds, as far as they are granted, and what it takes again is nothing', () => {
  const told = new Told();
  const { core } = told;
  const deep = subscribe('a/b/c/d', 'a/b/c/e', 'f');
  expect(core.growthAhead(deep)).toBe(9 * LEVEL);
  expect(told.tell(deep)).toBe(6 * LEVEL);
  expect([core.growthAhead(deep), told.tell(deep)]).toEqual([0, 0]);
  expect(core.growthAhead(subscribe('a/b/x', 'a/b/x', 'f/#'))).toBe(2 * LEVEL);
  // Three more are granted.
  const many = subscribe('1/1', '1/1', '2/2', '3/3', '4/4', '5/5');
  expect([core.growthAhead(many), told.tell(many)]).toEqual([6 * LEVEL, 6 * LEVEL]);
  expect(core.growthAhead(subscribe('6/6'))).toBe(0);
  expect(core.growthAhead({ kind: 'connect', connection: 2, clientId: 'd', clean: true, user: null, will: null })).toBe(0);
});

test('the retained messages that a SUBSCRIBE brings count, too; those of very many wildcards are not looked for', () => {
  const told = new Told();
  const { core } = told;
  for (let number = 0; number < 20; number += 1) expect(told.retain(`device/${number}`)).toBeGreaterThan(0);
  expect(told.retain('device/1')).toBe(0);
  told.tell(subscribe('#', 'device/+'));
  const again = subscribe('#', 'device/+', 'device/7');
  expect(core.growthAhead(again)).toBe(41 * DELIVERY + LEVEL);
  const looked = core.looked;
  const wild = Array.from({ length: 33 }, (_, number) => `+/nothing ${number}`);
  expect(core.growthAhead(subscribe(...wild))).toBeGreaterThanOrEqual((20 + 50) * DELIVERY);
  expect(core.looked).toBe(looked);
});
