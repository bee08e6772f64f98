import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { print } from '../print.js';
import { readTally, treeOf, writeTally } from './long-file.js';
import { begin, describeTally, TallyRefused, withProcessorTime, withSeed, type LongTally } from './long-tally.js';
import { runSeeds } from './pool.js';
import type { SeedResult } from './run-seed.js';
import { LONG_MINUTES } from './seed-shape.js';

const USAGE = `npm run simulate:long -- --tally FILE [--seeds N] [--until-seed S] [--work-minutes M] [--first-seed S] [--workers N]

Runs long seeds (${LONG_MINUTES} virtual minutes each) in their order, from where FILE stands, and adds them up in FILE. It goes on until one of the
limits, or until SIGINT or SIGTERM; the next start goes on from there. A seed that fails is written down with its transcript beside FILE, and
the run goes on. FILE is of one commit: with another one, or a changed tree, nothing is run.

  --tally FILE      where the sums stand; made at the first start
  --seeds N         run N more seeds
  --until-seed S    end with seed S
  --work-minutes M  end after M minutes
  --first-seed S    where a new FILE begins (default 1)
  --workers N       threads that run seeds (default: the processors of this machine)

A finding is repeated with: npm run simulate -- --seed S --minutes ${LONG_MINUTES}

Exit code: 0 no finding stands in FILE and each thousand of its seeds saw every move and type of record, 1 otherwise, 2 wrong arguments or a FILE of another commit.`;

const WRITE_EVERY_MS = 20_000;
const SAY_EVERY_MS = 60_000;

interface Options {
  tally: string;
  seeds: number;
  untilSeed: number;
  workMinutes: number;
  firstSeed: number | null;
  workers: number;
}

const NAMES = { '--seeds': 'seeds', '--until-seed': 'untilSeed', '--work-minutes': 'workMinutes', '--first-seed': 'firstSeed', '--workers': 'workers' } as const;

function parse(args: readonly string[]): Options | null {
  const options: Options = { tally: '', seeds: Infinity, untilSeed: Infinity, workMinutes: Infinity, firstSeed: null, workers: availableParallelism() };
  for (let i = 0; i < args.length; i += 2) {
    const name = args[i] ?? '';
    const text = args[i + 1] ?? '';
    const value = Number(text);
    if (name === '--tally') options.tally = text;
    else if (Object.hasOwn(NAMES, name) && Number.isFinite(value) && value > 0) options[NAMES[name as keyof typeof NAMES]] = value;
    else return null;
  }
  return options.tally === '' ? null : options;
}

/** Milliseconds of processor time since it was asked last. */
function processorMeter(): () => number {
  let before = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(before);
    before = process.cpuUsage();
    return (user + system) / 1_000;
  };
}

function keepTranscript(file: string, { seed, violation, plan, transcript }: SeedResult): void {
  const head = [`seed ${seed}: ${violation?.check ?? ''}: ${violation?.detail ?? ''}`, '', 'faults:', ...plan, '', 'transcript:'];
  writeFileSync(`${file}.seed-${seed}.txt`, `${[...head, ...transcript].join('\n')}\n`);
}

async function sit(options: Options, standing: LongTally): Promise<LongTally> {
  let tally = standing;
  const { tally: file, workers } = options;
  const end = performance.now() + options.workMinutes * 60_000;
  const count = Math.min(options.seeds, options.untilSeed - tally.nextSeed + 1);
  const meter = processorMeter();
  const save = (): void => {
    tally = withProcessorTime(tally, meter());
    writeTally(file, tally);
  };
  let written = performance.now();
  let said = written;
  let stopped = false;
  const stop = (): void => {
    stopped = true;
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop);
  const told = (result: SeedResult): boolean => {
    tally = withSeed(tally, result);
    if (result.violation !== null) {
      print(`seed ${result.seed} failed: ${result.violation.check}: ${result.violation.detail}`);
      keepTranscript(file, result);
    }
    const now = performance.now();
    if (now - written > WRITE_EVERY_MS || result.violation !== null) {
      save();
      written = now;
    }
    if (now - said > SAY_EVERY_MS) {
      print(describeTally(tally));
      said = now;
    }
    return !stopped && now < end;
  };
  const proof = { minutes: LONG_MINUTES, twice: false, without: [] };
  try {
    if (count > 0) await runSeeds({ first: tally.nextSeed, count, workers, proof, worker: new URL('./seed-worker.js', import.meta.url) }, told);
  } finally {
    save();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, stop);
  }
  return tally;
}

async function main(): Promise<number> {
  const options = parse(process.argv.slice(2));
  if (options === null) {
    process.stderr.write(`${USAGE}\n`);
    return 2;
  }
  try {
    const tree = treeOf(dirname(fileURLToPath(import.meta.url)));
    const standing = begin(readTally(options.tally), { ...tree, minutes: LONG_MINUTES, firstSeed: options.firstSeed });
    const tally = await sit(options, standing);
    print(describeTally(tally));
    for (const { seed, check, detail } of tally.findings) print(`seed ${seed}: ${check}: ${detail}`);
    for (const gap of tally.coverage.gaps) print(gap);
    return tally.findings.length + tally.coverage.gaps.length > 0 ? 1 : 0;
  } catch (error) {
    if (!(error instanceof TallyRefused)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 2;
  }
}

process.exitCode = await main();
