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

/** So many problems are told at once; of the others only how many they are. */
export const PROBLEMS_MAX = 50;
const KEY_CHARS_MAX = 80;
const TEXT_CHARS_MAX = 500;

/** The first of many, and how many more there are. */
export function firstProblems(problems: readonly Problem[]): readonly Problem[] {
  if (problems.length <= PROBLEMS_MAX) return problems;
  return [...problems.slice(0, PROBLEMS_MAX), { key: '', line: null, column: null, text: `and ${problems.length - PROBLEMS_MAX} more problems` }];
}

/** `lockstep.yaml:12:3 ha.port: must be …` */
export function formatProblem(file: string, problem: Problem): string {
  const place = problem.line === null ? file : `${file}:${problem.line}:${problem.column ?? 1}`;
  const text = shortened(problem.text, TEXT_CHARS_MAX);
  return problem.key === '' ? `${place} ${text}` : `${place} ${shortened(problem.key, KEY_CHARS_MAX)}: ${text}`;
}

function shortened(text: string, charsMax: number): string {
  return text.length <= charsMax ? text : `${text.slice(0, charsMax)}…`;
}

/** A profile that cannot be used, with everything that is wrong with it (the first PROBLEMS_MAX of it). */
export class ProfileError extends LockstepError {
  readonly problems: readonly Problem[];

  constructor(
    code: string,
    readonly file: string,
    all: readonly Problem[],
    remedy: string,
  ) {
    const problems = firstProblems(all);
    super(code, problems.map((problem) => formatProblem(file, problem)).join('\n'), remedy);
    this.problems = problems;
  }
}
