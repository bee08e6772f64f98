import { runSeed, type SeedResult } from './run-seed.js';
import { shrink } from './shrink.js';

const USAGE = `npm run simulate -- [--seeds N] [--seed S] [--minutes M] [--verbose] [--twice] [--keep-going] [--shrink] [--without KIND,KIND]

  --seeds N     run N seeds, one after the other (default 100; 1 with --seed)
  --seed S      the first seed (default 1)
  --minutes M   virtual minutes a seed lasts at least (default 2)
  --verbose     print each seed's transcript as it happens
  --twice       run every seed twice and compare (otherwise one in 50)
  --keep-going  do not stop at the first failure
  --without K,… leave kinds of faults out (share-replaced, disk-wiped …)
  --shrink      drop faults from the first failing seed while it fails in the same way

Exit code: 0 every seed held, 1 a seed failed, 2 wrong arguments.`;

/** One seed in so many is run twice: its transcript must be the same. */
const TWICE_EVERY = 50;
const TRANSCRIPT_LINES_SHOWN = 200;

interface Options {
  seeds: number;
  seed: number;
  minutes: number;
  verbose: boolean;
  twice: boolean;
  keepGoing: boolean;
  shrink: boolean;
  without: readonly string[];
}

function parse(args: readonly string[]): Options | null {
  const options: Options = { seeds: 0, seed: 1, minutes: 2, verbose: false, twice: false, keepGoing: false, shrink: false, without: [] };
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

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function describe(result: SeedResult, minutes: number): void {
  print(`\nseed ${result.seed} failed: ${result.violation?.check ?? 'not the same twice'}`);
  print(`  ${result.violation?.detail ?? ''}`);
  print(`  at ${(result.violation?.atMs ?? 0).toFixed(3)} ms of virtual time`);
  print('\nfaults of this seed:');
  for (const line of result.plan) print(`  ${line}`);
  print(`\ntranscript (last ${TRANSCRIPT_LINES_SHOWN} lines):`);
  for (const line of result.transcript.slice(-TRANSCRIPT_LINES_SHOWN)) print(line);
  print(`\nrepeat: npm run simulate -- --seed ${result.seed} --minutes ${minutes} --verbose`);
}

/** Runs a seed, and again to compare when asked. On a failure the second run collects the details of the transcript. */
async function proveSeed(seed: number, options: Options): Promise<SeedResult> {
  const live = options.verbose ? print : null;
  const result = await runSeed(seed, { minutes: options.minutes, detailed: options.verbose, live, faults: null, without: options.without });
  const twice = options.twice || seed % TWICE_EVERY === 0 || result.violation !== null;
  if (!twice) return result;
  const again = await runSeed(seed, { minutes: options.minutes, detailed: result.violation !== null, live: null, faults: null, without: options.without });
  if (again.hash !== result.hash) {
    const violation = result.violation ?? { check: 'determinism', detail: `transcripts ${result.hash} and ${again.hash}`, atMs: 0 };
    return { ...again, violation };
  }
  return result.violation === null ? result : again;
}

function figures(done: number, failed: number, virtualMs: number, events: number, startedMs: number): string {
  const minutes = (performance.now() - startedMs) / 60_000;
  const perMinute = (value: number): string => (value / minutes).toFixed(0);
  return `${done} seeds, ${failed} failed; ${perMinute(done)} seeds/min, ${(virtualMs / 3_600_000 / minutes).toFixed(1)} virtual hours/min, ${perMinute(events)} events/min`;
}

async function main(): Promise<number> {
  const options = parse(process.argv.slice(2));
  if (options === null) {
    process.stderr.write(`${USAGE}\n`);
    return 2;
  }
  const started = performance.now();
  let shown = started;
  let virtualMs = 0;
  let events = 0;
  let failed = 0;
  const moves = new Map<string, number>();
  const checks = new Map<string, number[]>();
  for (let i = 0; i < options.seeds; i += 1) {
    const result = await proveSeed(options.seed + i, options);
    virtualMs += result.virtualMs;
    events += result.events;
    for (const [move, count] of result.moves) moves.set(move, (moves.get(move) ?? 0) + count);
    if (result.violation !== null) {
      failed += 1;
      const seeds = checks.get(result.violation.check) ?? [];
      seeds.push(result.seed);
      checks.set(result.violation.check, seeds);
      if (failed === 1 || !options.keepGoing) describe(options.shrink && failed === 1 ? await shrink(result, options.minutes) : result, options.minutes);
      if (!options.keepGoing) break;
    }
    if (performance.now() - shown > 5_000) {
      shown = performance.now();
      print(figures(i + 1, failed, virtualMs, events, started));
    }
  }
  print(`\n${figures(options.seeds, failed, virtualMs, events, started)}`);
  print(`moves seen: ${[...moves].map(([move, count]) => `${move.replace(' ', ' -> ')} ${count}`).join(', ')}`);
  for (const [check, seeds] of checks) print(`${check}: ${seeds.length} seeds, ${seeds.slice(0, 12).join(' ')}`);
  return failed > 0 ? 1 : 0;
}

// An unhandled rejection is a violation of the run under way; the world hears of it in run-seed.ts.
process.exitCode = await main();
