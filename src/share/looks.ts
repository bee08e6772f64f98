import type { KeeperOrder } from '../core/control/keeper.js';
import type { Monotonic } from '../core/identity.js';
import type { TermRecord } from '../core/terms/record.js';
import type { Watermark } from '../core/terms/watermark.js';
import type { Clock } from '../ports/clock.js';
import type { Claimer } from './claimer.js';
import type { KeeperConfig } from './config.js';
import { codeOf, isUnwritable, troubleOf, type ShareTrouble, type Trouble } from './failure.js';
import { READINGS_PER_INTERVAL, type Lease } from './lease.js';
import type { Marker } from './marker.js';
import { adopts, knowsNone, trouble, type Opening } from './opening.js';
import type { Look, TermShelf } from './term-shelf.js';

/** Every so many looks the numbers are found by listing too, and the watermark is written though nothing was added. */
export const LISTING_EVERY_LOOKS = 30;

/** What a whole look found, as it is told. */
export interface Found {
  readonly shareId: string | null;
  readonly highest: TermRecord | null;
  readonly watermark: Watermark | null;
  /** When it was begun; `null` before the first one. */
  readonly lookedAt: Monotonic | null;
}

export interface LooksParts {
  readonly config: KeeperConfig;
  readonly clock: Clock;
  readonly opening: Opening;
  readonly shelf: TermShelf;
  readonly marker: Marker;
  readonly claimer: Claimer;
  readonly lease: Lease;
  /** The newest one, which may have come since the look began. */
  readonly order: () => KeeperOrder | null;
}

/**
 * Whole looks at the share: which one it is, whether it can be used, and its records. One at a time; what one found is told with its own verdict, never with
 * that of the one before.
 */
export class Looks {
  /** The share whose records are looked at. */
  private shareId: string | null = null;
  /** The last whole look. A status is told at any time, also while the next one is under way, which may find another share: what it found is told with its verdict. */
  private last: Found = { shareId: null, highest: null, watermark: null, lookedAt: null };
  private wrong: Trouble | null = null;
  /** One has ended well: the share is tried, and what the lock needs stands there. */
  private opened = false;
  private whole = 0;
  private listingDue = true;
  private tidied = false;
  private dueAt = 0;

  constructor(private readonly parts: LooksParts) {}

  get found(): Found {
    return this.last;
  }

  /** What the last look found wrong; `null`: nothing. */
  get trouble(): Trouble | null {
    return this.wrong;
  }

  /** The share is known, right and tried: a lock on it means something. */
  get usable(): boolean {
    return this.opened && this.wrong === null;
  }

  /** When the next one is due; 0: at once. */
  get due(): number {
    return this.dueAt;
  }

  /** One more at once: another order may change what it finds. */
  callFor(): void {
    this.dueAt = 0;
  }

  /** Not later than this. */
  bringForward(to: Monotonic): void {
    this.dueAt = Math.min(this.dueAt, to);
  }

  /** The next one finds the numbers by listing too. */
  listNext(): void {
    this.listingDue = true;
  }

  /** Puts a failure into words. What it may have changed on the share is tried again, and listed, by the next look. */
  judge(error: unknown, doing: string): Trouble {
    const found = troubleOf(error, doing, this.parts.config.user);
    if (isUnwritable(found.condition) || found.condition === 'absent') this.parts.opening.distrust();
    this.listingDue = true;
    return found;
  }

  /** The share that was looked at is still the one that stands there, and was not found to be another than the manager knows. */
  async shareStands(): Promise<boolean> {
    const { shareId } = this.last;
    return shareId !== null && this.wrong?.condition !== 'replaced' && (await this.parts.opening.stands(shareId));
  }

  /** A whole look, if it is due. Never rejects. */
  async look(order: KeeperOrder): Promise<void> {
    const began = this.now();
    if (began < this.dueAt) return;
    const { activeLockIntervalMs } = this.parts.config;
    this.dueAt = began + activeLockIntervalMs;
    try {
      await this.examine(order, began);
      this.parts.opening.foundWell();
      this.opened = true;
      this.wrong = null;
    } catch (error) {
      this.wrong = this.judge(error, 'looking at the term records');
      // One lost answer, as far as can be told: a takeover that waits for a whole look shall not wait for a whole interval.
      if (this.wrong.condition === 'failed') this.dueAt = this.now() + activeLockIntervalMs / READINGS_PER_INTERVAL;
    }
  }

  /** Which share this is, whether it can be used, and its records. */
  private async examine(order: KeeperOrder, began: Monotonic): Promise<void> {
    const { opening, shelf, marker, claimer } = this.parts;
    const listing = this.listingDue || this.whole % LISTING_EVERY_LOOKS === 0;
    this.listingDue = false;
    if (listing) await opening.checkMount(order);
    const identity = await opening.identify(order);
    if (identity === null) {
      // Nothing of the known share is here: that is a whole look, too.
      const why = await opening.whyUnmade();
      this.shareId = null;
      shelf.forget();
      return this.conclude({ shareId: null, highest: null, watermark: null, lookedAt: began }, trouble('replaced', why));
    }
    if (identity.share !== this.shareId) shelf.forget();
    this.shareId = identity.share;
    shelf.method = identity.method;
    const look = await this.lookAtTerms(order, listing);
    // Who serves writes it, and need not read it.
    const watermark = order.watermark === null ? await shelf.watermark() : marker.written;
    this.whole += 1;
    this.conclude({ shareId: identity.share, highest: look.highest, watermark, lookedAt: began }, this.whyNotThisOne(order, identity.share, look));
    await opening.tryOut(identity.share);
    opening.checkMethod(identity);
    await opening.settle(identity);
    if (!this.tidied) {
      this.tidied = true;
      await claimer.tidyEarlier();
    }
    await this.mark(listing);
    await this.tryWriting(order, identity.share);
  }

  /** Not when the lock or a term is about to be had: that waits for no trial, and tells as much. */
  private async tryWriting(order: KeeperOrder, share: string): Promise<void> {
    const { opening, lease, claimer } = this.parts;
    if (lease.taken) opening.wrote();
    else if (!claimer.open && !(order.wantLock && lease.obtainable)) await opening.tryWriting(share);
  }

  /** In one step: between the two, what was found would be told with the verdict on the share before. @throws `wrong` */
  private conclude(found: Found, wrong: ShareTrouble | null): void {
    this.last = found;
    if (wrong === null) return;
    this.wrong = wrong.trouble;
    throw wrong;
  }

  private whyNotThisOne(order: KeeperOrder, share: string, look: Look): ShareTrouble | null {
    if (order.shareId !== null && share !== order.shareId) return trouble('replaced', `another share stands in the place of the one that this server knew (its id is ${share}, not ${order.shareId})`);
    if (look.lost !== null) return trouble('replaced', look.lost);
    return look.damaged === null ? null : trouble('failed', look.damaged);
  }

  private async lookAtTerms(order: KeeperOrder, listing: boolean): Promise<Look> {
    const { config, opening, shelf } = this.parts;
    try {
      return await shelf.look(order.shareId === null || order.shareId === this.shareId ? order.kept : null, listing);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
      if (knowsNone(order)) return await this.firstTerms(listing);
      if (adopts(order)) await opening.makeTerms();
      this.conclude({ ...this.last, shareId: this.shareId }, trouble('replaced', `the folder of term records beside ${config.lockFile} is gone`));
      throw error;
    }
  }

  /**
   * Whoever makes the lockfile makes this folder just before; the share may have been mounted between the two, and the folder lies below its mount. Nothing that this server knew is missing.
   */
  private async firstTerms(listing: boolean): Promise<Look> {
    await this.parts.opening.makeTerms();
    return this.parts.shelf.look(null, listing);
  }

  /** Under the lock and in the highest term, so that a server which was overtaken does not write over what its successor says. */
  private async mark(anew: boolean): Promise<void> {
    const { lease, marker, shelf } = this.parts;
    const watermark = this.parts.order()?.watermark ?? null;
    if (watermark !== null && lease.held && shelf.seen?.highest?.nonce === watermark.nonce) {
      await marker.mark(watermark, anew);
      this.last = { ...this.last, watermark: marker.written };
    }
  }

  private now(): Monotonic {
    return this.parts.clock.monotonic();
  }
}
