import type { KeeperOrder, KeeperStatus, KeeperToManager, ManagerToKeeper } from '../core/control/keeper.js';
import { NO_TERM, type Monotonic, type RunId } from '../core/identity.js';
import { retryIntervalMs } from '../core/lock/lease.js';
import type { Clock } from '../ports/clock.js';
import type { Log } from '../ports/log.js';
import type { MountInspector } from '../ports/mount.js';
import type { Channel } from '../ports/process.js';
import type { Random } from '../ports/random.js';
import type { LockPrimitive, ShareFiles } from '../ports/share.js';
import { Claimer } from './claimer.js';
import type { KeeperConfig } from './config.js';
import { Deadline, timedFiles, timedLock } from './deadline.js';
import { isUnwritable, troubleOf, type Trouble } from './failure.js';
import { Lease, READINGS_PER_INTERVAL } from './lease.js';
import { Looks } from './looks.js';
import { Marker } from './marker.js';
import { adopts, Opening } from './opening.js';
import { SharePaths } from './paths.js';
import { TermShelf } from './term-shelf.js';
import { Turns } from './turns.js';

/** What a turn of the lock can be at. */
type LockStep = 'watch' | 'take' | 'renew' | 'release';

/** What failed in a turn of the lock. */
interface LockTrouble extends Trouble {
  readonly step: LockStep;
  readonly at: Monotonic;
  /** Since then a try was answered, with nothing written: somebody else has the lock. */
  readonly isAnswered: boolean;
}

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
  private readonly lease: Lease;
  private readonly claimer: Claimer;
  private readonly opening: Opening;
  private readonly looks: Looks;
  private readonly lockTurns: Turns;
  private readonly recordTurns: Turns;
  /** Operations that are past their deadline and have not been answered. */
  private lateOnes = 0;

  /** What is wrong, by where it was found; with that of the looks between the two, the first that is not null is told. */
  private readonly troubles: { hung: Trouble | null; lock: LockTrouble | null } = { hung: null, lock: null };
  /** What the present turn of the lock is at, or was last. */
  private lockStep: LockStep | null = null;
  private dueWatch = 0;
  private dueRenewal = 0;
  private dueTry = 0;
  /** No try before this, whatever calls for one: the last one failed. */
  private noTryBefore = 0;
  /** In a row. */
  private failedTries = 0;
  private dueClaim = 0;

  private done = false;
  private orphaned: string | null = null;
  private readonly watchMs: number;
  private readonly retryMs: number;

  constructor(private readonly parts: KeeperParts) {
    const { config, clock, log, random, mount } = parts;
    const deadline = new Deadline(clock, config.operationDeadlineMs, { late: (operation) => this.late(operation), back: () => this.back() });
    const paths = new SharePaths(parts.lockFileName);
    const files = timedFiles(parts.files, deadline);
    this.watchMs = config.activeLockIntervalMs / READINGS_PER_INTERVAL;
    this.retryMs = retryIntervalMs(config.activeLockIntervalMs, config.pingIntervalMs);
    this.lease = new Lease({ config, files, lock: timedLock(parts.lock, deadline), paths, clock, random, log, shareSeen: () => this.looks.found.shareId, shareStands: () => this.looks.shareStands() });
    const shelf = new TermShelf(files, paths);
    // It looks up the folder of the share, which can hang as any other operation.
    const timedMount: MountInspector = { inspect: () => deadline.watch('look at the mount', () => mount.inspect()) };
    const marker = new Marker(files, paths, log);
    this.lockTurns = new Turns(clock, () => this.lockTurn(), () => this.lockDue());
    this.recordTurns = new Turns(clock, () => this.recordTurn(), () => this.recordsDue());
    this.opening = new Opening({ config, files, paths, mount: timedMount, clock, random, log });
    this.claimer = new Claimer({ server: config.server, run: parts.run, files, paths, shelf, log, refusal: () => this.refusal(), shareStands: () => this.looks.shareStands(), changed: () => this.claimChanged() });
    const { opening, claimer, lease } = this;
    this.looks = new Looks({ config, clock, opening, shelf, marker, claimer, lease, order: () => this.order });
  }

  /** Begins to listen. Nothing is done on the share before the first order says what is known of it. */
  start(): void {
    this.parts.channel.handle({
      message: (message) => this.obey(message.order),
      closed: (reason) => this.abandon(reason),
    });
  }

  /** The order to stop is the last one that is heard. */
  private obey(order: KeeperOrder): void {
    if (this.done || this.orphaned !== null || this.order?.shutdown === true || (this.order !== null && order.seq <= this.order.seq)) return;
    const before = this.order;
    this.order = order;
    this.claimer.order(order.claim, before === null, order.kept?.term ?? NO_TERM);
    if (before !== null && before.shareId !== order.shareId) this.looks.callFor();
    if (before?.wantLock !== order.wantLock || (order.peerReleasedLock && before?.peerReleasedLock !== true)) this.dueTry = this.now() < this.noTryBefore ? this.noTryBefore : 0;
    if (before !== null && adopts(order) !== adopts(before)) this.looks.callFor();
    this.report();
    if (before === null || order.shutdown || this.dueTry === 0 || (!order.wantLock && this.lease.standsMaybe)) this.lockTurns.wake();
    if (before === null || this.claimer.fresh || this.looks.due === 0) this.recordTurns.wake();
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
    return (order.wantLock && this.looks.usable ? Math.min(this.dueWatch, Math.max(this.dueTry, this.noTryBefore)) : this.dueWatch) as Monotonic;
  }

  private recordsDue(): Monotonic | null {
    if (this.order === null) return null;
    return (this.claimer.open ? Math.min(this.looks.due, this.dueClaim) : this.looks.due) as Monotonic;
  }

  private async lockTurn(): Promise<void> {
    const { order } = this;
    if (this.orphaned !== null || order?.shutdown === true) return this.finish();
    if (order === null) return;
    if (this.lease.dropIfHostSlept() || this.lease.dropIfElsewhere()) {
      this.dueWatch = 0;
      this.report();
    }
    await this.keepLock(order);
    this.report();
  }

  private async recordTurn(): Promise<void> {
    const { order } = this;
    if (order === null || this.orphaned !== null || order.shutdown) return;
    await this.looks.look(order);
    this.foundWell();
    // The first look opened the share: what waited for it need not wait for the next turn.
    if (this.lease.elsewhere || (!this.lease.taken && this.order?.wantLock === true && this.dueTry === 0 && this.looks.usable)) this.lockTurns.wake();
    await this.claim();
    this.report();
  }

  private async keepLock(order: KeeperOrder): Promise<void> {
    const { lease } = this;
    const now = this.now();
    this.lockStep = null;
    try {
      if (!order.wantLock && lease.standsMaybe) await this.at('release', () => lease.release());
      else if (lease.taken) {
        if (now >= this.dueRenewal) await this.renew(order, now);
        // A turn at the deadline itself only tells it.
      } else await this.contend(order, now);
    } catch (error) {
      this.lockFailed(error);
    }
  }

  /** @throws what `run` throws, with the step kept in mind */
  private async at(step: LockStep, run: () => Promise<void>): Promise<void> {
    this.lockStep = step;
    await run();
    this.worked(step);
  }

  /** The next try waits, also where the lock is to be had and the manager, which takes the share for well again, wants it at once: it would fail as this one did. */
  private lockFailed(error: unknown): void {
    const step = this.lockStep ?? 'watch';
    const found = this.looks.judge(error, 'keeping the lock');
    const now = this.now();
    this.troubles.lock = { ...found, step, at: now, isAnswered: false };
    this.dueRenewal = this.dueWatch = this.dueTry = now + this.watchMs;
    if (step !== 'take') return;
    // Where one answer was lost, a takeover need not wait for long.
    const mayBeLost = this.failedTries === 0 && !isUnwritable(found.condition);
    this.failedTries += 1;
    this.dueTry = this.noTryBefore = now + (mayBeLost ? this.watchMs : this.retryMs);
  }

  /** A trouble lasts until the step that failed has worked, or one that needs as much. */
  private worked(step: LockStep): void {
    if (step === 'take') this.failedTries = 0;
    const { lock } = this.troubles;
    if (lock === null) return;
    // The lock is ours, and its heartbeat was written.
    const isWritten = this.lease.taken && (step === 'take' || step === 'renew');
    if (isWritten || (step === lock.step && (step === 'watch' || step === 'release'))) this.troubles.lock = null;
    // What cannot be written is found well by a look, which tries that.
    else if (isUnwritable(lock.condition)) this.troubles.lock = step === 'take' ? { ...lock, isAnswered: true } : lock;
    // A lock that is not ours any more is neither renewed nor given up; one that is not wanted is not tried for.
    else if (step === lock.step || lock.step !== 'take' || this.order?.wantLock !== true) this.troubles.lock = null;
  }

  /** A whole look that began after the failure has tried the share anew. While the lock is wanted, and nobody else was seen to have it, that says less than the next try. */
  private foundWell(): void {
    const { lock } = this.troubles;
    const { found, trouble } = this.looks;
    if (lock === null || !isUnwritable(lock.condition) || trouble !== null) return;
    if (found.lookedAt === null || found.lookedAt < lock.at) return;
    const isMoot = this.order?.wantLock !== true && (lock.step === 'take' || lock.step === 'renew');
    if (lock.isAnswered || isMoot) this.troubles.lock = null;
  }

  private async renew(order: KeeperOrder, now: Monotonic): Promise<void> {
    await this.at('renew', () => this.lease.renew(order));
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
      await this.at('watch', () => lease.watch());
      this.dueWatch = now + this.watchMs;
    }
    // Beside the reference's regular tries: at once when the lock is seen to be free or abandoned, which is when a try can succeed.
    const mayTry = order.wantLock && this.looks.usable && now >= this.noTryBefore && (now >= this.dueTry || lease.obtainable);
    if (!mayTry) return;
    await this.at('take', () => lease.acquire(order));
    this.dueTry = now + this.retryMs;
    if (!lease.taken) return;
    this.dueRenewal = now + this.renewalMs();
    // What happened while nobody of us held the lock: look before anything is claimed.
    this.looks.bringForward(this.now());
    this.recordTurns.wake();
    this.report();
  }

  private async claim(): Promise<void> {
    const now = this.now();
    if (!this.claimer.open || (!this.claimer.fresh && now < this.dueClaim)) return;
    // Nothing to go by yet: the share was not seen, so nothing was sent either. The next turn tries again.
    if (this.looks.found.lookedAt === null && this.looks.trouble === null) return;
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
    const { found, trouble } = this.looks;
    if (order === null || this.orphaned !== null || order.shutdown) return 'the share keeper is stopping';
    if (!lease.held) return `the lock is not held (${lease.status().detail ?? 'its deadline has passed'})`;
    if (!lease.pulseFresh(order)) return "the HA manager's pulse is too old";
    if (trouble !== null && !isUnwritable(trouble.condition)) return trouble.detail;
    return found.lookedAt === null ? 'the share has not been looked at yet' : null;
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
    this.looks.listNext();
    this.report();
  }

  private report(): void {
    if (this.order === null || this.done) return;
    this.parts.channel.send({ kind: 'status', status: this.status(this.order) });
  }

  private status(order: KeeperOrder): KeeperStatus {
    const { found } = this.looks;
    const trouble = this.troubles.hung ?? this.looks.trouble ?? this.troubles.lock;
    const unknown = found.lookedAt === null ? 'unknown' : 'ok';
    return {
      run: this.parts.run,
      orderSeq: order.seq,
      condition: trouble?.condition ?? unknown,
      detail: trouble?.detail ?? null,
      ...found,
      onNetwork: this.opening.onNetwork,
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
