import { createHash } from 'node:crypto';
import { following, journalId, serving } from './broker.js';
import { steps, type Bounds } from './events.js';
import type { Flaw } from './flaws.js';
import { highest, isReplaced, NAMES, newWorld, other, SIDES, type Side, type World } from './model.js';

export interface Finding {
  readonly problem: string;
  /** Names of the events that lead there, from the root. */
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

interface Trail {
  readonly parent: Trail | null;
  readonly name: string;
}

interface Node {
  readonly world: World;
  readonly trail: Trail;
}

export interface ExploreOptions {
  readonly flaw: Flaw;
  readonly faults: number;
  readonly statesMax: number;
  readonly bounds: Bounds;
  readonly from?: World;
}

/** Breadth-first over the two servers' worlds, until `statesMax` different ones were seen or none is left. */
export function explore(options: ExploreOptions): Exploration {
  const first: Node = { world: options.from ?? newWorld(options.faults), trail: { parent: null, name: 'start' } };
  const keys = new Keys();
  const seen = new Set<string>([keys.of(first.world)]);
  const moves = new Set<string>();
  const seenServing = new Set<string>();
  const result = (depth: number, finding: Finding | null): Exploration => ({ states: seen.size, depth, finding, moves, seenServing });
  let queue: Node[] = [first];
  let depth = 0;
  while (queue.length > 0) {
    const next: Node[] = [];
    depth += 1;
    for (const { world, trail } of queue) {
      for (const step of steps(world, options.flaw, options.bounds)) {
        const key = keys.of(step.world);
        if (seen.has(key)) continue;
        seen.add(key);
        const child: Node = { world: step.world, trail: { parent: trail, name: step.name } };
        noteMoves(world, step.world, moves, seenServing);
        const problem = problemIn(step.world);
        if (problem !== null) return result(depth, { problem, path: pathOf(child.trail) });
        if (seen.size >= options.statesMax) return result(depth, null);
        next.push(child);
      }
    }
    queue = next;
  }
  return result(depth, null);
}

const WALK_STEPS_MAX = 4_000;

/** A seeded choice: a linear congruential generator, good enough to take turns. */
export class Choice {
  constructor(private state: number) {}

  below(count: number): number {
    this.state = (Math.imul(this.state, 1_664_525) + 1_013_904_223) >>> 0;
    return (this.state >>> 8) % count;
  }
}

/**
 * Goes on from a world without further faults, one event after the other as a seeded choice has it, until the goal fits.
 * Fair in the long run, so a goal that is not reached points at a pair that got stuck.
 * @param without the name of an event that does not happen
 * @throws when it is not reached within WALK_STEPS_MAX events
 */
export function reach(from: World, goal: (world: World) => boolean, bounds: Bounds, seed = 1, without = ''): { world: World; path: readonly string[] } {
  let world: World = { ...from, faultsLeft: 0 };
  const choice = new Choice(seed);
  const path: string[] = [];
  for (let i = 0; i < WALK_STEPS_MAX; i += 1) {
    if (goal(world)) return { world, path };
    const choices = steps(world, 'none', bounds).filter((one) => one.name !== without);
    const step = choices[choice.below(Math.max(1, choices.length))];
    if (step === undefined) break;
    path.push(step.name);
    world = step.world;
    const problem = problemIn(world);
    if (problem !== null) throw new Error(`${problem}, after ${path.join(', ')}`);
  }
  throw new Error(`the goal is not reached: ${states(world)} (${world.servers.map((s) => s.ha.reason).join('; ')}) after ${path.slice(-30).join(', ')}`);
}

export const states = (world: World): string => world.servers.map((s) => (s.up ? s.ha.state : 'DEAD')).join('+');

export const bothServe = (world: World): boolean => states(world) === 'ACTIVE+PASSIVE' || states(world) === 'PASSIVE+ACTIVE';

function noteMoves(before: World, after: World, moves: Set<string>, serving: Set<string>): void {
  for (const side of SIDES) {
    const [a, b] = [before.servers[side].ha, after.servers[side].ha];
    if (b.moves > a.moves) moves.add(`${b.previous} → ${b.state}`);
    serving.add(b.state);
  }
}

/** The promises, seen from outside. */
export function problemIn(world: World): string | null {
  for (const side of SIDES) {
    const problem = lackOf(world, side) ?? lackOfMember(world, side) ?? unfenced(world, side);
    if (problem !== null) return problem;
  }
  for (const a of world.acked) {
    const twin = world.acked.find((b) => b !== a && b.position === a.position && b.term !== a.term);
    if (twin !== undefined) return `position ${a.position} was acknowledged in terms ${a.term} and ${twin.term}`;
  }
  const terms = world.servers.map((s) => (s.up && serving(s.broker) !== null ? s.broker.current : 0));
  // A promotion on another share may use a number that is used on the one before: the operator has accepted that.
  const isForced = world.promotion !== null && world.promotion.term === terms[0];
  if (terms[0] !== 0 && terms[0] === terms[1] && !isForced) return `both servers serve in term ${terms[0]}`;
  return null;
}

/** Nothing acknowledged is missing where somebody serves in a later term. */
function lackOf(world: World, side: Side): string | null {
  const { broker, up } = world.servers[side];
  if (!up || serving(broker) === null) return null;
  const lacks = world.acked.find((a) => a.within < broker.current && broker.log[a.position - 1] !== a.term);
  return lacks === undefined ? null : `${NAMES[side]} serves in term ${broker.current} without the acknowledged record ${lacks.position} of term ${lacks.term}`;
}

/** A copy that the highest record names has everything that was acknowledged up to then, durably: it may serve next, alone. */
function lackOfMember(world: World, side: Side): string | null {
  const { broker } = world.servers[side];
  const record = highest(world.share);
  if (record === null || broker.damaged || world.servers[other(side)].broker.journal === broker.journal) return null;
  if (!record.inSync.some((m) => m.server === NAMES[side] && m.journal === journalId(broker.journal))) return null;
  if (isReplaced(world, world.servers[side])) return null;
  if (broker.durable < record.position) return `${NAMES[side]} counts in term ${record.term}, but its log does not reach position ${record.position}`;
  const lacks = world.acked.find((a) => a.within <= record.term && (a.position > broker.durable || broker.log[a.position - 1] !== a.term));
  return lacks === undefined ? null : `${NAMES[side]} counts in term ${record.term} without the acknowledged record ${lacks.position} of term ${lacks.term}`;
}

/** R4: from the moment that a claim to serve alone is sent, nobody gets an acknowledgement out of the broker in the term before. */
function unfenced(world: World, side: Side): string | null {
  const { asked, broker, up } = world.servers[side];
  if (!up || asked === null || asked.inSync.length !== 1) return null;
  const speaks = broker.on || (following(broker) !== null && broker.link !== null);
  return speaks ? `${NAMES[side]} has sent its claim of term ${asked.term}, and its broker still ${broker.on ? 'serves' : 'copies'}` : null;
}

function pathOf(trail: Trail): string[] {
  const names: string[] = [];
  for (let at: Trail | null = trail; at !== null; at = at.parent) names.push(at.name);
  return names.reverse();
}

/**
 * Two worlds with the same key behave alike: what only people read is left out. Worlds share most of their parts with the one
 * before, so each part is turned into text once, and known by a number from then on.
 */
class Keys {
  private readonly parts = new WeakMap<object, number>();
  private readonly numbers = new Map<string, number>();

  of(world: World): string {
    const { servers, share, inFlight, onTheWay, acked, promotion, kinds, shareId, linkUp, backUp, faultsLeft } = world;
    const parts = [...servers.map((s) => this.server(s)), this.part(share), this.part(inFlight), this.part(onTheWay), this.part(acked), promotion === null ? '-' : this.part(promotion), this.part(kinds)];
    return `${parts.join()},${shareId},${Number(linkUp)},${Number(backUp)},${faultsLeft}`;
  }

  private server(server: World['servers'][Side]): number {
    return this.cached(server, () => {
      const { ha, broker, heard, kept, said, claim, asked, ...rest } = server;
      const state = this.cached(ha, () => JSON.stringify({ ...ha, reason: '', moves: 0, previous: '' }));
      return `${state},${[broker, heard, kept, said, claim, asked].map((one) => (one === null ? '-' : this.part(one))).join()},${JSON.stringify(rest)}`;
    });
  }

  private part(value: object): number {
    return this.cached(value, () => JSON.stringify(value));
  }

  private cached(value: object, text: () => string): number {
    const known = this.parts.get(value);
    if (known !== undefined) return known;
    const digest = createHash('md5').update(text()).digest('binary');
    const number = this.numbers.get(digest) ?? this.numbers.size;
    this.numbers.set(digest, number);
    this.parts.set(value, number);
    return number;
  }
}
