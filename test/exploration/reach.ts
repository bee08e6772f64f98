import { nameOf, steps, type Bounds, type Step } from './events.js';
import type { World } from './model.js';
import { problemIn } from './promises.js';
import { plainRules } from './rules.js';

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
 * @param without names of events that do not happen
 * @throws when it is not reached within WALK_STEPS_MAX events
 */
export function reach(from: World, goal: (world: World) => boolean, bounds: Bounds, seed = 1, ...without: readonly string[]): { world: World; path: readonly string[] } {
  let world: World = { ...from, faultsLeft: 0 };
  const choice = new Choice(seed);
  const rules = plainRules('none');
  const path: string[] = [];
  for (let i = 0; i < WALK_STEPS_MAX; i += 1) {
    if (goal(world)) return { world, path };
    const choices = steps(world, rules, bounds).filter((one) => !without.includes(nameOf(one)) && isPatient(world, one));
    const step = choices[choice.below(Math.max(1, choices.length))];
    if (step === undefined) break;
    path.push(nameOf(step));
    world = step.world;
    const problem = problemIn(world);
    if (problem !== null) throw new Error(`${problem}, after ${path.join(', ')}`);
  }
  throw new Error(`the goal is not reached: ${states(world)} (${world.servers.map((s) => s.ha.reason).join('; ')}) after ${path.slice(-30).join(', ')}`);
}

/** A walk to a goal gives up only what has no answer: what an operator asked for is not to be dropped for being slow. */
function isPatient(world: World, { side, event }: Step): boolean {
  return event !== 'finds its task overdue' || side === null || world.servers[side].claim?.kind === 'in-doubt';
}

export const states = (world: World): string => world.servers.map((s) => (s.up ? s.ha.state : 'DEAD')).join('+');

export const bothServe = (world: World): boolean => states(world) === 'ACTIVE+PASSIVE' || states(world) === 'PASSIVE+ACTIVE';
