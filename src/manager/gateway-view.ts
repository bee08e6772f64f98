import type { Monotonic } from '../core/identity.js';
import type { Clock } from '../ports/clock.js';
import type { GatewayProbe } from '../ports/gateway.js';

/** What this manager has heard of the gateway. One probe at a time. */
export class GatewayView {
  private lastAnswered: Monotonic | null = null;
  private probing = false;

  /** @param heard what became of a probe */
  constructor(
    private readonly gateway: GatewayProbe,
    private readonly clock: Clock,
    private readonly limitMs: number,
    private readonly heard: (answered: boolean) => void,
  ) {}

  /** When the newest probe that it answered was sent. */
  get answeredAt(): Monotonic | null {
    return this.lastAnswered;
  }

  probe(): void {
    if (this.probing) return;
    this.probing = true;
    const sentAt = this.clock.monotonic();
    void this.gateway.probe(this.limitMs).then((answered) => {
      this.probing = false;
      if (answered) this.lastAnswered = sentAt;
      this.heard(answered);
    });
  }
}
