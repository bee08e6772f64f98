import type { KeeperOrder, KeeperStatus, KeeperToManager, ManagerToKeeper } from '../core/control/keeper.js';
import { NO_TERM, type Monotonic, type RunId } from '../core/identity.js';
import { retryIntervalMs } from '../core/lock/lease.js';
import type { TermRecord } from '../core/terms/record.js';
import type { Watermark } from '../core/terms/watermark.js';
import type { Clock } from '../ports/clock.js';
import type { Log } from '../ports/log.js';
import type { MountInspector } from '../ports/mount.js';
import type { Channel } from '../ports/process.js';
import type { Random } from '../ports/random.js';
import type { LockPrimitive, ShareFiles } from '../ports/share.js';
import { Claimer } from './claimer.js';
import type { KeeperConfig } from './config.js';
import { Deadline, timedFiles, timedLock } from './deadline.js';
import { codeOf, isUnwritable, troubleOf, type ShareTrouble, type Trouble } from './failure.js';
import { Lease, READINGS_PER_INTERVAL } from './lease.js';
import { Marker } from './marker.js';
import { adopts, Opening, trouble } from './opening.js';
import { SharePaths } from './paths.js';
import { TermShelf, type Look } from './term-shelf.js';
import { Turns } from './turns.js';

/** Every so many looks the numbers are found by listing too, and the watermark is written though nothing was added. */
export const LISTING_EVERY_LOOKS = 30;
/** With the manager gone, so long is tried to give the lock up. Milliseconds. */
export const LAST_RELEASE_MS = 1000;

export interface KeeperParts {
  readonly config: KeeperConfig;
  /** The last part of `config.lockFile`; `files` begins in the folder above it. */
  readonly lockFileName: string;
  readonly run: RunId;
  readonly files: ShareFiles;
  readonly lock: LockPrimitive;
  readonly mount: MountInspector;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly channel: Channel<KeeperToManager, ManagerToKeeper>;
  /** Called once, when the keeper has ended: the process may go. `hung`: an operation is still under way, and only SIGKILL ends it. */
  readonly ended: (reason: string, how: 'clean' | 'hung') => void;
}

/** What a whole look found, as it is told. */
interface Found {
  readonly shareId: string | null;
  readonly highest: TermRecord | null;
  readonly watermark: Watermark | null;
  /** When it was begun; `null` before the first one. */
  readonly lookedAt: Monotonic | null;
}

/**
 * Carries out the manager's orders on the share and tells what it finds. An operation that is past its deadline is reported as hung, and the manager
 * then kills this process.
 *
 * Two kinds of turns, each one operation at a time and beside the other: the lock runs against a deadline, and must not wait for a look that a slow share
 * draws out; a look at the records, then the claim that needs it. Only turns of the lock change the lease, and only turns of the records what is known of
 * them. Each part fails for itself, so that a share that cannot be written is still read.
 */
export class ShareKeeper {
  private order: KeeperOrder | null = null;
  private readonly paths: SharePaths;
  private readonly files: ShareFiles;
  private readonly lease: Lease;
  private readonly shelf: TermShelf;
  private readonly claimer: Claimer;
  private readonly opening: Opening;
  private readonly marker: Marker;
  private readonly lockTurns: Turns;
  private readonly recordTurns: Turns;
  /** Operations that are past their deadline and have not been answered. */
  private lateOnes = 0;

  /** What is wrong, by where it was found; the first that is not null is told. */
  private readonly troubles: { hung: Trouble | null; look: Trouble | null; lock: Trouble | null } = { hung: null, look: null, lock: null };
  /** The share whose records are looked at. */
  private shareId: string | null = null;
  /** The last whole look. A status is told at any time, also while the next one is under way, which may find another share: what it found is told with its verdict. */
  private found: Found = { shareId: null, highest: null, watermark: null, lookedAt: null };
  /** A look has ended well: the share is tried, and what the lock needs stands there. */
  private opened = false;
  private looks = 0;
  private listingDue = true;
  private tidied = false;

  private dueLook = 0;
  private dueWatch = 0;
  private dueRenewal = 0;
  private dueTry = 0;
  private dueClaim = 0;

  private done = false;
  private orphaned: string | null = null;
  private readonly watchMs: number;
  private readonly retryMs: number;

  constructor(private readonly parts: KeeperParts) {
    const { config, clock, log, random, mount } = parts;
    const deadline = new Deadline(clock, config.operationDeadlineMs, { late: (operation) => this.late(operation), back: () => this.back() });
    const paths = (this.paths = new SharePaths(parts.lockFileName));
    const files = (this.files = timedFiles(parts.files, deadline));
    this.watchMs = config.activeLockIntervalMs / READINGS_PER_INTERVAL;
    this.retryMs = retryIntervalMs(config.activeLockIntervalMs, config.pingIntervalMs);
    this.lease = new Lease({ config, files, lock: timedLock(parts.lock, deadline), paths, clock, random, log });
    this.shelf = new TermShelf(files, paths);
    // It looks up the folder of the share, which can hang as any other operation.
    const timedMount: MountInspector = { inspect: () => deadline.watch('look at the mount', () => mount.inspect()) };
    this.marker = new Marker(files, paths, log);
    this.lockTurns = new Turns(clock, () => this.lockTurn(), () => this.lockDue());
    this.recordTurns = new Turns(clock, () => this.recordTurn(), () => this.recordsDue());
    this.opening = new Opening({ config, files, paths, mount: timedMount, clock, random, log });
    this.claimer = new Claimer({ server: config.server, run: parts.run, files, paths, shelf: this.shelf, log, refusal: () => this.refusal(), shareStands: () => this.shareStands(), changed: () => this.claimChanged() });
  }

  /** Begins to listen. Nothing is done on the share before the first order says what is known of it. */
  start(): void {
    this.parts.channel.handle({
      message: (message) => this.obey(message.order),
      closed: (reason) => this.abandon(reason),
    });
  }

  private obey(order: KeeperOrder): void {
    if (this.done || this.orphaned !== null || (this.order !== null && order.seq <= this.order.seq)) return;
    const before = this.order;
    this.order = order;
    this.claimer.order(order.claim, before === null, order.kept?.term ?? NO_TERM);
    if (before !== null && before.shareId !== order.shareId) this.dueLook = 0;
    if (before?.wantLock !== order.wantLock || (order.peerReleasedLock && before?.peerReleasedLock !== true)) this.dueTry = 0;
    if (before !== null && adopts(order) !== adopts(before)) this.dueLook = 0;
    this.report();
    if (before === null || order.shutdown || this.dueTry === 0 || (!order.wantLock && this.lease.standsMaybe)) this.lockTurns.wake();
    if (before === null || this.claimer.fresh || this.dueLook === 0) this.recordTurns.wake();
  }

  /** The manager is gone. Nobody will ever want the lock again from this process. */
  private abandon(reason: string): void {
    if (this.done || this.orphaned !== null) return;
    this.orphaned = reason;
    this.parts.clock.after(LAST_RELEASE_MS, () => this.end(`${reason}; the lock could not be given up in time`, 'hung'));
    this.lockTurns.wake();
  }

  private lockDue(): Monotonic | null {
    const { order, lease } = this;
    if (order === null) return null;
    if (lease.taken) return Math.min(this.dueRenewal, lease.until ?? this.dueRenewal) as Monotonic;
    return (order.wantLock && this.usable() ? Math.min(this.dueWatch, this.dueTry) : this.dueWatch) as Monotonic;
  }

  private recordsDue(): Monotonic | null {
    if (this.order === null) return null;
    return (this.claimer.open ? Math.min(this.dueLook, this.dueClaim) : this.dueLook) as Monotonic;
  }

  private async lockTurn(): Promise<void> {
    const { order } = this;
    if (this.orphaned !== null || order?.shutdown === true) return this.finish();
    if (order === null) return;
    if (this.lease.dropIfHostSlept()) this.report();
    await this.keepLock(order);
    this.report();
  }

  private async recordTurn(): Promise<void> {
    const { order } = this;
    if (order === null || this.orphaned !== null || order.shutdown) return;
    await this.lookAround(order);
    // The first look opened the share: what waited for it need not wait for the next turn.
    if (!this.lease.taken && this.order?.wantLock === true && this.dueTry === 0 && this.usable()) this.lockTurns.wake();
    await this.claim();
    this.report();
  }

  private async keepLock(order: KeeperOrder): Promise<void> {
    const { lease } = this;
    const now = this.now();
    try {
      if (!order.wantLock && lease.standsMaybe) await lease.release();
      else if (lease.taken) {
        if (now >= this.dueRenewal) await this.renew(order, now);
        // A turn at the deadline itself only tells it.
      } else await this.contend(order, now);
      this.troubles.lock = null;
    } catch (error) {
      this.troubles.lock = this.judge(error, 'keeping the lock');
      this.dueRenewal = this.dueWatch = this.dueTry = this.now() + this.watchMs;
    }
  }

  private async renew(order: KeeperOrder, now: Monotonic): Promise<void> {
    await this.lease.renew(order);
    this.dueRenewal = now + this.renewalMs();
    this.dueWatch = this.dueRenewal;
    if (!this.lease.taken) this.dueWatch = this.now();
    this.report();
  }

  private renewalMs(): number {
    return this.lease.comesBack ? this.watchMs : this.parts.config.activeLockIntervalMs;
  }

  private async contend(order: KeeperOrder, now: Monotonic): Promise<void> {
    const { lease } = this;
    if (now >= this.dueWatch) {
      await lease.watch();
      this.dueWatch = now + this.watchMs;
    }
    // Beside the reference's regular tries: at once when the lock is seen to be free or abandoned, which is when a try can succeed.
    const mayTry = order.wantLock && this.usable() && (now >= this.dueTry || lease.obtainable);
    if (!mayTry) return;
    await lease.acquire(order);
    this.dueTry = now + this.retryMs;
    if (!lease.taken) return;
    this.dueRenewal = now + this.renewalMs();
    // What happened while nobody of us held the lock: look before anything is claimed.
    this.dueLook = Math.min(this.dueLook, this.now());
    this.recordTurns.wake();
    this.report();
  }

  private async lookAround(order: KeeperOrder): Promise<void> {
    const began = this.now();
    if (began < this.dueLook) return;
    this.dueLook = began + this.parts.config.activeLockIntervalMs;
    try {
      await this.examine(order, began);
      this.opening.foundWell();
      this.opened = true;
      this.troubles.look = null;
    } catch (error) {
      this.troubles.look = this.judge(error, 'looking at the term records');
      this.listingDue = true;
      // One lost answer, as far as can be told: a takeover that waits for a whole look shall not wait for a whole interval.
      if (this.troubles.look.condition === 'failed') this.dueLook = this.now() + this.watchMs;
    }
  }

  /** A whole look: which share this is, whether it can be used, and its records. */
  private async examine(order: KeeperOrder, began: Monotonic): Promise<void> {
    const { opening, shelf } = this;
    const listing = this.listingDue || this.looks % LISTING_EVERY_LOOKS === 0;
    this.listingDue = false;
    if (listing) await opening.checkMount();
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
    const watermark = order.watermark === null ? await shelf.watermark() : this.marker.written;
    this.looks += 1;
    this.conclude({ shareId: identity.share, highest: look.highest, watermark, lookedAt: began }, this.whyNotThisOne(order, identity.share, look));
    await opening.tryOut();
    opening.checkMethod(identity);
    await opening.settle(identity);
    if (!this.tidied) await this.tidy();
    await this.mark(listing);
  }

  /** In one step: between the two, what was found would be told with the verdict on the share before. @throws `wrong` */
  private conclude(found: Found, wrong: ShareTrouble | null): void {
    this.found = found;
    if (wrong === null) return;
    this.troubles.look = wrong.trouble;
    throw wrong;
  }

  private whyNotThisOne(order: KeeperOrder, share: string, look: Look): ShareTrouble | null {
    if (order.shareId !== null && share !== order.shareId) return trouble('replaced', `another share stands in the place of the one that this server knew (its id is ${share}, not ${order.shareId})`);
    if (look.lost !== null) return trouble('replaced', look.lost);
    return look.damaged === null ? null : trouble('failed', look.damaged);
  }

  /** Under the lock and in the highest term, so that a server which was overtaken does not write over what its successor says. */
  private async mark(anew: boolean): Promise<void> {
    const watermark = this.order?.watermark ?? null;
    if (watermark !== null && this.lease.held && this.shelf.seen?.highest?.nonce === watermark.nonce) {
      await this.marker.mark(watermark, anew);
      this.found = { ...this.found, watermark: this.marker.written };
    }
  }

  private async lookAtTerms(order: KeeperOrder, listing: boolean): Promise<Look> {
    try {
      return await this.shelf.look(order.shareId === null || order.shareId === this.shareId ? order.kept : null, listing);
    } catch (error) {
      if (codeOf(error) === 'ENOENT' && adopts(order)) await this.opening.makeTerms();
      if (codeOf(error) === 'ENOENT') this.conclude({ ...this.found, shareId: this.shareId }, trouble('replaced', `the folder of term records beside ${this.parts.config.lockFile} is gone`));
      throw error;
    }
  }

  private async claim(): Promise<void> {
    const now = this.now();
    if (!this.claimer.open || (!this.claimer.fresh && now < this.dueClaim)) return;
    // Nothing to go by yet: the share was not seen, so nothing was sent either. The next turn tries again.
    if (this.found.lookedAt === null && this.troubles.look === null) return;
    this.dueClaim = now + this.parts.config.activeLockIntervalMs;
    await this.claimer.step();
  }

  private claimChanged(): void {
    // Whatever kept it from being written shows itself in the next trial, by its name.
    if (this.claimer.outcome?.kind === 'failed') this.opening.distrust();
    this.report();
  }

  /** Why a claim may not be made now. */
  private refusal(): string | null {
    const { order, lease } = this;
    const { look } = this.troubles;
    if (order === null || this.orphaned !== null || order.shutdown) return 'the share keeper is stopping';
    if (!lease.held) return `the lock is not held (${lease.status().detail ?? 'its deadline has passed'})`;
    if (!lease.pulseFresh(order)) return "the HA manager's pulse is too old";
    if (look !== null && !isUnwritable(look.condition)) return look.detail;
    return this.found.lookedAt === null ? 'the share has not been looked at yet' : null;
  }

  private async shareStands(): Promise<boolean> {
    const { shareId } = this.found;
    return shareId !== null && this.troubles.look?.condition !== 'replaced' && (await this.opening.stands(shareId));
  }

  /** The share is known, right and tried: a lock on it means something. */
  private usable(): boolean {
    return this.opened && this.troubles.look === null;
  }

  /** Removes what earlier runs of this server prepared and did not publish. */
  private async tidy(): Promise<void> {
    this.tidied = true;
    const { paths, files } = this;
    for (const name of await files.list(paths.terms)) {
      if (paths.isPreparedBy(this.parts.config.server, name)) await this.claimer.remove(`${paths.terms}/${name}`);
    }
  }

  private judge(error: unknown, doing: string): Trouble {
    const found = troubleOf(error, doing, this.parts.config.user);
    if (isUnwritable(found.condition) || found.condition === 'absent') this.opening.distrust();
    this.listingDue = true;
    return found;
  }

  private late(operation: string): void {
    this.lateOnes += 1;
    this.troubles.hung = { condition: 'hung', detail: `the share has not answered for ${this.parts.config.operationDeadlineMs} ms (${operation})` };
    this.claimer.late();
    this.report();
  }

  private back(): void {
    this.lateOnes -= 1;
    if (this.lateOnes > 0) return;
    this.troubles.hung = null;
    this.listingDue = true;
    this.report();
  }

  private report(): void {
    if (this.order === null || this.done) return;
    this.parts.channel.send({ kind: 'status', status: this.status(this.order) });
  }

  private status(order: KeeperOrder): KeeperStatus {
    const { hung, look, lock } = this.troubles;
    const trouble = hung ?? look ?? lock;
    const unknown = this.found.lookedAt === null ? 'unknown' : 'ok';
    return {
      run: this.parts.run,
      orderSeq: order.seq,
      condition: trouble?.condition ?? unknown,
      detail: trouble?.detail ?? null,
      ...this.found,
      lock: this.lease.status(),
      claim: this.claimer.outcome,
    };
  }

  private async finish(): Promise<void> {
    try {
      await this.lease.release();
    } catch (error) {
      this.parts.log.write('warn', troubleOf(error, 'giving up the lock', this.parts.config.user).detail); // The other server waits out the staleness period.
    }
    this.report();
    // What it is at may still take effect; the manager, or the last timer, ends this process when it takes too long.
    await this.recordTurns.stop();
    this.end(this.orphaned ?? 'shut down as ordered', 'clean');
  }

  private end(reason: string, how: 'clean' | 'hung'): void {
    if (this.done) return;
    this.done = true;
    void this.lockTurns.stop();
    void this.recordTurns.stop();
    this.parts.ended(reason, how);
  }

  private now(): Monotonic {
    return this.parts.clock.monotonic();
  }
}
