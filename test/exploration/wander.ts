import { nameOf, steps, type Bounds, type Step } from './events.js';
import type { Flaw } from './flaws.js';
import type { World } from './model.js';
import { problemIn } from './promises.js';
import { bothServe, Choice, reach } from './reach.js';
import { plainRules } from './rules.js';

/*
 * The same worlds as the exploration's, walked through at random instead of all at once: much deeper, at the price of completeness.
 * Each walk ends with everything mended, and the pair must then come into sync again: this finds servers that wait for
 * each other for ever.
 */
export interface WanderOptions {
  readonly flaw: Flaw;
  readonly walks: number;
  readonly firstSeed: number;
  readonly bounds: Bounds;
  readonly from: World;
  /** Ends with the first finding. */
  readonly findingsMax?: number;
}

export interface Wandering {
  readonly walks: number;
  readonly steps: number;
  /** Walks at whose end no copy had a right to serve, as happens when disks are lost. */
  readonly given: number;
  readonly findings: readonly { readonly seed: number; readonly problem: string; readonly path: readonly string[] }[];
  readonly moves: ReadonlySet<string>;
}

const STEPS_MAX = 220;
/** One event in so many is a fault, when there are some. */
const FAULT_ONE_IN = 6;

export function wander(options: WanderOptions): Wandering {
  const { flaw, bounds, from, firstSeed, findingsMax = 1 } = options;
  const findings: { seed: number; problem: string; path: readonly string[] }[] = [];
  const moves = new Set<string>();
  const rules = plainRules(flaw);
  let [walks, count, given] = [0, 0, 0];
  for (let seed = firstSeed; seed < firstSeed + options.walks && findings.length < findingsMax; seed += 1) {
    walks += 1;
    const choice = new Choice(Math.imul(seed, 2_654_435_761) >>> 0);
    const path: string[] = [];
    let world = from;
    let problem: string | null = null;
    for (let i = 0; i < STEPS_MAX && problem === null; i += 1) {
      const next = chosen(world, steps(world, rules, bounds), choice);
      if (next === null) break;
      note(world, next.world, moves);
      path.push(nameOf(next));
      world = next.world;
      count += 1;
      problem = problemIn(world);
    }
    if (problem === null && flaw === 'none') {
      const healed = healing(from, world, bounds, seed);
      if (healed === 'given') given += 1;
      else problem = healed;
    }
    if (problem !== null) findings.push({ seed, problem, path });
  }
  return { walks, steps: count, given, findings, moves };
}

function note(before: World, after: World, moves: Set<string>): void {
  for (const [side, server] of after.servers.entries()) if (server.ha.moves > (before.servers[side]?.ha.moves ?? 0)) moves.add(`${server.ha.previous} → ${server.ha.state}`);
}

function chosen(world: World, all: readonly Step[], choice: Choice): Step | null {
  const faults = all.filter((step) => step.world.faultsLeft < world.faultsLeft);
  const usual = all.filter((step) => step.world.faultsLeft === world.faultsLeft);
  const from = faults.length > 0 && (usual.length === 0 || choice.below(FAULT_ONE_IN) === 0) ? faults : usual;
  return from[choice.below(Math.max(1, from.length))] ?? null;
}

/** `null` when the pair comes into sync again; `given` when no copy has a right to serve. */
function healing(from: World, world: World, bounds: Bounds, seed: number): string | null {
  try {
    // What the walk has used up shall not hold the pair up.
    reach(world, bothServe, { logMax: bounds.logMax + 3, termsMax: bounds.termsMax + 40 }, seed);
    return null;
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    if (/neither copy may serve|a copy is damaged and no term record/.test(text)) return 'given';
    // A promotion on a share that another one has replaced: whose data counts is the operator's to say.
    return from.kinds.promote > world.kinds.promote && /do not see the same term records|decide whose data counts/.test(text) ? 'given' : text;
  }
}
