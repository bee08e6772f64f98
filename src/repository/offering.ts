import type { NumberedWish, SendRepositories } from '../core/control/repository.js';
import type { Monotonic } from '../core/identity.js';
import type { Cancel } from '../ports/clock.js';
import type { RepositorySettings } from '../core/repository/entry.js';
import type { RepositoryFolder } from '../ports/repository.js';
import type { Stream } from '../ports/stream.js';
import type { RepositoryConfig } from './config.js';
import { LeftOutNotice } from './left-out.js';
import { reasonOf } from './messages.js';
import type { SenderSession, SyncHint, SyncReport } from './session.js';
import { brokenFolder, type Shelf } from './shelf.js';
import { Throttle } from './throttle.js';
import type { KeeperTools, SendAuthority } from './tools.js';

/** Links at one time: one a repository, and those that are about to be noticed as dead. */
const LINKS_MAX = 160;
/** How often a held-back sender is asked to go on. */
const WAKE_MS = 50;
/** While messages flow, at most so many bytes a second leave for all repositories together: an ordinary disk takes them beside its other work. */
export const GIVING_WAY_BYTES_PER_SECOND = 48 * 1024 * 1024;
/** A look at everything, beside the hints of the file system. */
const WHOLE_LOOK_MS = 60_000;
/** The same where not every folder can be watched. */
const BLIND_LOOK_MS = 10_000;
/** What cannot be opened is tried again. */
const REOPEN_MS = 10_000;
/** Who asks for one that is being opened waits so long for it at most (an exchange that was interrupted is ended first, and a disk may hang), and then hears that. */
const OPENING_MS = 10_000;

interface Link {
  readonly session: SenderSession;
  readonly isOpen: () => boolean;
  /** Which repository is fetched over it; `null`: nothing yet. */
  readonly repository: () => string | null;
}

interface Pending {
  readonly wish: NumberedWish;
  readonly at: Monotonic;
  readonly done: (report: SyncReport | string) => void;
}

/**
 * The sending half: lets the peer's keeper fetch while this server serves, and hints at what changed. It only reads. Which run may fetch, and in which
 * term, is asked of the present order for every frame.
 */
export class Offering {
  private role: SendRepositories | null = null;
  private isOpen = false;
  private readonly sessions = new Set<Link>();
  private readonly folders = new Map<string, RepositoryFolder>();
  private readonly opening = new Set<string>();
  /** Of these it was said that they cannot be opened. */
  private readonly broken = new Set<string>();
  private readonly throttles: ReadonlyMap<string, Throttle>;
  private readonly leftOut: ReadonlyMap<string, LeftOutNotice>;
  /** While messages flow. */
  private courtesy: Throttle | null = null;
  private readonly ends: Cancel[] = [];
  /** Tries to come, by repository. */
  private readonly reopenings = new Map<string, Cancel>();
  private pending: Pending[] = [];
  private waking: Cancel | null = null;
  private readonly settings: readonly RepositorySettings[];
  /** Counts the roles: what was begun for an earlier one is left alone. */
  private turn = 0;

  constructor(
    private readonly tools: KeeperTools,
    private readonly shelf: Shelf,
    private readonly authority: () => SendAuthority,
  ) {
    this.settings = tools.config.repositories.filter(({ used }) => used).map(({ name, syncType, include, exclude }) => ({ name, syncType, include, exclude }));
    this.throttles = new Map(tools.config.repositories.map(({ name, throttle }) => [name, new Throttle(throttle, tools.clock)]));
    this.leftOut = new Map(tools.config.repositories.map(({ name }) => [name, new LeftOutNotice(tools, name, 'this server\'s')]));
  }

  /** What is sent from now on; `null`: nothing. */
  set(role: SendRepositories | null): void {
    const same = this.role !== null && role !== null && this.role.to.run === role.to.run;
    this.role = role;
    if (same) return;
    this.stop(role === null ? 'this server does not send any more' : 'another run of the peer is sent to now');
    if (role !== null) this.begin();
  }

  /** Whether syncs give way to messages from now on. */
  giveWay(messagesFlow: boolean): void {
    if (messagesFlow === (this.courtesy !== null)) return;
    this.courtesy = messagesFlow ? new Throttle(GIVING_WAY_BYTES_PER_SECOND, this.tools.clock) : null;
    if (this.isOpen) this.wakeWhereLimited();
    if (!messagesFlow) for (const { session } of this.sessions) session.wake();
  }

  accept(stream: Stream): void {
    const { tools } = this;
    const { config } = tools;
    if (config.secretFile !== null && !stream.authenticated) return stream.destroy('it did not prove the shared secret');
    // The receiver dials again.
    if (this.role === null || !this.isOpen || this.sessions.size >= LINKS_MAX) return stream.destroy('nothing is sent now');
    let isClosed = false;
    let repository: string | null = null;
    const session = tools.createSender({
      stream,
      hashing: tools.hashing,
      identity: { cluster: config.cluster, server: config.server, run: tools.run },
      clock: tools.clock,
      log: tools.log,
      folders: this.folders,
      isOpening: (name) => this.opening.has(name),
      settings: this.settings,
      authority: this.authority,
      allowance: (name) => this.allowance(name),
      sent: (name, bytes) => {
        if (repository === null) {
          repository = name;
          this.unanswerable();
        }
        this.throttles.get(name)?.spend(bytes);
        this.courtesy?.spend(bytes);
      },
      reported: (report, wholeSince) => this.reported(report, wholeSince),
      // Also at once, while it is made.
      closed: () => {
        isClosed = true;
        this.forget();
      },
    });
    this.sessions.add({ session, isOpen: () => !isClosed, repository: () => repository });
    this.forget();
  }

  /** Has the receiver do what an operator asks for here. What is answered is about the folder as it was then, or later. */
  ask(wish: NumberedWish, done: (report: SyncReport | string) => void): void {
    if (wish.ask === 'restore') return done('this is for the folder here');
    if (!this.isFetched(wish.repository)) return done('the other server has no repository link to this one for it now; its "lockstep repo status" says why');
    this.pending.push({ wish, at: this.tools.clock.monotonic(), done });
    this.hint({ repository: wish.repository, purpose: wish.ask, folders: null });
  }

  /** Tells the receivers that something may have changed in a repository. */
  hint(hint: SyncHint): void {
    for (const { session } of this.sessions) session.hint(hint);
  }

  stop(reason: string): void {
    this.turn += 1;
    this.isOpen = false;
    this.waking?.();
    this.waking = null;
    for (const end of [...this.ends.splice(0), ...this.reopenings.values()]) end();
    this.reopenings.clear();
    for (const { session } of [...this.sessions]) session.refuse(reason);
    this.sessions.clear();
    for (const names of [this.folders, this.opening, this.broken]) names.clear();
    this.unanswerable();
  }

  /** None waits for another. */
  private begin(): void {
    const { turn, tools } = this;
    this.isOpen = true;
    for (const config of tools.config.repositories) {
      if (!config.used) continue;
      const { name } = config;
      this.opening.add(name);
      const end = this.sayOpening(config);
      this.ends.push(end);
      void this.openOne(config, turn).finally(() => {
        if (turn !== this.turn) return;
        end();
        this.opened(name);
      });
    }
    this.wakeWhereLimited();
  }

  /** Whoever waits for it hears again and again that it is not opened yet; who asks after that waits anew, and has it at once when it is. */
  private sayOpening({ name, path }: RepositoryConfig): Cancel {
    let cancel: Cancel = () => undefined;
    const wait = (): void => {
      cancel = this.tools.clock.after(OPENING_MS, () => {
        this.folders.set(name, brokenFolder(new Error(`${path} is still being opened`)));
        this.opened(name);
        this.opening.add(name);
        wait();
      });
    };
    wait();
    return () => cancel();
  }

  private opened(name: string): void {
    this.opening.delete(name);
    for (const { session } of this.sessions) session.wake();
  }

  private async openOne(config: RepositoryConfig, turn: number): Promise<void> {
    const { name } = config;
    try {
      const store = await this.shelf.open(config);
      if (turn !== this.turn) return;
      this.folders.set(name, store);
      this.broken.delete(name);
      if (config.when === 'continuous') this.watch(config);
    } catch (error) {
      if (turn !== this.turn) return;
      if (!this.broken.has(name)) this.tools.log.write('warn', `Repository ${name} cannot be sent: ${reasonOf(error)}`, { event: 'repository', repository: name });
      this.broken.add(name);
      this.folders.set(name, brokenFolder(error));
      this.reopenings.set(name, this.tools.clock.after(REOPEN_MS, () => void this.openOne(config, turn)));
    }
  }

  private watch({ name, path, exclude }: RepositoryConfig): void {
    const { clock, log } = this.tools;
    let everyMs = WHOLE_LOOK_MS;
    const hint = (folders: readonly string[] | null): void => this.hint({ repository: name, purpose: 'sync', folders });
    this.ends.push(
      this.tools.watch(path, exclude, {
        changed: hint,
        failed: (reason) => {
          everyMs = BLIND_LOOK_MS;
          log.write('warn', `Repository ${name}: not every folder of it can be watched (${reason}); it is looked at every ${BLIND_LOOK_MS / 1000} s instead`, { event: 'repository', repository: name });
        },
      }),
    );
    let cancel: Cancel = () => undefined;
    const look = (): void => {
      cancel = clock.after(everyMs, () => {
        hint(null);
        look();
      });
    };
    look();
    this.ends.push(() => cancel());
  }

  private allowance(name: string): number {
    const own = this.throttles.get(name)?.allowance() ?? Number.POSITIVE_INFINITY;
    return Math.min(own, this.courtesy?.allowance() ?? Number.POSITIVE_INFINITY);
  }

  /** What waits for its allowance is looked at again and again, for as long as something is limited. */
  private wakeWhereLimited(): void {
    if (this.waking !== null || !(this.courtesy !== null || [...this.throttles.values()].some((throttle) => throttle.isLimited))) return;
    this.waking = this.tools.clock.after(WAKE_MS, () => {
      this.waking = null;
      for (const { session } of this.sessions) session.wake();
      this.wakeWhereLimited();
    });
  }

  private reported(report: SyncReport, wholeSince: Monotonic | null): void {
    // The receiver makes one sync of several that were asked for meanwhile.
    const isAnswered = ({ wish, at }: Pending): boolean => wish.repository === report.repository && wish.ask === report.purpose && wholeSince !== null && wholeSince >= at;
    const answered = this.pending.filter(isAnswered);
    this.pending = this.pending.filter((one) => !answered.includes(one));
    for (const { done } of answered) done(report);
    this.leftOut.get(report.repository)?.note(report, wholeSince !== null);
    if (wholeSince !== null) this.shelf.learnt(report.repository);
    if (report.outcome === 'failed') this.tools.log.write('warn', `Repository ${report.repository} at the peer: ${report.detail ?? 'its sync failed'}`, { event: 'repository-report', repository: report.repository });
  }

  /** Lets go of links that have ended. */
  private forget(): void {
    for (const link of this.sessions) if (!link.isOpen()) this.sessions.delete(link);
    this.unanswerable();
  }

  /** The peer has a link of its own for each repository that it can receive; whether one that has fetched nothing yet is for this one will be seen. */
  private isFetched(name: string): boolean {
    return [...this.sessions].some(({ repository }) => (repository() ?? name) === name);
  }

  /** Without a link no answer comes. */
  private unanswerable(): void {
    const lost = this.pending.filter(({ wish }) => !this.isFetched(wish.repository));
    this.pending = this.pending.filter((one) => !lost.includes(one));
    for (const { done } of lost) done('the repository link was lost meanwhile; ask again');
  }
}
