import type { KeeperOrder, LockStatus } from '../core/control/keeper.js';
import type { Monotonic, ServerId } from '../core/identity.js';
import { decodeHeartbeat, encodeHeartbeat } from '../core/lock/heartbeat.js';
import { sameBytes } from '../core/wire/bytes.js';
import { LEASE_MARGIN_FRACTION, leaseUntil } from '../core/lock/lease.js';
import { hostSlept, isStale, observe, silentMs, type HolderView, type StalenessRules } from '../core/lock/observation.js';
import type { Clock } from '../ports/clock.js';
import type { Log } from '../ports/log.js';
import type { Random } from '../ports/random.js';
import type { LockPrimitive, ShareFiles } from '../ports/share.js';
import type { KeeperConfig } from './config.js';
import { isNoRecord, textOf } from './failure.js';
import type { SharePaths } from './paths.js';

/**
 * Boot time and monotonic time agree to about 10 ms; a host that slept differs by more than this. A sleep that is not noticed must fit into
 * the margin that the holder gives away (250 ms of the bundled 2,500), together with clocks that do not run equally fast.
 */
export const BOOT_TOLERANCE_MS = 150;
/** The same for shorter periods: this part of the margin. */
const BOOT_TOLERANCE_OF_MARGIN = 0.6;
/** Two readings of the clocks that are this far apart say nothing of one moment. */
const READING_MS_MAX = 20;
const READINGS_MAX = 5;
/** So much of a heartbeat record is compared: four times what one has. */
const BEAT_BYTES_SEEN_MAX = 1024;
const LONG_AGO = -Infinity as Monotonic;
const NOT_SILENT = 'taken from a holder whose heart has beaten again meanwhile; it is relied on when that one must have noticed';
const ELSEWHERE = 'it was taken on another share than the one that stands here now';
const BACK = 'its deadline had passed; it is relied on again when nobody takes it over meanwhile';
/** So many leases may one still have from whom the lock was taken over: the present one, and that of a renewal under way. */
const LEASES_OF_THE_LIVING = 2;
/** Readings of the holder's heartbeat in one ActiveLockReAcquistionInterval. */
export const READINGS_PER_INTERVAL = 3;

export interface LeaseParts {
  readonly config: KeeperConfig;
  readonly files: ShareFiles;
  readonly lock: LockPrimitive;
  readonly paths: SharePaths;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The id of the share that the last whole look found; `null`: none. */
  readonly shareSeen: () => string | null;
  /** Whether that one stands here now. */
  readonly shareStands: () => Promise<boolean>;
}

/** The lock as we have it. */
interface Hold {
  /** That was seen before it was taken, and stood here when it had been. */
  readonly share: string | null;
  readonly token: string;
  counter: number;
  until: Monotonic;
  /**
   * The deadline had passed, or another may rely on the lock: since when its heart is known to beat without a gap, when its last beat was sent, and for how long
   * it must beat so. `null`: it is relied on.
   */
  back: { readonly since: Monotonic; readonly last: Monotonic; readonly forMs: number } | null;
  /** At the last renewal another's heartbeat stood beside it. */
  strayBeat: boolean;
}

/**
 * The lock of this server, and its view of the other's. Holding is a matter of time: whatever fails or hangs, `held` ends by
 * itself at the deadline that the last confirmed renewal gave.
 */
export class Lease {
  private hold: Hold | null = null;
  private view: HolderView | null = null;
  /** What stood at the last reading while we did not hold the lock. */
  private standing: string | null = null;
  private holder: ServerId | null = null;
  private detail: string | null = null;
  /** A lock of ours may stand on which we do not rely: the earliest time since when without a sign of life. `null`: none. */
  private strayFrom: Monotonic | null = null;
  /** What was seen of the lock that we took over, or may have taken over, until we look how its holder's heart stands then. `null`: none. */
  private takenFrom: { readonly standing: string; readonly seen: string } | null = null;
  /** Until when one may rely on the lock from whom we took it over, though its heart had beaten again; whatever becomes of our lock meanwhile. */
  private othersUntil: Monotonic = LONG_AGO;
  private bootAheadMs: number;
  private seenBeat: { readonly bytes: Uint8Array; readonly text: string } | null = null;
  private readonly rules: StalenessRules;

  constructor(private readonly parts: LeaseParts) {
    const { passiveLockIntervalMs } = parts.config;
    const bootToleranceMs = Math.min(BOOT_TOLERANCE_MS, passiveLockIntervalMs * LEASE_MARGIN_FRACTION * BOOT_TOLERANCE_OF_MARGIN);
    this.rules = { stalenessMs: passiveLockIntervalMs, gapMs: passiveLockIntervalMs / 2, bootToleranceMs };
    this.bootAheadMs = this.bootAhead();
  }

  /** We took it and have not lost it; its deadline may have passed all the same. */
  get taken(): boolean {
    return this.hold !== null;
  }

  /** Ours, and not relied on, or not for longer, until its heart has beaten for a while without a gap, or once more: it must beat faster than the longest gap that counts as none. */
  get comesBack(): boolean {
    return this.hold !== null && (this.hold.back !== null || this.hold.strayBeat);
  }

  /** There may be something of ours to give up. */
  get standsMaybe(): boolean {
    return this.hold !== null || this.strayFrom !== null;
  }

  get held(): boolean {
    return this.hold !== null && this.parts.clock.monotonic() < this.hold.until && !this.slept() && !this.elsewhere;
  }

  /** The mount has changed since: the other server does not see our lock, and may have its own here. That nothing is found says nothing of the kind. */
  get elsewhere(): boolean {
    const seen = this.parts.shareSeen();
    return this.hold !== null && this.hold.share !== null && seen !== null && seen !== this.hold.share;
  }

  /** The deadline while it lies ahead; else `null`. */
  get until(): Monotonic | null {
    return this.held ? (this.hold?.until ?? null) : null;
  }

  /** The lock can be had: it is free, or its holder has been silent for the whole period. Known from the last reading. */
  get obtainable(): boolean {
    if (this.hold !== null) return false;
    return this.view === null ? this.standing === null : isStale(this.view, this.parts.clock.monotonic(), this.rules);
  }

  status(): LockStatus {
    const { held } = this;
    const watching = this.hold === null;
    return {
      held,
      until: this.until,
      holder: watching ? this.holder : null,
      holderSilentMs: watching && this.view !== null ? silentMs(this.view) : null,
      detail: held ? null : (this.detail ?? (this.hold === null ? null : this.elsewhere ? ELSEWHERE : 'its deadline passed before it could be renewed')),
    };
  }

  /** Linux stops the monotonic clock in suspend, so a host that slept would believe in a deadline long past. Returns true when the lock went. */
  dropIfHostSlept(): boolean {
    if (!this.slept()) return false;
    this.bootAheadMs = this.bootAhead();
    this.view = null;
    if (this.hold === null) return false;
    this.lose('the host was suspended');
    return true;
  }

  /** @returns true when the lock went. Where it had been taken on the very share that stands here, it is taken again as one that was left. */
  dropIfElsewhere(): boolean {
    if (!this.elsewhere) return false;
    this.view = null;
    this.lose(ELSEWHERE);
    return true;
  }

  /** Reads who holds the lock and how its heart beats. */
  async watch(): Promise<void> {
    const { lock, clock } = this.parts;
    const began = clock.monotonic();
    const standing = await lock.standing();
    if (standing === null) return this.seeFree();
    const beat = await this.readHeartbeat();
    const sight = { seen: `${standing} ${this.textOf(beat)}`, began, ended: clock.monotonic(), bootAheadMs: this.bootAhead() };
    this.view = observe(this.view, sight, this.rules);
    this.standing = standing;
    const heartbeat = beat === null ? null : decodeHeartbeat(beat);
    // One that only keeps the place (counter 0) is nobody's.
    this.holder = heartbeat === null || heartbeat.counter === 0 ? null : heartbeat.server;
    const silent = Math.round(silentMs(this.view));
    this.detail = `held by ${this.holder ?? 'somebody without a heartbeat'}, whose heartbeat has stood still for ${silent} of ${this.rules.stalenessMs} ms`;
  }

  /** One try to take the lock: only when it is free, or when the very lock that we watched has been silent for the whole period. */
  async acquire(order: KeeperOrder): Promise<void> {
    const { lock, clock, log } = this.parts;
    if (!this.pulseFresh(order)) {
      this.detail = "not asked for: the HA manager's pulse is too old";
      return;
    }
    const share = this.parts.shareSeen();
    const overdue = this.view !== null && isStale(this.view, clock.monotonic(), this.rules);
    // A try that fails or gets no answer may have taken it: then it stands since the first such try.
    const asked = clock.monotonic();
    const strayFrom = (this.strayFrom ??= asked);
    const answer = await lock.acquire((standing) => this.mayTakeOver(standing));
    if (answer === 'held') {
      this.strayFrom = null;
      this.takenFrom = null;
      this.detail = this.holder === null ? 'somebody else took the lock first' : (this.detail ?? `held by ${this.holder}`);
      return;
    }
    await this.lookBack();
    if (overdue) log.write('warn', `${this.whoseWasTaken()}: its heartbeat stood still for ${this.rules.stalenessMs} ms`);
    const token = this.parts.random.id();
    const sent = clock.monotonic();
    const until = await this.beat(token, 1, 'held').catch(async (error: unknown) => {
      // Without a heartbeat the other server would take it for abandoned while we rely on it.
      this.detail = `taken, but its heartbeat could not be written: ${textOf(error)}`;
      await lock.release();
      this.strayFrom = null;
      throw error;
    });
    const confirmed = clock.monotonic();
    // In this order: with the mount gone for a moment the lock may have been taken in the folder below it, and either the share is not here yet, or the lock is not on it.
    if (!(await this.parts.shareStands())) return this.lose('the share was not here when it was taken');
    if (!(await lock.stillOurs())) return this.lose('another server took it while it was being taken');
    this.strayFrom = null;
    this.seeFree();
    // Taken and shown alive within the time that a heartbeat gives. Later, another may have seen it silent for the whole period, and be about to take it over.
    const late = clock.monotonic() >= leaseUntil(answer === 'left' ? strayFrom : asked, this.parts.config.passiveLockIntervalMs);
    const livesMs = Math.max(0, this.othersUntil - confirmed);
    const forMs = Math.max(livesMs, late ? this.rules.gapMs : 0);
    const back = forMs > 0 ? { since: confirmed, last: sent, forMs } : null;
    this.hold = { share, token, counter: 1, until: back === null ? until : LONG_AGO, back, strayBeat: false };
    this.detail = back === null ? null : livesMs > 0 ? NOT_SILENT : BACK;
  }

  /**
   * Between the decision to take a silent holder's lock over and the moment at which the share does it, that holder's heart may have beaten again, for long enough
   * to be relied on: it notices at its next renewal, or its deadline passes. A renewal in which it had found the lock its own can move that deadline once more, when
   * its beat is sent just before the deadline that it had: in all by less than two periods. To be looked at once, before the heartbeat is ours.
   */
  private async lookBack(): Promise<void> {
    const { takenFrom } = this;
    if (takenFrom === null) return;
    const stands = `${takenFrom.standing} ${this.textOf(await this.readHeartbeat())}`;
    this.takenFrom = null;
    if (stands !== takenFrom.seen) this.waitForOthers();
  }

  private waitForOthers(): void {
    this.othersUntil = (this.parts.clock.monotonic() + LEASES_OF_THE_LIVING * this.rules.stalenessMs) as Monotonic;
  }

  /**
   * Shows a sign of life, if the lock is still ours and the manager alive. The deadline moves only when the share has confirmed it.
   *
   * Another's heartbeat beside a lock that is still ours after it was read: a write of a holder before, whose process may be long gone, has come through. Whoever had taken
   * the lock over would have done that first. It is written over once, which makes nobody see us silent for longer; and the deadline moves on when ours is found again.
   */
  async renew(order: KeeperOrder): Promise<void> {
    const { hold } = this;
    const { lock, log } = this.parts;
    if (hold === null) return;
    if (!(await lock.stillOurs())) return this.lose('the lock beside the lockfile is not ours any more: it was taken over or removed');
    const bytes = await this.readHeartbeat();
    const mark = bytes === null ? null : decodeHeartbeat(bytes);
    const isStray = mark !== null && mark.token !== hold.token && !hold.strayBeat && (await lock.stillOurs());
    if (!isStray && mark?.token !== hold.token) {
      this.lose(`the heartbeat record ${mark === null ? 'is gone or damaged' : `is ${mark.server}'s`}`);
      await lock.release();
      this.strayFrom = null;
      return;
    }
    if (!this.pulseFresh(order)) {
      if (this.detail === null) log.write('warn', "the lock is not renewed: the HA manager's pulse is too old");
      this.detail = "not renewed: the HA manager's pulse is too old";
      return;
    }
    // A number that may have been written is never written again: our own silence must not look like somebody's.
    hold.counter += 1;
    const sent = this.parts.clock.monotonic();
    const until = await this.beat(hold.token, hold.counter, 'held');
    hold.strayBeat = isStray;
    if (isStray) return log.write('warn', `A heartbeat of ${mark.server} came over that of this server's lock: a write that was long on its way. It is shown anew`);
    // Also where the deadline passed while the share had not answered: until it took this beat, another may have seen us silent.
    if (!this.held && !(await this.isBack(hold, sent))) return;
    hold.until = until;
    hold.back = null;
    this.detail = null;
  }

  /**
   * After the deadline another may have seen us silent for the whole period, and take over on the strength of that: at most `gapMs` after it asked, and it
   * cannot have asked after this beat was confirmed. Only a lock that is still ours after so long, with our heart beating all the while, can be relied on again.
   */
  private async isBack(hold: Hold, sent: Monotonic): Promise<boolean> {
    const confirmed = this.parts.clock.monotonic();
    if (!(await this.parts.lock.stillOurs())) {
      this.lose('it was taken over after its deadline had passed');
      return false;
    }
    // Nobody can have seen it stand still for the whole period since the beat before, as with the deadline.
    const goesOn = hold.back !== null && confirmed < leaseUntil(hold.back.last, this.rules.stalenessMs);
    const since = goesOn && hold.back !== null ? hold.back.since : confirmed;
    const forMs = hold.back?.forMs ?? this.rules.gapMs;
    hold.back = { since, last: sent, forMs };
    if (this.detail !== NOT_SILENT) this.detail = BACK;
    return sent - since > forMs;
  }

  /** Gives the lock up, if we have it. The mark comes first: after the lock has gone, the heartbeat is the successor's. */
  async release(): Promise<void> {
    const { hold } = this;
    const { lock, log } = this.parts;
    if (!this.standsMaybe) return;
    this.hold = null;
    this.strayFrom ??= LONG_AGO;
    this.detail = 'released';
    try {
      if (hold !== null && (await lock.stillOurs())) await this.beat(hold.token, hold.counter + 1, 'released');
    } catch (error) {
      log.write('debug', `heartbeat not marked as released: ${textOf(error)}`); // The mark is for people; the lock itself decides.
    }
    await lock.release();
    this.strayFrom = null;
    // Perhaps it was taken over, and nobody has looked from whom.
    if (this.takenFrom !== null) this.waitForOthers();
    this.takenFrom = null;
    this.detail = null;
  }

  /**
   * From now on we do not rely on it. Giving up needs nothing of the share (R12). It may stand all the same, wherever we looked for it: below a mount that was gone there is
   * none. Found again, it has been silent for nobody knows how long, and another may be about to take it over.
   */
  lose(reason: string): void {
    if (this.hold !== null) {
      this.parts.log.write('debug', `lost the lock on ${this.parts.config.lockFile}: ${reason}`); // The HA manager says it aloud.
      this.strayFrom = LONG_AGO;
    }
    this.hold = null;
    this.detail = reason;
  }

  pulseFresh(order: KeeperOrder): boolean {
    return this.parts.clock.monotonic() - order.pulseAt <= this.parts.config.pulseLimitMs;
  }

  private whoseWasTaken(): string {
    if (this.holder === this.parts.config.server) return "This server's own lock, left by an earlier share keeper, was taken again";
    return `The lock of ${this.holder ?? 'an unknown holder'} was taken over`;
  }

  private mayTakeOver(standing: string): boolean {
    const may = this.view !== null && standing === this.standing && !this.slept() && isStale(this.view, this.parts.clock.monotonic(), this.rules);
    if (may && this.view !== null) this.takenFrom = { standing, seen: this.view.seen };
    return may;
  }

  private seeFree(): void {
    this.view = null;
    this.standing = null;
    this.holder = null;
    this.detail = null;
  }

  /** Writes the heartbeat; returns the deadline that it gives, counted from before it was sent. */
  private async beat(token: string, counter: number, state: 'held' | 'released'): Promise<Monotonic> {
    const { clock, config, files, paths } = this.parts;
    const sent = clock.monotonic();
    await files.rewriteInPlace(paths.heartbeat, encodeHeartbeat({ token, server: config.server, counter, state }));
    return leaseUntil(sent, config.passiveLockIntervalMs);
  }

  private async readHeartbeat(): Promise<Uint8Array | null> {
    const { files, paths } = this.parts;
    try {
      return await files.read(paths.heartbeat);
    } catch (error) {
      // That is no sign of life, and a lock without one is abandoned after the same period.
      if (isNoRecord(error)) return null;
      throw error;
    }
  }

  /** Read again when this process was held up in between: that must not look like a sleep, nor hide one. */
  private bootAhead(): number {
    const { clock } = this.parts;
    for (let reading = 1; ; reading += 1) {
      const before = clock.monotonic();
      const boot = clock.sinceBoot();
      const after = clock.monotonic();
      if (after - before <= READING_MS_MAX || reading === READINGS_MAX) return boot - (before + after) / 2;
    }
  }

  /** What the bytes are, in a text that can be compared, also when they are garbage. Between two beats they are the same ones. */
  private textOf(bytes: Uint8Array | null): string {
    if (bytes === null) return 'absent';
    if (this.seenBeat === null || !sameBytes(this.seenBeat.bytes, bytes)) this.seenBeat = { bytes, text: String.fromCharCode(...bytes.subarray(0, BEAT_BYTES_SEEN_MAX)) };
    return this.seenBeat.text;
  }

  private slept(): boolean {
    return hostSlept(this.bootAheadMs, this.bootAhead(), this.rules.bootToleranceMs);
  }
}

