import { RecordType } from '../../src/core/broker/operations.js';
import { LogMark } from '../../src/core/replication/log-marks.js';
import { operationsIn } from './history.js';
import { ALL_MOVES } from './moves.js';
import type { SeedResult } from './run-seed.js';

/** In so many seeds everything must have been seen. */
export const COVERED_IN_SEEDS = 1_000;

const RECORD_TYPES: ReadonlyMap<number, string> = new Map(Object.entries({ ...RecordType, ...LogMark }).map(([name, type]) => [type, name]));

/** The name of a record's type. */
export function recordName(type: number): string {
  return RECORD_TYPES.get(type) ?? String(type);
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
  /** What the present thousand of seeds has not seen yet. */
  private unseen = everything();
  private readonly gaps: string[] = [];

  add(result: SeedResult): void {
    this.seeds += 1;
    this.virtualMs += result.virtualMs;
    this.events += result.events;
    this.operations += operationsIn(result.figures);
    this.faults += result.happened;
    for (const [move, count] of result.moves) this.see(this.moves, `move ${move.replace(' ', ' -> ')}`, count);
    for (const [type, count] of result.records) this.see(this.records, `record ${recordName(type)}`, count);
    if (result.violation !== null) {
      this.failed += 1;
      const seeds = this.checks.get(result.violation.check) ?? [];
      seeds.push(result.seed);
      this.checks.set(result.violation.check, seeds);
    }
    if (this.seeds % COVERED_IN_SEEDS !== 0) return;
    if (this.unseen.size > 0) this.gaps.push(`in the ${COVERED_IN_SEEDS} seeds that end with ${result.seed} there was no ${[...this.unseen].join(', no ')}`);
    this.unseen = everything();
  }

  /** Rows of the table of moves and record types that a whole thousand of seeds did not see: then the seeds prove too little. */
  get missing(): readonly string[] {
    return this.gaps;
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
      ...this.gaps,
    ];
  }

  private see(counts: Map<string, number>, what: string, count: number): void {
    counts.set(what, (counts.get(what) ?? 0) + count);
    this.unseen.delete(what);
  }
}

function everything(): Set<string> {
  return new Set([...ALL_MOVES.map((move) => `move ${move.replace(' ', ' -> ')}`), ...[...RECORD_TYPES.values()].map((name) => `record ${name}`)]);
}
