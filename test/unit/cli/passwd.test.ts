import { chownSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { verifyPassword } from '../../../src/adapters/password.js';
import { parseUsers } from '../../../src/adapters/user-file.js';
import { passwd } from '../../../src/cli/passwd.js';
import { listeningConsole } from './listening-console.js';

let folder = '';
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'lockstep-passwd-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const answer = (password: string | null) => async (): Promise<string | null> => password;

async function holds(file: string, user: string, password: string): Promise<boolean> {
  const hash = parseUsers(readFileSync(file, 'utf8'), file).get(user);
  return hash !== undefined && verifyPassword(password, hash);
}

it('adds, changes and removes users, in a private file', async () => {
  const file = join(folder, 'users');
  const console = listeningConsole();
  await passwd(console, file, 'ann', {}, answer('first password'));
  await passwd(console, file, 'bob', {}, answer('another one'));
  expect(statSync(file).mode & 0o777).toBe(0o600);
  await passwd(console, file, 'ann', {}, answer('second password'));
  expect(await holds(file, 'ann', 'second password')).toBe(true);
  expect(await holds(file, 'ann', 'first password')).toBe(false);
  expect(await holds(file, 'bob', 'another one')).toBe(true);
  await passwd(console, file, 'ann', { delete: true }, answer(null));
  expect(await holds(file, 'ann', 'second password')).toBe(false);
  expect(await holds(file, 'bob', 'another one')).toBe(true);
  expect(readFileSync(file, 'utf8')).not.toContain('another one');
});

it.each([
  ['a short password', 'ann', 'short', {}],
  ['none', 'ann', null, {}],
  ['a password with a zero byte', 'ann', 'long enough\0', {}],
  ['a name with a colon', 'a:b', 'long enough', {}],
  ['removing a user who is not there', 'zoe', null, { delete: true }],
])('%s changes nothing', async (_, user, password, options) => {
  const file = join(folder, 'users');
  await passwd(listeningConsole(), file, 'kept', {}, answer('long enough'));
  const before = readFileSync(file, 'utf8');
  await expect(passwd(listeningConsole(), file, user, options, answer(password))).rejects.toMatchObject({ code: expect.stringMatching(/^LOCKSTEP_PASSWD/) as string });
  expect(readFileSync(file, 'utf8')).toBe(before);
});

it.each([
  ['a folder that is not there', 'nosuch/users', /cannot be written: ENOENT/],
  ['a folder in its place', 'place', /cannot be read: EISDIR/],
  ['a file above it', 'file/users', /cannot be read: ENOTDIR/],
])('%s is said with a code', async (_, path, why) => {
  mkdirSync(join(folder, 'place'));
  writeFileSync(join(folder, 'file'), '');
  const failed = passwd(listeningConsole(), join(folder, path), 'ann', {}, answer('long enough'));
  await expect(failed).rejects.toMatchObject({ code: 'LOCKSTEP_PASSWD_FILE', exitCode: 1, message: expect.stringMatching(why) as string });
  expect(readdirSync(folder).sort()).toEqual(['file', 'place']);
});

it('a file that is damaged is not replaced', async () => {
  const file = join(folder, 'users');
  writeFileSync(file, 'garbage\n', { mode: 0o600 });
  await expect(passwd(listeningConsole(), file, 'ann', {}, answer('long enough'))).rejects.toMatchObject({ code: 'LOCKSTEP_USERS_MALFORMED' });
  expect(readFileSync(file, 'utf8')).toBe('garbage\n');
  expect(existsSync(`${file}.${process.pid}.tmp`)).toBe(false);
});

const asRoot = process.getuid?.() === 0 ? it : it.skip;

asRoot("root leaves the file to its owner, and gives a new one to that of its folder", async () => {
  const [owner, group] = [4711, 4712];
  const file = join(folder, 'users');
  await passwd(listeningConsole(), file, 'ann', {}, answer('first password'));
  chownSync(file, owner, group);
  await passwd(listeningConsole(), file, 'ann', {}, answer('second password'));
  await passwd(listeningConsole(), file, 'bob', {}, answer('another one'));
  await passwd(listeningConsole(), file, 'bob', { delete: true }, answer(null));
  expect(statSync(file)).toMatchObject({ uid: owner, gid: group, mode: 0o100600 });
  const another = join(folder, 'another');
  mkdirSync(another);
  chownSync(another, owner, group);
  await passwd(listeningConsole(), join(another, 'users'), 'ann', {}, answer('first password'));
  expect(statSync(join(another, 'users'))).toMatchObject({ uid: owner, gid: group, mode: 0o100600 });
});

it('a link stays one, and the file behind it is changed', async () => {
  const file = join(folder, 'users');
  const link = join(folder, 'link');
  await passwd(listeningConsole(), file, 'ann', {}, answer('first password'));
  symlinkSync('users', link);
  await passwd(listeningConsole(), link, 'ann', {}, answer('second password'));
  expect(lstatSync(link).isSymbolicLink()).toBe(true);
  expect(await holds(file, 'ann', 'second password')).toBe(true);
  expect(readdirSync(folder).sort()).toEqual(['link', 'users']);
});

it('a link to nowhere is refused', async () => {
  symlinkSync('nosuch', join(folder, 'link'));
  await expect(passwd(listeningConsole(), join(folder, 'link'), 'ann', {}, answer('long enough'))).rejects.toMatchObject({ code: 'LOCKSTEP_PASSWD_FILE' });
  expect(readdirSync(folder)).toEqual(['link']);
});

it('what somebody else changes while the password is asked for stays', async () => {
  const file = join(folder, 'users');
  await passwd(listeningConsole(), file, 'ann', {}, async () => {
    await passwd(listeningConsole(), file, 'bob', {}, answer('another one'));
    return 'first password';
  });
  expect(await holds(file, 'ann', 'first password')).toBe(true);
  expect(await holds(file, 'bob', 'another one')).toBe(true);
});

it('nobody is asked for a password that could not be kept, as the file cannot be seen', async () => {
  writeFileSync(join(folder, 'users'), '');
  const asked: string[] = [];
  const ask = async (user: string): Promise<string> => `${String(asked.push(user))} long enough`;
  await expect(passwd(listeningConsole(), join(folder, 'users', 'users'), 'ann', {}, ask)).rejects.toMatchObject({ code: 'LOCKSTEP_PASSWD_FILE', message: expect.stringContaining('cannot be read: ') as string });
  expect(asked).toEqual([]);
});
