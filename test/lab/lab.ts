import { cpSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { ServerStatus } from '../../src/admin/status.js';
import { until } from '../integration/support/until.js';
import { Gateway } from './gateway.js';
import { LabNetwork } from './network.js';
import { ServerHost } from './server-host.js';
import type { ShareKind } from './share.js';
import { layOut } from './site.js';
import type { Undo } from './undo.js';

/** As LOCKSTEP_LAB_KERNEL. */
const MODULES = process.env['LOCKSTEP_LAB_MODULES'] ?? '/usr/lib/uml/modules';
/** Within this time after everything is well again the pair must be in step. The machine may be busy; the promise is that it gets there by itself. */
const IN_STEP_LIMIT_MS = 120_000;

export interface Roles {
  readonly serving: ServerHost;
  readonly passive: ServerHost;
}

/** Three hosts and a share, up and in step. */
export class Lab {
  readonly network: LabNetwork;
  readonly gateway: Gateway;
  readonly primary: ServerHost;
  readonly secondary: ServerHost;

  private constructor(
    readonly folder: string,
    readonly kind: ShareKind,
    readonly undo: Undo,
  ) {
    this.network = LabNetwork.make(undo);
    layOut(folder, this.network, kind);
    this.gateway = new Gateway(folder, this.network, kind, undo);
    this.primary = new ServerHost('primary', folder, this.network, kind, undo);
    this.secondary = new ServerHost('secondary', folder, this.network, kind, undo);
  }

  /** `folder` holds the installation; `guestScripts` is test/lab/guest. */
  static async make(folder: string, guestScripts: string, kind: ShareKind, undo: Undo): Promise<Lab> {
    for (const name of ['logs', 'histories', 'uml', 'modules/lib/modules']) mkdirSync(join(folder, name), { recursive: true });
    cpSync(guestScripts, join(folder, 'guest'), { recursive: true });
    for (const version of readdirSync(MODULES)) symlinkSync(join(MODULES, version), join(folder, 'modules/lib/modules', version));
    const lab = new Lab(folder, kind, undo);
    await Promise.all([lab.gateway.boot(), ...lab.servers.map((server) => server.boot())]);
    return lab;
  }

  get servers(): readonly [ServerHost, ServerHost] {
    return [this.primary, this.secondary];
  }

  /** `lockstep check` on both, then `lockstep start`; resolves when the pair is in step. */
  async start(): Promise<Roles> {
    await Promise.all(this.servers.map(async (server) => {
      const { code, out } = await server.command('check');
      if (code !== 0) throw new Error(`lockstep check on the ${server.role} host:\n${out}`);
    }));
    for (const server of this.servers) await server.start();
    return await this.inStep();
  }

  /** Waits until one server is ACTIVE and the other PASSIVE, with share and gateway well for both. */
  async inStep(limitMs = IN_STEP_LIMIT_MS): Promise<Roles> {
    let seen: (ServerStatus | null)[] = [];
    try {
      return await until('', async () => {
        seen = await Promise.all(this.servers.map((server) => server.status()));
        const [first, second] = seen;
        if (!isWell(first) || !isWell(second)) return null;
        if (first.state === 'ACTIVE' && second.state === 'PASSIVE') return { serving: this.primary, passive: this.secondary };
        if (second.state === 'ACTIVE' && first.state === 'PASSIVE') return { serving: this.secondary, passive: this.primary };
        return null;
      }, limitMs);
    } catch {
      throw new Error(`the pair is not in step after ${limitMs / 1000} s; last seen:\n${seen.map((status) => JSON.stringify(status)).join('\n')}`);
    }
  }

  /** Takes back every fault, and starts what is down. */
  async heal(): Promise<void> {
    const { gateway, servers } = this;
    for (const { guest } of [gateway, ...servers]) guest.thaw();
    if (!gateway.guest.isUp) await gateway.boot();
    await gateway.guest.hearAll();
    for (const server of servers) {
      if (!server.guest.isUp) await server.boot();
      await server.guest.hearAll();
      await server.guest.run('tc qdisc del dev vec0 root 2>/dev/null');
      if (!server.isRunning) await server.start();
    }
  }

  /** What the consoles said last, for the account of a failure. */
  tails(): string {
    return this.servers.map(({ role, tail }) => `== ${role} ==\n${tail.join('\n')}`).join('\n');
  }
}

function isWell(status: ServerStatus | null | undefined): status is ServerStatus {
  return status != null && status.lock.share === 'ok' && status.gateway.answers === true;
}
