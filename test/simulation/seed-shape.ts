import type { PlanShape } from './fault-plan.js';
import type { Prng } from './prng.js';
import type { ClockShape } from './host.js';
import type { WorkloadShape } from './workload.js';

/** What one seed makes of a run, before anything happens. */
export interface SeedShape {
  /** Faults happen before this; then everything is mended. */
  readonly troubleUntilMs: number;
  /** From the mending on, the pair has so long to be ACTIVE and PASSIVE with every consumer caught up. */
  readonly healLimitMs: number;
  /** The run lasts at least until here. */
  readonly untilMs: number;
  readonly plan: PlanShape;
  readonly workload: WorkloadShape;
  readonly clocks: { readonly primary: ClockShape; readonly secondary: ClockShape };
  /** When each server is started first. */
  readonly startMs: { readonly primary: number; readonly secondary: number };
}

/**
 * Bound of the healing, from the mending of the last fault: a lock abandoned (2.5 s), the wait for the peer (10 s), a restart
 * of a paused or dead process, the copy, and clients that were away up to 15 s and dial, refused, once around.
 */
const HEAL_LIMIT_MS = 60_000;
const QUIET_AT_START_MS = 8_000;
const TAIL_MS = 30_000;

function drawClock(random: Prng): ClockShape {
  const rate = random.chance(0.5) ? 1 : 1 + random.between(-0.01, 0.01);
  const wallOffsetMs = random.chance(0.5) ? 0 : random.pick([-1, 1]) * random.logBetween(10, 7_200_000);
  return { rate, wallOffsetMs };
}

/** Draws the shape of a run that lasts `minutes` of virtual time or somewhat more. */
export function drawShape(random: Prng, minutes: number): SeedShape {
  const untilMs = minutes * 60_000;
  const troubleUntilMs = Math.max(QUIET_AT_START_MS + 1_000, untilMs - TAIL_MS);
  const together = random.chance(0.6);
  const late = together ? random.between(0, 1_500) : random.logBetween(1_500, 25_000);
  const first = random.pick(['primary', 'secondary'] as const);
  return {
    troubleUntilMs,
    healLimitMs: HEAL_LIMIT_MS,
    untilMs,
    plan: {
      // Some seeds have trouble from the first moment on.
      fromMs: random.chance(0.25) ? 0 : QUIET_AT_START_MS,
      untilMs: troubleUntilMs,
      faultsMin: 3 + Math.floor((minutes - 2) / 4),
      faultsMax: Math.round(4.5 * minutes),
    },
    workload: { everyMs: random.between(330, 620), incidentEveryMs: random.logBetween(3_000, 60_000) },
    clocks: { primary: drawClock(random), secondary: drawClock(random) },
    startMs: { primary: first === 'primary' ? 10 : 10 + late, secondary: first === 'secondary' ? 10 : 10 + late },
  };
}
