import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { ConfiguredRole } from '../../../src/core/identity.js';
import { freePorts } from './ports.js';

/** Short enough for quick tests, long enough for two busy cores; in the proportions that the profile's rules ask for. */
export const TIMES = {
  pingInterval: 200,
  pingMissLimit: 5,
  activeLockReacquisitionInterval: 400,
  passiveLockAcquisitionInterval: 1_500,
  peerWait: 1_500,
  stallLimit: 1_500,
} as const;

export interface Ports {
  readonly mqtt: number;
  readonly ha: number;
  readonly replication: number;
  readonly admin: number;
}

export type Sections = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export interface ProfilePair {
  readonly folder: string;
  readonly share: string;
  readonly ports: Readonly<Record<ConfiguredRole, Ports>>;
}

/** Folders and ports of a pair, without its profiles. */
export async function layOut(folder: string): Promise<ProfilePair> {
  const [a, b, c, d, e, f, g, h] = (await freePorts(8)) as [number, number, number, number, number, number, number, number];
  const share = join(folder, 'share');
  await mkdir(share, { recursive: true });
  return { folder, share, ports: { primary: { mqtt: a, ha: b, replication: c, admin: d }, secondary: { mqtt: e, ha: f, replication: g, admin: h } } };
}

export function profileOf(pair: ProfilePair, role: ConfiguredRole): string {
  return join(pair.folder, role, 'lockstep.yaml');
}

export function dataOf(pair: ProfilePair, role: ConfiguredRole): string {
  return join(pair.folder, role, 'data');
}

/** Writes one server's profile; `changes` are laid over it, section by section. */
export async function writeProfile(pair: ProfilePair, role: ConfiguredRole, changes: Sections = {}): Promise<void> {
  const own = pair.ports[role];
  const other = pair.ports[role === 'primary' ? 'secondary' : 'primary'];
  const sections: Sections = {
    server: { cluster: 'tested', role },
    mqtt: { host: '127.0.0.1', port: own.mqtt },
    peer: { backupHaIpAddress: '127.0.0.1', backupServerPort: other.mqtt, backupHaPort: other.ha, backupReplicationPort: other.replication, backupAdminPort: other.admin },
    ha: { host: '127.0.0.1', port: own.ha, replicationPort: own.replication, lockFile: '../share/lockstep.lck', gatewayServerIpAddress: '127.0.0.1', ...TIMES },
    data: { folder: 'data' },
    admin: { port: own.admin },
  };
  const names = [...new Set([...Object.keys(sections), ...Object.keys(changes)])];
  const merged = Object.fromEntries(names.map((name) => [name, { ...sections[name], ...changes[name] }]));
  await mkdir(join(pair.folder, role), { recursive: true });
  await writeFile(profileOf(pair, role), stringify(merged));
}
