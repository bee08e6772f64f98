import { STAYS_AFTER_MS } from './checkers.js';
import { possibleFaults } from './fault-actions.js';
import { drawPlan } from './fault-plan.js';
import { FaultRunner } from './fault-runner.js';
import { describeFault, type Fault } from './faults.js';
import { Hitches } from './hitches.js';
import { History, operationsIn, type WorkloadFigures } from './history.js';
import { Pair } from './pair.js';
import { managerConfig } from './pair-config.js';
import { drawShape, type SeedShape } from './seed-shape.js';
import type { Violation, World } from './world.js';

export interface RunOptions {
  /** Virtual minutes at least. */
  readonly minutes: number;
  /** Keep also what each client does. */
  readonly detailed: boolean;
  readonly live: ((line: string) => void) | null;
  /** In place of the faults that the seed draws: for shortening a failure. */
  readonly faults: readonly Fault[] | null;
  /** Kinds of faults that are left out. */
  readonly without?: readonly string[];
}

export interface SeedResult {
  readonly seed: number;
  readonly violation: Violation | null;
  readonly hash: string;
  readonly transcript: readonly string[];
  /** As planned. */
  readonly faults: readonly Fault[];
  /** How many of them came about. */
  readonly happened: number;
  readonly plan: readonly string[];
  readonly virtualMs: number;
  readonly events: number;
  readonly moves: ReadonlyMap<string, number>;
  /** Log records appended by a serving server, by their type. */
  readonly records: ReadonlyMap<number, number>;
  readonly figures: WorkloadFigures;
  /** From the mending of the last fault to ACTIVE and PASSIVE with everyone caught up; `null` when it was not reached. */
  readonly healedAfterMs: number | null;
}

/** A server that answered a standstill would do so within this. */
const ANSWER_MS = 3_000;
/** Faults that still wait for their step when the time of trouble is over, or for a disk to be readable again, have so long. */
const FAULTS_LIMIT_MS = 10 * 60_000;
/** Clients that have done too little when everything is mended go on for so long at most. */
const ENOUGH_LIMIT_MS = 10 * 60_000;
const LOOK_EVERY_MS = 100;
/** After the mending the clients go on publishing for so long. */
const LAST_WORK_MS = 2_000;
/** ACTIVE and PASSIVE with everyone caught up must stay so for this long. */
const STEADY_MS = 1_500;

/** Runs one seed from its start to the judgement. Never rejects for what the code under test does. */
export async function runSeed(seed: number, options: RunOptions): Promise<SeedResult> {
  const pair = new Pair(seed, options.detailed, options.live);
  const { world } = pair;
  const random = world.random.fork('shape');
  const shape = drawShape(random, options.minutes);
  const history = new History(world);
  pair.build(shape, history);
  const faults = options.faults ?? drawPlan(random.fork('plan'), shape.plan, possibleFaults(pair.ground).filter((kind) => options.without?.includes(kind) !== true));
  const runner = new FaultRunner(pair.ground, faults, () => pair.workload.hurry());
  // Faults that were given are as many as they are.
  const faultsLeast = options.faults === null ? shape.least.faults : 0;
  const hadFaults = (): boolean => runner.happened >= faultsLeast;
  const hadOperations = (): boolean => operationsIn(history.figures) >= shape.least.operations;
  const rejected = (error: unknown): void => {
    world.fail('unhandled rejection', error instanceof Error ? (error.stack ?? error.message) : String(error));
  };
  process.on('unhandledRejection', rejected);
  try {
    for (const name of ['primary', 'secondary'] as const) world.schedule(shape.startMs[name], () => pair.server(name).start());
    pair.workload.start();
    runner.start();
    await world.run(shape.troubleUntilMs);
    if (world.violation === null && !hadFaults()) await world.run(world.now + FAULTS_LIMIT_MS, hadFaults);
    const mendedAt = world.now;
    const healedAfterMs = world.violation === null ? await heal(world, pair, runner, shape, hadOperations) : null;
    if (world.violation === null) {
      const { pingIntervalMs, pingMissLimit } = managerConfig('primary', shape.pace);
      // A manager that goes on speaks at every second of its ticks.
      new Hitches(pair.ground, pingIntervalMs * pingMissLimit - pingIntervalMs / 2, shape.pace).start(mendedAt + STAYS_AFTER_MS * shape.pace + 1, shape.untilMs - ANSWER_MS * shape.pace);
      await world.run(shape.untilMs);
    }
    if (world.violation === null) pair.judgeEnd();
    if (world.violation === null) pair.workload.judgeRetained();
    if (!hadFaults() || !hadOperations() || world.now < shape.least.minutes * 60_000) world.fail('a seed does enough', `${Math.floor(world.now)} ms, ${operationsIn(history.figures)} client operations, ${runner.happened} faults`);
    return {
      seed,
      violation: world.violation,
      hash: world.transcript.hash,
      transcript: world.transcript.lines(),
      faults,
      happened: runner.happened,
      plan: faults.map((fault) => `${(fault.atMs / 1000).toFixed(3)} s ${describeFault(fault)}`),
      virtualMs: world.now,
      events: world.executed,
      moves: pair.checkers.moves,
      records: pair.ledger.types,
      figures: history.figures,
      healedAfterMs,
    };
  } finally {
    process.off('unhandledRejection', rejected);
  }
}

/** Mends everything, and demands that the pair is whole within its bound and stays so. Where clients have done too little, they go on for a while before the end. */
async function heal(world: World, pair: Pair, runner: FaultRunner, shape: SeedShape, hadOperations: () => boolean): Promise<number | null> {
  const mendedAt = world.now;
  world.transcript.line('HEAL', 'everything is mended');
  runner.heal();
  pair.heal();
  if (!hadOperations() && (await world.run(mendedAt + shape.healLimitMs, () => pair.whole))) {
    pair.workload.hurry(ENOUGH_LIMIT_MS);
    await world.run(world.now + ENOUGH_LIMIT_MS, hadOperations);
  }
  if (world.violation !== null) return null;
  const from = hadOperations() ? world.now : mendedAt;
  let wholeSince: number | null = null;
  let done = false;
  const look = (): void => {
    const finishing = world.now - from > LAST_WORK_MS;
    if (finishing) pair.workload.finish();
    const whole = finishing && pair.whole && pair.workload.caughtUp;
    if (!whole) wholeSince = null;
    else if (pair.workload.sendAuditor()) wholeSince ??= world.now;
    done = wholeSince !== null && world.now - wholeSince >= STEADY_MS;
    if (!done) world.schedule(LOOK_EVERY_MS, look);
  };
  look();
  await world.run(from + shape.healLimitMs, () => done);
  if (done) return world.now - from;
  world.fail('whole again within the bound', `${Math.round(shape.healLimitMs / 1000)} s after everything was mended: ${pair.condition()}; ${pair.workload.lag()}`);
  return null;
}
