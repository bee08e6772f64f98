import { lstat, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Profile } from '../../profile/profile.js';
import type { Finding } from './finding.js';
import { grownJournalBytes } from './folders.js';

const MIB = 1024 * 1024;

/** One place below the data folder, and what it takes. */
export interface PutAside {
  readonly place: string;
  readonly bytes: number;
}

/** What a broker has put aside and never removes. Nothing is said where there is nothing. */
export async function putAsideFindings({ data }: Profile): Promise<Finding[]> {
  return putAsideFinding(data, await putAsideIn(join(data.folder, 'broker')));
}

export async function putAsideIn(broker: string): Promise<PutAside[]> {
  const found: PutAside[] = [{ place: 'journal/quarantine', bytes: await bytesIn(join(broker, 'journal', 'quarantine')) }];
  for (const name of await namesIn(broker)) if (/^journal-unreadable-\d+$/.test(name)) found.push({ place: name, bytes: await bytesIn(join(broker, name)) });
  for (const name of await namesIn(join(broker, 'snapshots'))) if (/\.snap\.ahead(-\d+)?$/.test(name)) found.push({ place: `snapshots/${name}`, bytes: await bytesIn(join(broker, 'snapshots', name)) });
  return found.filter(({ bytes }) => bytes > 0);
}

export function putAsideFinding(data: Pick<Profile['data'], 'folder' | 'segmentBytes' | 'snapshotEveryBytes'>, found: readonly PutAside[]): Finding[] {
  if (found.length === 0) return [];
  const bytes = found.reduce((sum, one) => sum + one.bytes, 0);
  const parts = found.map((one) => `${one.place} ${mib(one.bytes)}`).join(', ');
  const level = bytes >= grownJournalBytes(data) ? 'warning' : 'ok';
  return [{ area: 'folder', level, text: `what was put aside in ${join(data.folder, 'broker')} takes ${mib(bytes)} (${parts}), and stays until you remove it` }];
}

function mib(bytes: number): string {
  return `${Math.ceil(bytes / MIB)} MiB`;
}

/** Of a file, or of all that is in a folder; 0 for what is not there, or cannot be looked at. A symbolic link in a folder leads elsewhere, and counts for nothing. */
async function bytesIn(path: string, look: typeof stat | typeof lstat = stat): Promise<number> {
  const stats = await look(path).catch(() => null);
  if (stats === null) return 0;
  if (!stats.isDirectory()) return stats.isFile() ? stats.size : 0;
  let bytes = 0;
  for (const name of await namesIn(path)) bytes += await bytesIn(join(path, name), lstat);
  return bytes;
}

function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}
