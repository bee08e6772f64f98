import type { FollowRole } from '../core/control/broker.js';
import type { Monotonic } from '../core/identity.js';
import type { Cancel, Clock } from '../ports/clock.js';
import type { Log } from '../ports/log.js';
import type { Random } from '../ports/random.js';
import type { Network, Stream } from '../ports/stream.js';
import type { BrokerConfig } from './config.js';
import type { Copy } from './copy.js';
import { describe } from './disk-io.js';

/*
 * Dialling the leader, again and again until there is a link, and saying what stands in its way.
 *
 * Invariants
 * - One attempt at a time, and none while the own log's past is being changed, what it holds is not durable yet, or the copy rests.
 * - A connection whose other side did not prove the shared secret, where that is mandatory, is never handed on.
 * - After `stop` nothing is dialled, and what answers late is closed.
 */

/** A leader that does not let us follow says so while roles change; one that goes on saying it for so long is a trouble. */
const REFUSAL_LASTS_MS = 5_000;

export interface DiallerTools {
  readonly copy: Copy;
  readonly config: BrokerConfig;
  readonly network: Network;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly changed: () => void;
}

export interface DiallerListener {
  /** No other connection is there: one is wanted. */
  wanted(): boolean;
  connected(stream: Stream): void;
}

export class Dialler {
  private dialling = false;
  private stopped = false;
  private redial: Cancel | null = null;
  private failures = 0;
  /** Why there is no connection; `null` while there is. */
  trouble: string | null = null;
  /** What was last said of it: the same again is no news. */
  private told: string | null = null;
  /** Since when the leader has said nothing but that it does not let us follow. */
  private refusedSince: Monotonic | null = null;

  constructor(
    private readonly tools: DiallerTools,
    private readonly leader: FollowRole['leader'],
    private readonly listener: DiallerListener,
  ) {}

  /** It will dial by itself. */
  get waits(): boolean {
    return this.redial !== null;
  }

  dial(): void {
    const { copy, network, config, log } = this.tools;
    if (this.stopped || this.dialling || !this.listener.wanted() || copy.changing) return;
    if (copy.retakes.rest !== null) return this.again(copy.retakes.rest, false);
    if (copy.damage === null && copy.durable < copy.head.position) return this.again('the own disk has not caught up', false);
    this.redial?.();
    this.redial = null;
    this.dialling = true;
    network.dial(this.leader.endpoint, config.tuning.dialTimeoutMs).then(
      (stream) => {
        this.dialling = false;
        if (this.stopped || copy.changing) return discard(stream);
        if (config.replicationSecured && !stream.authenticated) {
          discard(stream);
          return this.again('the leader did not prove the shared secret', true);
        }
        log.write('debug', `Connected to ${this.leader.server} at ${stream.remote}`);
        this.listener.connected(stream);
      },
      (error: unknown) => {
        this.dialling = false;
        this.again(describe(error), true);
      },
    );
  }

  /** Dials again after a while. `refused`: the leader itself said that it does not let us follow. */
  again(reason: string, failed: boolean, refused = false): void {
    if (this.stopped) return;
    const { clock, random, config, changed } = this.tools;
    const { redialMinMs, redialMaxMs } = config.tuning;
    if (failed) this.tell(reason, refused);
    this.trouble = reason;
    const wait = Math.min(redialMaxMs, redialMinMs * 2 ** Math.min(this.failures, 10));
    if (failed) this.failures += 1;
    this.redial?.();
    this.redial = clock.after(wait * (0.5 + random.fraction() / 2), () => this.dial());
    changed();
  }

  /** A link that stood is lost: the wait before the next grows by that, too. */
  lost(): void {
    this.failures += 1;
  }

  /** The leader and this side have agreed: whatever comes next is another matter. */
  agreed(): void {
    this.failures = 0;
    this.trouble = null;
    this.told = null;
    this.refusedSince = null;
  }

  stop(): void {
    this.stopped = true;
    this.redial?.();
  }

  private tell(reason: string, refused: boolean): void {
    const { clock, log } = this.tools;
    this.refusedSince = refused ? (this.refusedSince ?? clock.monotonic()) : null;
    const passing = this.refusedSince !== null && clock.monotonic() - this.refusedSince < REFUSAL_LASTS_MS;
    if (this.told !== reason) log.write(passing ? 'debug' : 'warn', `No replication link to ${this.leader.server}: ${reason}`);
    if (!passing) this.told = reason;
  }
}

function discard(stream: Stream): void {
  stream.handle({ data: () => undefined, drain: () => undefined, close: () => undefined });
  stream.destroy('not wanted any more');
}
