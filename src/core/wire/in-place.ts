import { assert } from '../errors.js';
import { decodeText, encodeText } from './bytes.js';
import { shortSum } from './sum.js';

/** A record that is rewritten in place always has this many bytes: the one kind of write that every share shows fresh. */
export const IN_PLACE_BYTES = 256;

const SUM_BYTES = 8;
const TEXT_BYTES = IN_PLACE_BYTES - SUM_BYTES - 1;
const NEWLINE = 0x0a;

/** One line of JSON, blanks, the sum of both, and a newline. `what` names the record where it is too long, which is a mistake of the caller's. */
export function encodeInPlace(what: string, value: object): Uint8Array {
  const text = encodeText(JSON.stringify(value));
  assert(text.length <= TEXT_BYTES, `${what} of ${text.length} bytes, ${TEXT_BYTES} allowed: the server's name is too long`);
  const bytes = new Uint8Array(IN_PLACE_BYTES).fill(0x20);
  bytes.set(text);
  bytes.set(encodeText(shortSum(bytes.subarray(0, TEXT_BYTES))), TEXT_BYTES);
  bytes[IN_PLACE_BYTES - 1] = NEWLINE;
  return bytes;
}

/** The fields of such a record; `null` when the bytes are none: torn by a write under way, or garbage. */
export function decodeInPlace(bytes: Uint8Array): Readonly<Record<string, unknown>> | null {
  if (bytes.length !== IN_PLACE_BYTES || bytes[IN_PLACE_BYTES - 1] !== NEWLINE) return null;
  try {
    const text = bytes.subarray(0, TEXT_BYTES);
    if (decodeText(bytes.subarray(TEXT_BYTES, IN_PLACE_BYTES - 1)) !== shortSum(text)) return null;
    const value: unknown = JSON.parse(decodeText(text));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null; // Not a record; it gives nobody anything.
  }
}
