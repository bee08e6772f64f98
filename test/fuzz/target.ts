import fc from 'fast-check';

/** One kind of input that comes from outside, and what must hold for it whatever it is. */
export interface Target {
  readonly name: string;
  /** So many executions in the gate. */
  readonly gateRuns: number;
  /** So much is accepted in them at least: inputs of which everything is refused try nothing but refusals. */
  readonly acceptedLeast: number;
  /** So much was accepted so far: messages, records, files, whatever the reader makes of its input. */
  readonly accepted: number;
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
  /** Throws, or rejects, when something does not hold. Answers how much was accepted. */
  readonly holds: (input: Input) => number | Promise<number>;
  readonly gateRuns: number;
  readonly acceptedLeast: number;
  readonly close?: () => Promise<void>;
}

const SHOWN_CHARS_MAX = 4_000;

export function target<Input>({ name, inputs, holds, gateRuns, acceptedLeast, close }: TargetParts<Input>): Target {
  let accepted = 0;
  return {
    name,
    gateRuns,
    acceptedLeast,
    get accepted() {
      return accepted;
    },
    close: close ?? (() => Promise.resolve()),
    async check(seed, runs, path) {
      const property = fc.asyncProperty(inputs, async (input) => {
        accepted += await holds(input);
      });
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
