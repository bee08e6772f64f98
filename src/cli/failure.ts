import { LockstepError } from '../core/errors.js';
import { ProfileError } from '../profile/problem.js';
import { ExitCode } from './exit-codes.js';

/** A command that ended otherwise than well: what is said, and the exit code. */
export class CommandFailure extends LockstepError {
  constructor(
    readonly exitCode: ExitCode,
    code: string,
    message: string,
    remedy: string,
    options?: { cause?: unknown },
  ) {
    super(code, message, remedy, options);
  }
}

/** Lines for the console, and the exit code. The stack is for those who work on Lockstep itself (LOCKSTEP_DEBUG=1). */
export function describeFailure(error: unknown, debug: boolean): { readonly lines: readonly string[]; readonly exitCode: ExitCode } {
  const stack = debug && error instanceof Error && error.stack !== undefined ? [error.stack] : [];
  if (!(error instanceof LockstepError)) {
    const message = error instanceof Error ? error.message : String(error);
    const hint = debug ? [] : ['Set LOCKSTEP_DEBUG=1 to see where it came from.'];
    return { lines: [`lockstep: ${message}`, ...hint, ...stack], exitCode: ExitCode.failed };
  }
  const lines = error instanceof ProfileError ? [`lockstep: the profile cannot be used (${error.code})`, ...error.message.split('\n').map((line) => `  ${line}`)] : [`lockstep: ${error.message} (${error.code})`];
  const exitCode = error instanceof CommandFailure ? error.exitCode : error instanceof ProfileError ? ExitCode.usage : ExitCode.failed;
  return { lines: [...lines, ...(error.remedy === '' ? [] : [error.remedy]), ...stack], exitCode };
}
