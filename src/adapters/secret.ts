import { createHmac } from 'node:crypto';
import { promises as files } from 'node:fs';
import { LockstepError } from '../core/errors.js';
import { plainReason } from './network-errors.js';

/** Shorter secrets could be guessed by whoever records a handshake. */
export const SECRET_CHARS_MIN = 32;
const SECRET_CHARS_MAX = 4096;
const READABLE_BY_OTHERS = 0o077;

/** The key that both servers prove to each other, derived from the shared secret file. Never logged, never sent. */
export interface PairKey {
  readonly bytes: Uint8Array;
}

/**
 * Reads the secret file: text of 32 to 4,096 characters, white space at its ends counted towards the latter alone, that only its owner may read.
 * @throws LockstepError LOCKSTEP_SECRET_UNREADABLE, LOCKSTEP_SECRET_EXPOSED, LOCKSTEP_SECRET_SHORT
 */
export async function readPairKey(file: string, use: KeyUse = 'pair'): Promise<PairKey> {
  const content = await readProtected(file);
  const secret = content.trim();
  // Bytes that are no text are all read as one and the same character: a key of random bytes would be a weak one.
  if (secret.includes('\ufffd')) {
    throw new LockstepError('LOCKSTEP_SECRET_UNREADABLE', `cannot use the secret file ${file}: it holds bytes that are no text`, 'Make one with `openssl rand -base64 48` and copy it to both servers.');
  }
  if (secret.length < SECRET_CHARS_MIN || content.length > SECRET_CHARS_MAX) {
    throw new LockstepError(
      'LOCKSTEP_SECRET_SHORT',
      `the secret file ${file} holds ${content.length > SECRET_CHARS_MAX ? content.length : secret.length} characters; ${SECRET_CHARS_MIN} to ${SECRET_CHARS_MAX} are needed`,
      'Make one with `openssl rand -base64 48` and copy it to both servers.',
    );
  }
  return derivePairKey(secret, use);
}

/** `pair`: backchannel and replication. `repository`: the repository link, so that who is let in there is not let in elsewhere. */
export type KeyUse = 'pair' | 'repository';

const LABELS: Readonly<Record<KeyUse, string>> = { pair: 'lockstep pair key 1', repository: 'lockstep repository key 1' };

/** TLS limits a key's length; the secret's file has no such limit. The label keeps the key from fitting any other use of the secret. */
export function derivePairKey(secret: string, use: KeyUse = 'pair'): PairKey {
  return { bytes: createHmac('sha256', secret).update(LABELS[use]).digest() };
}

async function readProtected(file: string): Promise<string> {
  let mode: number;
  let content: string;
  try {
    const handle = await files.open(file, 'r');
    try {
      mode = (await handle.stat()).mode;
      content = await handle.readFile('utf8');
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw new LockstepError('LOCKSTEP_SECRET_UNREADABLE', `cannot read the secret file ${file}: ${plainReason(error)}`, 'Check the path in the profile and that this user may read the file.', { cause: error });
  }
  // Windows reports no such bits; there the folder's rights are the operator's matter.
  if (process.platform !== 'win32' && (mode & READABLE_BY_OTHERS) !== 0) {
    throw new LockstepError('LOCKSTEP_SECRET_EXPOSED', `the secret file ${file} can be read or changed by other users (mode ${(mode & 0o777).toString(8)})`, `Run \`chmod 600 ${file}\`, and change the secret if others may have read it.`);
  }
  return content;
}
