import type { Situation } from '../core/ha/situation.js';
import type { HaState } from '../core/ha/state.js';
import { isServing } from '../core/identity.js';
import type { Clock } from '../ports/clock.js';
import type { Log } from '../ports/log.js';
import type { ManagerConfig } from './config.js';
import type { Keeping } from './keeping.js';
import type { Repositories } from './repositories.js';
import { whyNot, type WishAnswer, type Wishes } from './wishes.js';

export interface HandoverParts {
  readonly config: ManagerConfig;
  readonly clock: Clock;
  readonly log: Log;
  readonly wishes: Wishes;
  readonly repositories: Repositories;
  /** `null`: the manager has not started yet. */
  readonly keeping: () => Keeping | null;
  /** What this server is, as the last cycle saw it. */
  readonly standing: () => { readonly ha: HaState; readonly situation: Situation | null };
  /** Asks the rules for it, now. */
  readonly begin: () => WishAnswer;
}

/** How long a switchover waits for the repositories before it begins. */
const SWITCHOVER_SYNC_MS = 30_000;
/** The same for a stop, which an operator, or the end of the host, waits for. */
const STOP_SYNC_MS = 5_000;

/**
 * Handing over to the peer where an operator asks for it, by a switchover or by the stop of this server: what waits for what, and what is said when a
 * switchover comes to nothing. Whether the peer takes over is decided by the rules (`core/ha`), and shows in the state.
 */
export class Handover {
  constructor(private readonly parts: HandoverParts) {}

  /** Takes an operator's wish for a switchover that the rules do not refuse now. */
  ask(): WishAnswer {
    const { wishes } = this.parts;
    const advice = this.parts.keeping()?.advice;
    if (advice) return { kind: 'refused', why: `a switchover needs this server's disk: ${advice}` };
    const hindrance = this.parts.standing().situation?.peer?.hindrance;
    if (hindrance) return { kind: 'refused', why: `a switchover needs a peer that could serve: ${hindrance}` };
    if (wishes.deferred === null) void this.switchover(wishes.deferSwitchover());
    return { kind: 'accepted' };
  }

  /**
   * Not before the repositories are synced, and the disk has taken a record: a handover that is won and cannot be kept here would leave the peer
   * without this server as its second.
   */
  private async switchover(asked: symbol): Promise<void> {
    const { repositories, standing, wishes } = this.parts;
    await repositories.syncOnceMore(standing().situation?.peer ?? null, SWITCHOVER_SYNC_MS);
    const trouble = await this.whyNotKept();
    if (wishes.deferred !== asked) return this.cameToNothing(`roles have changed since; this server is ${standing().ha.state}`);
    if (trouble !== null) {
      wishes.forgetDeferred();
      return this.cameToNothing(`the term record of it cannot be kept on this server's disk: ${trouble}`);
    }
    const answer = this.parts.begin();
    if (answer.kind === 'refused') this.cameToNothing(answer.why);
  }

  /** What keeps this server's disk from taking a record; `null`: nothing does. */
  private whyNotKept(): Promise<string | null> {
    const { clock, config, keeping } = this.parts;
    return new Promise((resolve) => {
      const cancel = clock.after(config.taskLimitMs, () => resolve('it does not answer'));
      void keeping()?.probe().then((trouble) => {
        cancel();
        resolve(trouble);
      });
    });
  }

  /** Of a switchover that was accepted. */
  cameToNothing(why: string): void {
    this.parts.log.write('warn', `The switchover that was asked for comes to nothing: ${why}`, { event: 'switchover-refused' });
  }

  /** Before a stop that hands over: the last sync of the repositories. `null`: there is nobody to hand over to. */
  lastSync(): Promise<void> | null {
    const { ha, situation } = this.parts.standing();
    return whyNot('switchover', ha, situation) === null ? this.parts.repositories.syncOnceMore(situation?.peer ?? null, STOP_SYNC_MS) : null;
  }

  /**
   * Resolves when there is nothing to hand over, or the peer serves and has the lock: until then it needs this server, whose loss
   * would leave it in a term of both copies without the lock, and so in WAITING.
   */
  handedOver(): Promise<void> {
    const { clock, config, standing } = this.parts;
    const deadline = clock.monotonic() + config.stopLimitMs;
    const wasActive = standing().ha.state === 'ACTIVE';
    return new Promise((resolve) => {
      const look = (): void => {
        const { state } = standing().ha;
        const underWay = state === 'ACTIVE' || (wasActive && state === 'PASSIVE' && !this.peerHasTakenOver());
        if (!underWay || clock.monotonic() >= deadline) resolve();
        else clock.after(config.pingIntervalMs / 10, look);
      };
      look();
    });
  }

  private peerHasTakenOver(): boolean {
    const { ha, situation } = this.parts.standing();
    const peer = situation?.peer ?? null;
    return peer !== null && isServing(peer.state) && peer.term >= ha.term && peer.holdsLock;
  }
}
