import type { Log } from '../ports/log.js';

/** What of its memory a process has in use, and what it may have. Bytes. */
export interface MemoryUse {
  readonly used: number;
  readonly limit: number;
}

/**
 * Shares of the limit: from the first on nothing is taken that makes the state grow, until it is below the second. A part of the limit is for what is young
 * alone: 48 MiB, which is much of a small one.
 */
const SCARCE = 0.8;
const ENOUGH = 0.65;
/** Up to it what is in use fits a second time, with room for the work. */
const ROOM_FOR_SECOND = 0.4;
/** Memory is looked at once for so many operations: a look takes some microseconds. */
const OPERATIONS_PER_LOOK = 64;
/** And whenever what came since the last look took this share of the limit, by an estimate. */
const GROWTH_PER_LOOK = 0.01;
/** An operation that takes more than this is let in only after a look. */
const LARGE_BYTES = 1024 * 1024;
const MIB = 1024 * 1024;

/** Whether a second state, as large as all that is in use, can be held for a while. */
export function hasRoomForSecond({ used, limit }: MemoryUse): boolean {
  return used <= limit * ROOM_FOR_SECOND;
}

/**
 * Keeps the serving broker from growing until the system of its language ends it: the passive one holds the same, and neither could be started again.
 * The engine collects what is not needed any more at the latest halfway from what it had left in use after the last time to the limit: so what is needed
 * is more than 60 % of the limit when this says scarce.
 */
export class MemoryGuard {
  private scarce = false;
  private sinceLook = 0;
  private grown = 0;
  /** From the last look. */
  private limit = 0;

  constructor(
    private readonly look: () => MemoryUse,
    private readonly log: Log,
  ) {}

  /** To be asked for each operation. True: nothing may be taken that makes the state grow. */
  get isScarce(): boolean {
    this.sinceLook += 1;
    if (this.scarce || this.sinceLook >= OPERATIONS_PER_LOOK || this.grown > this.limit * GROWTH_PER_LOOK) this.judge();
    return this.scarce;
  }

  /** So much came, in bytes, by an estimate. */
  grew(bytes: number): void {
    this.grown += bytes;
  }

  /** To be asked for an operation before `isScarce`. False: so many bytes, by an estimate, would be more than there is; what is no large operation always fits. */
  fits(bytes: number): boolean {
    if (bytes <= LARGE_BYTES) return true;
    const { used, limit } = this.judge();
    return used + bytes < limit * SCARCE;
  }

  private judge(): MemoryUse {
    this.sinceLook = 0;
    this.grown = 0;
    const use = this.look();
    const { used, limit } = use;
    this.limit = limit;
    const before = this.scarce;
    this.scarce = used >= limit * (before ? ENOUGH : SCARCE);
    if (this.scarce === before) return use;
    const share = `${Math.round((used / limit) * 100)} % of ${Math.round(limit / MIB)} MiB`;
    if (before) this.log.write('info', `The broker has memory again (${share} in use): clients are taken from as before`);
    else this.log.write('error', `The broker's memory is nearly used up (${share}): messages that would have to wait or be retained, those of QoS 2, new sessions and new subscriptions are refused, and no QoS 0 message waits for a client that does not read. See which sessions nobody comes back for, or give it more (LOCKSTEP_BROKER_NODE_OPTIONS=--max-old-space-size=MIB, on both servers)`);
    return use;
  }
}
