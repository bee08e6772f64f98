import { createMountInspector, judgeMount, mountOf, parseMounts } from '../../../src/adapters/mount-options.js';

/** A line of mountinfo for /mnt/s. */
function line(fsType: string, source: string, superOptions: string, mountOptions = 'rw,relatime'): string {
  return `36 35 0:42 / /mnt/s ${mountOptions} shared:1 - ${fsType} ${source} ${superOptions}`;
}

function judge(text: string) {
  const [mount] = parseMounts(text);
  if (mount === undefined) throw new Error('no mount');
  return judgeMount(mount);
}

const NFS = 'rw,vers=4.2,rsize=1048576,wsize=1048576,namlen=255';
const ZERO = 'acregmin=0,acregmax=0,acdirmin=0,acdirmax=0';
const SMB_WITH_LEASES = 'rw,vers=3.1.1,username=x,uid=0';
const SMB = `${SMB_WITH_LEASES},nolease`;

describe('mount options', () => {
  it.each([
    ['NFS with noac', 'nfs4', `${NFS},soft,noac,proto=tcp,timeo=20`, 'good'],
    ['NFS with noac as the kernel shows it', 'nfs4', `${NFS},soft,${ZERO},noac`, 'good'],
    ['NFS without caching', 'nfs4', `${NFS},soft,${ZERO},lookupcache=none`, 'good'],
    ['NFS without caching, softerr', 'nfs4', `${NFS},softerr,actimeo=0,lookupcache=none`, 'good'],
    ['NFS without caching, hard', 'nfs', `${NFS},hard,${ZERO},lookupcache=none`, 'warn'],
    ['NFS by default', 'nfs4', `${NFS},hard,proto=tcp`, 'refuse'],
    ['NFS with cached lookups', 'nfs4', `${NFS},soft,${ZERO}`, 'refuse'],
    ['NFS with positive lookups cached', 'nfs4', `${NFS},soft,${ZERO},lookupcache=pos`, 'refuse'],
    ['NFS with cached attributes', 'nfs4', `${NFS},soft,lookupcache=none`, 'refuse'],
    ['NFS with short attributes', 'nfs4', `${NFS},soft,acregmin=1,acregmax=1,acdirmin=0,acdirmax=0,lookupcache=none`, 'refuse'],
    ['NFS without close-to-open', 'nfs4', `${NFS},soft,noac,nocto`, 'refuse'],
    ['SMB without caching', 'cifs', `${SMB},cache=none,soft,actimeo=0`, 'good'],
    ['SMB without caching, as newer kernels show it', 'cifs', `${SMB},cache=none,soft,acregmax=0,acdirmax=0`, 'good'],
    ['SMB without caching, hard', 'smb3', `${SMB},cache=none,actimeo=0`, 'warn'],
    ['SMB with leases', 'cifs', `${SMB_WITH_LEASES},cache=none,soft,actimeo=0`, 'warn'],
    ['SMB by default', 'cifs', `${SMB},cache=strict,soft,actimeo=1`, 'refuse'],
    ['SMB with cached contents', 'cifs', `${SMB},cache=loose,soft,actimeo=0`, 'refuse'],
    ['SMB with cached attributes', 'cifs', `${SMB},cache=none,soft`, 'refuse'],
    ['a local disk', 'ext4', 'rw,discard', 'warn'],
    ['memory', 'tmpfs', 'rw,size=4k', 'warn'],
    ['something else', 'fuse.sshfs', 'rw', 'warn'],
  ])('of %s', (_, fsType, options, verdict) => {
    const report = judge(line(fsType, 'gw:/export', options));
    expect(report).toMatchObject({ fsType, source: 'gw:/export', mountPoint: '/mnt/s', verdict });
    expect(report.findings.length > 0).toBe(verdict !== 'good');
  });

  it('name what is wrong and what to write instead', () => {
    const words = judge(line('nfs4', 'gw:/export', `${NFS},hard`)).findings.join(' ');
    for (const word of ['actimeo=0', 'lookupcache=none', 'noac', 'acregmin', 'soft']) expect(words).toContain(word);
    expect(judge(line('cifs', '//gw/s', SMB)).findings.join(' ')).toContain('cache=none');
    expect(judge(line('ext4', '/dev/vda', 'rw')).findings.join(' ')).toContain('trying out');
    expect(judge(line('nfs4', 'gw:/export', `${NFS},soft,noac`, 'ro,relatime'))).toMatchObject({ verdict: 'warn', findings: [expect.stringContaining('read-only')] });
  });

  it('are read from lines of every form', () => {
    const mounts = parseMounts(
      [
        '22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw',
        '40 22 0:50 /sub /mnt/with\\040blank rw,noatime - cifs //gw/a\\040b rw,cache=none',
        '41 22 0:51 / /mnt/many rw master:2 propagate_from:3 unbindable - tmpfs none rw',
        'garbage',
        '',
      ].join('\n'),
    );
    expect(mounts.map(({ mountPoint, fsType, source }) => [mountPoint, fsType, source])).toEqual([
      ['/', 'ext4', '/dev/vda'],
      ['/mnt/with blank', 'cifs', '//gw/a b'],
      ['/mnt/many', 'tmpfs', 'none'],
    ]);
    expect(mounts[1]?.options).toEqual(['rw', 'noatime', 'rw', 'cache=none']);
  });

  it('are those of the innermost mount, and of the latest on one point', () => {
    const mounts = parseMounts(
      ['1 0 0:1 / / rw - ext4 root rw', '2 1 0:2 / /mnt rw - tmpfs outer rw', '3 2 0:3 / /mnt/s rw - nfs4 first rw', '4 3 0:4 / /mnt/s rw - nfs4 second rw', '5 2 0:5 / /mnt/s2 rw - nfs4 other rw'].join('\n'),
    );
    expect(mountOf(mounts, '/mnt/s')?.source).toBe('second');
    expect(mountOf(mounts, '/mnt/s/folder')?.source).toBe('second');
    expect(mountOf(mounts, '/mnt/s3')?.source).toBe('outer');
    expect(mountOf(mounts, '/home')?.source).toBe('root');
    expect(mountOf([], '/home')).toBeNull();
  });
});

describe('an automount', () => {
  const AUTOFS = '35 1 0:41 / / rw,relatime shared:1 - autofs systemd-1 rw,fd=48,direct';
  const NFS_OVER_IT = `36 35 0:42 / / rw,relatime shared:1 - nfs4 gw:/export ${NFS},soft`;

  it('is judged by what is mounted when somebody goes into it', async () => {
    let text = AUTOFS;
    const inspector = createMountInspector('/', {
      enter: () => Promise.resolve((text = `${AUTOFS}\n${NFS_OVER_IT}`)),
      mountinfo: () => Promise.resolve(text),
    });
    expect(await inspector.inspect()).toMatchObject({ fsType: 'nfs4', isNetwork: true, verdict: 'refuse' });
  });

  it('that is not mounted for all that is no local disk, and no share', async () => {
    const inspector = createMountInspector('/', { enter: () => Promise.resolve(), mountinfo: () => Promise.resolve(AUTOFS) });
    await expect(inspector.inspect()).rejects.toMatchObject({ code: 'ENODEV', message: expect.stringContaining('the automount on / is not mounted') });
  });
});
