import type { ServerId } from '../identity.js';
import { decodeInPlace, encodeInPlace } from '../wire/in-place.js';
import { NAME_CHARS_MAX } from '../wire/term-record.js';

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

export function encodeHeartbeat({ token, server, counter, state }: Heartbeat): Uint8Array {
  return encodeInPlace('heartbeat', { schema: 1, state, server, token, counter });
}

/** `null` when the bytes are no whole heartbeat: torn by a write under way, garbage, or of a server whose name could not be told to the manager. Neither is a reason to stop watching. */
export function decodeHeartbeat(bytes: Uint8Array): Heartbeat | null {
  const fields = decodeInPlace(bytes);
  if (fields === null) return null;
  const { token, server, counter, state } = fields;
  if (typeof token !== 'string' || typeof server !== 'string' || !Number.isSafeInteger(counter)) return null;
  if (server.length > NAME_CHARS_MAX) return null;
  if (state !== 'held' && state !== 'released') return null;
  return { token, server: server as ServerId, counter: Number(counter), state };
}
