import type { BrokerOrder, BrokerRole, BrokerStatus, BrokerToManager, FollowRole, ManagerToBroker, ServeRole } from '../../../src/core/control/broker.js';
import type { Effect } from '../../../src/core/broker/effects.js';
import type { JournalId, Monotonic, Position, RunId, ServerId, Term } from '../../../src/core/identity.js';
import { checksum } from '../../../src/adapters/checksum.js';
import { BrokerServer } from '../../../src/server/broker-server.js';
import type { ClientPort } from '../../../src/server/client-port.js';
import { DEFAULT_BROKER_TUNING, type BrokerConfig, type BrokerTuning } from '../../../src/server/config.js';
import type { ClientEdge, ClientHandler, Submitted } from '../../../src/server/edge.js';
import { RelaxableDisk } from '../../../src/server/relaxable-disk.js';
import { DiskImage } from '../../simulation/disk-image.js';
import { SimulatedDisk } from '../../simulation/disk.js';
import { PLAIN_SHAPE, SimNetwork, type SimNode } from '../../simulation/network.js';
import { Prng } from '../../simulation/prng.js';
import { FakeClock, settle } from '../support/fake-clock.js';
import { FakeLog } from '../support/fake-log.js';

export type ServerName = 'one' | 'two';

const TUNING: BrokerTuning = {
  ...DEFAULT_BROKER_TUNING,
  chunkBytes: 4 * 1024,
  recentBytesMax: 16 * 1024,
  inFlightBytesMax: 64 * 1024,
  payloadCacheBytes: 8 * 1024,
  unadmittedBytesMax: 64 * 1024,
  digestIntervalMs: 400,
  journal: { segmentBytes: 32 * 1024, groupBytes: 8 * 1024, hurryBytes: 1024, preallocate: false },
};

/** Two hosts in virtual time: brokers of production code, a simulated network and disks, orders made by hand. */
export class World {
  readonly clock = new FakeClock();
  readonly random = new Prng(7);
  readonly net: SimNetwork;

  constructor() {
    const { clock } = this;
    const shape = { ...PLAIN_SHAPE, schedule: (delayMs: number, action: () => void) => clock.after(delayMs, action), now: () => clock.monotonic(), random: this.random.fork('net') };
    this.net = new SimNetwork(shape);
  }

  /** Lets `ms` pass. */
  run(ms: number): Promise<void> {
    return this.clock.advanceAsync(ms);
  }

  /** Lets time pass until `condition` holds. @throws when it does not within `limitMs` */
  async until(condition: () => boolean, what: string, limitMs = 20_000): Promise<void> {
    const end = this.clock.monotonic() + limitMs;
    await settle();
    while (!condition()) {
      if (this.clock.monotonic() > end) throw new Error(`not within ${limitMs} ms: ${what}`);
      await this.clock.advanceAsync(2);
    }
  }
}

class FakeClientPort implements ClientPort {
  state: ClientPort['state'] = 'closed';
  /** Why it could not be bound. */
  ahead: string | null = null;
  error: string | null = null;
  bind(): Promise<void> {
    if (this.state === 'closed' || this.state === 'failed') this.state = 'bound';
    return Promise.resolve();
  }
  rehearse(): Promise<string | null> {
    return Promise.resolve(this.ahead);
  }
  accept(): void {
    if (this.state === 'bound') this.state = 'accepting';
  }
  hold(): void {
    if (this.state === 'accepting') this.state = 'bound';
  }
  close(): void {
    this.state = 'closed';
  }
}

/** One host with its disk, and the broker process that runs there now. */
export class Host {
  readonly image = new DiskImage();
  readonly log = new FakeLog();
  readonly statuses: BrokerStatus[] = [];
  readonly fatal: string[] = [];
  /** Of life, while the journal is opened. */
  signs = 0;
  exited: number | null = null;
  edge: ClientEdge | null = null;
  server: BrokerServer | null = null;
  readonly port = new FakeClientPort();
  private disk: SimulatedDisk | null = null;
  private node: SimNode | null = null;
  private seq = 0;
  private toBroker: ((message: ManagerToBroker) => void) | null = null;
  private closed: ((reason: string) => void) | null = null;
  private alive = { now: false };
  private generation = 0;
  order: Omit<BrokerOrder, 'seq' | 'pulseAt'> = { fenceThrough: 0 as Term, clientPort: 'closed', role: { kind: 'idle', keepClients: false }, shutdown: false };
  /** Of its profile; a change counts from the next start on. */
  durability: 'both' | 'bothWithoutDiskSync' = 'both';
  /** False: the manager is frozen. */
  pulsing = true;
  /** Of the process, in some unit. */
  memory = { used: 0, limit: 100 };

  constructor(
    readonly world: World,
    readonly name: ServerName,
    readonly tuning: Partial<BrokerTuning> = {},
  ) {
    this.beat();
  }

  /** Of its profile; a change counts from the next start on. */
  limits: BrokerConfig['limits'] = { inflightMessagesMax: 10, sessionsMax: 100, subscriptionsPerSessionMax: 20, queuedMessagesPerSessionMax: 10_000, storedBytesMax: 64 * 1024 * 1024, retainedMessagesMax: 1_000 };

  get config(): BrokerConfig {
    return {
      cluster: 'test',
      server: this.name as string as ServerId,
      replicationListen: { host: this.name, port: 2102 },
      replicationSecured: false,
      tickMs: 100,
      pulseLimitMs: 1_000,
      limits: this.limits,
      tuning: { ...TUNING, ...this.tuning },
    };
  }

  /** Starts the process and waits until its state is built. */
  async start(): Promise<void> {
    const { clock, net, random } = this.world;
    this.generation += 1;
    const alive = { now: true };
    this.alive = alive;
    const guarded = (delayMs: number, action: () => void) => clock.after(delayMs, () => alive.now && action());
    this.disk = new SimulatedDisk({ image: this.image, schedule: (delayMs, action) => void clock.after(delayMs, action), random: () => random.fraction() });
    this.node = net.attach(this.name, guarded);
    this.exited = null;
    this.statuses.length = 0;
    const processClock = { monotonic: () => clock.monotonic(), sinceBoot: () => clock.sinceBoot(), wall: () => clock.wall(), after: guarded, soon: (action: () => void) => void guarded(0, action), next: (action: () => void) => void guarded(0, action) };
    const server = new BrokerServer(
      {
        disk: this.durability === 'both' ? this.disk : new RelaxableDisk(this.disk),
        network: this.node.network,
        clock: processClock,
        random: random.fork(`${this.name}/${this.generation}`),
        log: this.log,
        checksum,
        memory: () => this.memory,
        channel: {
          send: (message: BrokerToManager) => this.fromBroker(message, alive),
          handle: (handlers) => {
            this.toBroker = handlers.message;
            this.closed = handlers.closed;
          },
        },
        clients: (edge) => {
          this.edge = edge;
          return this.port;
        },
        exit: (code) => {
          if (alive.now) this.exited = code;
        },
      },
      this.config,
    );
    this.server = server;
    void server.start();
    await this.world.until(() => this.fatal.length > 0 || (server.status !== null && server.status.trouble !== 'the state is being built from the log'), `${this.name} has started`);
    this.send();
  }

  /** The machine goes off, and what was not synced may go with it. */
  losePower(): void {
    this.kill();
    this.image.losePower(() => this.world.random.fraction());
  }

  /** SIGKILL. */
  kill(): void {
    this.alive.now = false;
    this.disk?.kill();
    this.node?.end('noticed');
    this.server = null;
    this.port.close();
  }

  parentGone(): void {
    this.closed?.('killed');
  }

  get status(): BrokerStatus {
    const status = this.server?.status ?? null;
    if (status === null) throw new Error(`${this.name} has no status`);
    return status;
  }
  get run(): RunId {
    return this.status.run;
  }
  get journal(): JournalId {
    return this.status.journal.id;
  }
  get member(): { server: ServerId; journal: JournalId } {
    return { server: this.name as string as ServerId, journal: this.journal };
  }
  get head(): Position {
    return this.status.journal.position;
  }

  /** Changes the order and sends it at once. */
  become(role: BrokerRole, fenceThrough: number = this.order.fenceThrough, clientPort: 'closed' | 'bound' = role.kind === 'serve' ? 'bound' : 'closed'): void {
    this.order = { ...this.order, role, fenceThrough: fenceThrough as Term, clientPort };
    this.send();
  }

  shutDown(): void {
    this.order = { ...this.order, shutdown: true };
    this.send();
  }

  idle(keepClients: boolean, fenceThrough?: number): void {
    this.become({ kind: 'idle', keepClients }, fenceThrough, keepClients ? 'bound' : 'closed');
  }

  serve(term: number, changes: Partial<ServeRole> = {}): void {
    this.become({ kind: 'serve', term: term as Term, inSync: [this.member], requirePeer: false, soloUntil: null, peer: null, drain: false, ...changes });
  }

  follow(leader: Host, term: number, changes: Partial<FollowRole> = {}): void {
    this.become({ kind: 'follow', term: term as Term, leader: { server: leader.name as string as ServerId, brokerRun: leader.run, endpoint: { host: leader.name, port: 2102 } }, resync: false, ...changes });
  }

  client(): TestClient {
    if (this.edge === null) throw new Error('no edge');
    return new TestClient(this.edge);
  }

  private send(): void {
    this.seq += 1;
    this.toBroker?.({ kind: 'order', order: { ...this.order, seq: this.seq, pulseAt: this.world.clock.monotonic() } });
  }

  private beat(): void {
    this.world.clock.after(250, () => this.beat());
    if (this.pulsing && this.alive.now) this.send();
  }

  private fromBroker(message: BrokerToManager, alive: { now: boolean }): void {
    if (!alive.now) return;
    if (message.kind === 'opening') this.signs += 1;
    if (message.kind === 'status') this.statuses.push(message.status);
    if (message.kind === 'fatal') this.fatal.push(`${message.code}: ${message.message}`);
  }
}

/** A client that speaks to the broker through its edge, as a protocol adapter does. */
export class TestClient implements ClientHandler {
  readonly effects: Effect[] = [];
  closed: string | null = null;
  resumed = 0;
  readonly connection: number;
  private packetId = 0;

  constructor(readonly edge: ClientEdge) {
    this.connection = edge.register(this);
  }

  effect(effect: Effect): void {
    this.effects.push(effect);
  }
  close(reason: string): void {
    this.closed = reason;
  }
  resume(): void {
    this.resumed += 1;
  }

  connect(clientId: string, clean = false): Submitted {
    return this.edge.submit({ kind: 'connect', connection: this.connection, clientId, clean, will: null, user: null }, 1);
  }
  subscribe(filter: string, qos: 0 | 1 | 2 = 1): Submitted {
    return this.edge.submit({ kind: 'subscribe', connection: this.connection, packetId: this.next(), subscriptions: [{ filter, qos }] }, 1);
  }
  subscribeAll(filters: readonly string[], qos: 0 | 1 | 2 = 1): Submitted {
    return this.edge.submit({ kind: 'subscribe', connection: this.connection, packetId: this.next(), subscriptions: filters.map((filter) => ({ filter, qos })) }, 1);
  }
  publish(topic: string, payload: string | Uint8Array, retain = false): Submitted {
    const bytes = typeof payload === 'string' ? new TextEncoder().encode(payload) : payload;
    return this.edge.submit({ kind: 'publish', connection: this.connection, packetId: this.next(), topic, qos: 1, retain, payload: bytes }, 1);
  }
  of<Kind extends Effect['kind']>(kind: Kind): (Effect & { kind: Kind })[] {
    return this.effects.filter((effect): effect is Effect & { kind: Kind } => effect.kind === kind);
  }
  get acknowledged(): number {
    return this.of('puback').length;
  }

  private next(): number {
    this.packetId = (this.packetId % 65_535) + 1;
    return this.packetId;
  }
}

/** Two started brokers; `one` serves alone in term 1 and `two` follows it, in step. */
export async function startedPair(tuning: Partial<BrokerTuning> = {}, durability: Host['durability'] = 'both'): Promise<{ world: World; one: Host; two: Host }> {
  const world = new World();
  const one = new Host(world, 'one', tuning);
  const two = new Host(world, 'two', tuning);
  one.durability = two.durability = durability;
  await one.start();
  await two.start();
  one.serve(1, { peer: peerOf(two) });
  two.follow(one, 1);
  await world.until(() => one.status.replication?.phase === 'in-step', 'in step');
  return { world, one, two };
}

/** As `startedPair`, admitted: term 2 needs both. */
export async function syncedPair(tuning: Partial<BrokerTuning> = {}, durability: Host['durability'] = 'both'): Promise<{ world: World; one: Host; two: Host }> {
  const { world, one, two } = await startedPair(tuning, durability);
  one.serve(1, { peer: peerOf(two), requirePeer: true });
  one.serve(2, { peer: peerOf(two), requirePeer: true, inSync: [one.member, two.member] });
  two.follow(one, 2);
  await world.run(50);
  return { world, one, two };
}

export function peerOf(host: Host): { server: ServerId; brokerRun: RunId } {
  return { server: host.name as string as ServerId, brokerRun: host.run };
}

export const forever = Number.MAX_SAFE_INTEGER as Monotonic;

export const snapshots = (host: Host): string[] => host.image.paths().filter((path) => path.endsWith('.snap'));

/** A session that is away, so that messages wait for it. */
export function leaveSession(host: Host): void {
  const client = host.client();
  client.connect('away');
  client.subscribe('q');
  client.edge.submit({ kind: 'disconnect', connection: client.connection, publishWill: false }, 1);
  client.edge.unregister(client.connection);
}
