import type { HostName } from './faults.js';
import type { SimHost } from './host.js';
import type { SimLocalState } from './local-state.js';
import type { ServerProbe } from './probe.js';
import { SimProcess, type ProcessKind } from './process.js';

/** What a process of the server offers to the simulator once it runs; set by the wiring. */
export interface ServerInsides {
  /** Asks for a switchover as an operator would. */
  switchover(): void;
  /** Asks the manager to stop; the manager's process ends when `stopped` is called. */
  stop(stopped: () => void): void;
  /** True time at which its manager last spoke to the peer. */
  spokeAt(): number;
}

/** One server of the pair: its host, its disk, and whichever of its three processes are alive. */
export class SimServer {
  insides: ServerInsides | null = null;
  private manager: SimProcess | null = null;

  constructor(
    readonly name: HostName,
    readonly host: SimHost,
    readonly localState: SimLocalState,
    readonly probe: ServerProbe,
    private readonly nextPid: () => number,
    private readonly bootManager: (server: SimServer, process: SimProcess) => void,
  ) {}

  /** The newest live process of a kind. */
  find(kind: ProcessKind): SimProcess | null {
    let found: SimProcess | null = null;
    for (const process of this.host.processes) if (process.kind === kind) found = process;
    return found;
  }

  get running(): boolean {
    return this.manager?.alive === true;
  }

  /**
   * Starts the server, if its host has power and it does not run. Orphans of the last run that are still there (paused ones) are
   * ended first, as a service manager does with what is left of a group of processes.
   */
  start(): void {
    if (this.running || !this.host.powered) return;
    for (const left of [...this.host.processes]) left.end('left over from the last run');
    const pid = this.nextPid();
    const process = new SimProcess(this.host, 'manager', pid, this.host.world.random.fork(`${this.name}/manager/${pid}`));
    this.manager = process;
    process.onEnd.push(() => {
      if (this.manager !== process) return;
      this.manager = null;
      this.insides = null;
    });
    process.say(`started, pid ${pid}`);
    process.schedule(process.random.between(80, 300), () => this.bootManager(this, process));
  }

  /** Ends every process of the server at once. */
  killAll(reason: string): void {
    for (const process of [...this.host.processes]) process.end(reason);
  }
}
