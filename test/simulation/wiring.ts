import type { BrokerToManager, ManagerToBroker } from '../../src/core/control/broker.js';
import type { KeeperToManager, ManagerToKeeper } from '../../src/core/control/keeper.js';
import type { RunId } from '../../src/core/identity.js';
import { HaManager } from '../../src/manager/ha-manager.js';
import type { Log } from '../../src/ports/log.js';
import type { Channel } from '../../src/ports/process.js';
import { ShareKeeper } from '../../src/share/keeper.js';
import { SimSpawner } from './channel.js';
import type { HostName } from './faults.js';
import type { SimGateway } from './gateway.js';
import type { SimHost } from './host.js';
import type { Ledger } from './ledger.js';
import type { SimLocalState } from './local-state.js';
import type { SimNetwork } from './network.js';
import { keeperConfig, LOCK_FILE, managerConfig } from './pair-config.js';
import type { BrokerView, ManagerView, ServerProbe } from './probe.js';
import type { SimProcess } from './process.js';
import type { SimServer } from './server.js';
import type { Storage } from './storage.js';

export interface WiringParts {
  readonly name: HostName;
  readonly host: SimHost;
  readonly network: SimNetwork;
  readonly gateway: SimGateway;
  readonly storage: Storage;
  readonly localState: SimLocalState;
  readonly ledger: Ledger;
  readonly nextPid: () => number;
}

/** A server that could not start is tried again after this, as a service manager does. */
const START_AGAIN_MS = 1_000;
/** A process that says `fatal`, or that it has ended, is gone after so long. */
const FAREWELL_MS = 50;

/**
 * Puts the production classes of one server into the simulated processes: the only file of the simulator that knows their
 * constructors. It does what each process's main.ts does, with simulated ports.
 */
export class ServerWiring {
  readonly probe: ServerProbe;
  private managerView: (() => ManagerView) | null = null;
  private brokerView: (() => BrokerView | null) | null = null;

  constructor(private readonly parts: WiringParts) {
    this.probe = {
      name: parts.name,
      manager: () => this.managerView?.() ?? null,
      broker: () => this.brokerView?.() ?? null,
    };
  }

  bootManager(server: SimServer, process: SimProcess): void {
    const { parts } = this;
    const { name } = parts;
    const run = process.random.id() as RunId;
    const manager = new HaManager(managerConfig(name), {
      clock: process.clock,
      random: process.random.fork('ids'),
      log: logOf(process),
      peerLink: this.peerLink(process, run),
      gateway: parts.gateway.probeFor(process),
      localState: parts.localState.forProcess(process),
      keeper: new SimSpawner<ManagerToKeeper, KeeperToManager>(process, 'keeper', parts.nextPid, (child, parent) => this.bootKeeper(child, parent)),
      broker: new SimSpawner<ManagerToBroker, BrokerToManager>(process, 'broker', parts.nextPid, (child, parent) => this.bootBroker(child, parent)),
      run,
    });
    const view = (): ManagerView => {
      const { state, previous, moves, term, reason } = manager.state;
      return { run, state, previous, moves, term, reason };
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
    };
    manager.start().catch((error: unknown) => {
      process.say(`cannot start: ${error instanceof Error ? error.message : String(error)}`);
      process.end('could not start');
      parts.host.world.schedule(START_AGAIN_MS, () => server.start());
    });
  }

  private bootKeeper(process: SimProcess, channel: Channel<KeeperToManager, ManagerToKeeper>): void {
    const { name, storage } = this.parts;
    new ShareKeeper({
      config: keeperConfig(name),
      lockFileName: LOCK_FILE,
      run: process.random.id() as RunId,
      ...storage.shareFor(process),
      clock: process.clock,
      random: process.random.fork('ids'),
      log: logTo(channel),
      channel,
      ended: (reason) => void process.schedule(FAREWELL_MS, () => process.end(`exit: ${reason}`)),
    }).start();
  }
}

/** The manager's log: what an operator would read. */
function logOf(process: SimProcess): Log {
  return {
    write: (level, message) => {
      if (level === 'debug') process.host.world.transcript.detail(process.label, message);
      else process.say(level === 'info' ? message : `${level}: ${message}`);
    },
  };
}

/** A child's log goes by its manager. */
function logTo(channel: Channel<KeeperToManager, ManagerToKeeper> | Channel<BrokerToManager, ManagerToBroker>): Log {
  return {
    write: (level, message, fields) => {
      channel.send({ kind: 'log', level, message, ...(fields === undefined ? {} : { fields }) });
    },
  };
}
