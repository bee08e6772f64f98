import { isMove } from '../../src/core/ha/moves.js';
import type { ServerState } from '../../src/core/identity.js';
import type { Bounds } from './events.js';
import type { Exploration } from './explore.js';
import type { Flaw } from './flaws.js';
import { HAPPENINGS } from './happenings.js';
import type { Kinds } from './model.js';
import { DANGERS, ROOTS } from './roots.js';

/** What a pair may do at most within an exploration. */
export const BOUNDS: Bounds = { logMax: 3, termsMax: 9 };
/** So little that everything within it can be visited. */
const SMALL: Bounds = { logMax: 2, termsMax: 3 };

/** One exploration: where it begins, and how far it goes. Plain data, to be sent to a thread. */
export interface Task {
  readonly root: string;
  readonly states: number;
  readonly faults: number;
  /** Only these kinds of faults, so often; `null`: all kinds. Fewer kinds lead deeper. */
  readonly kinds: Partial<Kinds> | null;
  readonly flaw: Flaw;
  readonly bounds: Bounds;
}

export interface Outcome {
  readonly task: Task;
  readonly result: Exploration;
  readonly seconds: number;
}

type Sizes = Readonly<Record<'inSync' | 'other' | 'narrow' | 'faults', number>>;

/** Every root: the pair in sync the most, and some with few kinds of faults, which leads further from the root. */
const sizes = { gate: { inSync: 100_000, other: 14_000, narrow: 50_000, faults: 3 }, long: { inSync: 3_000_000, other: 200_000, narrow: 300_000, faults: 4 } } satisfies Record<string, Sizes>;

/** `least`: a mistake was found so deep. */
type Narrow = Pick<Task, 'root' | 'faults' | 'kinds'> & { readonly least?: number };

const NARROW: readonly Narrow[] = [
  { root: 'in-sync', faults: 2, kinds: { switchover: 1, crash: 1 } },
  { root: 'unsynced', faults: 2, kinds: { switchover: 1, crash: 1 } },
  { root: 'in-sync', faults: 2, kinds: { diskStall: 1, crash: 1 } },
  { root: 'admission-unanswered', faults: 2, kinds: { promote: 1 } },
  // A doubtful claim of R9 that is kept on shows after 170,849 states.
  { root: 'adoption', faults: 2, kinds: { replace: 1, promote: 1 }, least: 180_000 },
];

/** To their end, with a smaller log and fewer terms; the gate has the first. */
const COMPLETE: readonly [Narrow, ...Narrow[]] = [
  { root: 'in-sync', faults: 1, kinds: { switchover: 1 } },
  { root: 'in-sync', faults: 1, kinds: { replace: 1 } },
  { root: 'in-sync', faults: 1, kinds: { crash: 1 } },
];
const COMPLETE_STATES_MAX = 2_000_000;

/** Fewer in all are not the proof that the form stands for. */
export const STATES_LEAST: Readonly<Record<keyof typeof sizes, number>> = { gate: 250_000, long: 2_500_000 };

export function planOf(form: keyof typeof sizes): Task[] {
  const { inSync, other, narrow, faults } = sizes[form];
  const wide = ROOTS.map(({ name }) => ({ root: name, states: name === 'in-sync' ? inSync : other, faults, kinds: null }));
  const within = [...wide, ...NARROW.map(({ least = 0, ...task }) => ({ ...task, states: Math.max(narrow, least) }))].map((task) => ({ ...task, bounds: BOUNDS }));
  const complete = (form === 'gate' ? COMPLETE.slice(0, 1) : COMPLETE).map((task) => ({ ...task, states: COMPLETE_STATES_MAX, bounds: SMALL }));
  const tasks = [...complete, ...within].map((task) => ({ ...task, flaw: 'none' as const }));
  return tasks.sort((a, b) => b.states - a.states);
}

/** States within which a planted flaw must be found. */
const FLAW_STATES_MAX = 60_000;
const CLEAN_STATES_LEAST = 5_000;

/** Each rule left out, near its danger. */
export function flawTasks(): Task[] {
  return DANGERS.map((danger) => ({ ...danger, states: FLAW_STATES_MAX, bounds: BOUNDS }));
}

/** With every rule in force, from the same start and at least as far, nothing may be found. */
export function withoutFlaw({ task, result }: Outcome): Task {
  return { ...task, flaw: 'none', states: Math.max(result.states, CLEAN_STATES_LEAST) };
}

const STATES: readonly ServerState[] = ['WAITING', 'PASSIVE_SYNC', 'ACTIVE_SYNC', 'PASSIVE', 'ACTIVE', 'STANDALONE'];

/** Every row of the table of moves, as an exploration names it. */
export const MOVES_TO_SEE: readonly string[] = STATES.flatMap((from) => STATES.filter((to) => isMove(from, to)).map((to) => `${from} → ${to}`));

/** How often each thing happened, over all of them. */
export function sumOf(outcomes: readonly Outcome[]): Map<string, number> {
  const sum = new Map<string, number>();
  for (const { result } of outcomes) for (const [what, count] of Object.entries(result.happened)) sum.set(what, (sum.get(what) ?? 0) + count);
  return sum;
}

/** What these explorations together had to show and did not. Empty when all was seen. */
export function unseen(outcomes: readonly Outcome[]): string[] {
  const moves = new Set(outcomes.flatMap(({ result }) => result.moves));
  const happened = sumOf(outcomes);
  return [...MOVES_TO_SEE.filter((move) => !moves.has(move)), ...HAPPENINGS.filter((what) => !happened.has(what))];
}
