import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { plainReason } from '../adapters/network-errors.js';
import { hashPassword } from '../adapters/password.js';
import { parseUsers, userNameProblem, withoutUser, withUser } from '../adapters/user-file.js';
import type { Console } from './console.js';
import { ExitCode } from './exit-codes.js';
import { CommandFailure } from './failure.js';

const PASSWORD_CHARACTERS_MIN = 8;

/** Where a new password comes from; `null` when none was given. Tests pass one of their own. */
export type AskPassword = (user: string) => Promise<string | null>;

/**
 * Adds a user, changes its password, or removes it. The file is replaced as a whole, and stays private.
 * @throws CommandFailure LOCKSTEP_PASSWD_USER, LOCKSTEP_PASSWD_SHORT, LOCKSTEP_PASSWD_DIFFER, LOCKSTEP_PASSWD_FILE; LockstepError LOCKSTEP_USERS_MALFORMED (rejects).
 * The file is as it was then
 */
export async function passwd(console: Console, path: string, user: string, options: { readonly delete?: boolean }, ask: AskPassword = askPassword): Promise<void> {
  const file = resolve(path);
  const problem = userNameProblem(user);
  if (problem !== null) throw new CommandFailure(ExitCode.usage, 'LOCKSTEP_PASSWD_USER', `a user cannot be named "${user}": ${problem}`, 'Choose another name.');
  const text = existsSync(file) ? tried(file, 'read', () => readFileSync(file, 'utf8')) : '';
  const known = parseUsers(text, file).has(user);
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
    const changed = withUser(text, user, await hashPassword(password));
    tried(file, 'written', () => replacePrivately(file, changed));
    console.out(`${known ? 'Changed the password of' : 'Added'} ${user} in ${file}`);
  }
  console.out("Copy the file to the other server: both must be the same.");
}

function tried<T>(file: string, what: 'read' | 'written', act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw new CommandFailure(ExitCode.failed, 'LOCKSTEP_PASSWD_FILE', `the user file ${file} cannot be ${what}: ${plainReason(error)}`, 'Name a user file, in a folder that is there and that this user may write to. Nothing was changed.', { cause: error });
  }
}

/** Whole or not at all: temporary file, fsync, rename. Keeps its owner's rights, never more. */
function replacePrivately(file: string, text: string): void {
  const mode = existsSync(file) ? statSync(file).mode & 0o700 : 0o600;
  const temporary = `${file}.${process.pid}.tmp`;
  const handle = openSync(temporary, 'wx', mode);
  try {
    try {
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
