import { constants } from 'node:fs';
import { access, lstat, readdir } from 'node:fs/promises';
import path from 'node:path';
import { LockstepError } from '../core/errors.js';
import { plainReason, systemCode } from './network-errors.js';
import { userOfProcess } from './process-identity.js';

/** Whether the system does not let this user. */
export function isDenied(error: unknown): boolean {
  return ['EACCES', 'EPERM'].includes(systemCode(error) ?? '');
}

/** Something in the data folder is closed to this server's user: what it holds is well, and must stay where it is. */
export function othersInDataFolder(what: string, folder: string, cause: unknown): LockstepError {
  return new LockstepError('LOCKSTEP_DATA_FOLDER_REFUSED', `${what}: ${plainReason(cause)}`, `${giveBack(folder)}. Move nothing away: what stands there is well.`, { cause });
}

/** A server that ran as another user, or a copy that one put back, leaves such. */
export function giveBack(folder: string): string {
  return `It belongs to another user (a server ran as that one, or it put it there), or its mode closes it to its own. Give all of the data folder back to ${userOfProcess()}, as whom this server runs: chown -R ${process.getuid?.() ?? 'USER'} '${folder}' && chmod -R u+rwX '${folder}'`;
}

/** What a server makes in its data folder. What else stands there is nobody's trouble: `lost+found`, for one, where it is a disk of its own. */
const OURS: readonly string[] = ['manager.pid', 'manager-state.json', 'log', 'broker', 'repositories'];
/** What Lockstep put aside and never reads again. */
const ASIDE = /^journal-unreadable-\d+$/;

/**
 * What a server made in a data folder and this user cannot read and write, the folder itself left out; empty where there is none. What is gone
 * by the time it is looked at is not named, nor what was put aside.
 */
export async function closedIn(folder: string): Promise<string[]> {
  return await closedAmong(folder, OURS);
}

async function closedAmong(folder: string, names: readonly string[]): Promise<string[]> {
  const closed: string[] = [];
  for (const name of names.filter((one) => !ASIDE.test(one))) {
    const file = path.join(folder, name);
    const stats = await lstat(file).catch(() => null);
    if (stats === null || stats.isSymbolicLink()) continue;
    const isFolder = stats.isDirectory();
    const error: unknown = await access(file, constants.R_OK | constants.W_OK | (isFolder ? constants.X_OK : 0)).then(() => null, (reason: unknown) => reason);
    if (isDenied(error)) closed.push(file);
    else if (isFolder && name !== 'quarantine') closed.push(...(await closedAmong(file, await readdir(file).catch(() => []))));
  }
  return closed;
}
