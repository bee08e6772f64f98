import type { ServerState } from '../../src/core/identity.js';
import { Consumer } from '../simulation/consumer.js';
import { FaultRunner } from '../simulation/fault-runner.js';
import type { Fault, FaultKind, HostName } from '../simulation/faults.js';
import { History, type Operation } from '../simulation/history.js';
import { SimHost } from '../simulation/host.js';
import type { LinkOptions } from '../simulation/mqtt-link.js';
import type { Moment } from '../simulation/moments.js';
import { Pair } from '../simulation/pair.js';
import { clientEndpoint, PLAIN_TUNING, type Durability } from '../simulation/pair-config.js';
import { SimProcess } from '../simulation/process.js';
import { Publisher } from '../simulation/publisher.js';
import type { SeedShape } from '../simulation/seed-shape.js';
import type { Operation as ShareOperation } from '../simulation/share.js';
import { EvenPrng } from './even-prng.js';
import { Recorder, recordWords } from './recorder.js';

const SERVERS = ['primary', 'secondary'] as const;
const SEED = 1;
/** Longer than any transcript: until it is mended. */
const FOREVER_MS = 1e9;
const FIRST_CLIENT_PID = 20_000;
const STEADY = { rate: 1, wallOffsetMs: 0 };
const SHAPE: SeedShape = {
  least: { minutes: 0, operations: 0, faults: 0 },
  pace: 1,
  troubleUntilMs: 0,
  healLimitMs: 0,
  untilMs: 0,
  plan: { fromMs: 0, untilMs: 0, stretch: 1, faultsMin: 0, faultsMax: 0 },
  workload: { everyMs: 1, busyEveryMs: 1, busyForMs: 1, incidentEveryMs: 1, long: null },
  clocks: { primary: STEADY, secondary: STEADY },
  tuning: PLAIN_TUNING,
  durability: 'both',
  narrowLink: null,
  startMs: { primary: 0, secondary: 0 },
};

/** The history that the checkers judge, told as it happens. */
class ToldHistory extends History {
  constructor(
    world: ConstructorParameters<typeof History>[0],
    private readonly tell: (what: string) => void,
  ) {
    super(world);
  }

  override sent(operation: Operation): void {
    super.sent(operation);
    this.tell(`publishes ${operation.id}`);
  }

  override acked(operation: Operation, server: string): void {
    if (operation.ackedAt === null) this.tell(`${operation.id} is acknowledged by ${server}`);
    super.acked(operation, server);
  }

  override delivered(...received: Parameters<History['delivered']>): void {
    const [inbox, , payload] = received;
    this.tell(`${inbox.consumer} gets ${payload}`);
    super.delivered(...received);
  }
}

/** Two whole servers of production code in virtual time, on a share and a network without faults but those that are asked for. */
export class Stage {
  private readonly pair = new Pair(SEED, false, null, new EvenPrng(SEED));
  private readonly recorder = new Recorder(() => this.pair.world.now);
  private readonly history: ToldHistory;
  private readonly clients: SimHost;
  private readonly faults = new Map<string, FaultRunner>();
  private readonly claimsTold = { primary: 0, secondary: 0 };
  private readonly managers: Record<HostName, SimProcess | null> = { primary: null, secondary: null };
  private publisher: Publisher | null = null;
  private consumer: Consumer | null = null;
  private recordTold: string | null = null;
  private readonly rejected = (error: unknown): void => this.pair.world.fail('unhandled rejection', String(error));

  constructor() {
    const { pair, recorder } = this;
    this.history = new ToldHistory(pair.world, (what) => recorder.note('clients', what));
    pair.moments.observer = recorder;
    pair.build(SHAPE, this.history);
    pair.calm();
    this.clients = new SimHost(pair.world, 'clients', STEADY);
    pair.world.afterEach.push(() => this.look());
    process.on('unhandledRejection', this.rejected);
  }

  /** To be called in the end. */
  close(): void {
    process.off('unhandledRejection', this.rejected);
  }

  /** The promise that was broken; `null` while none was. */
  get broken(): string | null {
    const { violation } = this.pair.world;
    return violation === null ? null : `${violation.check}: ${violation.detail}`;
  }

  start(name: HostName): void {
    this.pair.server(name).start();
  }

  /** What both profiles say from the next start on. */
  durability(durability: Durability): void {
    this.pair.ground.settings.durability = durability;
  }

  /** Something goes wrong on `host` (or everywhere), now or at the next `moment`. `amount`: what the kind makes of it, in [0, 1). */
  fault(kind: FaultKind, host: HostName, moment: Moment | null, amount = 0): void {
    const fault: Fault = { kind, atMs: 0, forMs: FOREVER_MS, host, amount, moment, hitsMover: false, lagMs: 0 };
    const runner = new FaultRunner(this.pair.ground, [fault]);
    this.faults.set(`${kind} ${host}`, runner);
    runner.start();
  }

  /** @throws Error when there is no such fault */
  mend(kind: FaultKind, host: HostName): void {
    const runner = this.faults.get(`${kind} ${host}`);
    if (runner === undefined) throw new Error(`nothing to mend: there was no ${kind} of ${host}`);
    this.faults.delete(`${kind} ${host}`);
    runner.heal();
  }

  /** The next request of that kind which `host` makes on the share fails with EIO; `takesEffect`: and has its effect all the same. */
  failNext(host: HostName, operation: ShareOperation, takesEffect: boolean): void {
    this.pair.storage.next(host, operation, { kind: takesEffect ? 'reply-lost' : 'refused', code: 'EIO' });
    this.recorder.note('share', `will fail one request of ${host}: ${operation}${takesEffect ? ', which takes effect all the same' : ''}`);
  }

  publish(): void {
    if (this.publisher === null) {
      const { process, link } = this.client('pub1');
      const shape = { qos: 1 as const, window: 100, everyMs: 1, busyEveryMs: 1, topics: ['t/orders'], retained: 0, payloadBytesMax: 1, long: null };
      this.publisher = new Publisher(process, this.networkOf(process), process.random.fork('link'), link, shape, this.history);
      this.publisher.finish();
      this.publisher.start();
    }
    this.publisher.publish();
  }

  subscribe(): void {
    const { process, link } = this.client('con1');
    const shape = { qos: 2 as const, filters: ['t/#'], wants: () => true, thinkMs: 1 };
    this.consumer = new Consumer(process, this.networkOf(process), process.random.fork('link'), link, shape, this.history);
    this.consumer.start();
  }

  async run(forMs: number): Promise<void> {
    const { world } = this.pair;
    await world.run(world.now + forMs);
  }

  /** Runs until each server named is in its state (`DEAD`: not there). Answers whether that came true within `limitMs`. */
  async until(wanted: Readonly<Partial<Record<HostName, ServerState | 'DEAD'>>>, limitMs: number): Promise<boolean> {
    const { world } = this.pair;
    return world.run(world.now + limitMs, () => SERVERS.every((name) => wanted[name] === undefined || this.stateOf(name) === wanted[name]));
  }

  /** What happened since the last call, and what both servers are now. */
  take(): string[] {
    return [...this.recorder.take(), SERVERS.map((name) => this.summary(name)).join(' | ')];
  }

  private stateOf(name: HostName): ServerState | 'DEAD' {
    return this.pair.server(name).probe.manager()?.state ?? 'DEAD';
  }

  private summary(name: HostName): string {
    const { probe } = this.pair.server(name);
    const state = this.stateOf(name);
    if (state === 'DEAD') return `${name} DEAD`;
    const term = probe.manager()?.term ?? 0;
    const parts = [`${name} ${state}`, ...(term > 0 ? [`term ${term}`] : []), `position ${probe.broker()?.head.position ?? 'unknown'}`];
    return `${parts.join(', ')}${probe.lock()?.relied() === true ? ', lock held' : ''}`;
  }

  /** After each event: what came to stand on the share, what became of claims that were not won, and whether a manager is new. */
  private look(): void {
    const { highest } = this.pair.checkers;
    if (highest !== null && highest.nonce !== this.recordTold) {
      this.recordTold = highest.nonce;
      this.recorder.note('share', `${recordWords(highest)} stands`);
    }
    for (const name of SERVERS) {
      const manager = this.pair.server(name).find('manager');
      if (manager !== this.managers[name]) this.recorder.begins(name);
      this.managers[name] = manager;
      const { claims } = this.pair.server(name).probe;
      for (; this.claimsTold[name] < claims.length; this.claimsTold[name] += 1) {
        const claim = claims[this.claimsTold[name]];
        if (claim === undefined || claim.outcome.kind === 'pending' || claim.outcome.kind === 'won') continue;
        const why = 'detail' in claim.outcome ? `: ${claim.outcome.detail}` : '';
        this.recorder.note(name, `keeper: the claim of term ${claim.term} is ${claim.outcome.kind}${why}`);
      }
    }
  }

  private client(name: string): { process: SimProcess; link: LinkOptions } {
    const process = new SimProcess(this.clients, 'client', FIRST_CLIENT_PID + this.clients.processes.size, this.pair.world.random.fork(name), name);
    const servers = SERVERS.map((server) => ({ name: server, endpoint: clientEndpoint(server) }));
    return { process, link: { clientId: name, clean: false, keepaliveSeconds: 5, will: null, servers } };
  }

  private networkOf(process: SimProcess): ConstructorParameters<typeof Publisher>[1] {
    return this.pair.network.attach('clients', process.schedule, process.arrive).network;
  }
}
