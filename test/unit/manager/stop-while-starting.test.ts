import type { BrokerToManager, ManagerToBroker } from '../../../src/core/control/broker.js';
import type { KeeperToManager, ManagerToKeeper } from '../../../src/core/control/keeper.js';
import type { RunId, ServerId } from '../../../src/core/identity.js';
import type { ManagerConfig } from '../../../src/manager/config.js';
import { HaManager } from '../../../src/manager/ha-manager.js';
import type { KeptState } from '../../../src/ports/local-state.js';
import { FakeChild } from '../support/fake-child.js';
import { FakeClock, settle } from '../support/fake-clock.js';
import { FakeLog } from '../support/fake-log.js';

const config = {
  server: 'primary' as ServerId, role: 'primary', peerServer: 'secondary' as ServerId, cluster: 'test', version: '1', lockFile: '/share/lock', pingIntervalMs: 500, pingMissLimit: 3,
  activeLockIntervalMs: 1_000, passiveLockIntervalMs: 2_500, peerWaitMs: 10_000, stallLimitMs: 2_000, brokerAnswerLimitMs: 3_000, brokerStartLimitMs: 600_000, keeperAnswerLimitMs: 4_500,
  taskLimitMs: 5_000, patienceMs: 7_500, stopLimitMs: 15_000, peerReplication: { host: '127.0.0.1', port: 1 }, clientEndpoints: [],
  repositories: { names: [], peer: { host: '127.0.0.1', port: 2 }, waitMs: 120_000, answerLimitMs: 60_000 }, historyMax: 10,
} as const satisfies ManagerConfig;

test.each(['state', 'link'] as const)('a server that is stopped while its start waits (%s) begins nothing later', async (held) => {
  const clock = new FakeClock();
  const begun: string[] = [];
  let goOn = (): void => undefined;
  const waits = new Promise<void>((resolve) => (goOn = resolve));
  const state: KeptState = { schema: 1, record: null, shareId: null };
  const manager = new HaManager(config, {
    clock,
    random: { id: () => 'id', fraction: () => 0.5 },
    log: new FakeLog(),
    peerLink: { start: () => (held === 'link' ? waits : Promise.resolve()), send: () => undefined, handle: () => undefined, stop: () => void begun.push('link stopped') },
    gateway: {
      probe: () => {
        begun.push('probe');
        return new Promise(() => undefined);
      },
    },
    localState: { load: async () => (held === 'state' ? await waits.then(() => state) : state), keep: () => Promise.resolve() },
    keeper: { start: () => (begun.push('keeper'), new FakeChild<ManagerToKeeper, KeeperToManager>(clock)) },
    broker: { start: () => (begun.push('broker'), new FakeChild<ManagerToBroker, BrokerToManager>(clock)) },
    run: 'run' as RunId,
  });
  const started = manager.start();
  await settle();
  await manager.stop();
  goOn();
  await started;
  clock.advance(10_000);
  expect(begun).toEqual(['link stopped']);
});
