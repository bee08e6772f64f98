import { availableParallelism } from 'node:os';
import { print } from '../print.js';
import { Crew } from './campaign.js';
import { TARGETS } from './targets.js';
import type { BatchResult } from './worker.js';

const USAGE = `npm run fuzz -- [--target NAME,NAME…] [--minutes M] [--seed S] [--runs N] [--path P] [--workers W]
  --target   default: all of ${TARGETS.map(({ name }) => name).join(', ')}
  --minutes  of each target (default 1)
  --seed     of the first batch (default: drawn); the next ones are S+1, S+2 …
  --runs     executions of a batch (default: as in the gate); with --seed and without --minutes, one batch is executed
  --path     with --seed: only the input that was found there`;

interface Options {
  readonly targets: readonly string[];
  readonly minutes: number | null;
  readonly seed: number | null;
  readonly runs: number | null;
  readonly path: string | null;
  readonly workers: number;
}

function parse(args: readonly string[]): Options | null {
  const given = new Map<string, string>();
  for (let i = 0; i < args.length; i += 2) {
    const [name, value] = [args[i] ?? '', args[i + 1]];
    if (!/^--(target|minutes|seed|runs|path|workers)$/.test(name) || value === undefined) return null;
    given.set(name.slice(2), value);
  }
  const number = (name: string): number | null => (given.has(name) ? Number(given.get(name)) : null);
  const numbers = ['minutes', 'seed', 'runs', 'workers'].map(number);
  if (numbers.some((value) => value !== null && !(Number.isFinite(value) && value >= 0))) return null;
  const targets = given.get('target')?.split(',') ?? TARGETS.map(({ name }) => name);
  if (targets.some((wanted) => !TARGETS.some(({ name }) => name === wanted))) return null;
  const [minutes, seed, runs, workers] = numbers as [number | null, number | null, number | null, number | null];
  return { targets, minutes, seed, runs, path: given.get('path') ?? null, workers: Math.max(1, workers ?? availableParallelism()) };
}

function describe({ batch, finding, broken }: BatchResult): void {
  print(`\n${batch.target} FAILED with seed ${batch.seed}`);
  if (broken !== null) print(`  ${broken}\n\nrepeat: npm run fuzz -- --target ${batch.target} --seed ${batch.seed} --runs ${batch.runs}`);
  if (finding === null) return;
  print(`  smallest input: ${finding.input}\n  ${finding.error}`);
  print(`\nrepeat: npm run fuzz -- --target ${batch.target} --seed ${finding.seed} --path ${finding.path}`);
}

async function main(): Promise<number> {
  const options = parse(process.argv.slice(2));
  if (options === null) {
    process.stderr.write(`${USAGE}\n`);
    return 2;
  }
  const single = options.seed !== null && options.minutes === null;
  const crew = new Crew(single ? 1 : options.workers);
  const firstSeed = options.seed ?? Date.now() % 0x4000_0000;
  let failures = 0;
  for (const { name, gateRuns } of TARGETS.filter((one) => options.targets.includes(one.name))) {
    const runs = options.runs ?? gateRuns;
    if (single) {
      const result = await crew.once({ target: name, seed: firstSeed, runs, ...(options.path === null ? {} : { path: options.path }) });
      const failed = result.finding !== null || result.broken !== null;
      if (failed) describe(result);
      print(`${name}: seed ${firstSeed}: ${failed ? 'FAILED' : 'nothing found'}`);
      failures += failed ? 1 : 0;
      continue;
    }
    const tally = await crew.run({ target: name, firstSeed, runsPerBatch: runs, forMs: (options.minutes ?? 1) * 60_000 });
    const perSecond = tally.executions / Math.max(tally.processorSeconds, 0.001);
    print(`${name}: ${tally.executions} executions, ${perSecond.toFixed(0)} a second of one processor, seeds ${firstSeed} to ${firstSeed + tally.batches - 1}: ${tally.failure === null ? 'nothing found' : 'FAILED'}`);
    if (tally.failure === null) continue;
    failures += 1;
    describe(tally.failure);
  }
  await crew.end();
  return failures === 0 ? 0 : 1;
}

process.exitCode = await main();
