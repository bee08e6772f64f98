import type { FollowRole, ReplicationStatus } from '../core/control/broker.js';
import { NO_POSITION, type Monotonic, type Position, type Term } from '../core/identity.js';
import type { Cancel } from '../ports/clock.js';
import type { Stream } from '../ports/stream.js';
import { Dialler, type DiallerTools } from './dialler.js';
import { FollowerLink, type LinkTools } from './follower-link.js';

/*
 * Following one leader as the orders say: one link at a time, and a new one when it is lost.
 *
 * Invariants
 * - `stop` ends the session at once; nothing that is still under way on the disk can speak through it afterwards.
 * - Frames of an older session go nowhere: each session has its own link, which is ended before the next is dialled. While a change
 *   of the own log that it began is under way, none is.
 */
export interface FollowingTools extends LinkTools, DiallerTools {}

export class Following {
  private link: FollowerLink | null = null;
  private readonly dialler: Dialler;
  private stopped = false;
  private resyncDone = false;
  /** Since when there is no link. */
  private aloneSince: Monotonic;
  private watch: Cancel;

  constructor(
    private readonly tools: FollowingTools,
    private role: FollowRole,
  ) {
    this.aloneSince = tools.clock.monotonic();
    this.watch = tools.clock.after(tools.config.tuning.pingIntervalMs, () => this.tick());
    this.dialler = new Dialler(tools, role.leader, { wanted: () => this.link === null, connected: (stream) => this.begin(stream) });
    this.dialler.dial();
  }

  /** The term of the live session, or the ordered one. */
  get term(): Term {
    return this.link?.term ?? this.role.term;
  }

  /** Why there is no connection; `null` while there is. */
  get trouble(): string | null {
    return this.dialler.trouble;
  }

  /** Takes a newer order for the same leader. @returns false when it needs another `Following` */
  adopt(role: FollowRole): boolean {
    const { leader } = this.role;
    const same = leader.server === role.leader.server && leader.brokerRun === role.leader.brokerRun && leader.endpoint.host === role.leader.endpoint.host && leader.endpoint.port === role.leader.endpoint.port;
    if (!same || role.term < this.role.term) return false;
    const { link } = this;
    // A live session of an older term stays: the leader tells it of the new one, or has ended it. A fence would have stopped it.
    this.role = role;
    if (!role.resync) this.resyncDone = false;
    else if (this.resyncDone && this.tools.copy.diverged !== null) this.resyncDone = false;
    if (this.wantsResync() && link !== null && !link.resync) this.drop('a whole copy was ordered', null);
    return true;
  }

  /** Ends everything, for good. */
  stop(reason: string): void {
    if (this.stopped) return;
    this.stopped = true;
    this.dialler.stop();
    this.watch();
    this.drop(reason, reason);
  }

  /** More is durable here. */
  durable(position: Position): void {
    this.link?.durable(position);
  }

  /** The copy is ready again, or became damaged. */
  copyChanged(): void {
    const { copy } = this.tools;
    if (copy.damage !== null && this.link !== null && !this.link.resync) this.drop('this copy is damaged', 'the copy here is damaged');
    if (this.link === null) this.dialler.dial();
  }

  status(): ReplicationStatus {
    const { copy, clock, config } = this.tools;
    const { link } = this;
    const phase = link?.phase ?? 'connecting';
    return {
      phase,
      peerRun: this.role.leader.brokerRun,
      peerJournal: link?.leaderJournal ?? null,
      term: this.term,
      peerDurable: copy.durable,
      stalledMs: Math.max(0, clock.monotonic() - (link?.heardAt ?? this.aloneSince) - config.tuning.pingIntervalMs),
      lagRecords: Math.max(0, (link?.leaderHead ?? NO_POSITION) - copy.durable),
      lagBytes: 0,
      progress: phase === 'in-step' ? null : (link?.copyProgress ?? null),
    };
  }

  private wantsResync(): boolean {
    return this.tools.copy.damage !== null || (this.role.resync && !this.resyncDone);
  }

  private begin(stream: Stream): void {
    const listener = {
      copied: () => {
        this.resyncDone = true;
      },
      agreed: () => this.dialler.agreed(),
      lost: (reason: string, answer: string | null, refused: boolean) => this.lose(reason, answer, refused),
    };
    this.link = new FollowerLink(this.tools, listener, this.role.leader, this.role.term, this.wantsResync(), stream);
    this.tools.changed();
  }

  /** This link is over; another is tried. */
  private lose(reason: string, answer: string | null, refused: boolean): void {
    this.dialler.lost();
    this.drop(reason, answer);
    this.dialler.again(reason, true, refused);
  }

  private drop(reason: string, answer: string | null): void {
    const { link } = this;
    if (link === null) return;
    this.link = null;
    link.end(reason, answer);
    this.aloneSince = this.tools.clock.monotonic();
    if (!this.stopped && !this.dialler.waits) this.dialler.again(reason, false);
  }

  private tick(): void {
    if (this.stopped) return;
    const { clock, config } = this.tools;
    this.watch = clock.after(config.tuning.pingIntervalMs, () => this.tick());
    this.link?.tick();
  }
}
