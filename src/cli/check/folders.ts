import { constants } from 'node:fs';
import { access, mkdtemp, readdir, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { closedIn, giveBack } from '../../adapters/data-folder.js';
import { createMountInspector, isNetworkFileSystem } from '../../adapters/mount-options.js';
import type { MountReport } from '../../ports/mount.js';
import { systemText } from '../../profile/private-file.js';
import type { Profile } from '../../profile/profile.js';
import { formatBytes } from '../../profile/values.js';
import type { Finding } from './finding.js';

const TRIAL_BYTES = 4096;
const MIB = 1024 * 1024;

/**
 * The data folder and the log folder can be made and written: tried in them, or in the nearest folder above that is there. The data folder has room
 * for the journal, and lies on a disk of this server.
 */
export async function folderFindings(profile: Profile): Promise<Finding[]> {
  const { data, log } = profile;
  const findings: Finding[] = [];
  for (const [key, folder] of [['data.folder', data.folder], ['log.folder', log.folder]] as const) {
    const trouble = await trialTrouble(folder);
    findings.push({ area: 'folder', level: trouble === null ? 'ok' : 'fails', text: `${key} ${folder} ${trouble ?? 'can be written'}` });
    if (key !== 'data.folder' || trouble !== null) continue;
    findings.push(...(await exposureFindings(data.folder)));
    findings.push(...(await closedFindings(data.folder)));
    findings.push(...(await roomFindings(profile)));
    findings.push(...placeFindings(data.folder, await createMountInspector(await nearest(data.folder)).inspect().catch(() => null)));
  }
  return findings;
}

/** What keeps this user from writing in a folder that may be absent: then the nearest one above it counts. Nothing is written; `null` when nothing does. */
export async function writeTrouble(folder: string): Promise<string | null> {
  try {
    const there = await nearest(folder);
    if (!(await stat(there)).isDirectory()) return 'is not a folder';
    await access(there, constants.R_OK | constants.W_OK | constants.X_OK);
    return null;
  } catch (error) {
    return `cannot be written: ${systemText(error)}`;
  }
}

async function trialTrouble(folder: string): Promise<string | null> {
  const trouble = await writeTrouble(folder);
  if (trouble !== null) return trouble;
  const there = await nearest(folder);
  let trial: string | null = null;
  try {
    trial = await mkdtemp(join(there, '.lockstep-check-'));
    await writeFile(join(trial, 'file'), new Uint8Array(TRIAL_BYTES), { flush: true });
    return null;
  } catch (error) {
    const absent = typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT';
    return absent ? `cannot be made: ${there} takes no new folders` : `cannot be written: ${systemText(error)}`;
  } finally {
    if (trial !== null) await rm(trial, { recursive: true, force: true }).catch(() => undefined); // Left behind it is in nobody's way.
  }
}

/** A data folder that is there is for the user of the server alone, as the one that a start makes. */
async function exposureFindings(folder: string): Promise<Finding[]> {
  const mode = await stat(folder).then((stats) => stats.mode & 0o777, () => 0);
  if (process.platform === 'win32' || (mode & 0o077) === 0) return [];
  return [{ area: 'folder', level: 'warning', text: `data.folder ${folder} is open to other users of this machine (mode ${mode.toString(8).padStart(3, '0')}), and holds all messages; run chmod 700 on it` }];
}

/** All that stands in the data folder is this user's to read and write: a broker that meets what is not is started again and again. */
async function closedFindings(folder: string): Promise<Finding[]> {
  const closed = await closedIn(folder);
  if (closed[0] === undefined) return [];
  const what = closed.length === 1 ? closed[0] : `${closed[0]} and ${closed.length - 1} more`;
  return [{ area: 'folder', level: 'fails', text: `data.folder ${folder}: this user may not read and write ${what}. ${giveBack(folder)}` }];
}

async function roomFindings({ data }: Profile): Promise<Finding[]> {
  const { bavail, bsize } = await statfs(await nearest(data.folder));
  return [roomFinding(data, bavail * bsize, await journalBytes(join(data.folder, 'broker', 'journal')))];
}

/** @param taken what the journal takes already, bytes */
export function roomFinding({ folder, segmentBytes, snapshotEveryBytes }: Pick<Profile['data'], 'folder' | 'segmentBytes' | 'snapshotEveryBytes'>, free: number, taken: number): Finding {
  const room = `data.folder ${folder} has ${Math.floor(free / MIB)} MiB of room`;
  if (free < segmentBytes) return { area: 'folder', level: 'fails', text: `${room}, less than the next segment of the journal takes (data.segmentBytes, ${formatBytes(segmentBytes)})` };
  const grown = grownJournalBytes({ segmentBytes, snapshotEveryBytes });
  if (free + taken >= grown) return { area: 'folder', level: 'ok', text: room };
  return { area: 'folder', level: 'warning', text: `${room}; the journal grows to about ${formatBytes(grown)} (twice data.snapshotEveryBytes and three times data.segmentBytes) and takes ${Math.ceil(taken / MIB)} MiB now, and snapshots come on top` };
}

/** From before the older of two snapshots; and three segments: the one that this lies in, the one that is written, which has its full size at once, and the one that is made ready. */
export function grownJournalBytes({ segmentBytes, snapshotEveryBytes }: Pick<Profile['data'], 'segmentBytes' | 'snapshotEveryBytes'>): number {
  return 2 * snapshotEveryBytes + 3 * segmentBytes;
}

async function journalBytes(journal: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(journal).catch(() => [])) bytes += await stat(join(journal, name)).then((stats) => (stats.isFile() ? stats.size : 0), () => 0);
  return bytes;
}

/** `mount`: where the data folder lies; `null` where the system does not tell. */
export function placeFindings(folder: string, mount: Pick<MountReport, 'fsType' | 'source'> | null): Finding[] {
  if (mount === null || !isNetworkFileSystem(mount.fsType)) return [];
  return [{ area: 'folder', level: 'warning', text: `data.folder ${folder} is on ${mount.fsType} of ${mount.source}, not on a disk of this server: its loss would be the loss of this copy; name a folder on a local disk` }];
}

/** The folder, or the nearest one above it that is there. Rejects with what else the system says. */
async function nearest(folder: string): Promise<string> {
  try {
    await stat(folder);
    return folder;
  } catch (error) {
    const absent = typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT';
    if (absent && dirname(folder) !== folder) return nearest(dirname(folder));
    throw error;
  }
}
