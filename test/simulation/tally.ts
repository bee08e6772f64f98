import { RecordType } from '../../src/core/broker/operations.js';
import { LogMark } from '../../src/core/replication/log-marks.js';
import { operationsIn } from './history.js';
import { MOVES_TO_SEE } from './moves.js';
import type { SeedResult } from './run-seed.js';

/** In so many seeds everything must have been seen. */
export const COVERED_IN_SEEDS = 1_000;

const RECORD_TYPES: ReadonlyMap<number, string> = new Map(Object.entries({ ...RecordType, ...LogMark }).map(([name, type]) => [type, name]));

/** The name of a record's type. */
export function recordName(type: number): string {
  return RECORD_TYPES.get(type) ?? String(type);
}

/** What each thousand of seeds must see: every row of the table of moves, and every type of record. */
export interface Coverage {
  /** What the present thousand has not seen yet, in words. */
  readonly unseen: readonly string[];
  /** What a whole thousand did not see. */
  readonly gaps: readonly string[];
}

export const NOTHING_COVERED: Coverage = { unseen: everything(), gaps: [] };

/** With one more seed. `seeds`: how many there are with it. */
export function covering({ unseen, gaps }: Coverage, { seed, moves, records }: SeedResult, seeds: number): Coverage {
  const seen = new Set([...[...moves.keys()].map(nameOfMove), ...[...records.keys()].map(nameOfRecord)]);
  const left = unseen.filter((what) => !seen.has(what));
  if (seeds % COVERED_IN_SEEDS !== 0) return { unseen: left, gaps };
  const missing = `in the ${COVERED_IN_SEEDS} seeds that end with ${seed} there was no ${left.join(', no ')}`;
  return { unseen: everything(), gaps: left.length === 0 ? gaps : [...gaps, missing] };
}

/** Sums up the results of many seeds. */
export class Tally {
  seeds = 0;
  failed = 0;
  private virtualMs = 0;
  private events = 0;
  private operations = 0;
  private faults = 0;
  private readonly moves = new Map<string, number>();
  private readonly records = new Map<string, number>();
  /** Failing seeds by the check that failed. */
  private readonly checks = new Map<string, number[]>();
  private coverage = NOTHING_COVERED;

  add(result: SeedResult): void {
    this.seeds += 1;
    this.virtualMs += result.virtualMs;
    this.events += result.events;
    this.operations += operationsIn(result.figures);
    this.faults += result.happened;
    for (const [move, count] of result.moves) see(this.moves, nameOfMove(move), count);
    for (const [type, count] of result.records) see(this.records, nameOfRecord(type), count);
    this.coverage = covering(this.coverage, result, this.seeds);
    if (result.violation !== null) {
      this.failed += 1;
      const seeds = this.checks.get(result.violation.check) ?? [];
      seeds.push(result.seed);
      this.checks.set(result.violation.check, seeds);
    }
  }

  /** Rows of the table of moves and record types that a whole thousand of seeds did not see: then the seeds prove too little. */
  get missing(): readonly string[] {
    return this.coverage.gaps;
  }

  /** One line. `minutes`: how long it took. */
  figures(minutes: number): string {
    return `${this.seeds} seeds, ${this.failed} failed; ${this.rates(minutes)}`;
  }

  /** `minutes`: real ones that passed, or those of one processor. */
  rates(minutes: number): string {
    const rate = (value: number, digits = 0): string => (value / minutes).toFixed(digits);
    return `${rate(this.seeds)} seeds/min, ${rate(this.virtualMs / 3_600_000, 1)} virtual hours/min, ${rate(this.events)} events/min`;
  }

  report(): string[] {
    const per = (value: number): string => (value / Math.max(1, this.seeds)).toFixed(1);
    const counts = (of: ReadonlyMap<string, number>): string => [...of].map(([what, count]) => `${what.replace(/^\w+ /, '')} ${count}`).join(', ');
    return [
      `a seed has ${per(this.virtualMs / 60_000)} virtual minutes, ${per(this.operations)} client operations, ${per(this.faults)} faults`,
      `moves seen: ${counts(this.moves)}`,
      `records seen: ${counts(this.records)}`,
      ...[...this.checks].map(([check, seeds]) => `${check}: ${seeds.length} seeds, ${seeds.slice(0, 12).join(' ')}`),
      ...this.coverage.gaps,
    ];
  }
}

function see(counts: Map<string, number>, what: string, count: number): void {
  counts.set(what, (counts.get(what) ?? 0) + count);
}

function nameOfMove(move: string): string {
  return `move ${move.replace(' ', ' -> ')}`;
}

function nameOfRecord(type: number): string {
  return `record ${recordName(type)}`;
}

function everything(): string[] {
  return [...MOVES_TO_SEE.map(nameOfMove), ...[...RECORD_TYPES.keys()].map(nameOfRecord)];
}
