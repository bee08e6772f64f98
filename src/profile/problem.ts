import { LockstepError } from '../core/errors.js';

/** Something about one key of a profile. */
export interface Problem {
  /** `section.key`, or `section`, or empty for the whole file. */
  readonly key: string;
  /** From 1; `null` when it is about the file as a whole. */
  readonly line: number | null;
  readonly column: number | null;
  readonly text: string;
}

/** `lockstep.yaml:12:3 ha.port: must be …` */
export function formatProblem(file: string, problem: Problem): string {
  const place = problem.line === null ? file : `${file}:${problem.line}:${problem.column ?? 1}`;
  return problem.key === '' ? `${place} ${problem.text}` : `${place} ${problem.key}: ${problem.text}`;
}

/** A profile that cannot be used, with everything that is wrong with it. */
export class ProfileError extends LockstepError {
  constructor(
    code: string,
    readonly file: string,
    readonly problems: readonly Problem[],
    remedy: string,
  ) {
    super(code, problems.map((problem) => formatProblem(file, problem)).join('\n'), remedy);
  }
}
