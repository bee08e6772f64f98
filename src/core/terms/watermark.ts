import { NO_POSITION, NO_TERM, type Position, type Term } from '../identity.js';
import { decodeInPlace, encodeInPlace } from '../wire/in-place.js';
import { NAME_CHARS_MAX } from '../wire/term-record.js';
import type { TermRecord } from './record.js';

/**
 * How far the copies of one term reached at least: up to `position` every operation was durable at each member of that term's record. It moves the
 * record's `position` on while the term lasts, so that a copy which has lost what its disk had confirmed is noticed also while it is alone. What it
 * says stays true for ever; an old one only says less.
 */
export interface Watermark {
  readonly term: Term;
  /** Of the term's record. Another record of the same number is another term. */
  readonly nonce: string;
  readonly position: Position;
}

/** Keeps the place: it speaks of no term. */
export const NO_WATERMARK: Watermark = { term: NO_TERM, nonce: '', position: NO_POSITION };

export function encodeWatermark({ term, nonce, position }: Watermark): Uint8Array {
  return encodeInPlace('watermark', { schema: 1, term, nonce, position });
}

/** `null` when the bytes are none, or one that only keeps the place: then nothing is known beyond the term's record. */
export function decodeWatermark(bytes: Uint8Array): Watermark | null {
  const fields = decodeInPlace(bytes);
  if (fields === null) return null;
  const { term, nonce, position } = fields;
  if (!Number.isSafeInteger(term) || Number(term) <= NO_TERM || typeof nonce !== 'string') return null;
  // No record has such a nonce, and the manager would refuse to hear of it.
  if (nonce.length === 0 || nonce.length > NAME_CHARS_MAX) return null;
  if (!Number.isSafeInteger(position) || Number(position) < NO_POSITION) return null;
  return { term: Number(term) as Term, nonce, position: Number(position) as Position };
}

/**
 * The position that a member of `record` must reach. A watermark of that very record counts; where the record is of both copies also one of the term before: after the
 * claim of an admission was sent, its server went on acknowledging until the answer came. A server that claims for itself alone acknowledges nothing behind its fence,
 * so that the record's position is all of the term before. That term need not even be of this history: a fresh claim (R9) is numbered above whatever a share holds
 * that was put in the place of another, and an operator who promotes accepts a loss. One that is older still says nothing more, since whoever made the claim in between
 * had passed it.
 */
export function reachOf(record: TermRecord, watermark: Watermark | null): Position {
  if (watermark === null || watermark.position < record.position) return record.position;
  const isOfTermBefore = watermark.term === record.term - 1 && record.inSync.length > 1;
  return watermark.nonce === record.nonce || isOfTermBefore ? watermark.position : record.position;
}
