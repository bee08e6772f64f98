import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeFolders } from '../../../src/adapters/folders.js';

let folder = '';
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'lockstep-folders-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const modeOf = (path: string): number => statSync(path).mode & 0o777;

it('makes a folder and those above it; the mode is that of the last alone', () => {
  const wanted = join(folder, 'a', 'b', 'c');
  makeFolders(wanted, { mode: 0o700 });
  expect(modeOf(wanted)).toBe(0o700);
  expect(modeOf(join(folder, 'a', 'b'))).toBe(0o777 & ~process.umask());
});

it('leaves one that is there as it is, also behind a link', () => {
  chmodSync(folder, 0o751);
  symlinkSync(folder, join(folder, 'link'));
  makeFolders(folder, { mode: 0o700 });
  makeFolders(join(folder, 'link'), { mode: 0o700 });
  expect(modeOf(folder)).toBe(0o751);
});

it('a file in its place, or above it, and a link to nowhere are refused', () => {
  const file = join(folder, 'file');
  writeFileSync(file, '');
  symlinkSync(join(folder, 'nowhere'), join(folder, 'dangling'));
  expect(() => makeFolders(file)).toThrow(expect.objectContaining({ code: 'EEXIST', message: expect.stringContaining(file) as string }) as Error);
  expect(() => makeFolders(join(file, 'below'))).toThrow(/ENOTDIR.*below/);
  expect(() => makeFolders(join(folder, 'dangling'))).toThrow(/EEXIST/);
  expect(existsSync(join(folder, 'nowhere'))).toBe(false);
});

const onLinux = process.platform === 'linux' ? it : it.skip;
onLinux.each(['/proc/nosuch', '/proc/nosuch/x/y'])('%s ends, and says which folder could not be made', (path) => {
  expect(() => makeFolders(path)).toThrow(/ENOENT: the folder \/proc\/nosuch cannot be made: \/proc takes no new folders/);
});
