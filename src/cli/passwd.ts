import { closeSync, existsSync, fchownSync, fstatSync, fsyncSync, openSync, readFileSync, readlinkSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { plainReason, systemCode } from '../adapters/network-errors.js';
import { hashPassword } from '../adapters/password.js';
import { parseUsers, userNameProblem, withoutUser, withUser } from '../adapters/user-file.js';
import type { Console } from './console.js';
import { ExitCode } from './exit-codes.js';
import { CommandFailure } from './failure.js';

const PASSWORD_CHARACTERS_MIN = 8;

/** Where a new password comes from; `null` when none was given. Tests pass one of their own. */
export type AskPassword = (user: string) => Promise<string | null>;

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Adds a user, changes its password, or removes it. The file is replaced as a whole, where it stands behind links; it stays private, and its owner's. A new one
 * that root makes belongs to the owner of its folder.
 * @throws CommandFailure LOCKSTEP_PASSWD_USER, LOCKSTEP_PASSWD_SHORT, LOCKSTEP_PASSWD_ZERO, LOCKSTEP_PASSWD_DIFFER, LOCKSTEP_PASSWD_FILE; LockstepError LOCKSTEP_USERS_MALFORMED (rejects).
 * The file is as it was then
 */
export async function passwd(console: Console, path: string, user: string, options: { readonly delete?: boolean }, ask: AskPassword = askPassword): Promise<void> {
  const named = resolve(path);
  const problem = userNameProblem(user);
  if (problem !== null) throw new CommandFailure(ExitCode.usage, 'LOCKSTEP_PASSWD_USER', `a user cannot be named "${user}": ${problem}`, 'Choose another name.');
  const file = tried(named, 'read', () => behindLinks(named));
  const read = (): string => tried(file, 'read', () => textOf(file));
  const text = read();
  parseUsers(text, file);
  if (options.delete === true) {
    const rest = withoutUser(text, user);
    if (rest === null) throw new CommandFailure(ExitCode.failed, 'LOCKSTEP_PASSWD_USER', `${file} has no user ${user}`, 'Nothing was changed.');
    tried(file, 'written', () => replacePrivately(file, rest));
    console.out(`Removed ${user} from ${file}`);
  } else {
    const password = await ask(user);
    if (password === null || password.length < PASSWORD_CHARACTERS_MIN) {
      throw new CommandFailure(ExitCode.usage, 'LOCKSTEP_PASSWD_SHORT', `a password needs at least ${PASSWORD_CHARACTERS_MIN} characters`, 'Nothing was changed.');
    }
    // Scrypt takes none at all for those at a password's end.
    if (password.includes('\0')) throw new CommandFailure(ExitCode.usage, 'LOCKSTEP_PASSWD_ZERO', 'a password holds no U+0000 (zero byte)', 'Nothing was changed.');
    const hash = await hashPassword(password);
    // Somebody else may have changed the file meanwhile.
    const now = read();
    const known = parseUsers(now, file).has(user);
    tried(file, 'written', () => replacePrivately(file, withUser(now, user, hash)));
    console.out(`${known ? 'Changed the password of' : 'Added'} ${user} in ${file}`);
  }
  console.out("Copy the file to the other server: both must be the same.");
}

/** The file itself, which need not be there yet. @throws an Error of the file system for a link to nowhere */
function behindLinks(file: string): string {
  return existsSync(file) || isLink(file) ? realpathSync(file) : file;
}

/** Empty: it is not there yet. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return '';
    throw error;
  }
}

function isLink(file: string): boolean {
  try {
    readlinkSync(file);
    return true;
  } catch {
    return false;
  }
}

function tried<T>(file: string, what: 'read' | 'written', act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw new CommandFailure(ExitCode.failed, 'LOCKSTEP_PASSWD_FILE', `the user file ${file} cannot be ${what}: ${plainReason(error)}`, 'Name a user file, in a folder that is there and that this user may write to. Nothing was changed.', { cause: error });
  }
}

/** Whole or not at all: temporary file, fsync, rename. Keeps its owner and its owner's rights, never more. */
function replacePrivately(file: string, text: string): void {
  const before = existsSync(file) ? statSync(file) : null;
  const owner = before ?? (process.getuid?.() === 0 ? statSync(dirname(file)) : null);
  const temporary = `${file}.${process.pid}.tmp`;
  const handle = openSync(temporary, 'wx', before === null ? 0o600 : before.mode & 0o700);
  try {
    try {
      if (owner !== null) giveTo(owner, handle);
      writeFileSync(handle, text);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

function giveTo({ uid, gid }: Owner, handle: number): void {
  const own = fstatSync(handle);
  if (own.uid === uid && own.gid === gid) return;
  try {
    fchownSync(handle, uid, gid);
  } catch (error) {
    // The group has no rights there.
    if (own.uid === uid) return;
    throw new Error(`it belongs to uid ${uid}, gid ${gid}, and would not stay theirs: ${plainReason(error)}; run passwd as that user, or as root`, { cause: error });
  }
}

/** At a terminal: asks twice, without showing what is typed. Else: the first line of standard input. Never from the command line, where others can read it. */
async function askPassword(user: string): Promise<string | null> {
  if (process.stdin.isTTY !== true) return readLine(null);
  const first = await readLine(`Password of ${user}: `);
  const second = await readLine('Once more: ');
  if (first !== second) throw new CommandFailure(ExitCode.usage, 'LOCKSTEP_PASSWD_DIFFER', 'the two passwords differ', 'Nothing was changed.');
  return first;
}

function readLine(prompt: string | null): Promise<string | null> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  if (prompt !== null) process.stderr.write(prompt);
  const lines = createInterface({ input: process.stdin, output: silent, terminal: prompt !== null });
  return new Promise((resolve) => {
    let answer: string | null = null;
    lines.once('line', (line) => {
      answer = line;
      lines.close();
    });
    lines.once('SIGINT', () => lines.close());
    lines.once('close', () => {
      if (prompt !== null) process.stderr.write('\n');
      resolve(answer);
    });
  });
}
