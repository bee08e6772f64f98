import { promises as fs, readFileSync } from 'node:fs';
import path from 'node:path';
import type { MountInspector, MountReport } from '../ports/mount.js';

const MOUNTINFO = '/proc/self/mountinfo';

/** One line of /proc/self/mountinfo (proc(5)). */
export interface Mount {
  readonly mountPoint: string;
  readonly fsType: string;
  readonly source: string;
  /** Of the mount and of its file system, as one list: `noac`, `actimeo=0`. */
  readonly options: readonly string[];
}

const NFS: readonly string[] = ['nfs', 'nfs4'];
const SMB: readonly string[] = ['cifs', 'smb3', 'smb2'];
/** The kernel shows these four, each in seconds; `actimeo` sets them all. */
const NFS_ATTRIBUTE_TIMES = { acregmin: 3, acregmax: 60, acdirmin: 30, acdirmax: 60 } as const;
const SMB_ATTRIBUTE_SECONDS = 1;
const NETWORK_OTHERS: readonly string[] = ['ceph', 'glusterfs', 'fuse.glusterfs', 'fuse.sshfs', 'lustre', 'gfs2', 'ocfs2', 'afs', '9p', 'virtiofs', 'fuse.s3fs', 'davfs', 'fuse.davfs2'];

/** What stands in the place of an automount until somebody goes into it. */
const AUTOMOUNT = 'autofs';

/** What is asked of the system. */
export interface MountSystem {
  /** Goes into the folder, as whoever opens a file in it, so that an automount is mounted. Rejects when that cannot be done. */
  enter(folder: string): Promise<unknown>;
  /** The text of mountinfo. Rejects with ENOENT on a system without /proc. */
  mountinfo(): Promise<string>;
}

const THIS_SYSTEM: MountSystem = {
  // To ask for the folder itself mounts nothing: to ask for something in it does.
  enter: (folder) => fs.stat(`${folder}${path.sep}.`),
  mountinfo: () => fs.readFile(MOUNTINFO, 'utf8'),
};

/** Reads the mounts of this host for the folder of the share. The report is `null` on a system without /proc. An automount that was not mounted rejects with ENODEV. */
export function createMountInspector(folder: string, system: MountSystem = THIS_SYSTEM): MountInspector {
  return {
    async inspect(): Promise<MountReport | null> {
      await system.enter(folder);
      const text = await system.mountinfo().catch((error: unknown) => {
        if (typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT') return null;
        throw error;
      });
      if (text === null) return null;
      const mount = mountOf(parseMounts(text), await fs.realpath(folder));
      if (mount?.fsType === AUTOMOUNT) throw Object.assign(new Error(`ENODEV: the automount on ${mount.mountPoint} is not mounted`), { code: 'ENODEV' });
      return mount === null ? null : judgeMount(mount);
    },
  };
}

/** Every mount in the text; lines that are not of the known form are left out. */
export function parseMounts(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const words = line.split(' ');
    const dash = words.indexOf('-', 6);
    const [mountPoint, mountOptions] = [words[4], words[5]];
    const [fsType, source, superOptions] = words.slice(dash + 1);
    if (dash < 0 || mountPoint === undefined || mountOptions === undefined || fsType === undefined || source === undefined) return [];
    const options = `${mountOptions},${superOptions ?? ''}`.split(',').filter((option) => option !== '');
    return [{ mountPoint: plain(mountPoint), fsType, source: plain(source), options: options.map(plain) }];
  });
}

/** Mount points below a folder (absolute, without links), bind mounts too. Empty on a system without /proc. */
export function mountsBelow(folder: string): string[] {
  let text: string;
  try {
    text = readFileSync(MOUNTINFO, 'utf8');
  } catch {
    return [];
  }
  return parseMounts(text).map(({ mountPoint }) => mountPoint).filter((point) => point.startsWith(`${folder}${path.posix.sep}`));
}

/** The mount that `folder` (absolute, without links) is on: the longest mount point above it, the later of two. */
export function mountOf(mounts: readonly Mount[], folder: string): Mount | null {
  let best: Mount | null = null;
  for (const mount of mounts) {
    const isAbove = mount.mountPoint === '/' || folder === mount.mountPoint || folder.startsWith(`${mount.mountPoint}${path.posix.sep}`);
    if (isAbove && (best === null || mount.mountPoint.length >= best.mountPoint.length)) best = mount;
  }
  return best;
}

/** Whether what is written there is kept by another host. */
export function isNetworkFileSystem(fsType: string): boolean {
  return NFS.includes(fsType) || SMB.includes(fsType) || NETWORK_OTHERS.includes(fsType);
}

/** Whether reads through this mount are fresh, and what would be better. */
export function judgeMount(mount: Mount): MountReport {
  const { fsType, source, mountPoint } = mount;
  const judged = NFS.includes(fsType) ? judgeNfs(mount) : SMB.includes(fsType) ? judgeSmb(mount) : judgeOther(mount);
  const readOnly = mount.options.includes('ro') ? ['It is mounted read-only: mount it with rw.'] : [];
  const verdict = readOnly.length > 0 && judged.verdict === 'good' ? 'warn' : judged.verdict;
  return { fsType, source, mountPoint, isNetwork: isNetworkFileSystem(fsType), verdict, findings: [...judged.findings, ...readOnly] };
}

type Judged = Pick<MountReport, 'verdict' | 'findings'>;

function judgeNfs(mount: Mount): Judged {
  const { options } = mount;
  const noac = options.includes('noac');
  const lookups = valueOf(options, 'lookupcache') ?? 'all';
  const cached = Object.entries(NFS_ATTRIBUTE_TIMES).filter(([name, usual]) => Number(valueOf(options, name) ?? valueOf(options, 'actimeo') ?? usual) > 0);
  const findings: string[] = [];
  if (!noac && cached.length > 0) findings.push(`File attributes are cached (${cached.map(([name]) => name).join(', ')} above 0), so a read can be stale: mount it with actimeo=0, or with noac.`);
  if (!noac && lookups !== 'none') findings.push(`Lookups are cached (lookupcache=${lookups}), so a new term record can stay unseen: mount it with lookupcache=none, or with noac.`);
  if (options.includes('nocto')) findings.push('Opening a file does not ask the server (nocto): mount it without nocto.');
  if (options.some((option) => option === 'local_lock=all')) findings.push('Locks are local (local_lock=all); Lockstep does not use them, others may.');
  const refused = findings.some((finding) => finding.includes('mount it with'));
  const advice = hardnessAdvice(options, 'soft,timeo=20,retrans=2');
  return { verdict: refused ? 'refuse' : advice.length + findings.length > 0 ? 'warn' : 'good', findings: [...findings, ...advice] };
}

function judgeSmb(mount: Mount): Judged {
  const { options } = mount;
  const cache = valueOf(options, 'cache') ?? 'strict';
  const attributes = ['acregmax', 'acdirmax'].map((name) => Number(valueOf(options, name) ?? valueOf(options, 'actimeo') ?? SMB_ATTRIBUTE_SECONDS));
  const findings: string[] = [];
  if (cache !== 'none') findings.push(`File contents are cached (cache=${cache}), so a read can be stale: mount it with cache=none.`);
  if (attributes.some((seconds) => seconds > 0)) findings.push('File attributes are cached (actimeo above 0), so a read can be stale: mount it with actimeo=0.');
  const advice = hardnessAdvice(options, 'soft');
  if (!options.includes('nolease')) advice.push('Leases are kept (no nolease): a server refuses to open a file under a name that it got a moment ago, as every claim of a term does; mount it with nolease.');
  return { verdict: findings.length > 0 ? 'refuse' : advice.length > 0 ? 'warn' : 'good', findings: [...findings, ...advice] };
}

/** A hung mount is survived either way (the share keeper is killed), but with `hard` a killed process can stay until the share answers. */
function hardnessAdvice(options: readonly string[], soft: string): string[] {
  if (options.some((option) => option === 'soft' || option === 'softerr')) return [];
  return [`It is mounted hard: operations on a share that is away wait for ever; ${soft} lets them fail instead.`];
}

function judgeOther(mount: Mount): Judged {
  if (NETWORK_OTHERS.includes(mount.fsType) || mount.fsType.startsWith('fuse')) {
    return { verdict: 'warn', findings: [`Whether reads through ${mount.fsType} are fresh is not known: NFS and SMB are the file systems that were measured.`] };
  }
  return { verdict: 'warn', findings: [`It is on a local file system (${mount.fsType}): for trying out a pair on one machine. Two hosts need an NFS or SMB share on a third; where one should be mounted, it is not.`] };
}

/** The last value given for an option of the form `name=value`. */
function valueOf(options: readonly string[], name: string): string | undefined {
  return options.findLast((option) => option.startsWith(`${name}=`))?.slice(name.length + 1);
}

/** Blanks, tabs, line ends and backslashes are written as octal. */
function plain(word: string): string {
  return word.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
}
