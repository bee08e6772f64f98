import { assert } from '../errors.js';
import type { ServerId } from '../identity.js';
import { decodeText, encodeText } from '../wire/bytes.js';
import { shortSum } from '../wire/sum.js';

/** Every heartbeat record has this many bytes, so that it can be rewritten in place: the one kind of write that every share shows fresh. */
export const HEARTBEAT_BYTES = 256;

const SUM_BYTES = 8;
const TEXT_BYTES = HEARTBEAT_BYTES - SUM_BYTES - 1;
const NEWLINE = 0x0a;

/** The holder's sign of life, beside the lock. */
export interface Heartbeat {
  /** Random, made each time the lock is taken. */
  readonly token: string;
  readonly server: ServerId;
  /** Grows with every renewal. */
  readonly counter: number;
  /** `released`: given up on purpose, just before the lock itself went. */
  readonly state: 'held' | 'released';
}

export function encodeHeartbeat(heartbeat: Heartbeat): Uint8Array {
  const { token, server, counter, state } = heartbeat;
  const text = encodeText(JSON.stringify({ schema: 1, state, server, token, counter }));
  assert(text.length <= TEXT_BYTES, `heartbeat of ${text.length} bytes, ${TEXT_BYTES} allowed: the server's name is too long`);
  const bytes = new Uint8Array(HEARTBEAT_BYTES).fill(0x20);
  bytes.set(text);
  bytes.set(encodeText(shortSum(bytes.subarray(0, TEXT_BYTES))), TEXT_BYTES);
  bytes[HEARTBEAT_BYTES - 1] = NEWLINE;
  return bytes;
}

/** `null` when the bytes are no whole heartbeat: torn by a write under way, or garbage. Neither is a reason to stop watching. */
export function decodeHeartbeat(bytes: Uint8Array): Heartbeat | null {
  if (bytes.length !== HEARTBEAT_BYTES || bytes[HEARTBEAT_BYTES - 1] !== NEWLINE) return null;
  try {
    const text = bytes.subarray(0, TEXT_BYTES);
    if (decodeText(bytes.subarray(TEXT_BYTES, HEARTBEAT_BYTES - 1)) !== shortSum(text)) return null;
    const { token, server, counter, state } = JSON.parse(decodeText(text)) as Record<string, unknown>;
    if (typeof token !== 'string' || typeof server !== 'string' || !Number.isSafeInteger(counter)) return null;
    if (state !== 'held' && state !== 'released') return null;
    return { token, server: server as ServerId, counter: Number(counter), state };
  } catch {
    return null; // Not a heartbeat; gives nobody anything.
  }
}
