import type { Plot } from './plot.js';
import type { Bench } from './bench.js';

/** A table for people. */
export interface Table {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
}

/** `reported`: there is nothing to reach, or it was not measured against it. */
export type Verdict = 'reached' | 'missed' | 'reported';

/** What one row of the benchmark came to. */
export interface Outcome {
  /** In one line, ratio first. */
  readonly reached: string;
  readonly verdict: Verdict;
  /** Acknowledged by the pair and never received. */
  readonly lost: number;
  readonly tables: readonly Table[];
  readonly plots: readonly Plot[];
  /** What stands in the document under the row's name, Markdown. */
  readonly document?: string;
  /** All figures, for the JSON. */
  readonly figures: unknown;
}

/** One row of the benchmark. Sizes of both forms are written in the row's own file. */
export interface Row {
  readonly name: string;
  readonly what: string;
  /** What is to be reached. */
  readonly reach: string;
  run(bench: Bench): Promise<Outcome>;
}

export function verdict(reached: boolean): Verdict {
  return reached ? 'reached' : 'missed';
}
