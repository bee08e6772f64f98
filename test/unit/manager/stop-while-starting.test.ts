import type { BrokerToManager, ManagerToBroker } from '../../../src/core/control/broker.js';
import type { KeeperToManager, ManagerToKeeper } from '../../../src/core/control/keeper.js';
import type { RunId } from '../../../src/core/identity.js';
import { HaManager } from '../../../src/manager/ha-manager.js';
import type { KeptState } from '../../../src/ports/local-state.js';
import { FakeChild } from '../support/fake-child.js';
import { FakeClock, settle } from '../support/fake-clock.js';
import { FakeLog } from '../support/fake-log.js';
import { MANAGER_CONFIG } from './manager-config.js';

test.each(['state', 'link'] as const)('a server that is stopped while its start waits (%s) begins nothing later', async (held) => {
  const clock = new FakeClock();
  const begun: string[] = [];
  let goOn = (): void => undefined;
  const waits = new Promise<void>((resolve) => (goOn = resolve));
  const state: KeptState = { schema: 1, record: null, shareId: null };
  const manager = new HaManager(MANAGER_CONFIG, {
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
