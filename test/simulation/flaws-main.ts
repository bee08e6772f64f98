import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { print } from '../print.js';
import { FewAtOnce } from '../../src/server/few-at-once.js';
import { plant } from './flawed-build.js';
import { FLAWS, type Flaw } from './flaws.js';
import { runSeeds } from './pool.js';
import type { ProofOptions } from './prove-seed.js';

const USAGE = `npm run simulate:flaws -- [--seeds N] [--seed S] [--least N] [--minutes M] [--workers N] [--only NAME,NAME] [--clean-elsewhere] [--show]

Plants one mistake after the other into a copy of the compiled code, runs the ordinary seeds on it, and prints in how many of them it was
found. The same seeds without a flaw must be clean: that is run first.

  --seeds N   seeds for each flaw at most (default 500)
  --seed S    the first seed (default 1)
  --least N   a flaw that was found is done after N seeds; one that was not goes on to the limit (default: all seeds)
  --minutes M virtual minutes a seed lasts at least (default 2)
  --workers N threads that run seeds (default: the processors of this machine), each for a flaw of its own where there are so many
  --only N,…  these flaws, by name
  --known-first      where only a late seed is known to find a flaw: as many as --least up to that one, and all from the first on when none of these does
  --clean-elsewhere  leave the run without a flaw out: npm run simulate runs the same seeds
  --show      print the first seed that found each flaw: its faults, shortened, and its transcript

Exit code: 0 every flaw was found and the clean code held, 1 not so, 2 wrong arguments.`;

interface Options {
  seeds: number;
  seed: number;
  least: number;
  minutes: number;
  workers: number;
  only: readonly string[];
  knownFirst: boolean;
  cleanElsewhere: boolean;
  show: boolean;
}

interface Score {
  tried: number;
  found: number;
  readonly checks: Map<string, number>;
  firstSeed: number | null;
}

const CLEAN: Flaw = { name: 'none', rule: 'the code as it is', edits: [] };
const PROOF: Omit<ProofOptions, 'minutes'> = { twice: false, without: [] };
/** Seeds of a flaw that are over before optimized code has paid for itself. */
const FEW_SEEDS = 16;
const NUMBERS: ReadonlySet<string> = new Set(['seeds', 'seed', 'least', 'minutes', 'workers']);

function parse(args: readonly string[]): Options | null {
  const options: Options = { seeds: 500, seed: 1, least: Infinity, minutes: 2, workers: availableParallelism(), only: [], knownFirst: false, cleanElsewhere: false, show: false };
  for (let i = 0; i < args.length; i += 1) {
    const name = (args[i] ?? '').replace(/^--/, '');
    if (name === 'clean-elsewhere') options.cleanElsewhere = true;
    else if (name === 'known-first') options.knownFirst = true;
    else if (name === 'show') options.show = true;
    else {
      const text = args[(i += 1)] ?? '';
      const value = Number(text);
      if (name === 'only') options.only = text.split(',');
      else if (NUMBERS.has(name) && Number.isFinite(value) && value > 0) options[name as 'seeds' | 'seed' | 'least' | 'minutes' | 'workers'] = value;
      else return null;
    }
  }
  return options.only.every((wanted) => [CLEAN, ...FLAWS].some(({ name }) => name === wanted)) ? options : null;
}

/** The folder above the build that has the sources. */
function repositoryOf(build: string): string {
  let folder = dirname(build);
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

/** Runs the ordinary seeds on the code with the flaw in it, which is put below `folder`. */
async function tryFlaw(flaw: Flaw, options: Options, build: string, folder: string): Promise<Score> {
  const target = join(folder, flaw.name);
  plant(flaw, repositoryOf(build), build, target);
  const near = options.knownFirst ? nearKnown(flaw, options) : null;
  const known = near === null ? null : await runOn(target, near);
  const score = known !== null && known.found > 0 ? known : await runOn(target, options);
  if (!options.show) rmSync(target, { recursive: true, force: true });
  return score;
}

/** The seeds up to the one that found it the last time; `null` where these are the first ones, or are not asked for. */
function nearKnown({ seed: known }: Flaw, options: Options): Options | null {
  const { seed, seeds, least } = options;
  if (known === undefined || known < seed + least || known >= seed + seeds) return null;
  return { ...options, seed: known - least + 1, seeds: least };
}

async function runOn(target: string, { seed, seeds, least, workers, minutes }: Options): Promise<Score> {
  const worker = pathToFileURL(join(target, 'test/simulation/seed-worker.js'));
  const score: Score = { tried: 0, found: 0, checks: new Map(), firstSeed: null };
  await runSeeds({ first: seed, count: seeds, workers, proof: { ...PROOF, minutes }, worker }, ({ violation, seed: tried }) => {
    score.tried += 1;
    if (violation !== null) {
      score.found += 1;
      score.firstSeed ??= tried;
      score.checks.set(violation.check, (score.checks.get(violation.check) ?? 0) + 1);
    }
    return score.found === 0 || score.tried < least;
  });
  return score;
}

/** All of them in their order, several at a time: each thread has to compile what it runs, and two for one flaw would both do so for a few seeds. */
async function* tryAll(flaws: readonly Flaw[], options: Options, build: string, folder: string): AsyncGenerator<readonly [Flaw, Score]> {
  const planted = flaws.filter((flaw) => flaw !== CLEAN);
  if (planted.length < flaws.length) yield [CLEAN, await tryFlaw(CLEAN, { ...options, least: Infinity }, build, folder)];
  const atOnce = Math.min(options.workers, planted.length);
  const turns = new FewAtOnce(atOnce);
  const scores = planted.map((flaw) => turns.run(() => tryFlaw(flaw, { ...options, workers: Math.floor(options.workers / atOnce) }, build, folder)));
  // Told below, in its turn.
  for (const score of scores) score.catch(() => undefined);
  for (const [index, flaw] of planted.entries()) yield [flaw, await (scores[index] as Promise<Score>)];
}

function row(name: string, tried: string, found: string, first: string, rest: string): void {
  print(`${name.padEnd(31)} ${tried.padStart(5)} ${found.padStart(5)} ${first.padStart(6)}  ${rest}`);
}

function describe({ rule }: Flaw, { checks, firstSeed }: Score): string {
  const counts = [...checks].sort((a, b) => b[1] - a[1]).map(([check, count]) => `${check} ${count}`);
  return firstSeed === null ? rule : `${rule} | ${counts.join(', ')}`;
}

/** In a process of its own, so that the flaw stays out of this one. */
function show(target: string, seed: number, minutes: number): void {
  const main = join(target, 'test/simulation/main.js');
  spawnSync(process.execPath, [main, '--seed', String(seed), '--minutes', String(minutes), '--workers', '1', '--shrink'], { stdio: 'inherit' });
}

/** A thread runs the few seeds of one flaw and ends: optimizing its code as early as usual costs more than it brings there. */
function optimizeLate(): void {
  for (const flag of ['--always-sparkplug', '--interrupt-budget=500000']) setFlagsFromString(flag);
}

async function main(): Promise<number> {
  const options = parse(process.argv.slice(2));
  if (options === null) {
    process.stderr.write(`${USAGE}\n`);
    return 2;
  }
  if (options.least <= FEW_SEEDS) optimizeLate();
  // This module runs as <build>/test/simulation/flaws-main.js. The copies lie in the build, so that they find the packages that it finds.
  const build = fileURLToPath(new URL('../..', import.meta.url));
  const folder = mkdtempSync(join(build, 'flawed-'));
  const chosen = [CLEAN, ...FLAWS].filter((flaw) => (options.only.length === 0 ? flaw !== CLEAN || !options.cleanElsewhere : options.only.includes(flaw.name)));
  const wrong: string[] = [];
  row('flaw', 'seeds', 'found', 'first', 'what it breaks | checks that found it');
  try {
    for await (const [flaw, score] of tryAll(chosen, options, build, folder)) {
      if ((flaw === CLEAN) === score.found > 0) wrong.push(flaw.name);
      row(flaw.name, String(score.tried), String(score.found), String(score.firstSeed ?? '-'), describe(flaw, score));
      if (options.show && score.firstSeed !== null) show(join(folder, flaw.name), score.firstSeed, options.minutes);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const last = options.seed + options.seeds - 1;
  if (options.cleanElsewhere) print(`Without a flaw, seeds ${options.seed} to ${last} are run by the simulation itself (npm run simulate), and are clean where that holds.`);
  if (wrong.length > 0) print(`Not as it must be (a flaw not found, or clean code that failed): ${wrong.join(', ')}`);
  return wrong.length > 0 ? 1 : 0;
}

process.exitCode = await main();
