import fc from 'fast-check';

/** One kind of input that comes from outside, and what must hold for it whatever it is. */
export interface Target {
  readonly name: string;
  /** So many executions in the gate. */
  readonly gateRuns: number;
  /** Executes `runs` inputs. The answer names the smallest input for which something does not hold. */
  check(seed: number, runs: number, path?: string): Promise<Finding | null>;
  /** Gives back what executions share (a folder, a port). */
  close(): Promise<void>;
}

export interface Finding {
  readonly seed: number;
  /** Leads straight to the smallest input: `--path`. */
  readonly path: string;
  readonly input: string;
  readonly error: string;
}

export interface TargetParts<Input> {
  readonly name: string;
  readonly inputs: fc.Arbitrary<Input>;
  /** Throws, or rejects, when something does not hold. */
  readonly holds: (input: Input) => void | Promise<void>;
  readonly gateRuns: number;
  readonly close?: () => Promise<void>;
}

const SHOWN_CHARS_MAX = 4_000;

export function target<Input>({ name, inputs, holds, gateRuns, close }: TargetParts<Input>): Target {
  return {
    name,
    gateRuns,
    close: close ?? (() => Promise.resolve()),
    async check(seed, runs, path) {
      const property = fc.asyncProperty(inputs, async (input) => holds(input));
      const details = await fc.check(property, { seed, numRuns: runs, ...(path === undefined ? {} : { path, endOnFailure: false }) });
      if (!details.failed) return null;
      const thrown = details.errorInstance;
      return {
        seed: details.seed,
        path: details.counterexamplePath ?? '',
        input: fc.stringify(details.counterexample?.[0]).slice(0, SHOWN_CHARS_MAX),
        error: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown),
      };
    },
  };
}
