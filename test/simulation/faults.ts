import type { Prng } from './prng.js';

export type HostName = 'primary' | 'secondary';

/**
 * One thing that goes wrong, as data: a plan can be printed, repeated, and shortened while a violation stays.
 * `forMs`: until it is undone (a restart, a mended link). `amount`: what the kind makes of it, in [0, 1).
 */
export interface Fault {
  readonly kind: FaultKind;
  readonly atMs: number;
  readonly forMs: number;
  readonly host: HostName;
  readonly amount: number;
}

/** The kinds, with the range of their duration in milliseconds, drawn evenly over orders of magnitude. */
export const FAULT_KINDS = {
  'broker-killed': { low: 1, high: 1 },
  'keeper-killed': { low: 1, high: 1 },
  'manager-killed': { low: 300, high: 15_000 },
  'server-killed': { low: 300, high: 15_000 },
  'host-lost-power': { low: 1_000, high: 40_000 },
  'both-hosts-lost-power': { low: 1_000, high: 20_000 },
  'broker-paused': { low: 30, high: 40_000 },
  'keeper-paused': { low: 30, high: 40_000 },
  'manager-paused': { low: 30, high: 40_000 },
  'host-frozen': { low: 30, high: 60_000 },
  'host-suspended': { low: 200, high: 60_000 },
  'wall-stepped': { low: 1, high: 1 },
  'link-cut': { low: 50, high: 30_000 },
  'link-cut-one-way': { low: 50, high: 30_000 },
  'backchannel-cut': { low: 50, high: 30_000 },
  'backchannel-cut-one-way': { low: 50, high: 30_000 },
  'replication-cut': { low: 50, high: 30_000 },
  'link-slow': { low: 500, high: 20_000 },
  'gateway-cut': { low: 500, high: 30_000 },
  'gateway-gone': { low: 500, high: 20_000 },
  'link-and-gateway-cut': { low: 500, high: 30_000 },
  'share-slow': { low: 500, high: 20_000 },
  'share-hung': { low: 200, high: 30_000 },
  'share-gone': { low: 200, high: 30_000 },
  'share-read-only': { low: 200, high: 20_000 },
  'share-full': { low: 200, high: 20_000 },
  'share-replies-lost': { low: 500, high: 20_000 },
  'share-lists-stale': { low: 1_000, high: 30_000 },
  'share-restarted': { low: 100, high: 5_000 },
  'lock-broken': { low: 3_000, high: 80_000 },
  'lock-stolen': { low: 1, high: 1 },
  'disk-sync-fails': { low: 1, high: 1 },
  'disk-full': { low: 500, high: 15_000 },
  'disk-slow': { low: 500, high: 10_000 },
  'disk-bit-flipped': { low: 1_000, high: 10_000 },
  'disk-wiped': { low: 500, high: 10_000 },
  'share-replaced': { low: 1, high: 1 },
  'links-reset': { low: 1, high: 1 },
  'clients-reset': { low: 1, high: 1 },
  'clients-cut': { low: 50, high: 10_000 },
  switchover: { low: 1, high: 1 },
  'server-stopped': { low: 1_000, high: 20_000 },
} as const satisfies Readonly<Record<string, { low: number; high: number }>>;

export type FaultKind = keyof typeof FAULT_KINDS;

/**
 * Kinds that destroy a copy. They wait until the other copy is whole and counts: corruption of one copy together with the loss of the
 * other is not promised to be survived (arbitration, section 6).
 */
export const DAMAGING: ReadonlySet<FaultKind> = new Set<FaultKind>(['disk-sync-fails', 'disk-bit-flipped', 'disk-wiped']);

/** What takes a whole server away, and how long the second of two such faults lasts. */
const OUTAGES: readonly FaultKind[] = ['host-lost-power', 'server-killed', 'manager-killed', 'host-frozen', 'host-suspended', 'link-cut', 'server-stopped'];
const SECOND_OUTAGE_MS = { low: 4_000, high: 45_000 };
/** So often a fault is answered by the outage of the other server, about when the first one is over: the loss that membership is for. */
const ANSWER_CHANCE = 0.35;

/** Half of the kinds are out in each seed, so that the others meet in combinations that a mixture of all would drown. */
const KIND_CHANCE = 0.5;
/** Faults come in bursts: so often a fault is close behind the one before. */
const BURST_CHANCE = 0.4;
const BURST_GAP_MS = { low: 1, high: 4_000 };

export interface PlanShape {
  readonly fromMs: number;
  readonly untilMs: number;
  readonly faultsMin: number;
  readonly faultsMax: number;
}

/** Draws the faults of one run, oldest first. `allowed` leaves kinds out that this pair cannot have. */
export function drawPlan(random: Prng, shape: PlanShape, allowed: readonly FaultKind[]): Fault[] {
  const kinds = allowed.filter(() => random.chance(KIND_CHANCE));
  if (kinds.length === 0) kinds.push(...allowed);
  const count = shape.faultsMin + random.below(shape.faultsMax - shape.faultsMin + 1);
  const faults: Fault[] = [];
  let last = shape.fromMs;
  for (let i = 0; i < count; i += 1) {
    const burst = i > 0 && random.chance(BURST_CHANCE);
    const drawn = burst ? last + random.logBetween(BURST_GAP_MS.low, BURST_GAP_MS.high) : random.between(shape.fromMs, shape.untilMs);
    const atMs = Math.min(drawn, shape.untilMs);
    last = atMs;
    const kind = random.pick(kinds);
    const { low, high } = FAULT_KINDS[kind];
    const fault: Fault = { kind, atMs, forMs: random.logBetween(low, high), host: random.pick(['primary', 'secondary'] as const), amount: random.fraction() };
    faults.push(fault);
    if (random.chance(ANSWER_CHANCE)) faults.push(answer(random, fault, allowed));
  }
  return faults.filter(({ atMs }) => atMs <= shape.untilMs).sort((a, b) => a.atMs - b.atMs);
}

function answer(random: Prng, { atMs, forMs, host }: Fault, allowed: readonly FaultKind[]): Fault {
  return {
    kind: random.pick(allowed.filter((kind) => OUTAGES.includes(kind))),
    atMs: atMs + forMs * random.between(0.5, 1.15) + random.logBetween(1, 3_000),
    forMs: random.logBetween(SECOND_OUTAGE_MS.low, SECOND_OUTAGE_MS.high),
    host: host === 'primary' ? 'secondary' : 'primary',
    amount: random.fraction(),
  };
}

export function describeFault(fault: Fault): string {
  return `${fault.kind} ${fault.host} for ${Math.round(fault.forMs)} ms (${fault.amount.toFixed(2)})`;
}
