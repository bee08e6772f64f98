import { createServer } from 'node:net';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { showEndpoint } from '../../adapters/network-errors.js';
import type { RunId } from '../../core/identity.js';
import { repositoriesInUse } from '../../profile/repositories.js';
import type { Profile } from '../../profile/profile.js';
import { PidFile } from '../../run/pid-file.js';
import { AdminClient } from '../admin-client.js';
import { ExitCode } from '../exit-codes.js';
import { CommandFailure } from '../failure.js';
import type { Finding } from './finding.js';
import { writeTrouble } from './folders.js';

/** This very server, where it runs already: then its ports are rightly taken. */
export interface OwnServer {
  /** Its HA manager's run; `null`: it cannot be asked. */
  readonly run: RunId | null;
  /** That it runs and cannot be asked. */
  readonly findings: readonly Finding[];
}

/** @returns `null`: it does not run */
export async function ownServer(profile: Profile): Promise<OwnServer | null> {
  const asked = await askOwn(profile);
  if (!('why' in asked)) return { run: asked.run, findings: [] };
  const file = PidFile.at(profile.data.folder);
  const pid = PidFile.holder(file);
  if (pid === null) return null;
  return { run: null, findings: [{ area: 'ports', level: 'fails', text: `this server runs (process ${pid}, so says ${file}) ${asked.why}` }] };
}

async function askOwn(profile: Profile): Promise<{ readonly run: RunId } | { readonly why: string }> {
  try {
    const { cluster, server, manager } = await new AdminClient(profile).status();
    if (cluster === profile.server.cluster && server === profile.server.id) return { run: manager.run as RunId };
    return { why: `and on admin.port the ${server} server of "${cluster}" answers: it was started with another admin.port` };
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    if (error.exitCode !== ExitCode.notRunning) return { why: `and cannot be asked: ${error.message}. ${error.remedy}` };
    if (error.code === 'LOCKSTEP_SERVER_UNREACHED') return { why: `and nothing answers at admin.port ${showEndpoint(profile.admin)}. ${error.remedy}` };
    return { why: `and does not answer: ${error.message}. It is paused or starved, or just starts or stops: see its log` };
  }
}

/** Every port that this server will listen on can be bound, or is its own already. */
export async function portFindings(profile: Profile, running: boolean): Promise<Finding[]> {
  const { mqtt, ha, admin } = profile;
  const repositories = repositoriesInUse(profile).length > 0;
  const wanted = [
    ['mqtt.port', mqtt.host, mqtt.port],
    ...(mqtt.tlsPort === null ? [] : [['mqtt.tlsPort', mqtt.host, mqtt.tlsPort] as const]),
    ['ha.port', ha.host, ha.port],
    ['ha.replicationPort', ha.host, ha.replicationPort],
    ...(repositories ? [['ha.repositoryPort', ha.host, ha.repositoryPort] as const] : []),
    ['admin.port', admin.host, admin.port],
  ] as const;
  const findings: Finding[] = [];
  for (const [key, host, port] of wanted) {
    const trouble = await bindTrouble(host, port);
    const name = `${key} ${showEndpoint({ host, port })}`;
    if (trouble === null) findings.push({ area: 'ports', level: 'ok', text: `${name} is free` });
    else if (trouble === 'EADDRINUSE' && running) findings.push({ area: 'ports', level: 'ok', text: `${name} is in use while this server runs` });
    else findings.push({ area: 'ports', level: 'fails', text: `${name} cannot be used: ${inWords(trouble)}` });
  }
  return findings;
}

function inWords(code: string): string {
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

/** Each repository in use is a folder of its own on the file system of its parent, which can be written; an absent one is a warning, since nothing is sent from it. */
export async function repositoryFindings(profile: Profile): Promise<Finding[]> {
  const used = new Set(repositoriesInUse(profile));
  const findings: Finding[] = [];
  for (const { name, path, key, syncType } of profile.repositories.all.filter((one) => used.has(one.name))) {
    const trouble = await repositoryTrouble(path);
    const level = trouble === null ? 'ok' : trouble === ABSENT ? 'warning' : 'fails';
    findings.push({ area: 'folder', level, text: `${key} ${path} ${trouble ?? `can be exchanged: repository ${name}, ${syncType}`}` });
  }
  return findings;
}

const ABSENT = 'is not there: it is made when it is received, and nothing is sent from it before';

async function repositoryTrouble(path: string): Promise<string | null> {
  const beside = await writeTrouble(dirname(path));
  if (beside !== null) return `lies in a folder that ${beside}`;
  try {
    const [own, parent] = [await stat(path), await stat(dirname(path))];
    if (!own.isDirectory()) return 'is not a folder';
    return own.dev === parent.dev ? await writeTrouble(path) : 'is a mount point: name a folder in it';
  } catch {
    return ABSENT;
  }
}
