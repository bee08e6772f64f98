import type { Endpoint } from '../core/control/broker.js';
import { LockstepError } from '../core/errors.js';
import type { Cancel, Clock } from '../ports/clock.js';
import type { Random } from '../ports/random.js';
import type { Network, Stream } from '../ports/stream.js';
import type { QuietLog } from './backchannel-log.js';

/** Between two tries to reach the peer: doubled with each that fails, with jitter so that the two servers do not keep step. */
export const REDIAL_MS_MIN = 200;
export const REDIAL_MS_MAX = 2000;

/** Keeps one dialled connection to the peer: dials again, after a pause, whenever the last one failed or closed. */
export class PeerDialler {
  private failures = 0;
  private pause: Cancel | null = null;
  private stopped = false;
  private topic: string | null = null;

  constructor(
    private readonly peerAt: Endpoint,
    private readonly timeoutMs: number,
    private readonly ports: { readonly network: Network; readonly clock: Clock; readonly random: Random },
    private readonly log: QuietLog,
    private readonly user: {
      readonly opened: (stream: Stream) => void;
      /** What listens there does not share our secret. */
      readonly unproven: (reason: string) => void;
    },
  ) {}

  start(): void {
    if (this.stopped) return;
    this.pause = null;
    this.ports.network.dial(this.peerAt, this.timeoutMs).then(
      (stream) => {
        if (this.stopped) stream.destroy('stopping');
        else this.user.opened(stream);
      },
      (error: unknown) => this.failed(error),
    );
  }

  /** The dialled connection is closed. */
  again(): void {
    if (this.stopped || this.pause !== null) return;
    const delayMs = Math.min(REDIAL_MS_MAX, REDIAL_MS_MIN * 2 ** Math.min(this.failures, 10));
    this.failures += 1;
    this.pause = this.ports.clock.after(delayMs * (0.75 + this.ports.random.fraction() / 4), () => this.start());
  }

  /** The peer has spoken over the dialled connection: the next pause is the shortest again. */
  succeeded(): void {
    this.failures = 0;
    if (this.topic !== null) this.log.forget(this.topic);
    this.topic = null;
  }

  stop(): void {
    this.stopped = true;
    this.pause?.();
  }

  private failed(error: unknown): void {
    if (this.stopped) return;
    // That the peer is not there is an ordinary state; the manager says it by the state's name. Why is said once in a while.
    const reason = error instanceof Error ? error.message : String(error);
    this.topic = `dial: ${reason}`;
    if (error instanceof LockstepError && error.code === 'LOCKSTEP_SECRET_REFUSED') this.user.unproven(reason);
    this.log.write('info', this.topic, `backchannel: ${reason}`);
    this.again();
  }
}
