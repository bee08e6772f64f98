import type { Moment } from './moments.js';

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
  /** It hits whoever makes that step, where that shows, in place of `host`. */
  readonly hitsMover: boolean;
  /** So long after the moment. */
  readonly lagMs: number;
  /** What follows on the same host, `atMs` after this one began. */
  readonly then?: Fault;
}

/** The kinds, with the range of their duration in milliseconds, drawn evenly over orders of magnitude. */
export const FAULT_KINDS = {
  'broker-killed': { low: 1, high: 1 },
  'keeper-killed': { low: 1, high: 1 },
  'manager-killed': { low: 300, high: 15_000 },
  'server-killed': { low: 300, high: 15_000 },
  'host-lost-power': { low: 1_000, high: 40_000 },
  'both-hosts-lost-power': { low: 1_000, high: 20_000 },
  'limits-changed': { low: 500, high: 15_000 },
  'broker-unable': { low: 500, high: 60_000 },
  'broker-stutters': { low: 500, high: 15_000 },
  'keeper-stutters': { low: 500, high: 15_000 },
  'manager-stutters': { low: 500, high: 15_000 },
  'broker-paused': { low: 30, high: 180_000 },
  'keeper-paused': { low: 30, high: 180_000 },
  'manager-paused': { low: 30, high: 180_000 },
  'host-frozen': { low: 30, high: 180_000 },
  'host-suspended': { low: 200, high: 180_000 },
  'wall-stepped': { low: 1, high: 1 },
  'link-cut': { low: 50, high: 30_000 },
  'link-cut-one-way': { low: 50, high: 30_000 },
  'backchannel-cut': { low: 50, high: 30_000 },
  'backchannel-cut-one-way': { low: 50, high: 30_000 },
  'replication-cut': { low: 50, high: 30_000 },
  'link-slow': { low: 500, high: 20_000 },
  'link-loses-large': { low: 500, high: 20_000 },
  'link-cut-holder-stalls': { low: 3_000, high: 20_000 },
  'gateway-cut': { low: 500, high: 30_000 },
  'gateway-gone': { low: 500, high: 20_000 },
  'link-and-gateway-cut': { low: 500, high: 30_000 },
  'share-slow': { low: 500, high: 20_000 },
  'share-hung': { low: 200, high: 30_000 },
  'share-stalls': { low: 1_200, high: 2_800 },
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
  'no-files': { low: 500, high: 20_000 },
  'disk-slow': { low: 500, high: 10_000 },
  'disk-hung': { low: 200, high: 30_000 },
  'disk-bit-flipped': { low: 1_000, high: 10_000 },
  'disk-unreadable': { low: 3_000, high: 20_000 },
  'disk-wiped': { low: 500, high: 10_000 },
  'disk-put-back': { low: 15_000, high: 60_000 },
  'share-replaced': { low: 1, high: 1 },
  'mount-gone': { low: 2_000, high: 60_000 },
  'booted-without-mount': { low: 6_000, high: 60_000 },
  'links-reset': { low: 1, high: 1 },
  'clients-reset': { low: 1, high: 1 },
  'clients-cut': { low: 50, high: 10_000 },
  'consumers-away': { low: 300, high: 10_000 },
  switchover: { low: 1, high: 1 },
  'server-stopped': { low: 1_000, high: 20_000 },
} as const satisfies Readonly<Record<string, { low: number; high: number }>>;

export type FaultKind = keyof typeof FAULT_KINDS;

/** Of the full disks, by the amount of the fault: they find out only when they bring to the disk what they have taken already. */
export const FOUND_OUT_LATE = 0.5;

/**
 * Kinds that destroy a copy. They wait until the other copy is whole and counts: corruption of one copy together with the loss of the
 * other is not promised to be survived (arbitration, section 6).
 */
export const DAMAGING: ReadonlySet<FaultKind> = new Set<FaultKind>(['disk-sync-fails', 'disk-bit-flipped', 'disk-unreadable', 'disk-wiped', 'disk-put-back']);

/**
 * Kinds by which a host loses power, or both do. What a broker that does not sync has confirmed may go with it: while both copies count, that of one host waits as a damaging kind
 * does, and that of both until nothing is unsynced, as then it may rightly take what was acknowledged. A copy that counts alone has to be synced.
 */
export const LOSES_POWER: ReadonlySet<FaultKind> = new Set<FaultKind>(['host-lost-power', 'both-hosts-lost-power', 'booted-without-mount']);
/** … and of these it may be both. */
export const OF_BOTH: ReadonlySet<FaultKind> = new Set<FaultKind>(['both-hosts-lost-power', 'booted-without-mount']);

/** Kinds that wait for something that may not come. */
export const MAY_NOT_COME: ReadonlySet<FaultKind> = new Set([...DAMAGING, ...LOSES_POWER]);

/** What only clients meet: it goes on while a damaged copy is met, as it takes none. */
export const OF_CLIENTS: ReadonlySet<FaultKind> = new Set<FaultKind>(['clients-reset', 'clients-cut', 'consumers-away']);

/**
 * What a pair in sync has nothing to answer to: the share, what keeps it, the gateway (section 2: neither is asked while both copies count and hear each other), and what only clients meet.
 * Not a share that another one takes the place of, or that has forgotten something, nor a lock that was lost; and a mount that is gone only where a host tells it from that.
 */
export const SPARES_A_PAIR: ReadonlySet<FaultKind> = new Set<FaultKind>([
  ...OF_CLIENTS,
  'share-slow',
  'share-hung',
  'share-stalls',
  'share-gone',
  'share-read-only',
  'share-full',
  'share-replies-lost',
  'share-lists-stale',
  'mount-gone',
  'keeper-killed',
  'keeper-paused',
  'keeper-stutters',
  'gateway-cut',
  'gateway-gone',
]);

/** What an operator asks for. It meets faults, and is none: it does not count among those that a seed must have. */
export const ASKED_FOR: ReadonlySet<FaultKind> = new Set<FaultKind>(['switchover', 'server-stopped', 'limits-changed']);

export function describeFault(fault: Fault): string {
  const when = fault.moment === null ? '' : `, ${fault.lagMs.toFixed(2)} ms after the next ${fault.moment}${fault.hitsMover ? ', to whoever makes it' : ''}`;
  const then = fault.then === undefined ? '' : `; ${(fault.then.atMs / 1000).toFixed(1)} s later ${fault.then.kind}`;
  return `${fault.kind} ${fault.host} for ${Math.round(fault.forMs)} ms (${fault.amount.toFixed(2)})${when}${then}`;
}
