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
  readonly report: PreflightReport;
  /** `null` where the system does not tell its mounts, or the folder is not there. */
  readonly mount: MountReport | null;
}

const lockFile = process.argv[2] ?? '';
const folder = dirname(lockFile);
// A folder that cannot be resolved is the preflight's to report.
const mount = await createMountInspector(folder).inspect().catch(() => null);
const report = await preflight(createShareFiles(folder), new SharePaths(basename(lockFile)), { clock: createClock(), random: createRandom(), user: userOfProcess() });
const answer: TrialAnswer = { report, mount };
process.send?.(answer, () => process.disconnect());
