import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { createClock } from '../../adapters/clock.js';
import { createMountInspector } from '../../adapters/mount-options.js';
import { userOfProcess } from '../../adapters/process-identity.js';
import { createRandom } from '../../adapters/random.js';
import { createShareFiles } from '../../adapters/share-files.js';
import type { MountReport } from '../../ports/mount.js';
import { SharePaths } from '../../share/paths.js';
import { preflight } from '../../share/preflight.js';
import type { PreflightReport } from '../../share/preflight.js';

/*
 * A process of its own: on a hung share its calls never return, and only SIGKILL ends it (see ./share.ts).
 */
export interface TrialAnswer {
  /** What stands in the lockfile's place; `no-folder`: what should hold it is not there, and nothing else was tried. */
  readonly lockFile: 'file' | 'absent' | 'other' | 'no-folder';
  /** `null` when nothing was tried. */
  readonly report: PreflightReport | null;
  /** `null` where the system does not tell its mounts, or the folder is not there. */
  readonly mount: MountReport | null;
}

const lockFile = process.argv[2] ?? '';
const folder = dirname(lockFile);
// A folder that cannot be resolved is the preflight's to report.
const mount = await createMountInspector(folder).inspect().catch(() => null);
const folderStands = await stat(folder).then((stats) => stats.isDirectory(), (error: unknown) => !isAbsent(error));
const inItsPlace = await stat(lockFile).then((stats) => (stats.isFile() ? 'file' : 'other'), () => 'absent' as const);
const report = !folderStands ? null : await preflight(createShareFiles(folder), new SharePaths(basename(lockFile)), { clock: createClock(), random: createRandom(), user: userOfProcess() });
const answer: TrialAnswer = { lockFile: folderStands ? inItsPlace : 'no-folder', report, mount };
process.send?.(answer, () => process.disconnect());

function isAbsent(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}
