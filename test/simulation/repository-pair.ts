import type { RepositoryOrder, RepositoryRole, RepositoryStatus } from '../../src/core/control/repository.js';
import type { Monotonic, RunId, ServerId, Term } from '../../src/core/identity.js';
import type { SyncType } from '../../src/core/repository/entry.js';
import type { RepositoryConfig } from '../../src/repository/config.js';
import { RepositoryKeeper } from '../../src/repository/keeper.js';
import { createReceiver } from '../../src/repository/receiver.js';
import { createSender } from '../../src/repository/sender.js';
import type { FolderWatch } from '../../src/repository/tools.js';
import { FileTree, type Promised } from './file-tree.js';
import { Crashed, SimulatedFiles } from './files.js';
import { SimHost } from './host.js';
import { PLAIN_SHAPE, SimNetwork, type SimNode } from './network.js';
import { SimProcess } from './process.js';
import { simulatedRepository, type Hashing } from './repository.js';
import { World } from './world.js';

/* Two repository keepers of production code, on simulated file systems, a simulated network, and in virtual time. What the HA managers would order is written down here. */

export const REPOSITORY = 'apps';
export const LIVE = '/srv/apps';
const PORT = 2103;
const PULSE_MS = 100;
const PULSE_LIMIT_MS = 1_000;
/** A process that ended, or a host that lost its power, is there again after so long. */
const BACK_MS = 500;

export interface PairShape {
  readonly type: SyncType;
  readonly when: RepositoryConfig['when'];
  readonly exchange: 'atomic' | 'two-renames';
  readonly promised: Promised;
  readonly exclude: readonly string[];
  readonly throttle: number | null;
  /** A flaw for a test of the tests. */
  readonly syncsNothing?: boolean;
}

class KeeperProcess extends SimProcess {
  override uncaught(error: unknown): void {
    // What a process does after its end is done by nobody.
    if (error instanceof Crashed || !this.alive) return;
    super.uncaught(error);
  }
}

/** One server: a host, what lies on its disk, and its keeper while it lives. */
export class KeeperSide {
  readonly host: SimHost;
  readonly tree: FileTree;
  process: SimProcess | null = null;
  status: RepositoryStatus | null = null;
  watch: FolderWatch | null = null;
  /** Before each call to the file system, with its kind. A test counts, and crashes. */
  calling: (call: string, change: boolean) => void = () => undefined;
  readonly log: string[] = [];
  private hear: ((order: RepositoryOrder) => void) | null = null;
  private seq = 0;
  private runs = 0;
  /** How long its processes stood still in the midst of what they did. */
  private stillMs = 0;

  constructor(
    readonly name: ServerId,
    private readonly pair: KeeperPair,
  ) {
    this.host = new SimHost(pair.world, name, { rate: 1, wallOffsetMs: 0 });
    this.tree = new FileTree(pair.shape.promised, () => this.host.wall());
  }

  get run(): RunId | null {
    return this.status?.run ?? null;
  }

  start(): void {
    const { pair, host } = this;
    this.runs += 1;
    const process = new KeeperProcess(host, 'keeper', pair.nextPid(), pair.world.random.fork(`${this.name}/${this.runs}`), `${this.name}/repositories`);
    const node = pair.network.attach(this.name, process.schedule, process.arrive);
    const files = new SimulatedFiles({ tree: this.tree, schedule: process.schedule, calling: (call, change) => this.calling(call, change), syncsNothing: pair.shape.syncsNothing ?? false });
    Object.assign(this, { process, status: null, hear: null });
    process.onEnd.push((_, how) => {
      files.kill();
      node.end(how);
      if (this.process === process) Object.assign(this, { process: null, status: null, hear: null });
    });
    process.schedule(1, () => this.boot(process, node, files));
  }

  order(part: Pick<RepositoryOrder, 'role' | 'fenceThrough'>): void {
    const { process, hear } = this;
    if (process === null || hear === null) return;
    this.seq += 1;
    hear({ seq: this.seq, pulseAt: this.monotonic(), wishes: [], messagesFlow: false, shutdown: false, ...part });
  }

  /** The keeper ends; or the whole host, with what was not synced. */
  crash(how: 'process' | 'host'): void {
    const { pair } = this;
    if (how === 'process') this.process?.end('ended by the test');
    else {
      this.host.powerOff();
      pair.network.power(this.name, false);
      this.tree.losePower(() => pair.world.random.fraction());
    }
    pair.world.schedule(BACK_MS, () => {
      if (how === 'host') {
        pair.network.power(this.name, true);
        this.host.powerOn();
      }
      this.start();
    });
  }

  /** Time goes by in the midst of what its process does: it stood still, and knows nothing of it. */
  stoodStill(ms: number): void {
    this.stillMs += ms;
  }

  private monotonic(): Monotonic {
    return (this.host.monotonic() + this.stillMs) as Monotonic;
  }

  private boot(process: SimProcess, node: SimNode, files: SimulatedFiles): void {
    const { pair, name } = this;
    const config: RepositoryConfig = { name: REPOSITORY, path: LIVE, syncType: pair.shape.type, include: [], exclude: pair.shape.exclude, when: pair.shape.when, schedule: null, throttle: pair.shape.throttle, keptVersions: 5, used: true };
    const keeper = new RepositoryKeeper(
      {
        config: { cluster: 'c', server: name, listen: { host: name, port: PORT }, secretFile: null, folder: '/var', pulseLimitMs: PULSE_LIMIT_MS, repositories: [config] },
        run: `${name}-${this.runs}` as RunId,
        network: node.network,
        clock: { ...process.clock, monotonic: () => this.monotonic() },
        log: { write: (level, message) => void this.log.push(`${level} ${message}`) },
        hashing: pair.hashing,
        memory: { load: () => new Map(), keep: () => undefined },
        open: () => simulatedRepository({ files, path: LIVE, recordFile: '/var/apps.digests', exclude: pair.shape.exclude, keep: 5, hashing: pair.hashing, exchange: pair.shape.exchange }),
        watch: (_, _exclude, watch) => {
          this.watch = watch;
          return () => (this.watch = null);
        },
        createSender,
        createReceiver,
      },
      {
        send: (message) => {
          if (process.alive && message.kind === 'status') this.status = message.status;
        },
        handle: ({ message }) => {
          this.hear = (order) => void process.schedule(0, () => message({ kind: 'order', order }));
        },
      },
      () => undefined,
    );
    keeper.start();
  }
}

/** What both are told. */
export interface Ordered {
  sender: ServerId;
  senderTerm: Term;
  receiverTerm: Term;
  /** What the receiver refuses. */
  fence: Term;
  /** False: the receiver's manager says nothing, and its last order grows old. */
  pulses: boolean;
}

export class KeeperPair {
  readonly world: World;
  readonly network: SimNetwork;
  readonly primary: KeeperSide;
  readonly secondary: KeeperSide;
  readonly ordered: Ordered = { sender: 'primary' as ServerId, senderTerm: 3 as Term, receiverTerm: 3 as Term, fence: 2 as Term, pulses: true };
  private pids = 0;

  constructor(
    seed: number,
    readonly shape: PairShape,
    readonly hashing: Hashing,
  ) {
    this.world = new World(seed);
    const { world } = this;
    this.network = new SimNetwork({ ...PLAIN_SHAPE, schedule: (delayMs, action) => world.schedule(delayMs, action), now: () => world.now, random: world.random.fork('network') });
    this.primary = new KeeperSide('primary' as ServerId, this);
    this.secondary = new KeeperSide('secondary' as ServerId, this);
  }

  nextPid(): number {
    this.pids += 1;
    return this.pids;
  }

  start(): void {
    this.primary.start();
    this.secondary.start();
    this.pulse();
  }

  private pulse(): void {
    this.tell();
    this.world.schedule(PULSE_MS, () => this.pulse());
  }

  /** The present orders, at once. */
  tell(): void {
    const { ordered, primary, secondary } = this;
    const [sender, receiver] = ordered.sender === primary.name ? [primary, secondary] : [secondary, primary];
    sender.order({ fenceThrough: (ordered.senderTerm - 1) as Term, role: receiver.run === null ? IDLE : { kind: 'send', term: ordered.senderTerm, to: { server: receiver.name, run: receiver.run } } });
    const from = sender.run;
    const role: RepositoryRole = from === null ? IDLE : { kind: 'receive', term: ordered.receiverTerm, from: { server: sender.name, run: from, endpoint: { host: sender.name, port: PORT }, names: [REPOSITORY] } };
    if (ordered.pulses) receiver.order({ fenceThrough: ordered.fence, role });
  }

  /** The receiver says that it is in sync with the sender's present run. */
  get inSync(): boolean {
    const [sender, receiver] = this.ordered.sender === this.primary.name ? [this.primary, this.secondary] : [this.secondary, this.primary];
    const status = receiver.status;
    return sender.run !== null && status?.from === sender.run && status.repositories[0]?.condition === 'in-sync' && status.repositories[0].progress === null;
  }

}

const IDLE: RepositoryRole = { kind: 'idle' };
