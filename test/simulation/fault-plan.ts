import { ASKED_FOR, FAULT_KINDS, FOUND_OUT_LATE, MAY_NOT_COME, type Fault, type FaultKind, type HostName } from './faults.js';
import { MOMENTS_DRAWN, type Moment } from './moments.js';
import type { Prng } from './prng.js';

/*
 * Which faults one run has, and when. Faults drawn evenly over time and kinds seldom meet each other, or the few milliseconds in which a rule
 * matters; so they come in bursts, answer each other, and wait for steps of the rules. How often, each seed draws for itself, from the same
 * spans for every seed and every planted flaw.
 */

/** What takes a whole server away, and how long the second of two such faults lasts. */
const OUTAGES: readonly FaultKind[] = ['host-lost-power', 'server-killed', 'manager-killed', 'host-frozen', 'host-suspended', 'link-cut', 'server-stopped'];
const SECOND_OUTAGE_MS = { low: 4_000, high: 45_000 };

/** What makes one server believe that the other is lost: then roles change, and a second fault meets the change. */
const PARTINGS: readonly FaultKind[] = ['backchannel-cut', 'backchannel-cut-one-way', 'link-cut', 'link-slow', 'link-loses-large', 'manager-paused', 'host-frozen', 'host-lost-power', 'server-killed', 'broker-killed', 'switchover'];
const STUMBLE_MS = { low: 40, high: 8_000 };
const STUMBLE_AFTER_MS = 6_000;
const LOCK_TROUBLES: readonly FaultKind[] = ['lock-broken', 'lock-broken', 'lock-stolen'];
/** A disk that does not know yet that it is full is asked to sync all at once, when its server is to count alone. */
const FULL_DISKS: readonly FaultKind[] = ['disk-full'];
const FULL_WITHIN_MS = 6_000;
const LOCK_TROUBLE_MS = { low: 5_000, high: 40_000 };
/** A server that is parted from the other, or is to take over from it, loses sight of the share for about as long as a lease lasts. */
const STALL_AFTER_MS = 4_000;
/** What a broker left half done when it was killed at a step of its journal shows when the power goes, later, and never when it does not. */
const RELAPSES: readonly FaultKind[] = ['host-lost-power', 'both-hosts-lost-power', 'both-hosts-lost-power'];
const STRIKES_AT_ROLL: readonly FaultKind[] = ['broker-killed', 'server-killed'];
const RELAPSE_AFTER_MS = { low: 1_500, high: 20_000 };
/** A server that hands over gets no answer to its claim, and stands still meanwhile for longer than its broker keeps clients without a word of the manager. */
const UNANSWERED: readonly FaultKind[] = ['share-hung', 'keeper-paused', 'share-gone'];
const LAPSES: readonly FaultKind[] = ['manager-paused'];
const LAPSE_MS = { low: 20_000, high: 60_000 };
const LAPSE_AFTER_MS = { low: 0.05, high: 2_000 };
/** Consumers are away so long while a disk cannot be read. */
const ABSENCE_MS = { low: 500, high: 5_000 };
const SHARE_TROUBLES: readonly FaultKind[] = ['share-slow', 'share-lists-stale', 'share-replies-lost'];

/** The steps in which somebody stumbles: mostly those that come first, when both may still think that they serve. */
const STUMBLE_MOMENTS: readonly Moment[] = [...MOMENTS_DRAWN, 'fence', 'fence', 'claim', 'record'];
const LAG_MS = { low: 0.05, high: 300 };
/** Who is at work in each step, and what can hold it up just then. */
const AT_WORK: Readonly<Record<Moment, readonly FaultKind[]>> = {
  fence: ['broker-paused', 'broker-paused', 'broker-paused', 'broker-stutters', 'broker-killed', 'host-frozen', 'host-lost-power', 'disk-slow', 'disk-hung', 'replication-cut'],
  require: ['replication-cut', 'broker-paused', 'links-reset', 'server-killed', 'host-lost-power', 'disk-slow', 'disk-hung', 'no-files'],
  drain: ['broker-paused', 'replication-cut', 'server-killed', 'links-reset', 'manager-paused', 'disk-slow', 'disk-hung'],
  claim: ['share-replies-lost', 'share-replies-lost', 'share-replies-lost', 'share-hung', 'share-slow', 'share-gone', 'keeper-killed', 'keeper-paused', 'manager-paused', 'host-lost-power', 'server-killed'],
  record: ['share-replies-lost', 'share-replies-lost', 'share-hung', 'keeper-killed', 'server-killed', 'host-lost-power', 'host-lost-power', 'host-lost-power', 'manager-paused', 'host-frozen', 'link-cut'],
  roll: ['broker-killed', 'broker-killed', 'server-killed', 'host-lost-power', 'disk-slow', 'no-files', 'no-files'],
  serve: ['broker-killed', 'broker-paused', 'server-killed', 'host-lost-power', 'host-frozen', 'link-cut', 'clients-cut'],
};

/** Kinds that are drawn so many times as often as the others: what they hit is narrow, or they wait for a calm that may not come. */
const WEIGHTS: Readonly<Partial<Record<FaultKind, number>>> = { 'share-slow': 3, 'share-replies-lost': 3, 'broker-paused': 2, 'broker-stutters': 2, 'both-hosts-lost-power': 2, switchover: 2, 'limits-changed': 4, 'disk-wiped': 2, 'disk-put-back': 2, 'link-cut-holder-stalls': 5, 'disk-bit-flipped': 2, 'disk-sync-fails': 2, 'disk-hung': 4, 'booted-without-mount': 2, 'no-files': 2, 'disk-unreadable': 8 };

/** Hosts that come up before their mounts do, and servers that are started then for the first time. */
const UNMOUNTED_AT_START: readonly FaultKind[] = ['mount-gone'];

const BURST_GAP_MS = { low: 1, high: 4_000 };

/** How often, in the middle of what seeds draw. */
const CHANCES = {
  /** So often a fault is answered by the outage of the other server, about when the first one is over: the loss that membership is for. */
  answer: 0.3,
  /** So often somebody stumbles in the middle of it; briefly, so that it comes to itself while the change is still under way. */
  stumble: 0.75,
  /** Mostly it is the one that would take over. */
  survivor: 0.65,
  /** So often the lock fails to keep the servers apart just then. */
  lockTrouble: 0.25,
  /** So often what parts the servers troubles the share as well: it is reached by the same network. */
  shareTrouble: 0.25,
  /** So often a broker is killed as it begins a segment, and power is lost later. */
  relapse: 0.06,
  /** So often both lose power after their profiles were changed. */
  unsynced: 0.5,
  /** So often a share keeper is started anew while its host has no mount. */
  newcomer: 0.6,
  /** So often a server stands still while it hands over. */
  lapse: 0.6,
  /** So often the servers are started before the share is mounted. */
  unmounted: 0.08,
  /** So often one server's disk is full just then, and finds out late. */
  fullDisk: 0.15,
  /** So often one server's share stalls just then. */
  stall: 0.3,
  /** So often a fault waits for a step of the rules instead of the clock, and one that stumbles does. */
  moment: 0.3,
  stumbleMoment: 0.75,
  /** So often such a fault hits the server that makes the step. */
  mover: 0.7,
  /** So often a fault of a step hits who is at work in it. */
  atWork: 0.7,
  /** Half of the kinds are out in each seed, so that the others meet in combinations that a mixture of all would drown. */
  kind: 0.5,
  /** Faults come in bursts: so often a fault is close behind the one before. */
  burst: 0.4,
} as const;

/** How often, in one seed. */
type Rates = Readonly<Record<keyof typeof CHANCES, number>>;

/** A seed has each of them so many times as often, evenly drawn, and never more often than `most`. */
const RATE = { low: 0.4, high: 1.6, most: 0.95 };

function drawRates(random: Prng): Rates {
  const draw = (chance: number): number => Math.min(RATE.most, chance * random.between(RATE.low, RATE.high));
  return Object.fromEntries(Object.entries(CHANCES).map(([name, chance]) => [name, draw(chance)])) as Rates;
}

const HOSTS = ['primary', 'secondary'] as const;
const otherHost = (name: HostName): HostName => (name === 'primary' ? 'secondary' : 'primary');

interface Span {
  readonly low: number;
  readonly high: number;
}

export interface PlanShape {
  readonly fromMs: number;
  readonly untilMs: number;
  /** Faults last up to so many times as long as with the bundled times; 1 or more. */
  readonly stretch: number;
  readonly faultsMin: number;
  readonly faultsMax: number;
}

/** Draws the faults of one run, oldest first. `allowed` leaves kinds out that this pair cannot have. */
export function drawPlan(random: Prng, shape: PlanShape, allowed: readonly FaultKind[]): Fault[] {
  const rates = drawRates(random);
  const kinds = allowed.filter(() => random.chance(rates.kind));
  if (kinds.length === 0) kinds.push(...allowed);
  const weighted = kinds.flatMap((kind) => Array.from({ length: WEIGHTS[kind] ?? 1 }, () => kind));
  const count = shape.faultsMin + random.below(shape.faultsMax - shape.faultsMin + 1);
  const faults: Fault[] = [];
  let last = shape.fromMs;
  if (allowed.includes('mount-gone') && random.chance(rates.unmounted)) faults.push(draw(random, rates, allowed, { kinds: UNMOUNTED_AT_START, atMs: 0, host: random.pick(HOSTS), momentChance: 0, span: null }));
  for (let i = 0; i < count; i += 1) {
    const burst = i > 0 && random.chance(rates.burst);
    const at = burst ? last + random.logBetween(BURST_GAP_MS.low, BURST_GAP_MS.high) : random.between(shape.fromMs, shape.untilMs);
    last = Math.min(at, shape.untilMs);
    const drawn = draw(random, rates, allowed, { kinds: weighted, atMs: last, host: random.pick(HOSTS), momentChance: rates.moment, span: null });
    const fault = withSequel(random, rates, allowed, drawn);
    faults.push(fault);
    if (random.chance(rates.relapse)) faults.push(strikeAtRoll(random, rates, allowed, last));
    if (random.chance(rates.answer)) faults.push(answer(random, rates, fault, allowed));
    if (PARTINGS.includes(fault.kind)) faults.push(...companions(random, rates, fault, allowed));
  }
  // What destroys a copy waits until the pair could lose it, and in some seeds that is never: it is not counted on; nor is what an operator asks for.
  const certain = allowed.filter((kind) => !MAY_NOT_COME.has(kind) && !ASKED_FOR.has(kind));
  for (let left = shape.faultsMin - faults.filter(({ kind, atMs }) => certain.includes(kind) && atMs <= shape.untilMs).length; left > 0; left -= 1) {
    faults.push(draw(random, rates, certain, { kinds: certain, atMs: random.between(shape.fromMs, shape.untilMs), host: random.pick(HOSTS), momentChance: rates.moment, span: null }));
  }
  return faults
    .filter(({ atMs }) => atMs <= shape.untilMs)
    .map((fault) => ({ ...fault, forMs: fault.forMs * shape.stretch ** random.fraction() }))
    .sort((a, b) => a.atMs - b.atMs);
}

interface Wish {
  readonly kinds: readonly FaultKind[];
  readonly atMs: number;
  readonly host: HostName;
  readonly momentChance: number;
  readonly moments?: readonly Moment[];
  /** Of its duration; `null`: that of its kind. */
  readonly span: Span | null;
}

/** One fault; `kinds` has at least one. A fault that waits for a step may be of another kind: one that holds that step up. */
function draw(random: Prng, rates: Rates, allowed: readonly FaultKind[], { kinds, atMs, host, momentChance, moments = MOMENTS_DRAWN, span }: Wish): Fault {
  const moment = random.chance(momentChance) ? random.pick(moments) : null;
  const lagMs = moment === null || random.chance(0.5) ? 0 : random.logBetween(LAG_MS.low, LAG_MS.high);
  const atWork = moment !== null && random.chance(rates.atWork) ? AT_WORK[moment].filter((kind) => allowed.includes(kind)) : [];
  const kind = random.pick(atWork.length > 0 ? atWork : kinds);
  const { low, high } = span ?? FAULT_KINDS[kind];
  return { kind, atMs, forMs: random.logBetween(low, high), host, amount: random.fraction(), moment, hitsMover: random.chance(rates.mover), lagMs };
}

function answer(random: Prng, rates: Rates, { atMs, forMs, host }: Fault, allowed: readonly FaultKind[]): Fault {
  const outages = allowed.filter((kind) => OUTAGES.includes(kind));
  const at = atMs + forMs * random.between(0.5, 1.15) + random.logBetween(1, 3_000);
  return draw(random, rates, allowed, { kinds: outages.length > 0 ? outages : allowed, atMs: at, host: otherHost(host), momentChance: 0, span: SECOND_OUTAGE_MS });
}

/** Killed with a name that is not durable yet, and the power goes before anything has made it so. */
function strikeAtRoll(random: Prng, rates: Rates, allowed: readonly FaultKind[], atMs: number): Fault {
  const host = random.pick(HOSTS);
  const strikes = STRIKES_AT_ROLL.filter((kind) => allowed.includes(kind));
  const struck = draw(random, rates, allowed, { kinds: strikes.length > 0 ? strikes : allowed, atMs, host, momentChance: 0, span: null });
  const then = draw(random, rates, allowed, { kinds: RELAPSES, atMs: random.logBetween(RELAPSE_AFTER_MS.low, RELAPSE_AFTER_MS.high), host, momentChance: 0, span: null });
  return { ...struck, moment: 'roll', hitsMover: true, then };
}

/** What shows only by something else that happens then. */
function withSequel(random: Prng, rates: Rates, allowed: readonly FaultKind[], fault: Fault): Fault {
  if (fault.kind === 'disk-unreadable' && allowed.includes('consumers-away')) return { ...fault, then: comeBack(random, rates, allowed, fault) };
  if (fault.kind === 'mount-gone' && allowed.includes('keeper-killed') && random.chance(rates.newcomer)) return { ...fault, then: keeperEnds(random, rates, allowed, fault) };
  if (fault.kind === 'limits-changed' && allowed.includes('both-hosts-lost-power') && random.chance(rates.unsynced)) return { ...fault, then: powerGoes(random, rates, allowed, fault) };
  return fault;
}

/** What a pair left unsynced while it was not asked to sync shows when the power goes, and it is asked to by then. */
function powerGoes(random: Prng, rates: Rates, allowed: readonly FaultKind[], { forMs, host }: Fault): Fault {
  return draw(random, rates, allowed, { kinds: ['both-hosts-lost-power'], atMs: forMs + random.logBetween(RELAPSE_AFTER_MS.low, RELAPSE_AFTER_MS.high), host, momentChance: 0, span: null });
}

/** The share keeper that comes then has never seen the mount. */
function keeperEnds(random: Prng, rates: Rates, allowed: readonly FaultKind[], { forMs, host }: Fault): Fault {
  return draw(random, rates, allowed, { kinds: ['keeper-killed'], atMs: forMs * random.between(0.05, 0.8), host, momentChance: 0, span: null });
}

/** Consumers that come back ask for what waits for them, and much of it stands on the disk alone. */
function comeBack(random: Prng, rates: Rates, allowed: readonly FaultKind[], { forMs, host }: Fault): Fault {
  return draw(random, rates, allowed, { kinds: ['consumers-away'], atMs: forMs * random.between(0, 0.2), host, momentChance: 0, span: ABSENCE_MS });
}

/** Whoever hands over next, from `atMs` on. */
function lapse(random: Prng, rates: Rates, allowed: readonly FaultKind[], { atMs, host }: Pick<Fault, 'atMs' | 'host'>): Fault {
  const [unanswered, lapses] = [UNANSWERED, LAPSES].map((kinds) => kinds.filter((kind) => allowed.includes(kind)));
  const pick = (kinds: readonly FaultKind[] | undefined, at: number): Fault =>
    draw(random, rates, allowed, { kinds: kinds !== undefined && kinds.length > 0 ? kinds : allowed, atMs: at, host, momentChance: 0, span: LAPSE_MS });
  const struck = pick(unanswered, atMs);
  return { ...struck, moment: 'claim', hitsMover: true, then: pick(lapses, random.logBetween(LAPSE_AFTER_MS.low, LAPSE_AFTER_MS.high)) };
}

/** What else goes wrong when the servers lose sight of each other: the lock, the share, and somebody in the middle of the change of roles. */
function companions(random: Prng, rates: Rates, { kind, atMs, host }: Fault, allowed: readonly FaultKind[]): Fault[] {
  const faults: Fault[] = [];
  if (kind === 'switchover' && random.chance(rates.lapse)) faults.push(lapse(random, rates, allowed, { atMs, host }));
  const locks = LOCK_TROUBLES.filter((kind) => allowed.includes(kind));
  const before = Math.max(0, atMs - random.between(0, 2_000));
  if (random.chance(rates.lockTrouble) && locks.length > 0) {
    faults.push(draw(random, rates, allowed, { kinds: locks, atMs: before, host, momentChance: 0, span: LOCK_TROUBLE_MS }));
  }
  const troubles = SHARE_TROUBLES.filter((kind) => allowed.includes(kind));
  if (random.chance(rates.shareTrouble) && troubles.length > 0) {
    faults.push(draw(random, rates, allowed, { kinds: troubles, atMs: before, host: random.pick(HOSTS), momentChance: 0, span: LOCK_TROUBLE_MS }));
  }
  if (allowed.includes('share-stalls') && random.chance(rates.stall)) {
    faults.push(draw(random, rates, allowed, { kinds: ['share-stalls'], atMs: atMs + random.between(0, STALL_AFTER_MS), host: random.pick(HOSTS), momentChance: 0, span: null }));
  }
  if (allowed.includes('disk-full') && random.chance(rates.fullDisk)) {
    const full = draw(random, rates, allowed, { kinds: FULL_DISKS, atMs: Math.max(0, atMs + random.between(-FULL_WITHIN_MS, FULL_WITHIN_MS)), host: random.pick(HOSTS), momentChance: 0, span: null });
    faults.push({ ...full, amount: full.amount * FOUND_OUT_LATE });
  }
  if (random.chance(rates.stumble)) {
    const who = random.chance(rates.survivor) ? otherHost(host) : host;
    const stumbles = [...new Set(Object.values(AT_WORK).flat())].filter((kind) => allowed.includes(kind));
    faults.push(draw(random, rates, allowed, { kinds: stumbles.length > 0 ? stumbles : allowed, atMs: atMs + random.between(0, STUMBLE_AFTER_MS), host: who, momentChance: rates.stumbleMoment, moments: STUMBLE_MOMENTS, span: STUMBLE_MS }));
  }
  return faults;
}
