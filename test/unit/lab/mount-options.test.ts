import { readFileSync } from 'node:fs';
import { mountCommand, type ShareKind } from '../../lab/share.js';

const TYPES: Readonly<Record<ShareKind, string>> = { nfs: 'nfs4', smb: 'cifs' };

/** Of a mount command, without where the credentials lie. */
function optionsOf(text: string, type: string): string[] {
  const options = new RegExp(`^.*mount -t ${type} -o (\\S+)`, 'm').exec(text)?.[1] ?? '';
  return options.split(',').filter((option) => !option.startsWith('credentials='));
}

test.each(['nfs', 'smb'] as const)('the lab mounts %s as docs/operations.md recommends it', (kind) => {
  const recommended = optionsOf(readFileSync('docs/operations.md', 'utf8'), TYPES[kind]);
  expect(recommended.length).toBeGreaterThan(3);
  expect(optionsOf(mountCommand(kind, 'gateway'), TYPES[kind])).toEqual(recommended);
});
