import { Catalogue } from './catalogue.js';
import { nameOf, steps, type Bounds } from './events.js';
import type { Flaw } from './flaws.js';
import { Happenings } from './happenings.js';
import { newWorld, type World } from './model.js';
import { problemIn } from './promises.js';
import { Tuples } from './tuples.js';

export interface Finding {
  readonly problem: string;
  /** Names of the events that lead there, from the root. */
  readonly path: readonly string[];
}

export interface Exploration {
  /** Different states that were visited. */
  readonly states: number;
  /** Events between the root and the last of them. */
  readonly depth: number;
  /** No state was left to go on from: everything within the bounds was visited. */
  readonly isComplete: boolean;
  readonly finding: Finding | null;
  /** Every (from, to) that was decided. */
  readonly moves: readonly string[];
  /** How often each kind of event happened, on the way to a state that was visited. */
  readonly happened: Readonly<Record<string, number>>;
}

export interface ExploreOptions {
  readonly flaw: Flaw;
  readonly faults: number;
  readonly statesMax: number;
  readonly bounds: Bounds;
  readonly from?: World;
  readonly problemIn?: (world: World) => string | null;
}

/** Breadth-first over the two servers' worlds, until `statesMax` different ones were seen or none is left. */
export function explore(options: ExploreOptions): Exploration {
  const moves = new Set<string>();
  const catalogue = new Catalogue(options.flaw, (from, to) => moves.add(`${from} → ${to}`));
  const seen = new Seen(catalogue);
  const happenings = new Happenings();
  const problemOf = options.problemIn ?? problemIn;
  let depth = 0;
  const result = (isComplete: boolean, problem: string | null): Exploration => ({
    states: seen.size,
    depth,
    isComplete,
    finding: problem === null ? null : { problem, path: seen.path(seen.size - 1) },
    moves: [...moves].sort(),
    happened: Object.fromEntries(happenings.counts),
  });
  seen.visit(options.from ?? newWorld(options.faults), 0, 'start');
  let levelEnds = 0;
  for (let number = 0; number < seen.size; number += 1) {
    if (number === levelEnds) {
      levelEnds = seen.size;
      depth += 1;
    }
    const world = seen.world(number);
    for (const step of steps(world, catalogue, options.bounds)) {
      happenings.note(world, step);
      if (!seen.visit(step.world, number, step)) continue;
      const problem = problemOf(step.world);
      if (problem !== null || seen.size >= options.statesMax) return result(false, problem);
    }
  }
  return result(true, null);
}

/** Columns of a state: the three numbers of its world, the state that it was reached from, and by which event. */
const PARENT = 3;
const EVENT = 4;

class Seen {
  private readonly rows = new Tuples(3, 5, 65_536);
  private readonly row = new Uint32Array(5);
  private readonly names: string[] = [];
  private readonly numberOfName = new Map<string, number>();

  constructor(private readonly catalogue: Catalogue) {}

  get size(): number {
    return this.rows.size;
  }

  /** True when the world is new. */
  visit(world: World, parent: number, step: Parameters<typeof nameOf>[0] | 'start'): boolean {
    const { row, rows } = this;
    this.catalogue.number(world, row);
    row[PARENT] = parent;
    const before = rows.size;
    row[EVENT] = 0;
    const number = rows.add(row);
    if (number < before) return false;
    rows.set(number, EVENT, this.name(step === 'start' ? step : nameOf(step)));
    return true;
  }

  world(number: number): World {
    return this.catalogue.world(this.rows.at(number, 0), this.rows.at(number, 1), this.rows.at(number, 2));
  }

  path(last: number): string[] {
    const path: string[] = [];
    for (let at = last; ; at = this.rows.at(at, PARENT)) {
      path.push(this.names[this.rows.at(at, EVENT)] ?? '');
      if (at === 0) return path.reverse();
    }
  }

  private name(name: string): number {
    const known = this.numberOfName.get(name);
    if (known !== undefined) return known;
    const number = this.names.push(name) - 1;
    this.numberOfName.set(name, number);
    return number;
  }
}
