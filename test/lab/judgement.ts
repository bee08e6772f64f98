import { spawnSync } from 'node:child_process';
import type { Verdict } from '../../src/core/history/verdict.js';

/** What `lockstep verify` says of the clients' history. */
export interface Judgement {
  readonly acknowledged: number;
  /** Deliveries to both consumers together. */
  readonly received: number;
  readonly lost: number;
  /** At QoS 1: allowed. */
  readonly duplicates: number;
  /** The longest time in which a message waited and none was acknowledged. */
  readonly outageMs: number;
  /** What is broken, in words; empty when the history holds. */
  readonly violations: readonly string[];
}

/** Judges a history by the installed command. @throws Error when there is nothing that can be judged */
export function judge(command: string, file: string): Judgement {
  const { stdout, stderr, status } = spawnSync(command, ['verify', '--json', file], { encoding: 'utf8' });
  if (status === null || status > 1) throw new Error(`lockstep verify ${file}: ${stderr}`);
  const { figures, violations, outages, undrained } = JSON.parse(stdout) as Verdict;
  return {
    acknowledged: figures.acknowledged,
    received: figures.received,
    lost: figures.lost,
    duplicates: figures.duplicates,
    outageMs: Math.max(0, ...outages.map(({ longestMs }) => longestMs)),
    violations: [
      ...violations.map(({ check, count, examples }) => `${check}, ${count} times: ${examples.join('; ')}`),
      ...(undrained.length === 0 ? [] : [`never drained: ${undrained.join(', ')}`]),
    ],
  };
}
