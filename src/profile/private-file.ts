import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { LockstepError } from '../core/errors.js';

const PRIVATE_FILE_BYTES_MAX = 1024 * 1024;
/** A user file may be as long as the broker reads one (src/adapters/user-file.ts). */
const USERS_FILE_BYTES_MAX = 16 * 1024 * 1024;
/** As it is read when it is used (src/adapters/secret.ts), the white space around it counted towards the most. */
const SECRET_CHARACTERS_MIN = 32;
const SECRET_CHARACTERS_MAX = 4096;
const TOKEN_CHARACTERS_MIN = 16;

/**
 * What is wrong with a file that only this server's user may read; `null` when nothing is. On Windows, which has no such
 * permission bits, only presence and kind are looked at.
 */
export function privateFileTrouble(path: string, bytesMax: number = PRIVATE_FILE_BYTES_MAX): string | null {
  let stat;
  try {
    stat = statSync(path);
    accessSync(path, constants.R_OK);
  } catch (error) {
    return `${path} cannot be read: ${systemText(error)}`;
  }
  if (!stat.isFile()) return `${path} is not a file`;
  if (stat.size > bytesMax) return `${path} has ${stat.size} bytes; ${bytesMax} are allowed`;
  if (process.platform !== 'win32' && (stat.mode & 0o077) !== 0) {
    return `${path} can be used by others (mode ${(stat.mode & 0o777).toString(8).padStart(3, '0')}); run chmod 600 on it`;
  }
  return null;
}

/** What is wrong with the user file, as far as a reading of it by the broker would find it without a look at its lines; `null` when nothing is. */
export function usersFileTrouble(path: string): string | null {
  return privateFileTrouble(path, USERS_FILE_BYTES_MAX);
}

/** What is wrong with the pair's secret file, as far as can be told before it is used; `null` when nothing is. */
export function secretFileTrouble(path: string): string | null {
  const trouble = privateFileTrouble(path);
  if (trouble !== null) return trouble;
  const whole = readFileSync(path, 'utf8');
  const text = whole.trim();
  if (text.includes('\ufffd')) return `${path} holds bytes that are no text`;
  if (whole.length > SECRET_CHARACTERS_MAX) return `${path} holds ${whole.length} characters; ${SECRET_CHARACTERS_MAX} are allowed`;
  const { length } = text;
  return length >= SECRET_CHARACTERS_MIN ? null : `${path} holds ${length} characters; at least ${SECRET_CHARACTERS_MIN} are needed`;
}

/**
 * The token of the admin HTTP server, without the white space around it.
 * @throws LockstepError LOCKSTEP_TOKEN_FILE
 */
export function readToken(path: string): string {
  const refuse = (text: string): LockstepError => new LockstepError('LOCKSTEP_TOKEN_FILE', text, 'Write a long random word into it, and chmod 600 it.');
  const trouble = privateFileTrouble(path);
  if (trouble !== null) throw refuse(trouble);
  const text = readFileSync(path, 'utf8').trim();
  if (text.length < TOKEN_CHARACTERS_MIN) throw refuse(`${path} holds ${text.length} characters; at least ${TOKEN_CHARACTERS_MIN} are needed`);
  if (/\s/.test(text)) throw refuse(`${path} holds more than one word`);
  // What a header of HTTP carries as it is; and bytes that are no text would all be read as one and the same character.
  if (!/^[\x21-\x7e]+$/.test(text)) throw refuse(`${path} holds characters other than letters, digits and signs of ASCII`);
  return text;
}

/** `ENOENT` and the like in words. */
export function systemText(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  if (code === 'ENOENT') return 'it is not there';
  if (code === 'EACCES' || code === 'EPERM') return 'this user may not';
  if (code === 'EISDIR') return 'it is a folder';
  if (code === 'ENOTDIR') return 'what stands above it is no folder';
  if (code === 'ENOSPC' || code === 'EDQUOT') return `there is no room (${code})`;
  if (code === 'EROFS') return 'its file system is read-only';
  return error instanceof Error ? error.message : String(error);
}
