import { type ChildProcess } from 'node:child_process';
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { renderProfile, type TemplatePair } from '../../../src/profile/template.js';
import { childrenOf, kill, killTree, stop, type Started } from '../started.js';
import { until } from '../waiting.js';
import { mqttClients, type Broker } from './broker.js';
import { freePorts } from './programs.js';

export type Role = 'primary' | 'secondary';
export const ROLES: readonly Role[] = ['primary', 'secondary'];
const READY_MS_MAX = 120_000;
const STATUS_MS_MAX = 2_000;

/** What of `/status` is asked for here. */
export interface Status {
  readonly state: string;
  readonly serving: boolean;
  readonly term: number;
  readonly manager: { readonly pid: number };
  readonly broker: { readonly pid: number; readonly clientPort: string } | null;
  readonly journal: { readonly position: number } | null;
  readonly replication: { readonly phase: string; readonly lagRecords: number } | null;
  readonly clients: number | null;
  readonly queued: number | null;
  readonly backchannel: { readonly heardMs: number | null };
  readonly history: readonly { readonly at: string; readonly from: string; readonly to: string; readonly reason: string }[];
}

/** Keys of the profile that differ from the bundled ones: `inflightMessagesMax`. */
export type Settings = Readonly<Record<string, string | number>>;

export interface PairOptions {
  /** The built `cli/main.js`. */
  readonly command: string;
  readonly folder: string;
  readonly settings: Settings;
  /** Of one server alone, over the others. */
  readonly settingsOf?: Readonly<Partial<Record<Role, Settings>>>;
  /** Options of Node.js for the broker processes alone. */
  readonly brokerNodeOptions: readonly string[];
}

/** A pair of servers on this machine, from profiles of their own with the bundled intervals, on free ports. */
export class Pair {
  private readonly servers = new Map<Role, ChildProcess>();
  private readonly frozen = new Map<Role, readonly number[]>();

  private constructor(
    private readonly started: Started,
    private readonly options: PairOptions,
    private readonly template: TemplatePair,
  ) {}

  /** Makes the profiles in the folder and starts both servers. @throws Error for a setting that the profile does not have */
  static async start(started: Started, options: PairOptions): Promise<Pair> {
    const { folder, settings } = options;
    const ports = await freePorts(10);
    const server = (first: number): TemplatePair['primary'] => ({
      host: '127.0.0.1',
      mqttPort: ports[first] as number,
      haPort: ports[first + 1] as number,
      replicationPort: ports[first + 2] as number,
      adminPort: ports[first + 3] as number,
      repositoryPort: ports[first + 4] as number,
    });
    const template: TemplatePair = {
      cluster: 'bench',
      primary: server(0),
      secondary: server(5),
      lockFile: path.join(folder, 'share', 'lockstep.lck'),
      gateway: '127.0.0.1',
      gatewayPort: 2049,
      dataFolder: { primary: path.join(folder, 'primary'), secondary: path.join(folder, 'secondary') },
      secretFile: null,
      usersFile: null,
    };
    mkdirSync(path.join(folder, 'share'), { recursive: true });
    const pair = new Pair(started, options, template);
    for (const role of ROLES) {
      writeFileSync(path.join(folder, `${role}.yaml`), withSettings(renderProfile(template, role), { ...settings, ...options.settingsOf?.[role] }));
      pair.startServer(role);
    }
    return pair;
  }

  /** Where clients connect, both servers. */
  get addresses(): { readonly host: string; readonly port: number }[] {
    return ROLES.map((role) => ({ host: '127.0.0.1', port: this.template[role].mqttPort }));
  }

  /** Makes `role` the ACTIVE one, by a switchover where it is not. */
  async serveAt(role: Role): Promise<void> {
    if ((await this.ready()) === role) return;
    await this.switchover(other(role));
    await until(READY_MS_MAX, () => `the ${role} server to serve`, async () => ((await this.ready()) === role ? true : null));
  }

  /** The folder of a server's own data. */
  dataFolder(role: Role): string {
    return this.template.dataFolder[role];
  }

  replicationPort(role: Role): number {
    return this.template[role].replicationPort;
  }

  /** Waits until one server is ACTIVE and the other PASSIVE. @returns the role of the ACTIVE one */
  async ready(limitMs = READY_MS_MAX): Promise<Role> {
    let seen = '';
    return until(limitMs, () => `the pair to be ACTIVE and PASSIVE (it is ${seen})`, async () => {
      const states = await Promise.all(ROLES.map(async (role) => (await this.status(role))?.state ?? 'down'));
      seen = states.join(' and ');
      const active = states.indexOf('ACTIVE');
      return active >= 0 && states.includes('PASSIVE') ? (ROLES[active] as Role) : null;
    });
  }

  /** The serving server, for load. Waits until the pair is whole. */
  async broker(): Promise<Broker> {
    const role = await this.ready();
    return {
      name: 'Lockstep',
      promise: 'two copies, each synced to disk',
      pids: await this.brokers(),
      ...mqttClients(this.template[role].mqttPort),
      stop: () => this.stop(),
    };
  }

  /** Process ids of the brokers, the serving one first. */
  async brokers(): Promise<number[]> {
    const all = await Promise.all(ROLES.map((role) => this.status(role)));
    const first = [...all].sort((a, b) => Number(b?.serving ?? false) - Number(a?.serving ?? false));
    return first.map((status) => status?.broker?.pid).filter((pid) => pid !== undefined);
  }

  /** All processes of a server: manager, keeper, broker. */
  processes(role: Role): number[] {
    const pid = this.servers.get(role)?.pid;
    return pid === undefined ? [] : [pid, ...childrenOf(pid)];
  }

  /** SIGKILL to the broker process of a server. */
  async killBroker(role: Role): Promise<void> {
    const pid = (await this.status(role))?.broker?.pid;
    if (pid === undefined) throw new Error(`the ${role} server tells no broker process`);
    kill(pid);
  }

  /** SIGKILL to all processes of a server. */
  killServer(role: Role): void {
    const pid = this.servers.get(role)?.pid;
    if (pid === undefined) throw new Error(`the ${role} server is not running`);
    killTree(pid);
    this.servers.delete(role);
  }

  /** SIGSTOP to all processes of a server, as a frozen host looks to its peer. */
  freeze(role: Role): void {
    const pids = this.processes(role);
    this.frozen.set(role, pids);
    for (const pid of pids) process.kill(pid, 'SIGSTOP');
  }

  /** SIGCONT. A process that was ended meanwhile is no failure. */
  thaw(role: Role): void {
    for (const pid of this.frozen.get(role) ?? []) {
      try {
        process.kill(pid, 'SIGCONT');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
    this.frozen.delete(role);
  }

  startServer(role: Role): void {
    const { folder, command, brokerNodeOptions } = this.options;
    const output = createWriteStream(path.join(folder, `${role}.out`), { flags: 'a' });
    const env = { ...process.env, ...(brokerNodeOptions.length === 0 ? {} : { LOCKSTEP_BROKER_NODE_OPTIONS: brokerNodeOptions.join(' ') }) };
    const child = this.started.run(process.execPath, [command, 'start', path.join(folder, `${role}.yaml`)], { stdio: ['ignore', 'pipe', 'pipe'], env });
    child.stdout?.pipe(output, { end: false });
    child.stderr?.pipe(output, { end: false });
    this.servers.set(role, child);
  }

  /** Asks a server to stop, and waits until it has. */
  async stopServer(role: Role): Promise<void> {
    const child = this.servers.get(role);
    this.servers.delete(role);
    if (child !== undefined) await stop(child);
  }

  async switchover(from: Role): Promise<void> {
    const response = await fetch(`${this.admin(from)}/switchover`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });
    if (!response.ok) throw new Error(`the switchover was refused: ${await response.text()}`);
  }

  async stop(): Promise<void> {
    for (const role of ROLES) this.thaw(role);
    await Promise.all(ROLES.map((role) => this.stopServer(role)));
  }

  /** `null` when the server does not answer. */
  async status(role: Role): Promise<Status | null> {
    try {
      return (await (await fetch(`${this.admin(role)}/status`, { signal: AbortSignal.timeout(STATUS_MS_MAX) })).json()) as Status;
    } catch {
      return null;
    }
  }

  private admin(role: Role): string {
    return `http://127.0.0.1:${this.template[role].adminPort}`;
  }
}

export function other(role: Role): Role {
  return role === 'primary' ? 'secondary' : 'primary';
}

function withSettings(profile: string, settings: Settings): string {
  let text = profile;
  for (const [key, value] of Object.entries(settings)) {
    const line = new RegExp(`^( *)(?:# )?${key}: .*$`, 'm');
    if (!line.test(text)) throw new Error(`the profile has no key ${key}`);
    text = text.replace(line, `$1${key}: ${value}`);
  }
  return text;
}
