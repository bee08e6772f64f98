import type { BrokerToManager, ManagerToBroker } from '../../../src/core/control/broker.js';
import type { KeeperToManager, ManagerToKeeper } from '../../../src/core/control/keeper.js';
import type { PeerStatus } from '../../../src/core/control/peer.js';
import type { Monotonic, RunId, ServerId } from '../../../src/core/identity.js';
import type { ManagerConfig } from '../../../src/manager/config.js';
import { HaManager } from '../../../src/manager/ha-manager.js';
import { peer } from '../core/ha/situations.js';
import { FakeChild } from '../support/fake-child.js';
import { FakeClock, settle } from '../support/fake-clock.js';
import { FakeLog } from '../support/fake-log.js';

const config = {
  server: 'primary' as ServerId, role: 'primary', peerServer: 'secondary' as ServerId, cluster: 'test', version: '1', lockFile: '/share/lock', pingIntervalMs: 500, pingMissLimit: 3,
  activeLockIntervalMs: 1_000, passiveLockIntervalMs: 2_500, peerWaitMs: 10_000, stallLimitMs: 2_000, brokerAnswerLimitMs: 3_000, brokerStartLimitMs: 600_000, keeperAnswerLimitMs: 4_500,
  taskLimitMs: 5_000, patienceMs: 7_500, stopLimitMs: 15_000, peerReplication: { host: '127.0.0.1', port: 1 }, clientEndpoints: [],
  repositories: { names: [], peer: { host: '127.0.0.1', port: 2 }, waitMs: 120_000, answerLimitMs: 60_000 }, historyMax: 10,
} as const satisfies ManagerConfig;

test('a manager that stops does not take its order to the share keeper back, whatever it hears while that one ends', async () => {
  const clock = new FakeClock();
  const keeper = new FakeChild<ManagerToKeeper, KeeperToManager>(clock);
  const broker = new FakeChild<ManagerToBroker, BrokerToManager>(clock);
  let hear: (status: PeerStatus, at: Monotonic) => void = () => undefined;
  let ids = 0;
  const manager = new HaManager(config, {
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
  clock.advance(config.pingIntervalMs);
  expect(asks()).toBe(true);
  keeper.die('shut down as ordered');
  await stopped;
});
