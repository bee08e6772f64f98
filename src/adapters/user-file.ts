import { createHash } from 'node:crypto';
import { promises as files, type Stats } from 'node:fs';
import type { UserList } from '../core/control/broker.js';
import { LockstepError } from '../core/errors.js';
import { plainReason } from './network-errors.js';
import { parsePasswordHash } from './password.js';
import type { PasswordHash } from './password.js';

/** A longer user file is refused. Bytes. */
export const USER_FILE_BYTES_MAX = 16 * 1024 * 1024;
export const USER_NAME_CHARS_MAX = 256;
const PROBLEMS_SHOWN = 10;
/** The rule of a start, too (src/profile/private-file.ts); a test holds the two together. */
const USED_BY_OTHERS = 0o077;

export type Users = ReadonlyMap<string, PasswordHash>;

/**
 * Users from the text of a user file: a line `name:scrypt$N$r$p$salt$hash` each; empty lines and lines that begin with # are skipped.
 * @throws LockstepError LOCKSTEP_USERS_MALFORMED, naming every line that is wrong (the first ten of them) and why
 */
export function parseUsers(text: string, file: string): Users {
  const users = new Map<string, PasswordHash>();
  const problems: string[] = [];
  text.split('\n').forEach((raw, index) => {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) return;
    const problem = addUser(users, line);
    if (problem !== null) problems.push(`line ${index + 1}: ${problem}`);
  });
  if (problems.length === 0) return users;
  const shown = problems.slice(0, PROBLEMS_SHOWN).join('; ');
  const more = problems.length > PROBLEMS_SHOWN ? `; and ${problems.length - PROBLEMS_SHOWN} more` : '';
  throw new LockstepError('LOCKSTEP_USERS_MALFORMED', `the user file ${file} is wrong: ${shown}${more}`, 'Mend or remove those lines; `lockstep passwd` writes them rightly.');
}

function addUser(users: Map<string, PasswordHash>, line: string): string | null {
  const colon = line.indexOf(':');
  if (colon < 0) return 'there is no colon between a name and a password';
  const name = line.slice(0, colon);
  const problem = userNameProblem(name);
  if (problem !== null) return problem;
  if (users.has(name)) return `the user ${name} is there twice`;
  const hash = parsePasswordHash(line.slice(colon + 1));
  if (typeof hash === 'string') return hash;
  users.set(name, hash);
  return null;
}

/** What is wrong with a user's name, in words; `null` when a user file can hold it. */
export function userNameProblem(name: string): string | null {
  if (name === '') return 'the name is empty';
  if (name.length > USER_NAME_CHARS_MAX) return `the name has ${name.length} characters; ${USER_NAME_CHARS_MAX} are allowed`;
  if (name !== name.trim() || name.startsWith('#')) return 'the name begins or ends with white space, or begins with #';
  if (/[:\u0000-\u001f\u007f]/.test(name)) return 'the name holds a colon or a control character';
  return null;
}

/** The text of a user file with this user's password set, everything else left as it is. `hash` is of `hashPassword`. */
export function withUser(text: string, name: string, hash: string): string {
  const line = `${name}:${hash}`;
  const lines = text === '' ? [] : text.replace(/\n$/, '').split('\n');
  const at = lines.findIndex((each) => each.trim().startsWith(`${name}:`));
  if (at < 0) lines.push(line);
  else lines[at] = line;
  return `${lines.join('\n')}\n`;
}

/** The text of a user file without this user; `null` when there is no such user. */
export function withoutUser(text: string, name: string): string | null {
  const lines = text.split('\n');
  const kept = lines.filter((each) => !each.trim().startsWith(`${name}:`));
  return kept.length === lines.length ? null : kept.join('\n');
}

/** Equal for equal users with equal hashes, in whatever order they stand. The salts are random, so that nothing can be guessed from it. */
export function userListOf(users: Users): UserList {
  const digest = createHash('sha256');
  for (const [name, { N, r, p, salt, hash }] of [...users].sort(([one], [other]) => (one < other ? -1 : 1))) {
    digest.update(`${name}:${N}:${r}:${p}:${salt.toString('base64')}:${hash.toString('base64')}\n`);
  }
  return { count: users.size, digest: digest.digest('base64url') };
}

/** @throws LockstepError LOCKSTEP_USERS_UNREADABLE, LOCKSTEP_USERS_EXPOSED (group or others may read or change it; not on Windows), LOCKSTEP_USERS_MALFORMED */
export async function readUsers(file: string): Promise<Users> {
  return parseUsers(await readText(file), file);
}

/** What changes when the file is changed or replaced. @throws LockstepError LOCKSTEP_USERS_UNREADABLE */
export async function userFileVersion(file: string): Promise<string> {
  const { ino, size, mtimeMs, ctimeMs } = await status(file);
  return `${ino}.${size}.${mtimeMs}.${ctimeMs}`;
}

async function status(file: string): Promise<Stats> {
  try {
    return await files.stat(file);
  } catch (error) {
    throw unreadable(file, error);
  }
}

async function readText(file: string): Promise<string> {
  const stats = await status(file);
  if (!stats.isFile()) throw unreadable(file, new Error('it is not a file'));
  const { size, mode } = stats;
  if (process.platform !== 'win32' && (mode & USED_BY_OTHERS) !== 0) throw exposed(file, mode);
  if (size > USER_FILE_BYTES_MAX) throw unreadable(file, new Error(`it has ${size} bytes; ${USER_FILE_BYTES_MAX} are allowed`));
  try {
    return await files.readFile(file, 'utf8');
  } catch (error) {
    throw unreadable(file, error);
  }
}

function exposed(file: string, mode: number): LockstepError {
  const shown = (mode & 0o777).toString(8).padStart(3, '0');
  return new LockstepError('LOCKSTEP_USERS_EXPOSED', `the user file ${file} can be used by others (mode ${shown})`, `Run \`chmod 600 ${file}\`, and change the passwords if others may have read it.`);
}

function unreadable(file: string, error: unknown): LockstepError {
  return new LockstepError('LOCKSTEP_USERS_UNREADABLE', `cannot read the user file ${file}: ${plainReason(error)}`, 'Check the path in the profile and that the user of this server may read the file.', { cause: error });
}
