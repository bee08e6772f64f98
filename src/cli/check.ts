import { createClock } from '../adapters/clock.js';
import { loadProfile } from '../profile/load.js';
import { formatProblem } from '../profile/problem.js';
import type { Console } from './console.js';
import { failoverFindings } from './check/failover.js';
import { renderFinding } from './check/finding.js';
import type { Finding } from './check/finding.js';
import { folderFindings } from './check/folders.js';
import { ownServer, repositoryFindings } from './check/local.js';
import { gatewayFindings, peerFindings } from './check/network.js';
import { portFindings } from './check/ports.js';
import { putAsideFindings } from './check/put-aside.js';
import { shareFindings } from './check/share.js';
import { tlsFindings } from './check/tls.js';
import { userFindings } from './check/users.js';
import { ExitCode } from './exit-codes.js';
import { CommandFailure } from './failure.js';

/**
 * Tries everything that a start of this profile needs, and starts nothing. What it writes, it removes: a folder beside the
 * lockfile, whose own files it does not touch, and one each in the data folder and the log folder, or above them where they are absent.
 * @throws ProfileError, or CommandFailure LOCKSTEP_CHECK_FAILED when something stands in the way (rejects)
 */
export async function check(console: Console, path: string, options: { readonly json?: boolean }): Promise<void> {
  const profile = loadProfile(path);
  const all: Finding[] = [];
  const tell = (findings: readonly Finding[]): void => {
    all.push(...findings);
    if (options.json !== true) for (const finding of findings) console.out(renderFinding(finding));
  };
  tell([{ area: 'profile', level: 'ok', text: `${profile.path} is valid` }]);
  tell(profile.warnings.map((warning) => ({ area: 'profile', level: 'warning', text: formatProblem(profile.path, warning) })));
  const own = await ownServer(profile);
  const running = own !== null;
  tell(await folderFindings(profile));
  tell(await putAsideFindings(profile));
  tell(await repositoryFindings(profile));
  if (own !== null) tell(own.findings);
  tell(await portFindings(profile, own));
  tell(await tlsFindings(profile, createClock().wall()));
  tell(await userFindings(profile));
  tell(await gatewayFindings(profile));
  tell(await shareFindings(profile));
  tell(await peerFindings(profile, own?.status?.manager.run ?? null));
  tell(failoverFindings(profile));
  if (options.json === true) console.out(JSON.stringify({ profile: profile.path, running, findings: all }, null, 2));
  const failed = all.filter(({ level }) => level === 'fails').length;
  if (failed > 0) throw new CommandFailure(ExitCode.failed, 'LOCKSTEP_CHECK_FAILED', `${failed} of ${all.length} findings stand in the way of a start or of clients`, 'See the lines marked FAILS.');
}
