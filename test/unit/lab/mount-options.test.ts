import { readFileSync } from 'node:fs';
import { mountCommand, type ShareKind } from '../../lab/share.js';

const TYPES: Readonly<Record<ShareKind, string>> = { nfs: 'nfs4', smb: 'cifs' };

/** Of a mount command, without where the credentials lie and whose the files are: the lab's servers run as root. */
function optionsOf(text: string, type: string): string[] {
  return withoutPlaces(new RegExp(`^.*mount -t ${type} -o (\\S+)`, 'm').exec(text)?.[1] ?? '');
}

function withoutPlaces(options: string): string[] {
  return options.split(',').filter((option) => !/^(credentials|uid|gid)=/.test(option));
}

test.each(['nfs', 'smb'] as const)('the lab mounts %s as docs/operations.md recommends it', (kind) => {
  const recommended = optionsOf(readFileSync('docs/operations.md', 'utf8'), TYPES[kind]);
  expect(recommended.length).toBeGreaterThan(3);
  expect(optionsOf(mountCommand(kind, 'gateway'), TYPES[kind])).toEqual(recommended);
});

test.each(['nfs', 'smb'] as const)('the line of /etc/fstab for %s has the same options, and waits for the network', (kind) => {
  const page = readFileSync('docs/operations.md', 'utf8');
  const [, fromFstab = ''] = new RegExp(`^\\S+  /mnt/lockstep  ${TYPES[kind]}  (\\S+)  0  0$`, 'm').exec(page) ?? [];
  const [, fromMount = ''] = new RegExp(`^mount -t ${TYPES[kind]} -o (\\S+)`, 'm').exec(page) ?? [];
  expect(fromFstab).toBe(`${fromMount},_netdev`);
});
