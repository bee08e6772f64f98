import { fork } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createLocalState, STATE_FILE } from '../../adapters/local-state.js';
import { LockstepError } from '../../core/errors.js';
import type { Profile } from '../../profile/profile.js';
import { CLAIM_ALLOWANCE_MS } from '../../profile/failover.js';
import type { MountReport } from '../../ports/mount.js';
import type { PreflightReport } from '../../share/preflight.js';
import type { Finding } from './finding.js';
import type { TrialAnswer } from './share-trial.js';

/** A share that needs longer for the whole trial is no use to a lease of seconds. */
const TRIAL_TIMEOUT_MS = 15_000;
/** How many steps on the share a claim takes. */
const CLAIM_STEPS = 5;

/** Tries the share, with everything that the keeper relies on, and judges whose it is, whether it is the one that this server knows, and its mount options. */
export async function shareFindings(profile: Profile): Promise<Finding[]> {
  const { lockFile } = profile.ha;
  const outcome = await tryShare(lockFile);
  if (typeof outcome === 'string') return [{ area: 'share', level: 'fails', text: `${dirname(lockFile)}: ${outcome}` }];
  const memory = await remembered(profile.data.folder);
  const placed = lockFileFinding(lockFile, outcome, { cluster: profile.server.cluster, known: memory instanceof LockstepError ? null : memory });
  const found = memory instanceof LockstepError ? [placed, { area: 'folder', level: 'fails', text: `${memory.message}. ${memory.remedy}` } as const] : [placed];
  return outcome.report === null ? found : [...found, ...mountFindings(outcome.mount), ...reportFindings(dirname(lockFile), outcome.report)];
}

/** What the HA manager of this server knows from before; or why that cannot be believed, which keeps it from starting. */
async function remembered(dataFolder: string): Promise<Known | null | LockstepError> {
  try {
    const { shareId, record } = await createLocalState(dataFolder).load();
    return shareId === null && record === null ? null : { shareId, file: join(dataFolder, STATE_FILE) };
  } catch (error) {
    if (error instanceof LockstepError) return error;
    throw error;
  }
}

/** The share that a server has worked with. */
export interface Known {
  readonly shareId: string | null;
  /** Where that is kept. */
  readonly file: string;
}

const REPLACED = 'If it was replaced or emptied on purpose: docs/operations.md, "A replaced share"';

/**
 * What stands in the place of the lockfile, whose absolute path is named: a relative one counts from the profile.
 * @param known `null`: this server has never worked with a share
 */
export function lockFileFinding(lockFile: string, { lockFile: found, identity, hasRecords }: Pick<TrialAnswer, 'lockFile' | 'identity' | 'hasRecords'>, { cluster, known }: { readonly cluster: string; readonly known: Known | null }): Finding {
  const name = `ha.lockFile ${lockFile}`;
  const finding = (level: Finding['level'], text: string): Finding => ({ area: 'share', level, text: `${name}${text}` });
  if (found === 'no-folder') return finding('fails', `: the folder ${dirname(lockFile)} is not there: is the share mounted?`);
  if (found === 'other') return finding('fails', ' is a folder, or else no file: remove or rename it, or name another lockFile');
  if (found === 'absent') {
    if (hasRecords) return finding('fails', ' is gone, but term records stand beside it: put it back, byte for byte, from a backup');
    if (known !== null) return finding('warning', ` is not there, but this server has worked with a share before (so says ${known.file}): is the share mounted? ${REPLACED}`);
    return finding('ok', ' is not there yet: the first start makes it');
  }
  if (identity !== null && 'wrong' in identity) return finding('fails', `: ${identity.wrong}`);
  if (identity !== null && identity.cluster !== cluster) return finding('fails', ` belongs to the cluster "${identity.cluster}", this server to "${cluster}"; give each cluster a lockfile of its own`);
  if (identity !== null && known !== null && known.shareId !== null && known.shareId !== identity.share) {
    return finding('warning', ` is that of another share than the one that this server knows (its id is ${identity.share}, not ${known.shareId}, so says ${known.file}): is the right one mounted? ${REPLACED}`);
  }
  return finding('ok', ' is there');
}

/** The mount's options, as far as a read could be stale under them. */
export function mountFindings(mount: MountReport | null): Finding[] {
  if (mount === null) return [{ area: 'share', level: 'warning', text: 'this system does not tell how the folder is mounted: see to the options yourself (docs/operations.md)' }];
  const level = mount.verdict === 'refuse' ? 'fails' : mount.verdict === 'warn' ? 'warning' : 'ok';
  const place = `${mount.mountPoint} (${mount.fsType} of ${mount.source})`;
  if (mount.findings.length === 0) return [{ area: 'share', level, text: `${place}: good mount options` }];
  return mount.findings.map((finding) => ({ area: 'share', level, text: `${place}: ${finding}` }));
}

const IN_WORDS: Readonly<Record<NonNullable<PreflightReport['trouble']>['condition'], string>> = {
  absent: 'is not there',
  'read-only': 'is read-only',
  denied: 'is closed to this user',
  full: 'is full',
  hung: 'hangs',
  replaced: 'is another one',
  refused: 'cannot be relied on',
  failed: 'is in trouble',
};

/** What the trial found, line by line. */
export function reportFindings(folder: string, report: PreflightReport): Finding[] {
  const isSaid = (detail: string): boolean => [report.trouble?.detail ?? '', ...report.warnings].some((text) => text.includes(detail));
  const findings = report.checks.map((check): Finding => {
    const latency = `${check.latencyMs.toFixed(1)} ms`;
    if (check.ok) return { area: 'share', level: 'ok', text: `${check.name}: ${latency}` };
    // One way of publishing may be missing as long as the other is there; the trouble says when none is.
    const why = check.detail === null || isSaid(check.detail) ? 'failed' : check.detail;
    return { area: 'share', level: report.trouble === null ? 'warning' : 'fails', text: `${check.name}: ${why} (${latency})` };
  });
  if (report.trouble !== null) findings.push({ area: 'share', level: 'fails', text: `${folder} ${IN_WORDS[report.trouble.condition]}: ${report.trouble.detail}` });
  else findings.push({ area: 'share', level: 'ok', text: `${folder}: terms are claimed by ${report.methods.join(' or ')}` });
  for (const text of report.warnings) findings.push({ area: 'share', level: 'warning', text });
  if (report.slowestMs * CLAIM_STEPS > CLAIM_ALLOWANCE_MS) {
    findings.push({
      area: 'share',
      level: 'warning',
      text: `the slowest step took ${report.slowestMs.toFixed(0)} ms; the worst-case failover times assume ${CLAIM_ALLOWANCE_MS / CLAIM_STEPS} ms, and do not hold on this share`,
    });
  }
  return findings;
}

/** The report, or in words why there is none. Never rejects. */
function tryShare(lockFile: string): Promise<TrialAnswer | string> {
  return new Promise((resolve) => {
    const child = fork(fileURLToPath(new URL('./share-trial.js', import.meta.url)), [lockFile], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], execArgv: [] });
    let answer: TrialAnswer | null = null;
    const timer = setTimeout(() => {
      resolve(`the share hangs: no end of the trial within ${TRIAL_TIMEOUT_MS / 1000} s`);
      // Gone or not (a process in a hung system call stays until the share answers): this command does not wait for it.
      child.kill('SIGKILL');
      child.disconnect();
      child.unref();
    }, TRIAL_TIMEOUT_MS);
    const settle = (outcome: TrialAnswer | string): void => {
      clearTimeout(timer);
      resolve(outcome);
    };
    child.on('message', (message) => (answer = message as TrialAnswer));
    child.on('error', (error) => settle(`the trial could not be started: ${error.message}`));
    child.on('exit', (code) => settle(answer ?? `the trial ended without an answer (exit code ${String(code)})`));
  });
}
