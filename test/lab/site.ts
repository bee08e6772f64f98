import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ConfiguredRole } from '../../src/core/identity.js';
import { runBeside } from './machine.js';
import type { LabNetwork } from './network.js';
import { GATEWAY_PORTS, SHARE_FOLDER, type ShareKind } from './share.js';

export const CLIENT_USER = 'lab';
export const CLIENT_PASSWORD = 'lab-client-password';
/** What the next version is called that the rolling restart brings. */
export const NEXT_VERSION = '0.0.0-next';

export type Installed = 'installed' | 'installed-next';

/** Installs Lockstep as a user does: the package that npm would publish, installed by npm into a folder of its own. */
export async function install(project: string, folder: string): Promise<void> {
  const target = join(folder, 'installed');
  mkdirSync(target, { recursive: true });
  await runBeside('npm', 'pack', '--silent', '--prefix', project, '--pack-destination', folder, project);
  const [tarball] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  if (tarball === undefined) throw new Error('npm pack made no package');
  await runBeside('npm', 'install', '--silent', '--no-audit', '--no-fund', '--prefer-offline', '--prefix', target, join(folder, tarball));
}

/** A copy of the installation that calls itself another version. */
export function installNext(folder: string): void {
  cpSync(join(folder, 'installed'), join(folder, 'installed-next'), { recursive: true, verbatimSymlinks: true });
  const file = join(folder, 'installed-next', 'node_modules', 'lockstep', 'package.json');
  const description = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  writeFileSync(file, JSON.stringify({ ...description, version: NEXT_VERSION }, null, 2));
}

/** The command of an installation, as the guests see it. */
export function commandOf(installed: Installed): string {
  return `/mnt/lab/${installed}/node_modules/.bin/lockstep`;
}

/** Profiles, secret and users of both servers, made by Lockstep's own commands. */
export function layOut(folder: string, network: LabNetwork, kind: ShareKind): void {
  const site = join(folder, 'site');
  const lockstep = (input: string, ...args: string[]): void => {
    const { status, stderr } = spawnSync(join(folder, 'installed', 'node_modules', '.bin', 'lockstep'), args, { input, encoding: 'utf8' });
    if (status !== 0) throw new Error(`lockstep ${args.join(' ')}: ${stderr}`);
  };
  const hosts = ['--primary', network.address('primary'), '--secondary', network.address('secondary'), '--gateway', network.address('gateway')];
  lockstep('', 'init', site, '--cluster', 'lab', ...hosts, '--lock-file', `${SHARE_FOLDER}/lockstep.lck`, ...(kind === 'smb' ? ['--smb'] : []));
  lockstep(`${CLIENT_PASSWORD}\n`, 'passwd', join(site, 'primary', 'users'), CLIENT_USER);
  cpSync(join(site, 'primary', 'users'), join(site, 'secondary', 'users'));
  expectGatewayPort(site, kind);
}

function expectGatewayPort(site: string, kind: ShareKind): void {
  for (const role of ['primary', 'secondary'] satisfies ConfiguredRole[]) {
    const profile = readFileSync(join(site, role, 'lockstep.yaml'), 'utf8');
    if (!profile.includes(`gatewayServerPort: ${GATEWAY_PORTS[kind]}`)) throw new Error(`the profile of the ${role} server does not ask port ${GATEWAY_PORTS[kind]} of the gateway`);
  }
}
