import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { createClock } from '../../adapters/clock.js';
import { createMountInspector } from '../../adapters/mount-options.js';
import { userOfProcess } from '../../adapters/process-identity.js';
import { createRandom } from '../../adapters/random.js';
import { createShareFiles } from '../../adapters/share-files.js';
import { LockstepError } from '../../core/errors.js';
import { decodeShareIdentity } from '../../core/terms/codec.js';
import { termOfName } from '../../core/terms/names.js';
import type { ShareIdentity } from '../../core/terms/record.js';
import type { MountReport } from '../../ports/mount.js';
import { systemText } from '../../profile/private-file.js';
import { SharePaths } from '../../share/paths.js';
import { preflight } from '../../share/preflight.js';
import type { PreflightReport } from '../../share/preflight.js';

/** Which share it is, and whose. */
export type Identity = Pick<ShareIdentity, 'cluster' | 'share'>;

/*
 * A process of its own: on a hung share its calls never return, and only SIGKILL ends it (see ./share.ts).
 */
export interface TrialAnswer {
  /** What stands in the lockfile's place; `no-folder`: what should hold it is not there, and nothing else was tried. */
  readonly lockFile: 'file' | 'absent' | 'other' | 'no-folder';
  /** What a lockfile that is a file says, or in words why it cannot be believed; else `null`. */
  readonly identity: Identity | { readonly wrong: string } | null;
  /** Term records stand beside the place of the lockfile. */
  readonly hasRecords: boolean;
  /** `null` when nothing was tried. */
  readonly report: PreflightReport | null;
  /** `null` where the system does not tell its mounts, or the folder is not there. */
  readonly mount: MountReport | null;
}

const lockFile = process.argv[2] ?? '';
const folder = dirname(lockFile);
const files = createShareFiles(folder);
const paths = new SharePaths(basename(lockFile));
// A folder that cannot be resolved is the preflight's to report.
const mount = await createMountInspector(folder).inspect().catch(() => null);
const folderStands = await stat(folder).then((stats) => stats.isDirectory(), (error: unknown) => !isAbsent(error));
const inItsPlace = await stat(lockFile).then((stats) => (stats.isFile() ? 'file' : 'other'), () => 'absent' as const);
const identity = inItsPlace === 'file' ? await readIdentity() : null;
const hasRecords = await files.list(paths.terms).then((names) => names.some((name) => termOfName(name) !== null), () => false);
const report = !folderStands ? null : await preflight(files, paths, { clock: createClock(), random: createRandom(), user: userOfProcess() });
const answer: TrialAnswer = { lockFile: folderStands ? inItsPlace : 'no-folder', identity, hasRecords, report, mount };
process.send?.(answer, () => process.disconnect());

async function readIdentity(): Promise<TrialAnswer['identity']> {
  try {
    const { cluster, share } = decodeShareIdentity(await files.read(paths.identity), lockFile);
    return { cluster, share };
  } catch (error) {
    return { wrong: error instanceof LockstepError ? `${error.message}. ${error.remedy}` : `the lockfile ${lockFile} cannot be read: ${systemText(error)}` };
  }
}

function isAbsent(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}
