import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { showEndpoint } from '../../adapters/network-errors.js';
import type { ServerStatus } from '../../admin/status.js';
import { repositoriesInUse } from '../../profile/repositories.js';
import type { Profile } from '../../profile/profile.js';
import { PidFile } from '../../run/pid-file.js';
import { AdminClient } from '../admin-client.js';
import { ExitCode } from '../exit-codes.js';
import { CommandFailure } from '../failure.js';
import type { Finding } from './finding.js';
import { writeTrouble } from './folders.js';
import { REPLICATION_PORT } from './ports.js';

/** This very server, where it runs already: then its ports are rightly taken. */
export interface OwnServer {
  /** What it says of itself; `null`: it cannot be asked. */
  readonly status: ServerStatus | null;
  /** That it runs and cannot be asked, or what it is in trouble with. */
  readonly findings: readonly Finding[];
}

/** @returns `null`: it does not run */
export async function ownServer(profile: Profile): Promise<OwnServer | null> {
  const asked = await askOwn(profile);
  if (!('why' in asked)) return { status: asked, findings: troubleFindings(asked) };
  const file = PidFile.at(profile.data.folder);
  const pid = PidFile.holder(file);
  if (pid === null) return null;
  return { status: null, findings: [{ area: 'ports', level: 'fails', text: `this server runs (process ${pid}, so says ${file}) ${asked.why}` }] };
}

/** What the running server itself says to be wrong, and no look from here would find; of a port that it could not bind the line of that port tells. */
export function troubleFindings({ broker }: Pick<ServerStatus, 'broker'>): Finding[] {
  const told = [broker?.trouble ?? null, broker?.notice ?? null].filter((text) => text !== null && !REPLICATION_PORT.test(text));
  return told.map((text) => ({ area: 'server', level: 'warning', text: `this server, which runs, says: ${text ?? ''}` }));
}

async function askOwn(profile: Profile): Promise<ServerStatus | { readonly why: string }> {
  try {
    const status = await new AdminClient(profile).status();
    const { cluster, server } = status;
    if (cluster === profile.server.cluster && server === profile.server.id) return status;
    return { why: `and on admin.port the ${server} server of "${cluster}" answers: it was started with another admin.port` };
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    if (error.exitCode !== ExitCode.notRunning || error.code === 'LOCKSTEP_SERVER_NAME') return { why: `and cannot be asked: ${error.message}. ${error.remedy}` };
    if (error.code === 'LOCKSTEP_SERVER_UNREACHED') return { why: `and nothing answers at admin.port ${showEndpoint(profile.admin)}. ${error.remedy}` };
    return { why: `and does not answer: ${error.message}. It is paused or starved, or just starts or stops: see its log` };
  }
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
