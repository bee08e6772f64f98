import { join } from 'node:path';
import { decodeJson, Fields, textElement } from '../../core/wire/fields.js';
import { SyncReason } from '../../core/repository/entry.js';
import { PATH_BYTES_MAX } from '../../core/repository/names.js';
import type { KeptVersion } from '../../ports/repository.js';
import { replaceDurably } from './durable.js';
import { unlessAbsent } from './file-errors.js';
import { removeAllowed } from './gone.js';
import type { Places } from './places.js';
import { FILLING_MODE } from './writing.js';

const REASON_CHARS_MAX = 1000;
const UNRECORDED = 'not recorded';
/** Why a version is kept that nobody asked to keep so many of: it stays until somebody removes it. */
export const FOUND = 'found after an exchange that could not be ended';
/** Of the syncs that follow the serving server while it serves. Only changes file by file that did not come to their end leave one without a description. */
const FOLLOWING: readonly string[] = [SyncReason.change, SyncReason.look, SyncReason.again, UNRECORDED];
const MINUTE_CHARS = '2026-01-01T00-00'.length;
/** So many paths are named with a version; all of them are in its folder. */
export const NAMED_PATHS_MAX = 100;
const NAME = /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z(-\d+)?$/;

/** Of a version kept at this time that no other has. */
export function freshName(places: Places, at: number): string {
  const name = new Date(at).toISOString().replaceAll(':', '-');
  for (let count = 1; ; count += 1) {
    const candidate = count === 1 ? name : `${name}-${count}`;
    if (!places.fs.existsSync(join(places.kept, candidate))) return candidate;
  }
}

/** Newest first. What is no kept version of ours is not looked at. */
export function listKept(places: Places): KeptVersion[] {
  const names = unlessAbsent(() => places.fs.readdirSync(places.kept)) ?? [];
  const versions = names.filter((name) => NAME.test(name)).sort().reverse();
  return versions.map((name) => readVersion(places, name));
}

function readVersion(places: Places, name: string): KeptVersion {
  const unknown: KeptVersion = { name, at: Date.parse(name.slice(0, 24).replace(/T(\d\d)-(\d\d)-/, 'T$1:$2:')), term: 0, reason: UNRECORDED, files: 0, bytes: 0, paths: [] };
  const bytes = unlessAbsent(() => places.fs.readFileSync(join(places.kept, `${name}.json`)));
  if (bytes === null) return unknown;
  try {
    const fields = Fields.of('kept version', decodeJson('kept version', bytes));
    return {
      name,
      at: fields.whole('at'),
      term: fields.whole('term'),
      reason: fields.text('reason', REASON_CHARS_MAX),
      files: fields.whole('files'),
      bytes: fields.whole('bytes'),
      paths: fields.list('paths', 0, NAMED_PATHS_MAX, textElement(PATH_BYTES_MAX)),
    };
  } catch {
    return { ...unknown, reason: 'its description cannot be read' }; // The files are there all the same.
  }
}

export async function describeVersion(places: Places, version: KeptVersion): Promise<void> {
  await replaceDurably(places.fs, join(places.kept, `${version.name}.json`), places.kept, `${JSON.stringify({ ...version, reason: version.reason.slice(0, REASON_CHARS_MAX) }, null, 2)}\n`);
}

/**
 * Removes the oldest beyond `keep`. Changes file by file that are of one minute count as one. What follows the serving server while it serves pushes out its like
 * alone, as long as there are two places: a version of a joining is what an operator looks for after a failover. `source`: what is brought back from stays, however old
 * it is.
 */
export async function retain(places: Places, keep: number, fresh: string | null = null, source: string | null = null): Promise<void> {
  places.fs.mkdirSync(places.kept, { recursive: true, mode: FILLING_MODE });
  // The one just made is the newest, whatever the clock says.
  const versions = listKept(places).filter(({ reason }) => reason !== FOUND).sort((a, b) => Number(b.name === fresh) - Number(a.name === fresh));
  const counting = new Map<string, 'following' | 'other'>();
  for (const version of versions) counting.set(countedAs(version), isFollowing(version) ? 'following' : 'other');
  const following = [...counting].filter(([, kind]) => kind === 'following').map(([counted]) => counted);
  const others = [...counting].filter(([, kind]) => kind === 'other').map(([counted]) => counted);
  const stay = new Set(keep < 2 ? [...counting.keys()].slice(0, keep) : others.slice(0, following.length > 0 ? keep - 1 : keep));
  for (const counted of following) if (stay.size < keep) stay.add(counted);
  for (const version of versions) {
    if (stay.has(countedAs(version)) || version.name === source) continue;
    await removeAllowed(places.fs, join(places.kept, version.name));
    places.fs.rmSync(join(places.kept, `${version.name}.json`), { force: true });
  }
}

function countedAs({ name, reason }: KeptVersion): string {
  return reason === SyncReason.change ? name.slice(0, MINUTE_CHARS) : name;
}

function isFollowing({ reason }: KeptVersion): boolean {
  return FOLLOWING.includes(reason);
}
