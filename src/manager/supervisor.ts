import type { Cancel, Clock } from '../ports/clock.js';
import { QuietLog } from './backchannel-log.js';
import type { Log } from '../ports/log.js';
import type { Child, Spawner } from '../ports/process.js';
import type { Monotonic } from '../core/identity.js';

/** What every child of the manager says: who it is and which order it has carried out. */
interface AnyStatus {
  readonly run: string;
  readonly orderSeq: number;
}

type FromChild<Status> =
  | { readonly kind: 'opening' }
  | { readonly kind: 'status'; readonly status: Status }
  | { readonly kind: 'log'; readonly level: 'error' | 'warn' | 'info' | 'debug'; readonly message: string; readonly fields?: Record<string, unknown> }
  | { readonly kind: 'fatal'; readonly code: string; readonly message: string };

export interface SupervisorOptions {
  readonly name: string;
  /**
   * No first status for this long after its start, and no sign of life before that ("opening"): killed. Doubled for each start in a row that came to nothing, up to `START_LIMIT_FACTOR_MAX`
   * times: a host too busy to start a process in time would otherwise never have one.
   */
  readonly startLimitMs: number;
  /** No status for this long after an earlier one: killed. */
  readonly answerLimitMs: number;
  readonly restartDelayMs: number;
  readonly restartDelayMaxMs: number;
  /**
   * Start another without waiting until a killed process is really gone: right for the keeper, which a hung mount can hold
   * in the kernel for minutes; wrong for the broker, whose journal has one writer.
   */
  readonly abandonsKilled: boolean;
}

export const START_LIMIT_FACTOR_MAX = 8;
/** Killed processes that have not ended yet, above which no other is started: each keeps memory and files of this host. */
export const LINGERING_MAX = 8;
/** So often in a row the end of a process that had not lived for a while is said again at once; later ones as rarely as any line that repeats. */
export const ENDS_SAID_AGAIN_MAX = 3;

/**
 * Keeps one child process alive: starts it, sends it orders, hears its status, kills it when it stops answering, and starts
 * another when it is gone. A child's status counts only while that very process lives: when it is gone, or was told to die, `status` is `null` at once.
 */
export class Supervisor<Order extends object, Status extends AnyStatus> {
  private child: Child<{ kind: 'order'; order: Order & { seq: number; pulseAt: Monotonic } }, FromChild<Status>> | null = null;
  private dying: unknown = null;
  /** Killed, and not known to have ended. */
  private readonly lingering = new Set<unknown>();
  private readonly quiet: QuietLog;
  /** Under which topics the ends of earlier processes were said. */
  private readonly saidEnds = new Set<string>();
  private latest: Status | null = null;
  private heardAt = 0 as Monotonic;
  private startedAt = 0 as Monotonic;
  private checkedAt: Monotonic | null = null;
  /** A child's silence before this was our own deafness. */
  private listeningSince = 0 as Monotonic;
  private seq = 0;
  private failures = 0;
  /** Starts in a row that ended without a first status. */
  private vainStarts = 0;
  private crashCount = 0;
  private startCount = 0;
  private restart: Cancel | null = null;
  private ended = false;
  private lastFatal: string | null = null;
  private whenGone: (() => void) | null = null;

  constructor(
    private readonly spawner: Spawner<{ kind: 'order'; order: Order & { seq: number; pulseAt: Monotonic } }, FromChild<Status>>,
    private readonly clock: Clock,
    private readonly log: Log,
    private readonly options: SupervisorOptions,
    private readonly changed: () => void,
    /** Whether a status says something to be told of by `changed`. Left out: every one does. */
    private readonly isNews: (before: Status | null, now: Status) => boolean = () => true,
  ) {
    this.quiet = new QuietLog(log, clock);
  }

  get status(): Status | null {
    return this.latest;
  }

  get pid(): number | null {
    return this.child?.pid ?? null;
  }

  /** Why the last process could not go on, while none is there that says better; forgotten when one has lived for a while. */
  get fatal(): string | null {
    return this.latest === null && this.failures > 1 ? this.lastFatal : null;
  }

  /** Processes that ended without having been told to. */
  get crashes(): number {
    return this.crashCount;
  }

  /** Processes that were started. One that is new has heard no order yet. */
  get starts(): number {
    return this.startCount;
  }

  /** The seq that the last order went out with. */
  get lastSeq(): number {
    return this.seq;
  }

  start(): void {
    if (this.child !== null || this.ended) return;
    this.startedAt = this.clock.monotonic();
    this.startCount += 1;
    if (this.lingering.size >= LINGERING_MAX) {
      this.quiet.write('error', 'lingering', `${this.lingering.size} killed ${this.options.name} processes have not ended: something holds them in the kernel (a mount that hangs). No other is started until one of them is gone.`);
      this.startLater();
      return;
    }
    let child: ReturnType<typeof this.spawner.start>;
    try {
      child = this.spawner.start();
    } catch (error) {
      // Want of memory, for one: no reason for this process to end.
      this.quiet.write('error', 'not started', `The ${this.options.name} process could not be started: ${error instanceof Error ? error.message : String(error)}`);
      this.startLater();
      return;
    }
    this.child = child;
    child.handle({
      message: (message) => this.hear(child, message),
      closed: (reason) => this.gone(child, reason),
    });
  }

  /** @returns after how many milliseconds another is started */
  private startLater(): number {
    const delay = Math.min(this.options.restartDelayMs * 2 ** this.failures, this.options.restartDelayMaxMs);
    this.failures += 1;
    this.restart = this.clock.after(delay, () => {
      this.start();
      this.changed();
    });
    return delay;
  }

  /** Sends the order, if there is a process to hear it. */
  order(order: Order): void {
    if (this.child === null) return;
    this.seq += 1;
    this.child.send({ kind: 'order', order: { ...order, seq: this.seq, pulseAt: this.clock.monotonic() } });
  }

  /**
   * To be called at every tick: kills a child that has not answered within its limit. Where ticks were missing for long, this process
   * itself was paused: what the child said meanwhile is still to be read, and its limit begins anew.
   */
  check(): void {
    const now = this.clock.monotonic();
    if (this.checkedAt !== null && now - this.checkedAt > this.options.answerLimitMs / 2) this.listeningSince = now;
    this.checkedAt = now;
    if (this.child === null || this.child === this.dying) return;
    const silent = now - Math.max(this.startedAt, this.heardAt, this.listeningSince);
    const limit = this.latest === null ? this.startLimitMs : this.options.answerLimitMs;
    if (silent > limit) this.kill(`gave no answer for ${Math.round(silent)} ms`);
  }

  private get startLimitMs(): number {
    return this.options.startLimitMs * Math.min(START_LIMIT_FACTOR_MAX, 2 ** this.vainStarts);
  }

  /** SIGKILL, now. From this moment the process counts as gone for every decision; a new one is started when it really is. */
  kill(reason: string): void {
    if (this.child === null || this.child === this.dying) return;
    const topic = `kill ${reason.replace(/\d+/g, '#')}`;
    this.quiet.write('error', topic, `The ${this.options.name} ${reason}; it is killed and started anew.`, { pid: this.child.pid });
    // A share that hangs for minutes has one keeper after the other killed, each of which had given a status.
    if (!this.options.abandonsKilled) this.saidEnds.add(topic);
    const child = this.child;
    child.kill();
    this.dying = child;
    if (this.latest === null) this.vainStarts += 1;
    this.latest = null;
    if (this.options.abandonsKilled) this.abandon(child);
    else this.changed();
  }

  private abandon(child: Child<unknown, FromChild<Status>>): void {
    this.gone(child, 'killed');
    this.lingering.add(child);
  }

  /** Waits for the child to end by itself, at most `limitMs`, then kills it. No other is started. */
  async end(limitMs: number): Promise<void> {
    this.ended = true;
    this.restart?.();
    const child = this.child;
    if (child === null) return;
    await new Promise<void>((resolve) => {
      const cancel = this.clock.after(limitMs, () => {
        child.kill();
        resolve();
      });
      this.whenGone = () => {
        cancel();
        resolve();
      };
    });
  }

  private hear(child: Child<unknown, FromChild<Status>>, message: FromChild<Status>): void {
    if (child !== this.child || child === this.dying) return;
    if (message.kind === 'status') {
      const before = this.latest;
      this.latest = message.status;
      this.vainStarts = 0;
      this.heardAt = this.clock.monotonic();
      if (this.heardAt - this.startedAt > this.options.restartDelayMaxMs) {
        this.failures = 0;
        this.lastFatal = null;
      }
      this.sayNextEnd();
      if (this.isNews(before, message.status)) this.changed();
    } else if (message.kind === 'opening') {
      if (this.latest === null) this.heardAt = this.clock.monotonic();
    } else if (message.kind === 'log') {
      // A share that hangs for minutes has one keeper after the other killed, and each says the same of it.
      if (this.options.abandonsKilled) this.quiet.write(message.level, message.message, message.message, message.fields);
      else this.log.write(message.level, message.message, message.fields);
    } else {
      this.lastFatal = `the ${this.options.name} cannot go on, and is started again and again: ${message.message}`;
      this.quiet.write('error', message.code, `The ${this.options.name} cannot go on: ${message.message}`, { code: message.code });
      this.saidEnds.add(message.code);
    }
  }

  /** A process that has given a status is news, and so is its end; but not in a loop of such ends. */
  private sayNextEnd(): void {
    if (this.saidEnds.size === 0 || this.failures > ENDS_SAID_AGAIN_MAX) return;
    for (const topic of this.saidEnds) this.quiet.due(topic);
    this.saidEnds.clear();
  }

  private gone(child: Child<unknown, FromChild<Status>>, reason: string): void {
    this.lingering.delete(child);
    if (child !== this.child) return;
    this.child = null;
    this.latest = null;
    this.whenGone?.();
    if (!this.ended) {
      const delay = this.startLater();
      this.crashCount += 1;
      if (child !== this.dying) {
        this.quiet.write('warn', `ended ${reason}`, `The ${this.options.name} process ended (${reason}); a new one is started in ${delay} ms.`);
        this.saidEnds.add(`ended ${reason}`);
      }
    }
    this.changed();
  }
}
