import { operationsIn } from './history.js';
import type { SeedResult } from './run-seed.js';
import { covering, NOTHING_COVERED, recordName, type Coverage } from './tally.js';

/** A tally cannot be gone on with, or not by this code. Says what to do. */
export class TallyRefused extends Error {
  constructor(what: string, remedy: string) {
    super(`${what}. ${remedy}`);
    this.name = 'TallyRefused';
  }
}

/** A violation, with the seed that repeats it. */
export interface Finding {
  readonly seed: number;
  readonly check: string;
  readonly detail: string;
}

/** What a long run amounts to, over as many sittings as it took: seeds `firstSeed` to `nextSeed - 1`, each once, all of one commit. */
export interface LongTally {
  readonly schema: 2;
  readonly commit: string;
  /** Virtual minutes that each seed lasts at least. */
  readonly minutes: number;
  readonly firstSeed: number;
  readonly nextSeed: number;
  readonly seeds: number;
  readonly virtualHours: number;
  readonly clientOperations: number;
  readonly faults: number;
  readonly processorHours: number;
  /** How often each row of the table of moves was seen. */
  readonly moves: Readonly<Record<string, number>>;
  /** Log records that serving servers appended, by type. */
  readonly records: Readonly<Record<string, number>>;
  readonly coverage: Coverage;
  readonly findings: readonly Finding[];
}

/** What is about to be run. */
export interface Sitting {
  readonly commit: string;
  /** What differs from the commit, as file names; nothing may. */
  readonly changed: readonly string[];
  readonly minutes: number;
  /** Where a new tally begins; with one that stands, only the same will do. `null`: wherever it stands. */
  readonly firstSeed: number | null;
}

const HOUR_MS = 3_600_000;
/** Changed files that an error names. */
const SHOWN_MAX = 5;

/** @throws TallyRefused when the sitting's seeds would not be of the tally's commit and kind */
export function begin(standing: LongTally | null, sitting: Sitting): LongTally {
  const { commit, changed, minutes, firstSeed } = sitting;
  const refuse = (what: string, remedy: string): never => {
    throw new TallyRefused(what, remedy);
  };
  if (changed.length > 0) {
    const more = changed.length > SHOWN_MAX ? ` and ${changed.length - SHOWN_MAX} more` : '';
    refuse(`the tree differs from commit ${commit}: ${changed.slice(0, SHOWN_MAX).join(', ')}${more}`, 'Commit the changes or put them away: a tally is of one commit.');
  }
  if (standing === null) {
    const first = firstSeed ?? 1;
    return { schema: 2, commit, minutes, firstSeed: first, nextSeed: first, seeds: 0, virtualHours: 0, clientOperations: 0, faults: 0, processorHours: 0, moves: {}, records: {}, coverage: NOTHING_COVERED, findings: [] };
  }
  if (standing.commit !== commit) refuse(`the tally is of commit ${standing.commit}, and this is ${commit}`, 'Check that commit out to go on with it, or name another file.');
  if (standing.minutes !== minutes) refuse(`the seeds of the tally last ${standing.minutes} virtual minutes, these ${minutes}`, 'Name another file.');
  if (firstSeed !== null && firstSeed !== standing.firstSeed) refuse(`the tally begins with seed ${standing.firstSeed}`, 'Leave the first seed out to go on with it, or name another file.');
  return standing;
}

/** With one more seed, which must be the next one. */
export function withSeed(tally: LongTally, result: SeedResult): LongTally {
  if (result.seed !== tally.nextSeed) throw new Error(`seed ${result.seed} came, and ${tally.nextSeed} is the next one`);
  const { violation } = result;
  return {
    ...tally,
    nextSeed: tally.nextSeed + 1,
    seeds: tally.seeds + 1,
    virtualHours: tally.virtualHours + result.virtualMs / HOUR_MS,
    clientOperations: tally.clientOperations + operationsIn(result.figures),
    faults: tally.faults + result.happened,
    moves: sum(tally.moves, result.moves, (move) => move.replace(' ', ' -> ')),
    records: sum(tally.records, result.records, recordName),
    coverage: covering(tally.coverage, result, tally.seeds + 1),
    findings: violation === null ? tally.findings : [...tally.findings, { seed: result.seed, check: violation.check, detail: violation.detail }],
  };
}

export function withProcessorTime(tally: LongTally, ms: number): LongTally {
  return { ...tally, processorHours: tally.processorHours + ms / HOUR_MS };
}

/** @throws TallyRefused when the text is no tally */
export function parseTally(text: string, file: string): LongTally {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = null;
  }
  if (!isTally(value)) throw new TallyRefused(`${file} is no tally of a long run`, 'Name another file.');
  return value;
}

export function describeTally(tally: LongTally): string {
  const { seeds, virtualHours, clientOperations, faults, processorHours, findings, nextSeed } = tally;
  return `${seeds} seeds to ${nextSeed - 1}, ${virtualHours.toFixed(0)} virtual hours, ${clientOperations} client operations, ${faults} faults, ${processorHours.toFixed(2)} processor hours, ${findings.length} findings`;
}

const NUMBERS = ['minutes', 'firstSeed', 'nextSeed', 'seeds', 'virtualHours', 'clientOperations', 'faults', 'processorHours'] as const;

function isTally(value: unknown): value is LongTally {
  if (typeof value !== 'object' || value === null) return false;
  const tally = value as Partial<LongTally>;
  const counts = [tally.moves, tally.records].every((count) => typeof count === 'object' && count !== null);
  const covered = Array.isArray(tally.coverage?.unseen) && Array.isArray(tally.coverage.gaps);
  const whole = covered && tally.schema === 2 && typeof tally.commit === 'string' && NUMBERS.every((name) => Number.isFinite(tally[name])) && counts && Array.isArray(tally.findings);
  return whole && Number(tally.nextSeed) - Number(tally.firstSeed) === tally.seeds;
}

function sum<Key>(counts: Readonly<Record<string, number>>, more: ReadonlyMap<Key, number>, name: (key: Key) => string): Record<string, number> {
  const all = { ...counts };
  for (const [key, count] of more) all[name(key)] = (all[name(key)] ?? 0) + count;
  return all;
}
