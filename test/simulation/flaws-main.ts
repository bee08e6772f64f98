import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { plant } from './flawed-build.js';
import { FLAWS, type Flaw } from './flaws.js';
import { runSeeds } from './pool.js';
import type { ProofOptions } from './prove-seed.js';

const USAGE = `npm run simulate:flaws -- [--seeds N] [--seed S] [--minutes M] [--workers N] [--only NAME,NAME] [--first]

Plants one mistake after the other into a copy of the compiled code, runs the ordinary seeds on it, and prints in how many of them it was
found. The same seeds without a flaw must be clean: that is run first.

  --seeds N   seeds for each flaw (default 100)
  --seed S    the first seed (default 1)
  --minutes M virtual minutes a seed lasts at least (default 2)
  --workers N threads that run seeds (default: the processors of this machine)
  --only N,…  these flaws, by name
  --first     end each flaw's run at the first seed that finds it

Exit code: 0 every flaw was found and the clean code held, 1 not so, 2 wrong arguments.`;

interface Options {
  seeds: number;
  seed: number;
  minutes: number;
  workers: number;
  only: readonly string[];
  first: boolean;
}

interface Score {
  tried: number;
  found: number;
  readonly checks: Map<string, number>;
  firstSeed: number | null;
}

const CLEAN: Flaw = { name: 'none', rule: 'the code as it is', edits: [] };
const PROOF: Omit<ProofOptions, 'minutes'> = { twice: false, without: [] };

function parse(args: readonly string[]): Options | null {
  const options: Options = { seeds: 100, seed: 1, minutes: 2, workers: availableParallelism(), only: [], first: false };
  for (let i = 0; i < args.length; i += 1) {
    const name = args[i];
    if (name === '--first') {
      options.first = true;
      continue;
    }
    const text = args[(i += 1)] ?? '';
    if (name === '--only') options.only = text.split(',');
    else if (name === '--seeds' || name === '--seed' || name === '--minutes' || name === '--workers') {
      const value = Number(text);
      if (!Number.isFinite(value) || value <= 0) return null;
      options[name.slice(2) as 'seeds' | 'seed' | 'minutes' | 'workers'] = value;
    } else return null;
  }
  return options.only.every((wanted) => [CLEAN, ...FLAWS].some(({ name }) => name === wanted)) ? options : null;
}

/** The folder above the build that has the sources. */
function repositoryOf(build: string): string {
  let folder = dirname(build);
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

/** Runs the ordinary seeds on the code with the flaw in it. */
async function tryFlaw(flaw: Flaw, options: Options, build: string, folder: string): Promise<Score> {
  const target = join(folder, flaw.name);
  plant(flaw, repositoryOf(build), build, target);
  const worker = pathToFileURL(join(target, 'test/simulation/seed-worker.js'));
  const score: Score = { tried: 0, found: 0, checks: new Map(), firstSeed: null };
  const { seed, seeds, workers, minutes, first } = options;
  await runSeeds({ first: seed, count: seeds, workers, proof: { ...PROOF, minutes }, worker }, ({ violation, seed: tried }) => {
    score.tried += 1;
    if (violation === null) return true;
    score.found += 1;
    score.firstSeed ??= tried;
    score.checks.set(violation.check, (score.checks.get(violation.check) ?? 0) + 1);
    return !first;
  });
  rmSync(target, { recursive: true, force: true });
  return score;
}

function line(name: string, tried: string, found: string, rest: string): void {
  process.stdout.write(`${name.padEnd(32)} ${tried.padStart(6)} ${found.padStart(6)}  ${rest}\n`);
}

function describe({ checks, firstSeed }: Score): string {
  const counts = [...checks].sort((a, b) => b[1] - a[1]).map(([check, count]) => `${check} ${count}`);
  return firstSeed === null ? '' : `first ${firstSeed}; ${counts.join(', ')}`;
}

async function main(): Promise<number> {
  const options = parse(process.argv.slice(2));
  if (options === null) {
    process.stderr.write(`${USAGE}\n`);
    return 2;
  }
  // This module runs as <build>/test/simulation/flaws-main.js. The copies lie in the build, so that they find the packages that it finds.
  const build = fileURLToPath(new URL('../..', import.meta.url));
  const folder = mkdtempSync(join(build, 'flawed-'));
  const chosen = [CLEAN, ...FLAWS].filter(({ name }) => options.only.length === 0 || options.only.includes(name));
  let missed = 0;
  line('flaw', 'seeds', 'found', 'by');
  try {
    for (const flaw of chosen) {
      const score = await tryFlaw(flaw, options, build, folder);
      if ((flaw === CLEAN) === score.found > 0) missed += 1;
      line(flaw.name, String(score.tried), String(score.found), describe(score));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return missed > 0 ? 1 : 0;
}

process.exitCode = await main();
