import { isUtf8 } from 'node:buffer';
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';

/** What scrypt is to cost (RFC 7914): N, block size r, parallelism p. */
export interface PasswordCost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

/**
 * About 16 MB and 40 ms a guess. Higher costs would be paid at the worst time: after a failover every client logs in again, on
 * the machine that has just taken over.
 */
export const PASSWORD_COST: PasswordCost = { N: 16_384, r: 8, p: 1 };

/** A password as it is kept. */
export interface PasswordHash extends PasswordCost {
  readonly salt: Buffer;
  readonly hash: Buffer;
}

const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** A hash that would need more memory is refused when it is read: a mistake in a file must not stop the broker. */
const MEMORY_BYTES_MAX = 128 * 1024 * 1024;
const PARALLEL_MAX = 16;
const HASH_BYTES_MIN = 16;
const PART_BYTES_MAX = 1024;

/** `scrypt$N$r$p$salt$hash`, salt and hash in base64. */
export async function hashPassword(password: string | Uint8Array, cost: PasswordCost = PASSWORD_COST): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(password, salt, HASH_BYTES, cost);
  return `scrypt$${cost.N}$${cost.r}$${cost.p}$${salt.toString('base64')}$${hash.toString('base64')}`;
}

/** The parts of a kept password, or what is wrong with its text, in words. */
export function parsePasswordHash(text: string): PasswordHash | string {
  const parts = /^scrypt\$(\d{1,9})\$(\d{1,4})\$(\d{1,4})\$([A-Za-z0-9+/]+={0,2})\$([A-Za-z0-9+/]+={0,2})$/.exec(text);
  if (parts === null) return 'the password must have the form scrypt$N$r$p$salt$hash, as `lockstep passwd` writes it';
  const [N, r, p] = [Number(parts[1]), Number(parts[2]), Number(parts[3])];
  if (N < 2 || (N & (N - 1)) !== 0) return `N is ${N}; it must be a power of two`;
  if (r < 1 || p < 1 || p > PARALLEL_MAX) return `r is ${r} and p is ${p}; r from 1 and p from 1 to ${PARALLEL_MAX} are allowed`;
  if (128 * N * r > MEMORY_BYTES_MAX) return `N ${N} and r ${r} would need more than ${MEMORY_BYTES_MAX / 1024 / 1024} MB for each login`;
  const salt = Buffer.from(parts[4] as string, 'base64');
  const hash = Buffer.from(parts[5] as string, 'base64');
  // RFC 7914, section 2: N below 2^(128 r / 8). OpenSSL refuses what is beyond.
  if (r === 1 && N >= 65_536) return `N is ${N}; with r 1 it must be below 65536`;
  if (salt.length > PART_BYTES_MAX || hash.length > PART_BYTES_MAX) return `the salt has ${salt.length} bytes and the hash ${hash.length}; ${PART_BYTES_MAX} are allowed`;
  if (hash.length < HASH_BYTES_MIN) return `the hash has ${hash.length} bytes; ${HASH_BYTES_MIN} are needed`;
  return { N, r, p, salt, hash };
}

/** Whether `password` is the one that was hashed. Takes the same time whatever differs, but where it can be nobody's password. */
export async function verifyPassword(password: string | Uint8Array, kept: PasswordHash): Promise<boolean> {
  if (!canBePassword(Buffer.from(password))) return false;
  return timingSafeEqual(await derive(password, kept.salt, kept.hash.length, kept), kept.hash);
}

/**
 * Whether these bytes can be a password: text, and no zero byte at its end. To the HMAC in scrypt others are the same as one: a short password with zero bytes behind
 * it, and the SHA-256 of one of more than 64 bytes, which is text once in a hundred million times.
 */
function canBePassword(bytes: Uint8Array): boolean {
  return bytes.at(-1) !== 0 && isUtf8(bytes);
}

/** What to verify against when there is no such user, so that the time does not tell. Never true. */
export function decoyHash(): PasswordHash {
  return { ...PASSWORD_COST, salt: randomBytes(SALT_BYTES), hash: randomBytes(HASH_BYTES) };
}

function derive(password: string | Uint8Array, salt: Buffer, bytes: number, { N, r, p }: PasswordCost): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password, salt, bytes, { N, r, p, maxmem: 128 * r * (N + p + 2) + 1024 * 1024 }, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}
