import type { BrokerStatus } from '../core/control/broker.js';
import type { Clock } from '../ports/clock.js';

/** The listener that clients reach (src/server/clients): all of its ports together. */
export interface ClientPort {
  readonly state: 'closed' | 'binding' | 'bound' | 'accepting' | 'failed';
  /** Why binding failed. */
  readonly error: string | null;
  /** Binds; connections are held unread. Never rejects; `state` says what came of it. */
  bind(): Promise<void>;
  /** When bound: serves those held and all that follow. */
  accept(): void;
  /** When accepting: connections that come from now on are held. */
  hold(): void;
  /** Closes the ports and destroys every connection. */
  close(reason: string): void;
}

/** Wait before a port is tried again that could not be bound. */
const REBIND_MS = 1_000;

/** Leads the client port to where it shall be, whatever it is now. */
export class ClientPortSteering {
  private wanted: 'closed' | 'bound' | 'accepting' = 'closed';
  private triedAt = -Infinity;

  constructor(
    private readonly port: ClientPort,
    private readonly clock: Clock,
    private readonly changed: () => void,
  ) {}

  get state(): BrokerStatus['clientPort'] {
    return this.port.state === 'binding' ? 'closed' : this.port.state;
  }

  get error(): string | null {
    return this.port.error;
  }

  /** Idempotent; to be said again now and then, so that a port that failed is tried again. */
  want(wanted: 'closed' | 'bound' | 'accepting'): void {
    this.wanted = wanted;
    const { port } = this;
    if (wanted === 'closed') {
      if (port.state !== 'closed') port.close('this server does not serve');
      return;
    }
    if (port.state === 'closed' || port.state === 'failed') return this.bind();
    if (wanted === 'accepting' && port.state === 'bound') port.accept();
    else if (wanted === 'bound' && port.state === 'accepting') port.hold();
  }

  private bind(): void {
    const now = this.clock.monotonic();
    if (this.port.state === 'failed' && now - this.triedAt < REBIND_MS) return;
    this.triedAt = now;
    void this.port.bind().then(() => {
      if (this.port.state === 'bound' && this.wanted === 'accepting') this.port.accept();
      this.changed();
    });
  }
}
