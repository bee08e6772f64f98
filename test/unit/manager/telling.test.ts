import type { Monotonic, RunId } from '../../../src/core/identity.js';
import type { BrokerStatus } from '../../../src/core/control/broker.js';
import { INITIAL_STATE } from '../../../src/core/ha/state.js';
import type { Situation } from '../../../src/core/ha/situation.js';
import type { ManagerConfig } from '../../../src/manager/config.js';
import { Telling, type Listeners } from '../../../src/manager/telling.js';

/** A supervisor as `Telling` sees it. */
class FakeSupervisor<Part> {
  status: { onNetwork: boolean } | null = null;
  starts = 1;
  lastSeq = 0;
  readonly heard: Part[] = [];
  order(part: Part): void {
    this.lastSeq += 1;
    this.heard.push(part);
  }
}

function telling(): { broker: FakeSupervisor<unknown>; keeper: FakeSupervisor<unknown>; telling: Telling; tell: () => void } {
  const [broker, keeper] = [new FakeSupervisor<unknown>(), new FakeSupervisor<unknown>()];
  const one = new Telling({} as ManagerConfig, 'run' as RunId, { broker, keeper } as unknown as Listeners);
  const status: Pick<BrokerStatus, 'run'> = { run: 'broker-run' as RunId };
  const s = { broker: status, peer: null, kept: null, lock: { held: false, until: null as Monotonic | null } } as unknown as Situation;
  const tell = (): void => {
    one.orderBroker(INITIAL_STATE, s, false);
    one.orderKeeper(INITIAL_STATE, s, null, false);
  };
  tell();
  return { broker, keeper, telling: one, tell };
}

test('the same words are not said twice between two pulses, and again at each', () => {
  const { broker, keeper, telling: one, tell } = telling();
  tell();
  expect([broker.heard.length, keeper.heard.length]).toEqual([1, 1]);
  one.repeat();
  tell();
  tell();
  expect([broker.heard.length, keeper.heard.length]).toEqual([2, 2]);
  expect(broker.heard[1]).toEqual(broker.heard[0]);
});

test('a child that was started anew hears its order at once, and not the other one', () => {
  const { broker, keeper, tell } = telling();
  broker.starts += 1;
  tell();
  tell();
  expect([broker.heard.length, keeper.heard.length]).toEqual([2, 1]);
  keeper.starts += 1;
  tell();
  expect([broker.heard.length, keeper.heard.length]).toEqual([2, 2]);
});

test('what the process before answered says nothing of the role of the one that was started anew', () => {
  const { broker, telling: one, tell } = telling();
  expect(one.brokerRoleSeq).toBe(1);
  one.repeat();
  tell();
  // The same words to the same process: its earlier answers hold.
  expect(one.brokerRoleSeq).toBe(1);
  broker.starts += 1;
  tell();
  expect(one.brokerRoleSeq).toBe(3);
});

test('every share keeper from then on hears that one before it found the share on a mount of another host, and that one with the next pulse', () => {
  const { keeper, telling: one, tell } = telling();
  const told = (): unknown[] => keeper.heard.map((order) => (order as { wasNetwork: boolean }).wasNetwork);
  keeper.status = { onNetwork: true };
  tell();
  expect(told()).toEqual([false]);
  one.repeat();
  tell();
  expect(told()).toEqual([false, true]);
  for (const status of [null, { onNetwork: false }]) {
    keeper.status = status;
    keeper.starts += 1;
    tell();
  }
  expect(told()).toEqual([false, true, true, true]);
});
