import { createHashing } from '../../src/adapters/repository/hashing.js';
import { CRASH_CASES } from './repository-cases.js';
import { BLOWS, runCrash, type Blow } from './repository-crashes.js';
import type { PairShape } from './repository-pair.js';

const USAGE = `npm run simulate:repositories -- [--every N] [--blow NAME] [--case TEXT] [--first]

Runs whole syncs of two repository keepers in virtual time, each once for every step at which the receiver, its host, the sender or its host ends, or the sender is deposed.

  --every N    only every Nth step (default 1)
  --blow NAME  only this: ${BLOWS.join(', ')}
  --case TEXT  only cases with this in their name
  --first      stop at the first that is broken

Exit code: 0 nothing was broken, 1 something was, 2 wrong arguments.`;

type Shape = Pick<PairShape, 'exchange' | 'promised'>;
const SHAPES: readonly Shape[] = (['atomic', 'two-renames'] as const).flatMap((exchange) => (['ordered', 'loose'] as const).map((promised) => ({ exchange, promised })));

interface Options {
  every: number;
  blow: string | null;
  case: string;
  first: boolean;
}

function parse(args: readonly string[]): Options | null {
  const options: Options = { every: 1, blow: null, case: '', first: false };
  for (let i = 0; i < args.length; i += 1) {
    const name = args[i];
    if (name === '--first') options.first = true;
    else {
      const value = args[(i += 1)] ?? '';
      if (name === '--every' && Number(value) >= 1) options.every = Math.floor(Number(value));
      else if (name === '--blow' && BLOWS.some((blow) => blow === value)) options.blow = value;
      else if (name === '--case' && value !== '') options.case = value;
      else return null;
    }
  }
  return options;
}

async function run(options: Options): Promise<number> {
  const hashing = await createHashing();
  let broken = 0;
  let runs = 0;
  for (const given of CRASH_CASES.filter(({ name }) => name.includes(options.case))) {
    for (const shape of SHAPES) {
      for (const blow of BLOWS.filter((one): one is Blow => options.blow === null || one === options.blow)) {
        const begun = performance.now();
        let steps = 0;
        let found = 0;
        for (let at = 1; ; at += options.every) {
          const outcome = await runCrash(given, shape, blow, at, hashing);
          runs += 1;
          // Nothing happened any more: the sync has no such step.
          if (outcome.broken !== null) {
            found += 1;
            if (found <= 3) process.stdout.write(`BROKEN: ${given.name}, ${shape.exchange}, ${shape.promised}, ${blow} at step ${at}: ${outcome.broken}\n`);
            if (options.first) return 1;
          }
          if (outcome.steps < at) break;
          steps = at;
        }
        broken += found;
        process.stdout.write(`${given.name}, ${shape.exchange}, ${shape.promised}, ${blow}: ${steps} steps, ${found} broken, ${((performance.now() - begun) / 1000).toFixed(1)} s\n`);
      }
    }
  }
  process.stdout.write(`${runs} runs, ${broken} broken\n`);
  return broken === 0 && runs > 0 ? 0 : 1;
}

const options = parse(process.argv.slice(2));
if (options === null) {
  process.stderr.write(`${USAGE}\n`);
  process.exitCode = 2;
} else process.exitCode = await run(options);
