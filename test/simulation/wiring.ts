import { crc32 } from 'node:zlib';
import type { BrokerToManager, ManagerToBroker } from '../../src/core/control/broker.js';
import type { ClaimOutcome, KeeperToManager, ManagerToKeeper } from '../../src/core/control/keeper.js';
import type { RunId, ServerState } from '../../src/core/identity.js';
import { readBrokerToManager, readManagerToBroker } from '../../src/core/wire/broker-messages.js';
import { readKeeperToManager, readManagerToKeeper } from '../../src/core/wire/keeper-messages.js';
import type { TermRecord } from '../../src/core/terms/record.js';
import { Backchannel } from '../../src/manager/backchannel.js';
import { HaManager } from '../../src/manager/ha-manager.js';
import type { PeerLink } from '../../src/manager/peer-link.js';
import type { GatewayProbe } from '../../src/ports/gateway.js';
import type { Disk } from '../../src/ports/disk.js';
import type { Log } from '../../src/ports/log.js';
import type { Channel } from '../../src/ports/process.js';
import { AnonymousAuthenticator } from '../../src/protocols/mqtt/anonymous.js';
import { MqttProtocol } from '../../src/protocols/mqtt/protocol.js';
import { BrokerServer } from '../../src/server/broker-server.js';
import { ClientListener } from '../../src/server/clients/client-listener.js';
import type { Copy } from '../../src/server/copy.js';
import type { ClientEdge } from '../../src/server/edge.js';
import type { Following } from '../../src/server/following.js';
import { Serving } from '../../src/server/serving.js';
import { RelaxableDisk } from '../../src/server/relaxable-disk.js';
import { ShareKeeper } from '../../src/share/keeper.js';
import { BOOT_TOLERANCE_MS } from '../../src/share/lease.js';
import { SimSpawner } from './channel.js';
import type { HostName } from './faults.js';
import type { SimGateway } from './gateway.js';
import type { SimHost } from './host.js';
import { tapJournal } from './journal-tap.js';
import type { Ledger } from './ledger.js';
import type { SimLocalState } from './local-state.js';
import type { SimNetwork, SimNode } from './network.js';
import { backchannelEndpoint, backchannelHello, backchannelHost, brokerConfig, clientEndpoint, keeperConfig, LOCK_FILE, managerConfig, otherHost, type PairSettings, type SeedTuning } from './pair-config.js';
import { watchBrokers, watchKeepers, type Moments } from './moments.js';
import type { BrokerView, ClaimWord, LockWord, ManagerView, Move, ServerProbe } from './probe.js';
import type { SimProcess } from './process.js';
import type { SimServer } from './server.js';
import type { Storage } from './storage.js';
import { Testimony } from './testimony.js';

export interface WiringParts {
  readonly name: HostName;
  readonly host: SimHost;
  readonly network: SimNetwork;
  readonly gateway: SimGateway;
  readonly storage: Storage;
  readonly localState: SimLocalState;
  readonly ledger: Ledger;
  readonly moments: Moments;
  readonly nextPid: () => number;
  /** Of the profile's times. */
  readonly pace: number;
  readonly tuning: SeedTuning;
  readonly settings: PairSettings;
}

/** A server that could not start is tried again after this, as a service manager does. */
const START_AGAIN_MS = 1_000;
/** A process that says `fatal`, or that it has ended, is gone after so long. */
const FAREWELL_MS = 20;
const CLIENTS_MAX = 1_000;
/** How the processes of one server read each other. */
const KEEPER_READS = { down: readManagerToKeeper, up: readKeeperToManager };
const BROKER_READS = { down: readManagerToBroker, up: readBrokerToManager };

/**
 * Puts the production classes of one server into the simulated processes: the only file of the simulator that knows their
 * constructors. It does what each process's main.ts does, with simulated ports.
 */
export class ServerWiring {
  readonly probe: ServerProbe;
  private managerView: (() => ManagerView) | null = null;
  private readonly moves: Move[] = [];
  private readonly claims: ClaimWord[] = [];
  private readonly ordered: TermRecord[] = [];
  private lock: LockWord | null = null;
  private spokeAt = -Infinity;
  private brokerView: (() => BrokerView | null) | null = null;
  private durableEnds: (() => Map<string, number>) | null = null;

  constructor(private readonly parts: WiringParts) {
    this.probe = {
      name: parts.name,
      moves: this.moves,
      claims: this.claims,
      ordered: this.ordered,
      lock: () => this.lock,
      manager: () => this.managerView?.() ?? null,
      broker: () => this.brokerView?.() ?? null,
      keptTerm: () => parts.localState.content.record?.term ?? 0,
      forgotten: () => (this.durableEnds === null ? [] : parts.storage.forgottenOf(parts.name, this.durableEnds())),
      givesWay: () => parts.storage.beginsAnew(parts.name),
      unsynced: () => parts.storage.unsyncedOf(parts.name),
    };
  }

  bootManager(server: SimServer, process: SimProcess): void {
    const { parts } = this;
    const { name } = parts;
    const run = process.random.id() as RunId;
    const config = managerConfig(name, parts.pace);
    const testimony = new Testimony(name, run, config, () => process.clock.monotonic(), (check, detail) => parts.host.world.fail(check, detail));
    const log = this.logOf(process, run, testimony);
    const manager = new HaManager(config, {
      clock: process.clock,
      random: process.random.fork('ids'),
      log,
      peerLink: this.peerLink(process, run, log, testimony),
      gateway: this.gateway(process, testimony),
      localState: parts.localState.forProcess(process),
      keeper: watchKeepers(new SimSpawner<ManagerToKeeper, KeeperToManager>(process, 'keeper', parts.nextPid, (child, parent) => this.bootKeeper(child, parent), KEEPER_READS), parts.moments, name, (claim) => {
        this.ordered.push(claim);
        testimony.claims(claim);
      }),
      broker: watchBrokers(new SimSpawner<ManagerToBroker, BrokerToManager>(process, 'broker', parts.nextPid, (child, parent) => this.bootBroker(child, parent), BROKER_READS), parts.moments, name),
      run,
    });
    const view = (): ManagerView => {
      const { state, term, reason } = manager.state;
      return { state, term, reason };
    };
    this.managerView = view;
    process.onEnd.push(() => {
      if (this.managerView === view) this.managerView = null;
    });
    server.insides = {
      switchover: () => {
        const answer = manager.wish('switchover');
        process.say(answer.kind === 'accepted' ? 'switchover asked for' : `switchover refused: ${answer.why}`);
      },
      stop: (stopped) => void manager.stop().then(stopped),
      spokeAt: () => this.spokeAt,
    };
    manager.start().catch((error: unknown) => {
      process.say(`cannot start: ${error instanceof Error ? error.message : String(error)}`);
      process.end('could not start');
      parts.host.world.schedule(START_AGAIN_MS, () => server.start());
    });
  }

  /** The manager's log: what an operator would read. A line about a move is held against the table of moves. */
  private logOf(process: SimProcess, run: RunId, testimony: Testimony): Log {
    return {
      write: (level, message, fields) => {
        this.parts.moments.observer?.says(this.parts.name, level, message);
        if (fields?.['event'] === 'state') {
          const { previous, state, term, reason } = fields as { previous: ServerState; state: ServerState; term: number; reason: string };
          this.moves.push({ run, from: previous, to: state, term, reason });
          testimony.moves({ from: previous, to: state, reason });
        }
        if (level === 'debug' || (fields?.['event'] === 'reason' && message.includes('waiting for the lock')) || fields?.['event'] === 'peer') process.host.world.transcript.detail(process.label, message);
        else process.say(level === 'info' ? message : `${level}: ${message}`);
      },
    };
  }

  private peerLink(process: SimProcess, run: RunId, log: Log, testimony: Testimony): PeerLink {
    const { name } = this.parts;
    const { network } = this.node(process, backchannelHost(name));
    const config = managerConfig(name, this.parts.pace);
    const link = new Backchannel(
      {
        hello: backchannelHello(name, run),
        expectedPeer: config.peerServer,
        listenAt: backchannelEndpoint(name),
        peerAt: backchannelEndpoint(otherHost(name)),
        pingIntervalMs: config.pingIntervalMs,
        missLimit: config.pingMissLimit,
        handshakeTimeoutMs: 2_000,
      },
      { network, clock: process.clock, random: process.random.fork('backchannel'), log },
    );
    return {
      start: () => link.start(),
      send: (status) => {
        testimony.tellsPeer(status);
        this.spokeAt = process.host.world.now;
        link.send(status);
      },
      handle: ({ status }) =>
        void link.on('status', (said, at) => {
          testimony.hearsPeer(said, at);
          status(said, at);
        }),
      stop: () => link.stop(),
    };
  }

  private gateway(process: SimProcess, testimony: Testimony): GatewayProbe {
    const { probe } = this.parts.gateway.probeFor(process);
    return {
      probe: (timeoutMs) => {
        const askedAt = process.clock.monotonic();
        return probe(timeoutMs).then((answered) => {
          if (answered) testimony.gatewayAnswered(askedAt);
          return answered;
        });
      },
    };
  }

  private bootBroker(process: SimProcess, channel: Channel<BrokerToManager, ManagerToBroker>): void {
    const { name, storage, ledger, settings } = this.parts;
    if (settings.unable[name] > 0) return void process.schedule(FAREWELL_MS, () => process.end('exit 1'));
    const { clock } = process;
    const log = logTo(channel);
    const { network } = this.node(process, name);
    const disk = storage.diskFor(process);
    const broker = new BrokerServer(
      {
        disk: this.parts.settings.durability === 'both' ? disk : new ToldDisk(disk, storage.unsynced, name),
        network,
        clock,
        random: process.random.fork('ids'),
        log,
        checksum: crc32,
        channel,
        clients: (edge) => {
          const { copy, serving } = insidesOf(edge);
          // The copy is open, and with it is synced what was not.
          storage.unsynced.delete(name);
          tapJournal(copy.journal, ledger);
          this.showBroker(process, broker, copy, serving);
          const protocol = new MqttProtocol({ edge, clock, random: process.random.fork('clients'), log, authenticator: new AnonymousAuthenticator() });
          const doors = [{ name: 'mqtt', network, endpoint: clientEndpoint(name) }];
          return new ClientListener({ doors, limits: { connectionsMax: CLIENTS_MAX }, start: (stream) => protocol.start(stream), departed: () => protocol.departed, clock, log });
        },
        exit: (code) => void process.schedule(FAREWELL_MS, () => process.end(`exit ${code}`)),
      },
      brokerConfig(name, this.parts.pace, this.parts.settings, this.parts.tuning),
    );
    void broker.start();
  }

  /** Notes what the keeper says of claims and of the lock; nothing is changed. A lock that does not stand on the share is none. */
  private tapKeeper(process: SimProcess, channel: Channel<KeeperToManager, ManagerToKeeper>, isShared: () => boolean): Channel<KeeperToManager, ManagerToKeeper> {
    let ordered = 0;
    let said: ClaimOutcome | null = null;
    return {
      send: (message) => {
        channel.send(message);
        if (message.kind !== 'status') return;
        const { claim, lock } = message.status;
        const { clock } = process;
        const bootAhead = clock.sinceBoot() - clock.monotonic();
        const slept = (): boolean => clock.sinceBoot() - clock.monotonic() - bootAhead > BOOT_TOLERANCE_MS;
        const bootedAt = (): number => process.host.world.now - clock.sinceBoot() / process.host.clock.rate;
        const boot = bootedAt();
        const ahead = (): boolean => lock.until !== null && clock.monotonic() < lock.until && Math.abs(bootedAt() - boot) < 1;
        const shared = isShared();
        const untilTrue = lock.until === null || !shared ? null : process.host.world.now + (lock.until - clock.monotonic()) / process.host.clock.rate;
        this.lock = { lock, keeper: process.unique, untilTrue, relied: () => shared && process.alive && ahead() && !slept(), ahead };
        if (claim === null || (claim.nonce === said?.nonce && claim.kind === said.kind)) return;
        said = claim;
        this.claims.push({ term: ordered, outcome: claim });
      },
      handle: ({ message, closed }) => {
        channel.handle({
          message: (told) => {
            ordered = told.order.claim?.term ?? ordered;
            message(told);
          },
          closed,
        });
      },
    };
  }

  private showBroker(process: SimProcess, broker: BrokerServer, copy: Copy, serving: Serving): void {
    const view = watchedBroker(broker, copy, serving);
    this.brokerView = view;
    const ends = (): Map<string, number> => durableEndsOf(copy);
    this.durableEnds = ends;
    process.onEnd.push(() => {
      if (this.durableEnds === ends) this.durableEnds = null;
      if (this.brokerView === view) this.brokerView = null;
    });
  }

  private node(process: SimProcess, machine: string): SimNode {
    const node = this.parts.network.attach(machine, process.schedule, process.arrive);
    process.onEnd.push((_, how) => node.end(how));
    return node;
  }

  private bootKeeper(process: SimProcess, channel: Channel<KeeperToManager, ManagerToKeeper>): void {
    const { name, storage } = this.parts;
    const share = storage.shareFor(process);
    new ShareKeeper({
      config: keeperConfig(name, this.parts.pace),
      lockFileName: LOCK_FILE,
      run: process.random.id() as RunId,
      files: share.files,
      lock: share.lock,
      mount: share.mount,
      clock: process.clock,
      random: process.random.fork('ids'),
      log: logTo(channel),
      channel: this.tapKeeper(process, channel, () => share.lockIsShared),
      ended: (reason) => void process.schedule(FAREWELL_MS, () => process.end(`exit: ${reason}`)),
    }).start();
  }
}

/** Tells whose disk holds what counts as synced and is not. */
class ToldDisk extends RelaxableDisk {
  constructor(
    disk: Disk,
    private readonly unsynced: Set<HostName>,
    private readonly host: HostName,
  ) {
    super(disk);
  }

  override relax(): void {
    super.relax();
    this.unsynced.add(this.host);
  }

  override settle(round: number): void {
    super.settle(round);
    if (!this.owes) this.unsynced.delete(this.host);
  }
}

/** A child's log goes by its manager. */
function logTo(channel: Channel<KeeperToManager, ManagerToKeeper> | Channel<BrokerToManager, ManagerToBroker>): Log {
  return {
    write: (level, message, fields) => {
      channel.send({ kind: 'log', level, message, ...(fields === undefined ? {} : { fields }) });
    },
  };
}

/** What is behind the edge: private to the broker, and looked at by the checkers alone. */
function insidesOf(edge: ClientEdge): { copy: Copy; serving: Serving } {
  const { copy } = (edge as unknown as { tools: { copy: Copy } }).tools;
  if (!(edge instanceof Serving)) throw new Error('the simulator knows the edge as Serving');
  return { copy, serving: edge };
}

/** Where the durable part of each segment of a log ends, but for a mark that no sync has taken along, by path: private to the journal, and looked at by the checkers alone. */
function durableEndsOf({ journal }: Copy): Map<string, number> {
  const { segments, committer } = journal as unknown as { segments: { all: readonly SegmentEnd[] }; committer: { active: { segment: SegmentEnd }; unsynced: Uint8Array | null } | null };
  const marked = (segment: SegmentEnd): number => (committer?.active.segment === segment ? (committer.unsynced?.length ?? 0) : 0);
  return new Map(segments.all.map((segment) => [`journal/${segment.name}`, segment.end - marked(segment)]));
}

interface SegmentEnd {
  readonly name: string;
  readonly end: number;
}

/**
 * What the broker really is, by its parts: its own status could be mistaken. `null` before it has read its journal. While nothing in it
 * changes, the same view is given again.
 */
function watchedBroker(broker: BrokerServer, copy: Copy, serving: Serving): () => BrokerView | null {
  const insides = broker as unknown as { parts: { following: Following | null } | null; fence: number };
  if (insides.parts === undefined || insides.fence === undefined) throw new Error('the simulator looks for parts of the broker that are not there any more');
  let last: BrokerView | null = null;
  return () => {
    if (insides.parts === null) return null;
    const { following } = insides.parts;
    const { head, id: journal, damage, durable } = copy;
    const role = serving.on ? 'serve' : following !== null ? 'follow' : 'idle';
    const term = serving.on ? (serving.term ?? 0) : (following?.term ?? 0);
    const fencedThrough = insides.fence;
    const same =
      last !== null && last.head === head && last.durable === durable && last.term === term && last.role === role && last.fencedThrough === fencedThrough && last.journal === journal && last.damage === damage;
    if (same) return last;
    const digest = (): string | null => (copy.ready && copy.replica.position === head.position ? copy.replica.core.digest() : null);
    last = { run: broker.run, role, term, fencedThrough, journal, damage, head, durable, digest };
    return last;
  };
}
