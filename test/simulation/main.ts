import { availableParallelism } from 'node:os';
import { print } from '../print.js';
import { excerpt } from './excerpt.js';
import { runSeeds } from './pool.js';
import { proveSeed, TWICE_EVERY, type ProofOptions } from './prove-seed.js';
import type { SeedResult } from './run-seed.js';
import { shrink } from './shrink.js';
import { COVERED_IN_SEEDS, Tally } from './tally.js';

const USAGE = `npm run simulate -- [--seeds N] [--seed S] [--minutes M] [--workers N] [--verbose] [--twice] [--keep-going] [--shrink] [--without KIND,KIND]

  --seeds N     run N seeds (default 100; 1 with --seed)
  --seed S      the first seed (default 1)
  --minutes M   virtual minutes a seed lasts at least (default 2)
  --workers N   threads that run seeds (default: the processors of this machine)
  --verbose     print each seed's transcript as it happens, on one thread
  --twice       run every seed twice and compare (otherwise one in ${TWICE_EVERY})
  --keep-going  do not stop at the first failure
  --without K,… leave kinds of faults out (share-replaced, disk-wiped …)
  --shrink      drop faults from the first failing seed while it fails in the same way

Every ${COVERED_IN_SEEDS} seeds must see every row of the table of moves and every type of record.

Exit code: 0 every seed held, 1 a seed failed or too little was seen, 2 wrong arguments.`;

const FIGURES_EVERY_MS = 5_000;

interface Options {
  seeds: number;
  seed: number;
  minutes: number;
  workers: number;
  verbose: boolean;
  twice: boolean;
  keepGoing: boolean;
  shrink: boolean;
  without: readonly string[];
}

function parse(args: readonly string[]): Options | null {
  const options: Options = { seeds: 0, seed: 1, minutes: 2, workers: availableParallelism(), verbose: false, twice: false, keepGoing: false, shrink: false, without: [] };
  let single = false;
  for (let i = 0; i < args.length; i += 1) {
    const name = args[i];
    if (name === '--verbose') options.verbose = true;
    else if (name === '--twice') options.twice = true;
    else if (name === '--keep-going') options.keepGoing = true;
    else if (name === '--shrink') options.shrink = true;
    else if (name === '--without') options.without = (args[(i += 1)] ?? '').split(',');
    else {
      const value = Number(args[(i += 1)]);
      if (!Number.isFinite(value) || value <= 0) return null;
      if (name === '--seeds') options.seeds = value;
      else if (name === '--workers') options.workers = value;
      else if (name === '--seed') {
        options.seed = value;
        single = true;
      } else if (name === '--minutes') options.minutes = value;
      else return null;
    }
  }
  if (options.seeds === 0) options.seeds = single ? 1 : 100;
  return options;
}

function describe(result: SeedResult, minutes: number): void {
  print(`\nseed ${result.seed} failed: ${result.violation?.check ?? 'nothing'}`);
  print(`  ${result.violation?.detail ?? ''}`);
  print(`  at ${(result.violation?.atMs ?? 0).toFixed(3)} ms of virtual time`);
  print('\nfaults of this seed:');
  for (const line of result.plan) print(`  ${line}`);
  print('\ntranscript, its end (time, state and term of both servers, who, what; --verbose prints everything):');
  for (const line of result.violation === null ? [] : excerpt(result.transcript, result.violation)) print(line);
  print(`\nrepeat: npm run simulate -- --seed ${result.seed} --minutes ${minutes} --verbose`);
}

/** Tells `told` of each seed in order, until it answers false. */
async function prove(options: Options, told: (result: SeedResult) => boolean): Promise<void> {
  const { seed, seeds, minutes, twice, without, workers } = options;
  const proof: ProofOptions = { minutes, twice, without };
  if (!options.verbose) return runSeeds({ first: seed, count: seeds, workers, proof, worker: new URL('./seed-worker.js', import.meta.url) }, told);
  for (let i = 0; i < seeds; i += 1) if (!told(await proveSeed(seed + i, proof, print))) return;
}

async function main(): Promise<number> {
  const options = parse(process.argv.slice(2));
  if (options === null) {
    process.stderr.write(`${USAGE}\n`);
    return 2;
  }
  const started = performance.now();
  const minutes = (): number => (performance.now() - started) / 60_000;
  let shown = started;
  const failures: SeedResult[] = [];
  const tally = new Tally();
  await prove(options, (result) => {
    tally.add(result);
    if (result.violation !== null) {
      if (failures.length === 0) failures.push(result);
      print(`seed ${result.seed} failed: ${result.violation.check}: ${result.violation.detail}`);
    }
    if (performance.now() - shown > FIGURES_EVERY_MS) {
      shown = performance.now();
      print(tally.figures(minutes()));
    }
    return result.violation === null || options.keepGoing;
  });
  const took = minutes();
  const failure = failures[0];
  if (failure !== undefined) describe(options.shrink ? await shrink(failure, options.minutes) : failure, options.minutes);
  print(`\n${tally.figures(took)}`);
  const { user, system } = process.cpuUsage();
  print(`on one core: ${tally.rates((user + system) / 60e6)}; processor time of a seed, with all that the start takes: ${((user + system) / 1e6 / Math.max(1, tally.seeds)).toFixed(3)} s`);
  for (const line of tally.report()) print(line);
  return tally.failed > 0 || tally.missing.length > 0 ? 1 : 0;
}

// An unhandled rejection is a violation of the run under way; the world hears of it in run-seed.ts.
process.exitCode = await main();
