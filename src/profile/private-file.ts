import { readFileSync, statSync } from 'node:fs';
import { LockstepError } from '../core/errors.js';

const PRIVATE_FILE_BYTES_MAX = 1024 * 1024;
const SECRET_CHARACTERS_MIN = 32;
const TOKEN_CHARACTERS_MIN = 16;

/**
 * What is wrong with a file that only this server's user may read; `null` when nothing is. On Windows, which has no such
 * permission bits, only presence and kind are looked at.
 */
export function privateFileTrouble(path: string): string | null {
  let stat;
  try {
    stat = statSync(path);
  } catch (error) {
    return `${path} cannot be read: ${systemText(error)}`;
  }
  if (!stat.isFile()) return `${path} is not a file`;
  if (stat.size > PRIVATE_FILE_BYTES_MAX) return `${path} has ${stat.size} bytes; ${PRIVATE_FILE_BYTES_MAX} are allowed`;
  if (process.platform !== 'win32' && (stat.mode & 0o077) !== 0) {
    return `${path} can be used by others (mode ${(stat.mode & 0o777).toString(8).padStart(3, '0')}); run chmod 600 on it`;
  }
  return null;
}

/**
 * The pair's shared secret, without the white space around it.
 * @throws LockstepError LOCKSTEP_SECRET_FILE
 */
export function readSecret(path: string): Uint8Array {
  return new TextEncoder().encode(readPrivate(path, SECRET_CHARACTERS_MIN, 'LOCKSTEP_SECRET_FILE', 'Make one with `lockstep init`, copy it to both servers, and chmod 600 it.'));
}

/**
 * The token of the admin HTTP server, without the white space around it.
 * @throws LockstepError LOCKSTEP_TOKEN_FILE
 */
export function readToken(path: string): string {
  return readPrivate(path, TOKEN_CHARACTERS_MIN, 'LOCKSTEP_TOKEN_FILE', 'Write a long random word into it, and chmod 600 it.');
}

function readPrivate(path: string, charactersMin: number, code: string, remedy: string): string {
  const trouble = privateFileTrouble(path);
  if (trouble !== null) throw new LockstepError(code, trouble, remedy);
  const text = readText(path, code, remedy).trim();
  if (text.length < charactersMin) throw new LockstepError(code, `${path} holds ${text.length} characters; at least ${charactersMin} are needed`, remedy);
  if (/[\r\n]/.test(text)) throw new LockstepError(code, `${path} has more than one line`, remedy);
  return text;
}

function readText(path: string, code: string, remedy: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new LockstepError(code, `${path} cannot be read: ${systemText(error)}`, remedy, { cause: error });
  }
}

/** `ENOENT` and the like in words. */
export function systemText(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  if (code === 'ENOENT') return 'it is not there';
  if (code === 'EACCES' || code === 'EPERM') return 'this user may not';
  if (code === 'EISDIR') return 'it is a folder';
  return error instanceof Error ? error.message : String(error);
}
