import type { BrokerToManager, ManagerToBroker } from '../../../src/core/control/broker.js';
import type { KeeperToManager, ManagerToKeeper } from '../../../src/core/control/keeper.js';
import type { PeerStatus, PeerStatusBody } from '../../../src/core/control/peer.js';
import type { Monotonic, RunId } from '../../../src/core/identity.js';
import { HaManager } from '../../../src/manager/ha-manager.js';
import { PeerView } from '../../../src/manager/peer-view.js';
import { peer } from '../core/ha/situations.js';
import { FakeChild } from '../support/fake-child.js';
import { FakeClock, settle } from '../support/fake-clock.js';
import { FakeLog } from '../support/fake-log.js';
import { MANAGER_CONFIG } from './manager-config.js';

/*
 * An HA manager that stood still for a while (a stopped process, a host without processor time) runs its timers before it reads what came meanwhile. Judged
 * right then, a peer that is well would count as lost, and an ACTIVE server would stop serving for it.
 */
const OURS = 'manager-p' as RunId;
/** Turns are run by hand, so that a test can have something read between timers and turns, as an event loop does. */
class LoopClock extends FakeClock {
  private turns: (() => void)[] = [];
  private woken: Monotonic | null = null;

  override monotonic(): Monotonic {
    return this.woken ?? super.monotonic();
  }

  override soon(action: () => void): void {
    this.turns.push(action);
  }

  endTurn(): void {
    for (const action of this.turns.splice(0)) action();
  }

  /** Everything that fell due meanwhile runs now, and finds that it is late. */
  standStill(ms: number): void {
    this.woken = (super.monotonic() + ms) as Monotonic;
    this.advance(ms);
    this.woken = null;
  }
}

class Rig {
  readonly clock = new LoopClock();
  readonly log = new FakeLog();
  private hear: ((status: PeerStatus, receivedAt: Monotonic) => void) | null = null;
  private seq = 0;
  private readonly manager: HaManager;

  constructor() {
    let ids = 0;
    this.manager = new HaManager(MANAGER_CONFIG, {
      clock: this.clock,
      random: { id: () => `id${(ids += 1)}`, fraction: () => 0.5 },
      log: this.log,
      peerLink: { start: () => Promise.resolve(), send: () => undefined, handle: (handlers) => (this.hear = (status, at) => handlers.status(status, at)), stop: () => undefined },
      gateway: { probe: () => new Promise(() => undefined) },
      localState: { load: () => Promise.resolve({ schema: 1, record: null, shareId: null }), keep: () => Promise.resolve() },
      keeper: { start: () => new FakeChild<ManagerToKeeper, KeeperToManager>(this.clock) },
      broker: { start: () => new FakeChild<ManagerToBroker, BrokerToManager>(this.clock) },
      run: OURS,
    });
  }

  async start(): Promise<this> {
    void this.manager.start();
    await settle();
    return this;
  }

  heartbeat(): void {
    this.seq += 1;
    this.hear?.(peer({ seq: this.seq, record: null }), this.clock.monotonic());
  }

  pass(ms: number): void {
    for (let left = ms; left > 0; left -= 50) {
      this.clock.advance(50);
      this.clock.endTurn();
    }
  }

  get peerSaidDead(): boolean {
    return this.log.lines.some(({ message }) => message.startsWith('Secondary Server switched to DEAD'));
  }
}

describe('a manager that stood still', () => {
  test.each([1_200, 60_000])('for %d ms reads what its peer said meanwhile before it judges', async (ms) => {
    const rig = await new Rig().start();
    rig.heartbeat();
    rig.pass(450);
    rig.clock.standStill(ms);
    rig.heartbeat();
    rig.clock.endTurn();
    rig.pass(450);
    expect(rig.peerSaidDead).toBe(false);
  });

  test('judges nothing on what else it reads first', async () => {
    const rig = await new Rig().start();
    rig.heartbeat();
    rig.pass(450);
    rig.clock.standStill(60_000);
    rig.clock.advance(1);
    expect(rig.peerSaidDead).toBe(false);
  });

  test('finds a peer lost that has said nothing, one turn later', async () => {
    const rig = await new Rig().start();
    rig.heartbeat();
    rig.pass(450);
    rig.clock.standStill(1_200);
    rig.clock.endTurn();
    expect(rig.peerSaidDead).toBe(true);
  });

  test('goes on deciding where each turn takes as long: one turn is waited for, and no more', async () => {
    const rig = await new Rig().start();
    rig.heartbeat();
    rig.clock.standStill(2_000);
    rig.clock.standStill(2_000);
    rig.clock.endTurn();
    expect(rig.peerSaidDead).toBe(true);
  });
});

test('a manager that looks at every tick finds a silent peer lost in time', async () => {
  const rig = await new Rig().start();
  rig.heartbeat();
  rig.pass(1_500);
  expect(rig.peerSaidDead).toBe(false);
  rig.pass(50);
  expect(rig.peerSaidDead).toBe(true);
});

test('what the peer could not hear while this manager stood still is no deafness of its', () => {
  const clock = new FakeClock();
  const view = new PeerView(MANAGER_CONFIG, OURS, clock);
  const { seq } = view.number({} as PeerStatusBody);
  const heard = (): number => clock.monotonic() - (view.knowledge().peerHeardOurs ?? 0);
  clock.advance(400);
  clock.advance(3_000);
  view.stoodStill(3_000);
  view.hear(peer({ seq: 1, heard: { run: OURS, seq } }), clock.monotonic());
  expect(heard()).toBe(400);
  view.stoodStill(3_000);
  expect(heard()).toBe(0);
});

test('a status of ours counts as heard by its number while that is remembered, and as never sent when it is too old or is none of ours', () => {
  const clock = new FakeClock();
  const view = new PeerView(MANAGER_CONFIG, OURS, clock);
  const sentAt: Monotonic[] = [];
  for (let seq = 1; seq <= 600; seq += 1) {
    sentAt[seq] = clock.monotonic();
    view.number({} as PeerStatusBody);
    clock.advance(1);
  }
  let statuses = 0;
  const heard = (seq: number): Monotonic | null => {
    view.hear(peer({ seq: (statuses += 1), heard: { run: OURS, seq } }), clock.monotonic());
    return view.knowledge().peerHeardOurs;
  };
  expect([600, 512, 89].map(heard)).toEqual([sentAt[600], sentAt[512], sentAt[89]]);
  expect([88, 1, 0, 601, 1_112].map(heard)).toEqual([null, null, null, null, null]);
});
