import { MOMENTS_DRAWN, type Moment } from './moments.js';
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
  /** The step that it waits for, from `atMs` on; `null`: it happens at `atMs`. */
  readonly moment: Moment | null;
  /** So long after the moment. */
  readonly lagMs: number;
}

/** The kinds, with the range of their duration in milliseconds, drawn evenly over orders of magnitude. */
export const FAULT_KINDS = {
  'broker-killed': { low: 1, high: 1 },
  'keeper-killed': { low: 1, high: 1 },
  'manager-killed': { low: 300, high: 15_000 },
  'server-killed': { low: 300, high: 15_000 },
  'host-lost-power': { low: 1_000, high: 40_000 },
  'both-hosts-lost-power': { low: 1_000, high: 20_000 },
  'broker-stutters': { low: 500, high: 15_000 },
  'keeper-stutters': { low: 500, high: 15_000 },
  'manager-stutters': { low: 500, high: 15_000 },
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
const ANSWER_CHANCE = 0.3;

/** What makes one server believe that the other is lost: then roles change, and a second fault meets the change. */
const PARTINGS: readonly FaultKind[] = ['backchannel-cut', 'backchannel-cut-one-way', 'link-cut', 'link-slow', 'manager-paused', 'host-frozen', 'host-lost-power', 'server-killed', 'broker-killed', 'switchover'];
/** What happens to somebody in the middle of a change of roles. Short: the survivor comes to itself while the change is still under way. */
const STUMBLES: readonly FaultKind[] = [
  'broker-paused', 'broker-paused', 'broker-paused', 'broker-stutters', 'broker-stutters', 'manager-paused', 'manager-paused', 'manager-stutters', 'keeper-paused', 'host-frozen',
  'keeper-killed', 'broker-killed', 'server-killed', 'host-lost-power', 'share-slow', 'share-hung', 'share-replies-lost', 'share-replies-lost', 'share-replies-lost', 'share-gone', 'backchannel-cut', 'link-cut', 'links-reset', 'replication-cut',
];
/** Mostly it is the one that would take over. */
const STUMBLES_SURVIVOR_CHANCE = 0.65;
const STUMBLE_CHANCE = 0.6;
const STUMBLE_MS = { low: 40, high: 8_000 };
/** So often the lock fails to keep the servers apart just then. */
const LOCK_TROUBLE_CHANCE = 0.25;
const LOCK_TROUBLE_MS = { low: 5_000, high: 40_000 };

/** So often a fault waits for a step of the rules instead of the clock. */
const MOMENT_CHANCE = 0.3;
const LAG_MS = { low: 0.05, high: 300 };

/** Kinds that are drawn so many times as often as the others: what they hit is narrow. */
const WEIGHTS: Readonly<Partial<Record<FaultKind, number>>> = { 'share-slow': 3, 'share-replies-lost': 3, 'broker-paused': 2, 'broker-stutters': 2, 'both-hosts-lost-power': 2, switchover: 2 };

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
  const drawn = kinds.flatMap((kind) => Array.from({ length: WEIGHTS[kind] ?? 1 }, () => kind));
  const count = shape.faultsMin + random.below(shape.faultsMax - shape.faultsMin + 1);
  const faults: Fault[] = [];
  let last = shape.fromMs;
  for (let i = 0; i < count; i += 1) {
    const burst = i > 0 && random.chance(BURST_CHANCE);
    const at = burst ? last + random.logBetween(BURST_GAP_MS.low, BURST_GAP_MS.high) : random.between(shape.fromMs, shape.untilMs);
    const atMs = Math.min(at, shape.untilMs);
    last = atMs;
    const kind = random.pick(drawn);
    const { low, high } = FAULT_KINDS[kind];
    const fault: Fault = {
      kind,
      atMs,
      forMs: random.logBetween(low, high),
      host: random.pick(HOSTS),
      amount: random.fraction(),
      ...drawMoment(random, MOMENT_CHANCE),
    };
    faults.push(fault);
    if (random.chance(ANSWER_CHANCE)) faults.push(answer(random, fault, allowed));
    if (PARTINGS.includes(kind)) faults.push(...companions(random, fault, allowed));
  }
  return faults.filter(({ atMs }) => atMs <= shape.untilMs).sort((a, b) => a.atMs - b.atMs);
}

const HOSTS = ['primary', 'secondary'] as const;
const otherHost = (name: HostName): HostName => (name === 'primary' ? 'secondary' : 'primary');

function drawMoment(random: Prng, chance: number): Pick<Fault, 'moment' | 'lagMs'> {
  if (!random.chance(chance)) return { moment: null, lagMs: 0 };
  return { moment: random.pick(MOMENTS_DRAWN), lagMs: random.chance(0.5) ? 0 : random.logBetween(LAG_MS.low, LAG_MS.high) };
}

function answer(random: Prng, { atMs, forMs, host }: Fault, allowed: readonly FaultKind[]): Fault {
  return {
    kind: random.pick(allowed.filter((kind) => OUTAGES.includes(kind))),
    atMs: atMs + forMs * random.between(0.5, 1.15) + random.logBetween(1, 3_000),
    forMs: random.logBetween(SECOND_OUTAGE_MS.low, SECOND_OUTAGE_MS.high),
    host: otherHost(host),
    amount: random.fraction(),
    ...drawMoment(random, 0),
  };
}

/** What else goes wrong when the servers lose sight of each other: the lock, and somebody in the middle of the change of roles. */
function companions(random: Prng, { atMs, host }: Fault, allowed: readonly FaultKind[]): Fault[] {
  const faults: Fault[] = [];
  const add = (kinds: readonly FaultKind[], from: number, { low, high }: { low: number; high: number }, momentChance: number): void => {
    const possible = kinds.filter((kind) => allowed.includes(kind));
    if (possible.length === 0) return;
    faults.push({
      kind: random.pick(possible),
      atMs: Math.max(0, from),
      forMs: random.logBetween(low, high),
      host: random.chance(STUMBLES_SURVIVOR_CHANCE) ? otherHost(host) : host,
      amount: random.fraction(),
      ...drawMoment(random, momentChance),
    });
  };
  if (random.chance(LOCK_TROUBLE_CHANCE)) add(['lock-broken', 'lock-stolen'], atMs - random.between(0, 2_000), LOCK_TROUBLE_MS, 0);
  if (random.chance(STUMBLE_CHANCE)) add(STUMBLES, atMs + random.between(0, 6_000), STUMBLE_MS, 0.7);
  return faults;
}

export function describeFault(fault: Fault): string {
  const when = fault.moment === null ? '' : `, ${fault.lagMs.toFixed(2)} ms after the next ${fault.moment}`;
  return `${fault.kind} ${fault.host} for ${Math.round(fault.forMs)} ms (${fault.amount.toFixed(2)})${when}`;
}
