import type { ServerState } from '../../src/core/identity.js';
import { Checkers } from './checkers.js';
import { LINKS, type FaultGround } from './fault-actions.js';
import { SPARES_A_PAIR, type HostName } from './faults.js';
import { SimGateway } from './gateway.js';
import type { History } from './history.js';
import { SimHost, type ClockShape } from './host.js';
import { Ledger } from './ledger.js';
import { SimLocalState } from './local-state.js';
import { Moments } from './moments.js';
import { PLAIN_SHAPE, SimNetwork } from './network.js';
import { backchannelHost, clientEndpoint, keeperConfig, LIMITS, type PairSettings } from './pair-config.js';
import type { SeedShape } from './seed-shape.js';
import { Prng } from './prng.js';
import { SimServer } from './server.js';
import { Storage } from './storage.js';
import { Troubles } from './troubles.js';
import { ServerWiring } from './wiring.js';
import { Workload } from './workload.js';
import { World } from './world.js';

const PERFECT_CLOCK: ClockShape = { rate: 1, wallOffsetMs: 0 };
const SHORT_STATE: Readonly<Record<ServerState, string>> = {
  WAITING: 'WAIT',
  PASSIVE_SYNC: 'P_SYNC',
  ACTIVE_SYNC: 'A_SYNC',
  PASSIVE: 'PASS',
  ACTIVE: 'ACTIVE',
  STANDALONE: 'ALONE',
};

/** The whole world of one seed: two servers of production code, share, gateway, network, clients and checkers. */
export class Pair {
  readonly world: World;
  readonly network: SimNetwork;
  readonly gateway = new SimGateway();
  readonly ledger = new Ledger();
  readonly moments = new Moments();
  private readonly troubles: Troubles;
  private readonly settings: PairSettings = { limits: LIMITS, durability: 'both', unable: { primary: 0, secondary: 0 } };
  private parts: { servers: Record<HostName, SimServer>; storage: Storage; workload: Workload; checkers: Checkers } | null = null;
  /** A copy that may be dropped at any time leaves the other one alone: nothing destroys that. */
  private narrow = false;
  private pid = 100;

  constructor(seed: number, detailed: boolean, live: ((line: string) => void) | null, random = new Prng(seed)) {
    this.world = new World(seed, () => this.states(), live, detailed, random);
    const { world } = this;
    this.troubles = new Troubles(world, (kind) => SPARES_A_PAIR.has(kind) && (kind !== 'mount-gone' || this.built.storage.tellsMounts));
    this.network = new SimNetwork({
      ...PLAIN_SHAPE,
      schedule: (delayMs, action) => world.schedule(delayMs, action),
      now: () => world.now,
      random: world.random.fork('network'),
    });
  }

  build(shape: SeedShape, history: History): void {
    const { world } = this;
    this.settings.durability = shape.durability;
    const bytesPerSecond = shape.narrowLink?.bytesPerSecond ?? null;
    this.narrow = bytesPerSecond !== null;
    this.network.narrow('primary', 'secondary', bytesPerSecond);
    this.network.narrow('secondary', 'primary', bytesPerSecond);
    const hosts = { primary: new SimHost(world, 'primary', shape.clocks.primary), secondary: new SimHost(world, 'secondary', shape.clocks.secondary) };
    const storage = new Storage(world, hosts, this.moments, keeperConfig('primary', shape.pace).passiveLockIntervalMs);
    const servers = { primary: this.makeServer('primary', hosts.primary, storage, shape), secondary: this.makeServer('secondary', hosts.secondary, storage, shape) };
    // A link that carries less than is published at times is always something to answer.
    const quietMs = (): number => (this.narrow ? 0 : this.troubles.sparedMs / shape.pace);
    const checkers = new Checkers(world, [servers.primary.probe, servers.secondary.probe], storage.shareProbe, this.ledger, { stalenessMs: keeperConfig('primary', shape.pace).passiveLockIntervalMs, quietMs });
    for (const name of ['primary', 'secondary'] as const) storage.onUnsyncedLoss(name, () => checkers.losesUnsynced(name));
    history.onAcked = (operation, server) => checkers.acknowledged(operation, server);
    history.wasRepeated = ({ id }) => this.ledger.ofOperation(id).length > 1;
    const clients = new SimHost(world, 'clients', PERFECT_CLOCK);
    const workload = new Workload(
      clients,
      (process) => this.network.attach('clients', process.schedule, process.arrive).network,
      (['primary', 'secondary'] as const).map((name) => ({ name, endpoint: clientEndpoint(name) })),
      world.random.fork('clients'),
      shape.workload,
      history,
    );
    this.parts = { servers, storage, workload, checkers };
  }

  get workload(): Workload {
    return this.built.workload;
  }

  get checkers(): Checkers {
    return this.built.checkers;
  }

  server(name: HostName): SimServer {
    return this.built.servers[name];
  }

  get ground(): FaultGround {
    return { world: this.world, moments: this.moments, troubles: this.troubles, settings: this.settings, server: (name) => this.server(name), network: this.network, gateway: this.gateway, storage: this.built.storage, bothCount: () => !this.narrow && this.whole && this.built.checkers.bothAreMembers && !this.built.storage.shareProbe.isBare, consumersAway: (forMs) => this.workload.consumersAway(forMs), countsOnUnsynced: () => this.built.checkers.countsOnUnsynced, sharesUnsynced: (name) => this.built.storage.unsynced.has(name) && this.built.checkers.sharesUnsynced(name), canDoWithout: (name) => !this.narrow && this.built.checkers.canDoWithout(name), mayForget: (name) => this.built.checkers.mayForgetUnsaid(name), letsGo: (name) => this.built.checkers.letsGo(name), mayDamage: (name) => this.built.checkers.mayDamage(name), putBack: (name) => this.built.checkers.putBack(name) };
  }

  get storage(): Storage {
    return this.built.storage;
  }

  /** Nothing is at fault, and the share has none of the habits that the seed drew for it. */
  calm(): void {
    this.built.storage.heal();
  }

  /** Every server runs again, on a machine that works. */
  heal(): void {
    for (const server of this.both()) {
      server.host.wake();
      server.host.thaw();
      server.host.powerOn();
      for (const process of server.host.processes) process.resume();
      server.start();
      this.gateway.mend(server.name);
    }
    for (const [one, other] of LINKS) this.network.healBoth(one, other);
    this.built.storage.heal();
  }

  /** One ACTIVE, the other PASSIVE. */
  get whole(): boolean {
    const states = this.both().map((server) => server.probe.manager()?.state);
    return states.includes('ACTIVE') && states.includes('PASSIVE');
  }

  /** In words, for the message of a failure. */
  condition(): string {
    return this.both()
      .map(({ name, probe }) => {
        const manager = probe.manager();
        return manager === null ? `${name} is down` : `${name} is ${manager.state} (${manager.reason})`;
      })
      .join('; ');
  }

  judgeEnd(): void {
    this.built.checkers.compareEnds();
  }

  /** One line's worth of both servers: state and term. */
  private states(): string {
    if (this.parts === null) return '';
    return this.both()
      .map(({ name, probe }) => {
        const manager = probe.manager();
        const text = manager === null ? '-' : `${SHORT_STATE[manager.state]}${manager.term > 0 ? `@${manager.term}` : ''}`;
        return `${name === 'primary' ? 'P' : 'S'}:${text.padEnd(9)}`;
      })
      .join(' ');
  }

  private both(): readonly SimServer[] {
    return [this.server('primary'), this.server('secondary')];
  }

  private get built(): NonNullable<Pair['parts']> {
    if (this.parts === null) throw new Error('the pair is not built yet');
    return this.parts;
  }

  private makeServer(name: HostName, host: SimHost, storage: Storage, { pace, tuning }: SeedShape): SimServer {
    host.onPower.push((on) => {
      for (const machine of [name, backchannelHost(name)]) this.network.power(machine, on);
    });
    const nextPid = (): number => (this.pid += 1);
    const localState = new SimLocalState(host, storage.images[name]);
    const wiring = new ServerWiring({ name, host, network: this.network, gateway: this.gateway, storage, localState, ledger: this.ledger, moments: this.moments, nextPid, pace, tuning, settings: this.settings });
    return new SimServer(name, host, localState, wiring.probe, nextPid, (server, process) => wiring.bootManager(server, process));
  }
}
