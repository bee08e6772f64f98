import type { Profile } from './profile.js';
import { formatDuration } from './values.js';

export interface FailoverStep {
  readonly ms: number;
  readonly what: string;
}

/** An upper bound and the steps that add up to it. */
export interface FailoverBound {
  readonly ms: number;
  readonly steps: readonly FailoverStep[];
}

export interface WorstCaseFailover {
  /** The broker process of the serving server dies; its HA manager lives. */
  readonly crashedProcess: FailoverBound;
  /** The serving server is gone without a word: power, kernel, all of its network. */
  readonly deadHost: FailoverBound;
  /** The disk of the ACTIVE server hangs, or is full. It has been ACTIVE for five stall limits. */
  readonly hungDisk: FailoverBound;
  /** Only the link between the servers is cut. The serving server stays; its clients wait so long for acknowledgements. */
  readonly cutLink: FailoverBound;
}

/**
 * What a claim takes at most on a share that is well: the broker confirms the fence, the record is written, synced,
 * linked and read back, and the client port begins to accept. `lockstep check` measures the share's own part.
 */
export const CLAIM_ALLOWANCE_MS = 500;
/** One read or write on the share that is well. */
export const SHARE_ALLOWANCE_MS = 100;
/** One until it sees that something waits, one that ends beyond the limit, and one that tells that this process was not held up itself. */
const BROKER_TICKS_TO_A_STALL = 3;
/** How often a contender reads the holder's heartbeat within one activeLockReacquisitionInterval (a test holds it to the share keeper's). */
export const HEARTBEAT_READINGS_PER_INTERVAL = 3;

/**
 * How long clients can be without a serving server, computed from the profile. It holds while the gateway answers, the
 * share answers within the allowances above, and the hosts are not starved; the clients' own time to reconnect comes on top.
 */
export function worstCaseFailover(profile: Profile): WorstCaseFailover {
  const { ha } = profile;
  const tick = ha.pingInterval / 2;
  const claim: FailoverStep = { ms: CLAIM_ALLOWANCE_MS, what: 'fence, claim of the new term, opening of the client port' };
  const handedOver: readonly FailoverStep[] = [
    { ms: SHARE_ALLOWANCE_MS, what: 'release of the lock on the share' },
    { ms: readingMs(profile), what: `the peer tries for the lock at once, and again with its next look at it (a third of ${lockInterval(profile)}) when the release was not yet to be seen` },
    claim,
  ];
  return {
    crashedProcess: bound([{ ms: tick, what: 'the HA manager sees its broker end at once, releases the lock and tells the peer; at the latest with the next tick (pingInterval/2)' }, ...handedOver]),
    hungDisk: bound([
      { ms: ha.stallLimit + BROKER_TICKS_TO_A_STALL * tick, what: 'nothing gets durable for stallLimit, as the broker sees with its ticks (pingInterval/2)' },
      { ms: tick, what: 'the HA manager gives way, releases the lock and tells the peer; at the latest with the next tick (pingInterval/2)' },
      ...handedOver,
    ]),
    deadHost: bound([deadHostDetection(profile), { ms: tick, what: 'decision at the next tick (pingInterval/2)' }, claim]),
    cutLink: bound([
      {
        ms: Math.min(ha.silenceLimit, ha.stallLimit + tick),
        what: `the peer counts as lost: silence (pingMissLimit × pingInterval) or stallLimit, whichever is first`,
      },
      { ms: tick, what: 'decision at the next tick (pingInterval/2)' },
      { ms: CLAIM_ALLOWANCE_MS, what: 'claim of a term in which this copy alone counts; the serving server goes on as STANDALONE' },
    ]),
  };
}

/** Silence and staleness run at the same time: the passive server watches the heartbeat on the share all along. */
function deadHostDetection(profile: Profile): FailoverStep {
  const { ha } = profile;
  const stale = ha.passiveLockAcquisitionInterval + 2 * readingMs(profile) + SHARE_ALLOWANCE_MS;
  if (ha.silenceLimit >= stale) return { ms: ha.silenceLimit, what: 'silence on the backchannel (pingMissLimit × pingInterval); the lock is stale by then' };
  return {
    ms: stale,
    what: `the holder's heartbeat stands still for passiveLockAcquisitionInterval, from the look that saw its last beat to the look that ends the period (looks are a third of ${lockInterval(profile)} apart); the silence of the backchannel is over by then`,
  };
}

function readingMs({ ha }: Profile): number {
  return Math.ceil(ha.effectiveActiveLockInterval / HEARTBEAT_READINGS_PER_INTERVAL);
}

/** In words: what the lock goes by is more than the profile says where that is no multiple of pingInterval/2. */
function lockInterval({ ha }: Profile): string {
  const raised = ha.effectiveActiveLockInterval === ha.activeLockReacquisitionInterval ? '' : `, raised to ${formatDuration(ha.effectiveActiveLockInterval)}`;
  return `activeLockReacquisitionInterval${raised}`;
}

function bound(steps: readonly FailoverStep[]): FailoverBound {
  return { ms: steps.reduce((sum, step) => sum + step.ms, 0), steps };
}
