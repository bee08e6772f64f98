import { join } from 'node:path';
import { judge, type Judgement } from './judgement.js';
import type { Lab } from './lab.js';
import { Load } from './load.js';
import { describeMoves } from './moves.js';
import type { Scenario } from './scenario.js';
import type { ShareKind } from './share.js';
import { Stage } from './stage.js';

/** A line of the table. */
export interface Outcome {
  readonly scenario: string;
  readonly share: ShareKind;
  readonly judgement: Judgement | null;
  readonly moves: string;
  readonly seconds: number;
  /** Empty: what was promised was seen. */
  readonly faults: readonly string[];
}

/**
 * Runs a scenario on a pair that is in step: clients first, then the fault and its end, then the demand that the pair comes back into step and every
 * client catches up, then the judgement of what the clients wrote down. Never rejects: what was not so is a fault of the outcome.
 */
export async function runScenario(lab: Lab, scenario: Scenario, name: string): Promise<Outcome> {
  const began = performance.now();
  const faults: string[] = [];
  const load = new Load(lab.network, lab.folder, name, lab.undo);
  let stage: Stage | null = null;
  try {
    stage = new Stage(lab, load, await lab.inStep());
    await load.started();
    load.mark(scenario.name);
    await scenario.run(stage);
    await lab.heal();
    load.mark('healed');
    const { serving } = await lab.inStep();
    await load.flows();
    const same = serving === stage.serving;
    if (scenario.ends !== 'either' && same !== (scenario.ends === 'same')) faults.push(`the ${serving.role} server serves in the end: ${scenario.ends === 'same' ? 'the one from before was to' : 'the other was to'}`);
  } catch (error) {
    faults.push(error instanceof Error ? error.message : String(error));
  }
  await load.finish();
  if (!load.now.caughtUp) faults.push(`the clients did not catch up: ${load.now.inFlight} messages are not acknowledged`);
  await load.end();
  const judgement = judged(lab, load, faults);
  return { scenario: scenario.name, share: lab.kind, judgement, moves: describeMoves(stage?.moves ?? []), seconds: (performance.now() - began) / 1000, faults };
}

function judged(lab: Lab, load: Load, faults: string[]): Judgement | null {
  try {
    const judgement = judge(join(lab.folder, 'installed', 'node_modules', '.bin', 'lockstep'), load.historyFile);
    faults.push(...judgement.violations);
    return judgement;
  } catch (error) {
    faults.push(error instanceof Error ? error.message : String(error));
    return null;
  }
}
