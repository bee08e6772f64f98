import { explore } from './explore.js';
import { BOUNDS, type Outcome, type Task } from './plan.js';
import { only, ROOTS } from './roots.js';
import type { World } from './model.js';

/** @throws RangeError for the name of no root */
export function startOf({ root, faults, kinds }: Pick<Task, 'root' | 'faults' | 'kinds'>): World {
  const found = ROOTS.find(({ name }) => name === root);
  if (found === undefined) throw new RangeError(`there is no root ${root}`);
  const world = found.world(faults, BOUNDS);
  return kinds === null ? world : only(world, kinds);
}

export function runTask(task: Task): Outcome {
  const began = performance.now();
  const result = explore({ flaw: task.flaw, faults: task.faults, statesMax: task.states, bounds: task.bounds, from: startOf(task) });
  return { task, result, seconds: (performance.now() - began) / 1_000 };
}
