import { LockstepError } from '../../src/core/errors.js';
import type { KeptState, LocalState } from '../../src/ports/local-state.js';
import { systemError, type DiskImage } from './disk-image.js';
import type { Prng } from './prng.js';
import type { SimHost } from './host.js';
import type { SimProcess } from './process.js';

const KEEP_DELAY_MS = { low: 0.3, high: 12 };
const STATE = 'manager-state.json';
/** Of a new file beside the old one. */
const STATE_BYTES = 1024;
const EMPTY: KeptState = { schema: 1, record: null, shareId: null };

/**
 * The small file in which a manager keeps what it has seen. It is replaced in one step: after a crash while it is being
 * replaced, the old or the new content stands there, never a mixture. Belongs to a host, and outlives its processes.
 */
export class SimLocalState {
  private durable: KeptState = EMPTY;
  private damaged = false;
  private readonly random: Prng;
  /** Under way and not yet durable, oldest first. */
  private pending: KeptState[] = [];
  private lastDone = 0;

  constructor(
    private readonly host: SimHost,
    /** The disk that it lies on: it takes nothing while that one is full, and answers nothing while that one hangs. */
    private readonly disk: DiskImage,
  ) {
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
    this.putBack(EMPTY);
    this.damaged = false;
  }

  /** The disk holds again what `content` was before. */
  putBack(content: KeptState): void {
    this.durable = content;
    this.pending = [];
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
            if (!this.damaged) resolve(copyOf(this.durable));
            else reject(new LockstepError('LOCKSTEP_STATE_DAMAGED', 'the local state cannot be read', 'Simulated.'));
          });
        }),
      keep: (state) => {
        const { now } = this.host.world;
        const kept = copyOf(state);
        this.pending.push(kept);
        // One after the other, as the production adapter does.
        this.lastDone = Math.max(this.lastDone, now) + this.delay();
        return new Promise((resolve, reject) => {
          process.schedule(this.lastDone - now, () => {
            this.disk.arrive(() => {
              if (!process.alive) return;
              this.pending = this.pending.filter((other) => other !== kept);
              if (this.disk.capacityBytes - this.disk.usedBytes < STATE_BYTES) return reject(systemError('ENOSPC', STATE));
              this.durable = kept;
              resolve();
            });
          });
        });
      },
    };
  }

  /** The writer is gone: of what was under way, any first part may have been written. */
  private crash(): void {
    const survived = this.random.below(this.pending.length + 1);
    if (survived > 0) this.durable = this.pending[survived - 1] ?? this.durable;
    this.pending = [];
    this.lastDone = 0;
  }

  private delay(): number {
    return this.random.between(KEEP_DELAY_MS.low, KEEP_DELAY_MS.high);
  }
}

/** As the real one keeps it: what JSON makes of it. (A structured clone belongs to another realm than a test's own objects.) */
function copyOf<State>(state: State): State {
  return JSON.parse(JSON.stringify(state)) as State;
}
