import type { BrokerToManager, ManagerToBroker } from '../../../src/core/control/broker.js';
import type { KeeperToManager, ManagerToKeeper } from '../../../src/core/control/keeper.js';
import type { PeerStatus } from '../../../src/core/control/peer.js';
import type { Monotonic, RunId } from '../../../src/core/identity.js';
import { HaManager } from '../../../src/manager/ha-manager.js';
import { peer } from '../core/ha/situations.js';
import { FakeChild } from '../support/fake-child.js';
import { FakeClock, settle } from '../support/fake-clock.js';
import { FakeLog } from '../support/fake-log.js';
import { MANAGER_CONFIG } from './manager-config.js';

test('a manager that stops does not take its order to the share keeper back, whatever it hears while that one ends', async () => {
  const clock = new FakeClock();
  const keeper = new FakeChild<ManagerToKeeper, KeeperToManager>(clock);
  const broker = new FakeChild<ManagerToBroker, BrokerToManager>(clock);
  let hear: (status: PeerStatus, at: Monotonic) => void = () => undefined;
  let ids = 0;
  const manager = new HaManager(MANAGER_CONFIG, {
    clock,
    random: { id: () => `id${(ids += 1)}`, fraction: () => 0.5 },
    log: new FakeLog(),
    peerLink: { start: () => Promise.resolve(), send: () => undefined, handle: (handlers) => (hear = (status, at) => handlers.status(status, at)), stop: () => undefined },
    gateway: { probe: () => new Promise(() => undefined) },
    localState: { load: () => Promise.resolve({ schema: 1, record: null, shareId: null }), keep: () => Promise.resolve() },
    keeper: { start: () => keeper },
    broker: { start: () => broker },
    run: 'manager-p' as RunId,
  });
  const asks = (): unknown => keeper.sent.at(-1)?.order.shutdown;
  await manager.start();
  const stopped = manager.stop();
  await settle();
  expect([broker.sent.at(-1)?.order.shutdown, asks()]).toEqual([true, false]);
  broker.die('shut down as ordered');
  await settle();
  expect(asks()).toBe(true);
  hear(peer({ seq: 1, state: 'STANDALONE', releasedLock: true }), clock.monotonic());
  clock.advance(MANAGER_CONFIG.pingIntervalMs);
  expect(asks()).toBe(true);
  keeper.die('shut down as ordered');
  await stopped;
});
