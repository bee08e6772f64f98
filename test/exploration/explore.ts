import { steps, type Bounds } from './events.js';
import { NAMES, newWorld, SIDES, type Flaw, type World } from './model.js';

export interface Finding {
  readonly problem: string;
  /** Names of the events that lead there, from the start. */
  readonly path: readonly string[];
}

export interface Exploration {
  readonly states: number;
  readonly depth: number;
  readonly finding: Finding | null;
  /** Every (from, to) that was seen. */
  readonly moves: ReadonlySet<string>;
  readonly seenServing: ReadonlySet<string>;
}

interface Node {
  readonly world: World;
  readonly parent: Node | null;
  readonly name: string;
  readonly depth: number;
}

/** Breadth-first over the two servers' worlds, until `statesMax` different ones were seen or none is left. */
export function explore(options: { flaw: Flaw; faults: number; statesMax: number; bounds: Bounds; from?: World }): Exploration {
  const first: Node = { world: options.from ?? newWorld(options.faults), parent: null, name: 'start', depth: 0 };
  const seen = new Set<string>([keyOf(first.world)]);
  const moves = new Set<string>();
  const seenServing = new Set<string>();
  let queue: Node[] = [first];
  let depth = 0;
  while (queue.length > 0) {
    const next: Node[] = [];
    for (const node of queue) {
      depth = node.depth;
      for (const step of steps(node.world, options.flaw, options.bounds)) {
        const key = keyOf(step.world);
        if (seen.has(key)) continue;
        seen.add(key);
        const child = { world: step.world, parent: node, name: step.name, depth: node.depth + 1 };
        noteMoves(node.world, step.world, moves, seenServing);
        const problem = problemIn(step.world);
        if (problem !== null) return { states: seen.size, depth: child.depth, finding: { problem, path: pathOf(child) }, moves, seenServing };
        if (seen.size >= options.statesMax) return { states: seen.size, depth: child.depth, finding: null, moves, seenServing };
        next.push(child);
      }
    }
    queue = next;
  }
  return { states: seen.size, depth, finding: null, moves, seenServing };
}

const WALK_STEPS_MAX = 3_000;

/**
 * Goes on from a world without further faults, one event after the other as a seeded choice has it, until the goal fits.
 * Fair in the long run, so a goal that is not reached points at a pair that got stuck.
 * @throws when it is not reached within WALK_STEPS_MAX events
 */
export function reach(from: World, goal: (world: World) => boolean, bounds: Bounds, seed = 1): { world: World; path: readonly string[] } {
  let world: World = { ...from, faultsLeft: 0 };
  let state = seed;
  const path: string[] = [];
  for (let i = 0; i < WALK_STEPS_MAX; i += 1) {
    if (goal(world)) return { world, path };
    const choices = steps(world, 'none', bounds);
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const step = choices[(state >>> 8) % choices.length];
    if (step === undefined) break;
    path.push(step.name);
    world = step.world;
  }
  throw new Error(`the goal is not reached: ${states(world)} (${world.servers.map((s) => s.ha.reason).join('; ')}) after ${path.slice(-30).join(', ')}`);
}

export const states = (world: World): string => world.servers.map((s) => (s.up ? s.ha.state : 'DEAD')).join('+');

/** The primary ACTIVE, the secondary PASSIVE, one acknowledged record on both. */
export function pairInSync(faults: number, bounds: Bounds): World {
  const isThere = (w: World): boolean => states(w) === 'ACTIVE+PASSIVE' && w.acked.length === 1 && w.servers[1].heard?.state === 'ACTIVE' && w.servers[0].heard?.state === 'PASSIVE';
  return { ...reach(newWorld(0), isThere, { ...bounds, logMax: 1 }).world, faultsLeft: faults };
}

function noteMoves(before: World, after: World, moves: Set<string>, serving: Set<string>): void {
  for (const side of SIDES) {
    const [a, b] = [before.servers[side].ha, after.servers[side].ha];
    if (b.moves > a.moves) moves.add(`${b.previous} → ${b.state}`);
    serving.add(b.state);
  }
}

/** The promises, seen from outside: nothing acknowledged is missing where somebody serves, and a term has one voice. */
function problemIn(world: World): string | null {
  for (const side of SIDES) {
    const { broker, up } = world.servers[side];
    const role = broker.obeyed.role;
    if (!up || role.kind !== 'serve') continue;
    const lacks = world.acked.find((a) => a.term < role.term && broker.log[a.position - 1] !== a.term);
    if (lacks !== undefined) return `${NAMES[side]} serves in term ${role.term} without the acknowledged record ${lacks.position} of term ${lacks.term}`;
  }
  for (const a of world.acked) {
    const twin = world.acked.find((b) => b !== a && b.position === a.position && b.term !== a.term);
    if (twin !== undefined) return `position ${a.position} was acknowledged in terms ${a.term} and ${twin.term}`;
  }
  const terms = world.servers.map((s) => (s.up && s.broker.obeyed.role.kind === 'serve' ? s.broker.obeyed.role.term : 0));
  if (terms[0] !== 0 && terms[0] === terms[1]) return `both servers serve in term ${terms[0]}`;
  return null;
}

function pathOf(node: Node): string[] {
  const names: string[] = [];
  for (let at: Node | null = node; at !== null; at = at.parent) names.push(at.name);
  return names.reverse();
}

/** Two worlds with the same key behave alike: what only people read is left out. */
function keyOf(world: World): string {
  return JSON.stringify(world, (key, value: unknown) => (key === 'reason' || key === 'moves' || key === 'previous' || key === 'at' ? undefined : value));
}
