import { strict as assert } from 'node:assert';
import { LockstepError } from '../../src/core/errors.js';

/** What a reader made of its input: a value, or the code of the error by which it refused. */
export type Outcome<T> = { readonly kind: 'accepted'; readonly value: T } | { readonly kind: 'refused'; readonly code: string; readonly message: string };

const CODE = /^LOCKSTEP_[A-Z]+(_[A-Z]+)*$/;
/** A line of a log that is longer than this is no answer to anybody. */
const MESSAGE_CHARS_MAX = 4_000;

/** Runs a reader. Any error but one of Lockstep's own, with a code and words, goes through: it would have ended a process. */
export function outcome<T>(read: () => T, messageCharsMax = MESSAGE_CHARS_MAX): Outcome<T> {
  try {
    return { kind: 'accepted', value: read() };
  } catch (error) {
    return refusalOf(error, messageCharsMax);
  }
}

export async function outcomeOf<T>(work: Promise<T>): Promise<Outcome<T>> {
  try {
    return { kind: 'accepted', value: await work };
  } catch (error) {
    return refusalOf(error, MESSAGE_CHARS_MAX);
  }
}

function refusalOf(error: unknown, messageCharsMax: number): Outcome<never> {
  if (!(error instanceof LockstepError)) throw error;
  assert.match(error.code, CODE);
  assert.ok(error.message.length > 0 && error.remedy.length > 0, `${error.code} says nothing`);
  assert.ok(error.message.length <= messageCharsMax, `${error.code} says ${error.message.length} characters`);
  return { kind: 'refused', code: error.code, message: error.message };
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/** The bytes are equal, said in hexadecimal digits when they are not. */
export function sameBytes(found: Uint8Array, wanted: Uint8Array, what: string): void {
  assert.equal(hex(found), hex(wanted), what);
}
