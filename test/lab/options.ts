import { parseArgs } from 'node:util';
import type { ShareKind } from './share.js';

export interface LabOptions {
  readonly long: boolean;
  readonly only: string | null;
  readonly shares: readonly ShareKind[];
  readonly keep: boolean;
  readonly list: boolean;
  readonly help: boolean;
}

export const HELP = `Three real kernels on this machine (User Mode Linux): a gateway with the share, and the two servers of a pair, with Lockstep
installed on them from its package; clients in a network namespace. Faults are brought to them, and what the clients saw is judged.

Usage: scripts/lab.sh [--long] [--only PATTERN] [--share nfs|smb] [--keep] [--list] [--help]
  (nothing)        the short form: one scenario on NFS, one on SMB
  --long           all scenarios on both shares
  --only PATTERN   all scenarios whose name fits this regular expression
  --share nfs|smb  on this share only
  --keep           leave the hosts up at the end, or after a failure, until Ctrl-C: logs and histories are in the run's
                   folder, and commands can be run on each host
  --list           the scenarios with what they promise
Exit code: 0 all as promised, 1 not, 2 wrong use, 77 skipped: not Debian, or not root.`;

/** @throws Error for what is not an option (a message for people) */
export function parseOptions(args: readonly string[]): LabOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      long: { type: 'boolean', default: false },
      only: { type: 'string' },
      share: { type: 'string' },
      keep: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const { share, only, long, keep, list, help } = values;
  if (share !== undefined && share !== 'nfs' && share !== 'smb') throw new Error(`--share is nfs or smb; found "${share}"`);
  return { long, only: only ?? null, shares: share === undefined ? ['nfs', 'smb'] : [share], keep, list, help };
}
