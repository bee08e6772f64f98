/**
 * Every operating error that Lockstep can name. `docs/errors.md` explains each one, and a test holds the two lists together.
 * An answer such as `refused` or `in-doubt` is a value, not an error; a broken assumption is `AssertionFailure`.
 */
export class LockstepError extends Error {
  /** Stable: scripts and documents may rely on it. Form: LOCKSTEP_AREA_WHAT. */
  readonly code: string;
  /** What the operator can do about it, as one sentence. */
  readonly remedy: string;

  constructor(code: string, message: string, remedy: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'LockstepError';
    this.code = code;
    this.remedy = remedy;
  }
}

/** A broken assumption of our own code. On in production: whoever sees one stops serving, says why, and exits. */
export class AssertionFailure extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'AssertionFailure';
  }
}

/**
 * For each record and packet use `assertionFailed` behind an `if` when the message has figures in it: here it is put together whether or not it is needed.
 * @throws AssertionFailure when `condition` is false.
 */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionFailure(message);
}

/** @throws AssertionFailure always */
export function assertionFailed(message: string): never {
  throw new AssertionFailure(message);
}
