import { LockstepError } from '../../src/core/errors.js';
import type { KeptState, LocalState } from '../../src/ports/local-state.js';
import type { Prng } from './prng.js';
import type { SimHost } from './host.js';
import type { SimProcess } from './process.js';

const KEEP_DELAY_MS = { low: 0.3, high: 12 };
const EMPTY: KeptState = { schema: 1, record: null, shareId: null };

/**
 * The small file in which a manager keeps what it has seen. It is replaced in one step: after a crash while it is being
 * replaced, the old or the new content stands there, never a mixture. Belongs to a host, and outlives its processes.
 */
export class SimLocalState {
  private durable: KeptState = EMPTY;
  private damaged = false;
  private readonly random: Prng;
  private pending: KeptState | null = null;

  constructor(host: SimHost) {
    this.random = host.world.random.fork(`${host.name}/local-state`);
    host.onPower.push((on) => {
      if (!on) this.crash();
    });
  }

  /** What would be read after a crash now; for the checkers. */
  get content(): KeptState {
    return this.durable;
  }

  /** The disk was replaced by an empty one. */
  wipe(): void {
    this.durable = EMPTY;
    this.pending = null;
    this.damaged = false;
  }

  damage(): void {
    this.damaged = true;
  }

  forProcess(process: SimProcess): LocalState {
    process.onEnd.push(() => this.crash());
    return {
      load: () =>
        new Promise((resolve, reject) => {
          process.schedule(this.delay(), () => {
            if (!this.damaged) resolve(structuredClone(this.durable));
            else reject(new LockstepError('LOCKSTEP_STATE_DAMAGED', 'the local state cannot be read', 'Simulated.'));
          });
        }),
      keep: (state) => {
        this.pending = structuredClone(state);
        return new Promise((resolve) => {
          const { pending } = this;
          process.schedule(this.delay(), () => {
            if (pending !== null) this.durable = pending;
            if (this.pending === pending) this.pending = null;
            resolve();
          });
        });
      },
    };
  }

  private crash(): void {
    if (this.pending !== null && this.random.chance(0.5)) this.durable = this.pending;
    this.pending = null;
  }

  private delay(): number {
    return this.random.between(KEEP_DELAY_MS.low, KEEP_DELAY_MS.high);
  }
}
