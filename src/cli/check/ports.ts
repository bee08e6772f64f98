import { createServer } from 'node:net';
import { showEndpoint } from '../../adapters/network-errors.js';
import type { ServerStatus } from '../../admin/status.js';
import { repositoriesInUse } from '../../profile/repositories.js';
import type { Profile } from '../../profile/profile.js';
import { adminAddress } from '../../profile/values.js';
import type { Finding } from './finding.js';
import type { OwnServer } from './local.js';

type Port = 'mqtt.port' | 'mqtt.tlsPort' | 'ha.port' | 'ha.replicationPort' | 'ha.repositoryPort' | 'admin.port';

/** In a broker's words for what is wrong with it. */
export const REPLICATION_PORT = /^the replication port cannot be bound/;

/**
 * Every port that this server will listen on can be bound, or is its own already.
 * @param tried for tests
 */
export async function portFindings(profile: Profile, own: Pick<OwnServer, 'status'> | null, tried: typeof bindTrouble = bindTrouble): Promise<Finding[]> {
  const { mqtt, ha, admin } = profile;
  const repositories = repositoriesInUse(profile).length > 0;
  const wanted: readonly (readonly [Port, string, number])[] = [
    ['mqtt.port', mqtt.host, mqtt.port],
    ...(mqtt.tlsPort === null ? [] : [['mqtt.tlsPort', mqtt.host, mqtt.tlsPort] as const]),
    ['ha.port', ha.host, ha.port],
    ['ha.replicationPort', ha.host, ha.replicationPort],
    ...(repositories ? [['ha.repositoryPort', ha.host, ha.repositoryPort] as const] : []),
    ['admin.port', admin.host, admin.port],
  ];
  const findings: Finding[] = [];
  for (const [key, host, port] of wanted) {
    const trouble = await tried(key === 'admin.port' ? adminAddress(host) : host, port);
    findings.push(portFinding(key, showEndpoint({ host, port }), trouble, own));
  }
  return findings;
}

/**
 * @param trouble the system's code when nothing can listen there; `null` when it can
 * @param own `null`: this server does not run
 */
export function portFinding(key: Port, at: string, trouble: string | null, own: Pick<OwnServer, 'status'> | null): Finding {
  const finding = (level: Finding['level'], text: string): Finding => ({ area: 'ports', level, text: `${key} ${at} ${text}` });
  if (trouble === null) return finding('ok', 'is free');
  if (trouble !== 'EADDRINUSE' || own === null) return finding('fails', `cannot be used: ${inWords(trouble)}`);
  const error = own.status === null ? null : errorOf(key, own.status);
  if (error !== null) return finding('fails', `cannot be used: another program listens there, says this server, which runs: ${error}`);
  if (own.status === null || holds(key, own.status)) return finding('ok', 'is in use while this server runs');
  return finding('warning', 'is in use, though this server, which runs, does not listen there now: another program may have it; ask again, and see its log');
}

/** Why the running server could not bind it. */
function errorOf(key: Port, { broker, repositories }: ServerStatus): string | null {
  if (key === 'mqtt.port' || key === 'mqtt.tlsPort') return broker?.clientPortError ?? null;
  if (key === 'ha.replicationPort') return broker?.trouble != null && REPLICATION_PORT.test(broker.trouble) ? broker.trouble : null;
  return key === 'ha.repositoryPort' ? repositories.trouble : null;
}

/** The other two it must have bound to be there at all. */
function holds(key: Port, { broker, repositories }: ServerStatus): boolean {
  if (key === 'mqtt.port' || key === 'mqtt.tlsPort') return broker?.clientPort === 'bound' || broker?.clientPort === 'accepting';
  if (key === 'ha.replicationPort') return broker !== null;
  return key !== 'ha.repositoryPort' || repositories.pid !== null;
}

function inWords(code: string): string {
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `the name cannot be resolved (${code}): correct it, make it known to this machine (name service or /etc/hosts), or give an address`;
  if (code === 'EADDRINUSE') return 'another program listens there';
  if (code === 'EADDRNOTAVAIL') return 'no interface of this machine has that address';
  if (code === 'EACCES') return 'this user may not listen on that port';
  return code;
}

/** The system's code when nothing can listen there; `null` when it can. */
function bindTrouble(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error) => resolve('code' in error ? String(error.code) : error.message));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(null)));
  });
}
