import { type ChildProcess } from 'node:child_process';
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { renderProfile, type TemplatePair } from '../../src/profile/template.js';
import { kill, killTree, stop, type Started } from './started.js';
import { until } from './waiting.js';

export type Role = 'primary' | 'secondary';
const ROLES: readonly Role[] = ['primary', 'secondary'];
const READY_MS_MAX = 60_000;

/** What of `/status` is asked for here. */
interface Status {
  readonly state: string;
  readonly serving: boolean;
  readonly term: number;
  readonly broker: { readonly pid: number } | null;
}

/** A pair of servers on this machine, from profiles of their own with the bundled intervals, on free ports. */
export class Pair {
  private readonly servers = new Map<Role, ChildProcess>();

  private constructor(
    private readonly started: Started,
    private readonly command: string,
    private readonly folder: string,
    private readonly template: TemplatePair,
  ) {}

  /** Makes the profiles in `folder` and starts both servers. `command`: the built `cli/main.js`; `null`: as bundled. */
  static async start(started: Started, command: string, folder: string, inflightMessagesMax: number | null): Promise<Pair> {
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
    const pair = new Pair(started, command, folder, template);
    for (const role of ROLES) {
      const profile = renderProfile(template, role);
      const line = /^ *# inflightMessagesMax: .*$/m;
      writeFileSync(path.join(folder, `${role}.yaml`), inflightMessagesMax === null ? profile : profile.replace(line, `  inflightMessagesMax: ${inflightMessagesMax}`));
      pair.startServer(role);
    }
    return pair;
  }

  /** Where clients connect, both servers. */
  get addresses(): { readonly host: string; readonly port: number }[] {
    return ROLES.map((role) => ({ host: '127.0.0.1', port: this.template[role].mqttPort }));
  }

  /** Waits until one server is ACTIVE and the other PASSIVE. @returns the role of the ACTIVE one */
  async ready(): Promise<Role> {
    let seen = '';
    return until(READY_MS_MAX, () => `the pair to be ACTIVE and PASSIVE (it is ${seen})`, async () => {
      const states = await Promise.all(ROLES.map(async (role) => (await this.status(role))?.state ?? 'down'));
      seen = states.join(' and ');
      const active = states.indexOf('ACTIVE');
      return active >= 0 && states.includes('PASSIVE') ? (ROLES[active] as Role) : null;
    });
  }

  /** Process ids of the brokers, the serving one first. */
  async brokers(): Promise<number[]> {
    const all = await Promise.all(ROLES.map((role) => this.status(role)));
    const first = [...all].sort((a, b) => Number(b?.serving ?? false) - Number(a?.serving ?? false));
    return first.map((status) => status?.broker?.pid).filter((pid) => pid !== undefined);
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

  startServer(role: Role): void {
    const output = createWriteStream(path.join(this.folder, `${role}.out`), { flags: 'a' });
    const child = this.started.run(process.execPath, [this.command, 'start', path.join(this.folder, `${role}.yaml`)], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout?.pipe(output, { end: false });
    child.stderr?.pipe(output, { end: false });
    this.servers.set(role, child);
  }

  isDown(role: Role): boolean {
    return !this.servers.has(role);
  }

  async switchover(from: Role): Promise<void> {
    const response = await fetch(`${this.admin(from)}/switchover`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });
    if (!response.ok) throw new Error(`the switchover was refused: ${await response.text()}`);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.servers.values()].map((child) => stop(child)));
    this.servers.clear();
  }

  private async status(role: Role): Promise<Status | null> {
    try {
      return (await (await fetch(`${this.admin(role)}/status`, { signal: AbortSignal.timeout(2_000) })).json()) as Status;
    } catch {
      return null;
    }
  }

  private admin(role: Role): string {
    return `http://127.0.0.1:${this.template[role].adminPort}`;
  }
}

/** Ports that are free now. Somebody else may take one before it is used: then the server says so and the run fails. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () => {
      const server = createServer();
      return new Promise<typeof server>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', () => resolve(server)));
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
