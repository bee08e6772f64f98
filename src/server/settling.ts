import type { Monotonic } from '../core/identity.js';
import type { Clock } from '../ports/clock.js';
import type { Log } from '../ports/log.js';
import type { Copy } from './copy.js';
import { describe } from './disk-io.js';
import type { RelaxableDisk } from './relaxable-disk.js';
import { Cancelled } from './rebuild.js';

/*
 * Whether this server's disk is synced, by the durability of its profile. `both`: always. `bothWithoutDiskSync`: not while two copies stand for what is
 * confirmed, as a follower's does, or that of a server whose term both count in. What remains when that ends may be this copy alone: then all of it is synced,
 * on which every claim for one copy waits (`onDisk`), and while one copy counts it is synced as with `both`.
 *
 * Invariants
 * - While `settled`, nothing that counts as durable waits for the disk.
 * - This server serves alone only while it is.
 */

/** What passes by itself (no file to be had, for one) is tried again after so long. */
const RETRY_MS = 1_000;
/** … and for so long at most: a new process opens the copy with syncing, and says what it cannot open. */
const RETRIES_MAX = 10;

export const NOT_YET = 'what this server has confirmed is being written to its disk';

export class Settling {
  private hindrance: string | null = null;
  private working = false;
  private failures = 0;
  private retryAt = -Infinity as Monotonic;

  /** @param disk `null`: one that is always synced */
  constructor(
    private readonly disk: RelaxableDisk | null,
    private readonly copy: Copy,
    private readonly clock: Clock,
    private readonly log: Log,
    private readonly changed: () => void,
    private readonly gaveUp: (error: unknown) => void,
  ) {}

  get settled(): boolean {
    return this.disk?.owes !== true;
  }

  /** What is not on the disk yet and has to be, or why it cannot be; `null` when there is no such thing. */
  get trouble(): string | null {
    if (this.hindrance !== null) return hinderedBy(this.hindrance);
    return this.working && !this.settled ? NOT_YET : null;
  }

  /** Two copies stand for what is confirmed from now on. */
  relax(): void {
    this.hindrance = null;
    this.disk?.relax();
  }

  /** This copy must stand for itself: begins to sync what is not, and says so when it is done. To be asked again and again. */
  settle(): void {
    const { disk, clock } = this;
    if (disk === null || !disk.owes) return;
    const round = disk.insist();
    if (this.working || clock.monotonic() < this.retryAt) return;
    this.working = true;
    this.copy.settle().then(
      () => this.ended(null, () => disk.settle(round)),
      (error: unknown) => this.ended(error, () => (this.retryAt = (clock.monotonic() + RETRY_MS) as Monotonic)),
    );
  }

  private ended(error: unknown, note: () => void): void {
    this.working = false;
    note();
    if (error instanceof Cancelled) return;
    const hindrance = error === null ? null : describe(error);
    if (hindrance !== null && this.hindrance === null) this.log.write('error', `This server cannot go on alone yet: ${hinderedBy(hindrance)}`);
    else if (hindrance === null && this.hindrance !== null) this.log.write('info', "All that was confirmed is on this server's disk now");
    this.hindrance = hindrance;
    this.failures = hindrance === null ? 0 : this.failures + 1;
    if (this.failures > RETRIES_MAX) this.gaveUp(error);
    else this.changed();
  }
}

function hinderedBy(why: string): string {
  return `not everything that was confirmed is on the disk: ${why}`;
}
