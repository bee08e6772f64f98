import { BrokerCore } from '../../../../src/core/broker/core.js';
import { removalWork } from '../../../../src/core/broker/subscriptions.js';
import { encodedSnapshot, LIMITS, restoredFrom, Rig } from './rig.js';

/** A clean session with two subscriptions, two messages under way, three that wait, and one that it published and has not released. */
function full(): Rig {
  const rig = new Rig({ inflightMessagesMax: 2 });
  rig.connect('sub', { clean: true });
  rig.subscribe('sub', 'a:1', 'b/c:1', 'gone:1');
  rig.subscribe('sub', 'a:2');
  rig.unsubscribe('sub', 'gone', 'never');
  rig.connect('pub');
  for (let at = 0; at < 5; at++) rig.publish('pub', `a=${at}`);
  rig.publish('sub', 'nobody=x', 2, 9);
  return rig;
}

const WORK = removalWork('a') + removalWork('b/c') + 6;

test('what goes with a session is known before, and counted when it has gone', () => {
  const rig = full();
  const end = { kind: 'disconnect', connection: rig.connection('sub'), publishWill: false } as const;
  expect(rig.core.removedAhead(end)).toBe(WORK);
  expect(rig.core.removed).toBe(0);
  rig.run(end);
  expect(rig.core.removed).toBe(WORK);
  expect(rig.core.removedAhead(end)).toBe(0);
});

test('so it is of orphans, of a client that begins anew, and behind a snapshot; a session that stays takes nothing along', () => {
  const rig = full();
  const restored = restoredFrom(encodedSnapshot(rig.core), LIMITS);
  expect(restored.removedAhead({ kind: 'disconnect', connection: rig.connection('sub'), publishWill: true })).toBe(WORK);
  expect(rig.core.removedAhead({ kind: 'disconnect', connection: rig.connection('pub'), publishWill: true })).toBe(0);
  rig.termStart();
  expect(rig.core.removedAhead({ kind: 'orphans-gone', clientIds: ['pub', 'sub', 'nobody'] })).toBe(WORK);
  rig.connect('sub', { clean: true });
  expect(rig.core.removed).toBe(WORK);
  expect(new BrokerCore(LIMITS).removed).toBe(0);
});

test('a subscription counts by the levels and the length of its filter', () => {
  expect(removalWork('a/b')).toBeGreaterThan(removalWork('a'));
  expect(removalWork('/'.repeat(199))).toBeGreaterThan(1_000);
  expect(removalWork('a'.repeat(60_000))).toBeGreaterThan(1_500);
});
