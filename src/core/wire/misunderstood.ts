import { LockstepError } from '../errors.js';

/** A message between the processes of one server that is not understood. `who` said it. */
export function misunderstood(who: string, cause: unknown): LockstepError {
  const what = cause instanceof Error ? cause.message : String(cause);
  return new LockstepError(
    'LOCKSTEP_CONTROL_MALFORMED',
    `the ${who} said something that cannot be understood: ${what}`,
    'If Lockstep was exchanged while this server ran, start the server anew; otherwise report it.',
    { cause },
  );
}
