import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { FLAWS, type Flaw } from './flaws.js';
import { ALL_KINDS, type Kinds } from './model.js';
import { DANGERS, ROOTS } from './roots.js';

/** With its part of the catalogue a state takes some 300 bytes: this many are three gigabytes. */
export const STATES_MAX = 10_000_000;
const FAULTS_MAX = 20;
const WALKS_MAX = 10_000_000;
const THREADS_MAX = 64;

export const USAGE = `npm run explore -- [--long] [--root NAME] [--flaw NAME] [--states N] [--faults N] [--kinds K,K] [--walks N] [--seed S] [--workers N] [--help]

Explores two servers of production rules, breadth-first through every order of events. Without arguments: from every root, with all that must
have happened on the way, and each rule left out near its danger, which must be found.

  --long        the same with some seven million states, three million of them from a pair in sync
  --root NAME   only from here: ${ROOTS.map(({ name }) => name).join(', ')}
  --flaw NAME   with this rule left out, from --root or else near its danger: ${FLAWS.join(', ')}
  --states N    end after N different states (default 250000 with --root, 60000 with --flaw; at most ${STATES_MAX})
  --faults N    faults that may happen on the way (default 3; 0 to ${FAULTS_MAX})
  --kinds K,K   only these kinds of faults, beside cuts of the network: ${Object.keys(ALL_KINDS).join(', ')}
  --walks N     instead of breadth-first: N walks at random, much deeper, each of which must end in a healed pair
  --seed S      of the first walk (default 1)
  --workers N   threads for different roots (default: the processors of this machine)
  --help        this text

Exit code: 0 as it shall be: nothing was found with all rules in force, every planted flaw was, and all was seen that had to be; 1 not so;
2 wrong arguments.`;

/** Everything, or one exploration, or walks. */
export type Command =
  | { readonly kind: 'help' }
  | { readonly kind: 'all'; readonly form: 'gate' | 'long'; readonly workers: number }
  | { readonly kind: 'one'; readonly flaw: Flaw; readonly root: string; readonly states: number; readonly faults: number; readonly kinds: Partial<Kinds> | null }
  | { readonly kind: 'walks'; readonly flaw: Flaw; readonly root: string; readonly walks: number; readonly seed: number; readonly faults: number; readonly kinds: Partial<Kinds> | null };

/** What is wrong with the arguments, for people. */
export class WrongArguments extends Error {}

const TEXT = { type: 'string' } as const;
const OPTIONS = { root: TEXT, flaw: TEXT, states: TEXT, faults: TEXT, kinds: TEXT, walks: TEXT, seed: TEXT, workers: TEXT, long: { type: 'boolean' }, help: { type: 'boolean' } } as const;

/** @throws WrongArguments */
export function parseCommand(args: readonly string[]): Command {
  const { values } = read(args);
  if (values.help === true) return { kind: 'help' };
  const flaw = values.flaw === undefined ? 'none' : oneOf('--flaw', values.flaw, FLAWS);
  const danger = DANGERS.find((one) => one.flaw === flaw);
  const isOne = values.root !== undefined || values.flaw !== undefined || values.walks !== undefined;
  if (!isOne) {
    for (const name of ['states', 'faults', 'kinds', 'seed'] as const) if (values[name] !== undefined) throw new WrongArguments(`--${name} goes with --root, --flaw or --walks`);
    return { kind: 'all', form: values.long === true ? 'long' : 'gate', workers: whole('--workers', values.workers, availableParallelism(), 1, THREADS_MAX) };
  }
  for (const name of ['long', 'workers'] as const) if (values[name] !== undefined) throw new WrongArguments(`--${name} does not go with --root, --flaw or --walks`);
  const isNear = values.root === undefined && danger !== undefined && values.walks === undefined;
  const root = isNear ? danger.root : oneOf('--root', values.root ?? 'in-sync', ROOTS.map(({ name }) => name));
  const faults = whole('--faults', values.faults, isNear ? danger.faults : 3, 0, FAULTS_MAX);
  const kinds = values.kinds === undefined ? (isNear ? danger.kinds : null) : kindsOf(values.kinds);
  const from = { flaw, root, faults, kinds };
  if (values.walks === undefined) {
    if (values.seed !== undefined) throw new WrongArguments('--seed goes with --walks');
    return { kind: 'one', ...from, states: whole('--states', values.states, flaw === 'none' ? 250_000 : 60_000, 1, STATES_MAX) };
  }
  if (values.states !== undefined) throw new WrongArguments('--states does not go with --walks');
  return { kind: 'walks', ...from, walks: whole('--walks', values.walks, 1, 1, WALKS_MAX), seed: whole('--seed', values.seed, 1, 1, 2 ** 31) };
}

function read(args: readonly string[]): ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>> {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, strict: true, allowPositionals: false });
  } catch (error) {
    throw new WrongArguments(error instanceof Error ? error.message : String(error));
  }
}

function whole(name: string, text: string | undefined, otherwise: number, least: number, most: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most) throw new WrongArguments(`${name} ${text}: a whole number from ${least} to ${most} is needed`);
  return value;
}

function oneOf<T extends string>(name: string, text: string, known: readonly T[]): T {
  const found = known.find((one) => one === text);
  if (found === undefined) throw new WrongArguments(`${name} ${text}: there are ${known.join(', ')}`);
  return found;
}

function kindsOf(text: string): Partial<Kinds> {
  const names = text === '' ? [] : text.split(',');
  return Object.fromEntries(names.map((name) => [oneOf('--kinds', name, Object.keys(ALL_KINDS) as (keyof Kinds)[]), ALL_KINDS[name as keyof Kinds]]));
}
