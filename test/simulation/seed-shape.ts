import type { PlanShape } from './fault-plan.js';
import { PLAIN_TUNING, replicationSilenceMs, type Durability, type SeedTuning } from './pair-config.js';
import type { Prng } from './prng.js';
import type { ClockShape } from './host.js';
import type { LongPayloads } from './publisher.js';
import type { WorkloadShape } from './workload.js';

/** What every single run must have had: one that did less proves too little, and counts as failed. */
export interface LeastOfASeed {
  readonly minutes: number;
  readonly operations: number;
  readonly faults: number;
}

/** A seed of the gate lasts two virtual minutes. */
export const GATE_MINUTES = 2;
/** One of the long form lasts ten. */
export const LONG_MINUTES = 10;

/** For two minutes 200 client operations and three faults, for ten 1,000 and five. */
export function leastOf(minutes: number): LeastOfASeed {
  return { minutes, operations: Math.ceil(100 * minutes), faults: minutes >= LONG_MINUTES ? 5 : minutes >= GATE_MINUTES ? 3 : 1 };
}

/** What one seed makes of a run, before anything happens. */
export interface SeedShape {
  readonly least: LeastOfASeed;
  /** Faults are planned before this. Once the run has had enough of them and of operations, everything is mended. */
  readonly troubleUntilMs: number;
  /** From the mending on, the pair has so long to be ACTIVE and PASSIVE with every consumer caught up. */
  readonly healLimitMs: number;
  /** The run lasts at least until here. */
  readonly untilMs: number;
  /** Every time of the profile is so many times the bundled one. */
  readonly pace: number;
  readonly plan: PlanShape;
  readonly workload: WorkloadShape;
  readonly clocks: { readonly primary: ClockShape; readonly secondary: ClockShape };
  readonly tuning: SeedTuning;
  /** As both profiles say at first. */
  readonly durability: Durability;
  /** The replication link of some pairs carries so little; `null`: as much as there is. */
  readonly narrowLink: NarrowLink | null;
  /** When each server is started first. */
  readonly startMs: { readonly primary: number; readonly secondary: number };
}

export interface NarrowLink {
  /** Of each direction, as long as the run lasts: such a link is nothing that could be mended. */
  readonly bytesPerSecond: number;
  /** Payloads that are longer on their way than the link may be silent. */
  readonly long: LongPayloads;
}

/**
 * Bound of the healing, from the mending of the last fault: a lock abandoned (2.5 s), the wait for the peer (10 s), a restart
 * of a paused or dead process, the copy, and clients that were away up to 15 s and dial, refused, once around.
 */
const HEAL_LIMIT_MS = 60_000;
/** Over a narrow link a copy with some long payloads takes its time. */
const HEAL_LIMIT_NARROW = 2;
/**
 * Long runs mostly have profiles with longer times than the bundled ones, as one may have at a slow share: the gate's seeds have those. The longer
 * the times, the fewer of a run's events are housekeeping. Each pace with its weight.
 */
const LONG_PACES = [[1, 1], [2, 2], [4, 5], [8, 12]] as const;
const QUIET_AT_START_MS = 8_000;
const TAIL_MS = 30_000;

function drawClock(random: Prng): ClockShape {
  const rate = random.chance(0.5) ? 1 : 1 + random.between(-0.01, 0.01);
  const wallOffsetMs = random.chance(0.5) ? 0 : random.pick([-1, 1]) * random.logBetween(10, 7_200_000);
  return { rate, wallOffsetMs };
}

/** So many seeds keep hardly a payload in memory, so that what waits in a queue is read back from the disk. */
const FORGETFUL_CHANCE = 0.5;
const FORGETFUL = { payloadCacheBytes: 300, indexEveryBytes: 1024, readHandlesMax: 1 };
/** … and so many write their snapshots more often: then the log is short, and payloads stand in snapshots alone. More of those that read them back, fewer of the others. */
const SNAPSHOTS_CHANCE = { forgetful: 0.6, others: 0.2 };
const SNAPSHOT_RECORDS = { low: 60, high: 250 };
/** … and so many have shorter segments: more of them to begin, to sync and to read. */
const SEGMENTS_CHANCE = 0.35;
const SEGMENT_BYTES = { low: 5 * 1024, high: 24 * 1024 };

/** So many pairs begin without syncing. */
const UNSYNCED_CHANCE = 0.25;

/** So many of the gate's pairs have a narrow link. */
const NARROW_CHANCE = 0.06;
const NARROW_BYTES_PER_SECOND = { low: 20_000, high: 60_000 };
/** So many times the silence that ends a link. */
const LONG_FOR = { low: 1.1, high: 1.6 };
const LONG_CHANCE = 0.12;

function drawNarrowLink(random: Prng): NarrowLink | null {
  if (!random.chance(NARROW_CHANCE)) return null;
  const bytesPerSecond = Math.round(random.logBetween(NARROW_BYTES_PER_SECOND.low, NARROW_BYTES_PER_SECOND.high));
  const bytes = Math.round((bytesPerSecond * replicationSilenceMs() * random.between(LONG_FOR.low, LONG_FOR.high)) / 1_000);
  return { bytesPerSecond, long: { bytes, chance: LONG_CHANCE } };
}

function drawTuning(random: Prng): SeedTuning {
  const isForgetful = random.chance(FORGETFUL_CHANCE);
  const { payloadCacheBytes, indexEveryBytes, readHandlesMax } = isForgetful ? FORGETFUL : { ...PLAIN_TUNING, ...PLAIN_TUNING.journal };
  const snapshotEveryRecords = random.chance(isForgetful ? SNAPSHOTS_CHANCE.forgetful : SNAPSHOTS_CHANCE.others) ? Math.round(random.logBetween(SNAPSHOT_RECORDS.low, SNAPSHOT_RECORDS.high)) : PLAIN_TUNING.snapshotEveryRecords;
  const segmentBytes = random.chance(SEGMENTS_CHANCE) ? Math.round(random.logBetween(SEGMENT_BYTES.low, SEGMENT_BYTES.high)) : PLAIN_TUNING.journal.segmentBytes;
  return { payloadCacheBytes, snapshotEveryRecords, journal: { segmentBytes, indexEveryBytes, readHandlesMax } };
}

/** Draws the shape of a run that lasts `minutes` of virtual time or somewhat more. */
export function drawShape(random: Prng, minutes: number): SeedShape {
  const untilMs = minutes * 60_000;
  const least = leastOf(minutes);
  const isLong = minutes >= LONG_MINUTES;
  const troubleUntilMs = Math.max(QUIET_AT_START_MS + 1_000, untilMs - TAIL_MS);
  const together = random.chance(0.6);
  const late = together ? random.between(0, 1_500) : random.logBetween(1_500, 25_000);
  const first = random.pick(['primary', 'secondary'] as const);
  const pace = isLong ? random.pick(LONG_PACES.flatMap(([each, weight]) => Array.from({ length: weight }, () => each))) : 1;
  // With longer times a long payload takes longer than clients wait for an answer, who send it again and again.
  const narrowLink = isLong ? null : drawNarrowLink(random.fork('narrow link'));
  return {
    least,
    pace,
    troubleUntilMs,
    healLimitMs: HEAL_LIMIT_MS * pace * (narrowLink === null ? 1 : HEAL_LIMIT_NARROW),
    untilMs,
    plan: {
      // Some seeds have trouble from the first moment on.
      fromMs: random.chance(0.25) ? 0 : QUIET_AT_START_MS,
      untilMs: troubleUntilMs,
      stretch: pace,
      faultsMin: least.faults,
      faultsMax: isLong ? Math.round(1.8 * minutes) : Math.round(4.5 * minutes),
    },
    // A long run has quiet stretches; most of what clients do falls when something goes wrong or is mended, since that is what could be lost.
    workload: {
      everyMs: isLong ? random.between(2_500, 5_000) : random.between(1_000, 2_000),
      busyEveryMs: random.between(300, 650),
      busyForMs: random.logBetween(1_500, 12_000),
      incidentEveryMs: random.logBetween(3_000, 60_000) * (isLong ? 3 : 1),
      long: narrowLink?.long ?? null,
    },
    clocks: { primary: drawClock(random), secondary: drawClock(random) },
    tuning: drawTuning(random.fork('tuning')),
    durability: random.fork('durability').chance(UNSYNCED_CHANCE) ? 'bothWithoutDiskSync' : 'both',
    narrowLink,
    startMs: { primary: first === 'primary' ? 10 : 10 + late, secondary: first === 'secondary' ? 10 : 10 + late },
  };
}
