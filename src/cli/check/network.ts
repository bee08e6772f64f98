import { connect } from 'node:net';
import { createGatewayProbe, type GatewayWays } from '../../adapters/gateway.js';
import { showEndpoint } from '../../adapters/network-errors.js';
import type { RunId } from '../../core/identity.js';
import type { Profile } from '../../profile/profile.js';
import { repositoriesInUse } from '../../profile/repositories.js';
import { askHttp } from '../ask-http.js';
import { backchannelFindings } from './backchannel.js';
import type { Finding } from './finding.js';
import { nameTrouble } from './names.js';

const PROBE_TIMEOUT_MS = 2_000;

/** The gateway machine answers, by whichever way. */
export async function gatewayFindings(profile: Profile): Promise<Finding[]> {
  const endpoint = { host: profile.ha.gatewayServerIpAddress, port: profile.ha.gatewayServerPort };
  const unnamed = await nameTrouble(endpoint.host);
  if (unnamed !== null) return [{ area: 'gateway', level: 'fails', text: `ha.gatewayServerIpAddress: ${unnamed}; without a gateway this server would take no authority` }];
  const findings: Finding[] = [];
  const log = { write: (_level: unknown, message: string): number => findings.push({ area: 'gateway', level: 'ok', text: message }) };
  const probe = createGatewayProbe({ gateway: endpoint, log: { write: (level, message) => void log.write(level, message) } });
  const ways = await probe.probeEach(PROBE_TIMEOUT_MS);
  probe.close();
  findings.push(gatewayFinding(showEndpoint(endpoint), ways));
  return findings;
}

function gatewayFinding(name: string, { icmp, tcp }: GatewayWays): Finding {
  const inTime = `within ${PROBE_TIMEOUT_MS} ms`;
  const ok = (text: string): Finding => ({ area: 'gateway', level: 'ok', text: `${name} answers ${text}` });
  if (icmp && tcp === null) return ok('by ICMP');
  if (icmp) return ok(tcp === true ? 'by ICMP and by TCP' : `by ICMP, and not by TCP ${inTime}`);
  if (tcp === true) return ok(`by TCP, and not by ICMP ${inTime}`);
  return { area: 'gateway', level: 'fails', text: `${name} answers ${tcp === null ? 'not by ICMP' : 'neither by ICMP nor by TCP'} ${inTime}: this server would take no authority` };
}

/**
 * The other server's ports can be reached, and it accepts this one. That they cannot is no fault as long as it does not run.
 * @param run of this very server, where it runs
 */
export async function peerFindings(profile: Profile, run: RunId | null): Promise<Finding[]> {
  const { peer } = profile;
  const host = peer.backupHaIpAddress;
  const unnamed = await nameTrouble(host);
  // Some names are known only while their host is there.
  if (unnamed !== null) return [{ area: 'peer', level: 'warning', text: `peer.backupHaIpAddress: ${unnamed}; without it the two do not find each other` }];
  const at = (key: 'backupHaPort' | 'backupReplicationPort' | 'backupRepositoryPort' | 'backupAdminPort'): string => `${key} ${showEndpoint({ host, port: peer[key] })}`;
  const heard = await backchannelFindings(profile, run);
  const main = heard === null ? await reach(host, peer.backupHaPort) : null;
  const replication = await reach(host, peer.backupReplicationPort);
  const repositories = repositoriesInUse(profile).length > 0 ? await reach(host, peer.backupRepositoryPort) : null;
  const answers = heard?.some(({ level }) => level === 'ok') ?? false;
  const admin = await askAdmin(profile, answers);
  const runs = heard === null ? admin.isPeer : answers;
  const sign = admin.isPeer ? at('backupAdminPort') : replication === 'open' ? at('backupReplicationPort') : repositories === 'open' ? at('backupRepositoryPort') : null;
  return [
    ...(heard ?? [mainFinding(at('backupHaPort'), main ?? '', sign)]),
    linkFinding(at('backupReplicationPort'), replication, runs ? REPLICATION : null),
    ...(repositories === null ? [] : [linkFinding(at('backupRepositoryPort'), repositories, runs ? REPOSITORIES : null)]),
    admin.finding,
  ];
}

/**
 * A backchannel port with which no conversation began.
 * @param sign the port by which the other server seems to run all the same; `null`: there is none
 */
export function mainFinding(name: string, outcome: string, sign: string | null): Finding {
  if (outcome === 'open' || sign === null) return reachFinding(name, outcome, OPEN_AND_SILENT);
  return {
    area: 'peer',
    level: 'fails',
    text: `${name} ${missed(outcome)}, though another port of that server answers (${sign}): the two never hear each other. Make peer.backupHaPort of this profile and ha.port of the other one the same; where they are, see whether a firewall lets it through.`,
  };
}

/** What a link is to a server that runs: without it the pair does not do its work, or does not do all of it. */
export interface LinkNeed {
  readonly level: 'fails' | 'warning';
  readonly without: string;
  readonly remedy: string;
}

const REPLICATION: LinkNeed = {
  level: 'fails',
  without: 'the two never come into step',
  remedy: 'Make it the ha.replicationPort of the other profile; there see whether the port is bound (log), and whether a firewall lets it through.',
};
const REPOSITORIES: LinkNeed = {
  level: 'warning',
  without: 'no repository is synced',
  remedy: 'Make it the ha.repositoryPort of the other profile, which binds it only where it has repositories itself; there see whether a firewall lets it through.',
};

/** @param need `null`: no server of the pair answers on the backchannel, so that there is nothing to be expected of its other ports */
export function linkFinding(name: string, outcome: string, need: LinkNeed | null): Finding {
  if (need === null || outcome === 'open') return reachFinding(name, outcome, OPEN);
  return { area: 'peer', level: need.level, text: `${name} ${missed(outcome)}, though the other server runs: ${need.without}. ${need.remedy}` };
}

function missed(outcome: string): string {
  return outcome === 'refused' ? 'is closed' : `cannot be reached (${outcome})`;
}

const OPEN = { level: 'ok', text: 'accepts connections' } as const;
const OPEN_AND_SILENT = { level: 'warning', text: 'accepts connections, and no server of a pair answers there: another program listens, or the other server is held up, or it is another port of that server (compare peer.backupHaPort with ha.port of the other profile)' } as const;

function reachFinding(name: string, outcome: string, open: Pick<Finding, 'level' | 'text'>): Finding {
  if (outcome === 'open') return { area: 'peer', level: open.level, text: `${name} ${open.text}` };
  if (outcome === 'refused') return { area: 'peer', level: 'ok', text: `${name} is reached and closed: the other server does not run` };
  return { area: 'peer', level: 'warning', text: `${name} cannot be reached (${outcome}): the other host is down, or the way there is cut` };
}

interface AdminAnswer {
  readonly finding: Finding;
  /** It was the other server that answered. */
  readonly isPeer: boolean;
}

/** What the other server says of itself. `runs`: that is known. Its admin port is on its own loopback unless its profile says otherwise, so that silence is no fault. */
async function askAdmin({ peer, server }: Profile, runs: boolean): Promise<AdminAnswer> {
  const [host, port] = [peer.backupHaIpAddress, peer.backupAdminPort];
  const name = `backupAdminPort ${showEndpoint({ host, port })}`;
  const found = (level: Finding['level'], text: string, isPeer: boolean): AdminAnswer => ({ finding: { area: 'peer', level, text: `${name} ${text}` }, isPeer });
  try {
    const { text } = await askHttp({ host, port, method: 'GET', path: '/serving', headers: {}, body: null, timeoutMs: PROBE_TIMEOUT_MS });
    const said = JSON.parse(text) as { server?: unknown; state?: unknown };
    if (said.server === server.peerId) return found('ok', `answers: the ${server.peerId} server is ${String(said.state)}`, true);
    return found('warning', `answers, but not as the ${server.peerId} server`, false);
  } catch {
    return found('ok', `does not answer here: ${runs ? 'the other server runs, and' : 'the other server does not run, or'} its admin port is for its own machine only`, false);
  }
}

function reach(host: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const settle = (outcome: string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(outcome);
    };
    const timer = setTimeout(() => settle('no answer'), PROBE_TIMEOUT_MS);
    socket.once('connect', () => settle('open'));
    socket.once('error', (error) => settle('code' in error && error.code === 'ECONNREFUSED' ? 'refused' : error.message));
  });
}
