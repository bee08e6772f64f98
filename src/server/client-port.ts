import type { BrokerStatus } from '../core/control/broker.js';
import type { Clock } from '../ports/clock.js';
import type { Log } from '../ports/log.js';

/** The listener that clients reach (src/server/clients): all of its ports together. */
export interface ClientPort {
  readonly state: 'closed' | 'binding' | 'bound' | 'accepting' | 'failed';
  /** Why binding failed. */
  readonly error: string | null;
  /** Binds; connections are held unread. Never rejects; `state` says what came of it. */
  bind(): Promise<void>;
  /** When closed: binds for a moment, and resolves to what keeps it from that. `bind` may come between. Never rejects. */
  rehearse(): Promise<string | null>;
  /** When bound: serves those held and all that follow. */
  accept(): void;
  /** When accepting: connections that come from now on are held. */
  hold(): void;
  /** Closes the ports and destroys every connection. */
  close(reason: string): void;
}

/** Wait before a port is tried again that could not be bound. */
const REBIND_MS = 1_000;
/** While clients are not served, it is tried each so often whether they could be. */
export const REHEARSE_MS = 30_000;

/** Leads the client port to where it shall be, whatever it is now. */
export class ClientPortSteering {
  private wanted: 'closed' | 'bound' | 'accepting' = 'closed';
  private triedAt = -Infinity;
  private rehearsedAt = -Infinity;
  private isRehearsing = false;
  /** Why the port could not be bound when it was last tried, for nobody to connect yet. */
  private ahead: string | null = null;

  constructor(
    private readonly port: ClientPort,
    private readonly clock: Clock,
    private readonly log: Log,
    private readonly changed: () => void,
  ) {}

  get state(): BrokerStatus['clientPort'] {
    return this.port.state === 'binding' ? 'closed' : this.port.state;
  }

  /** While the port is not bound: why it could not be, when that was tried last. It holds until another try says otherwise: who steps back for it must not seem to be well at once. */
  get error(): string | null {
    const { wanted, ahead, port } = this;
    if (wanted === 'closed') return ahead;
    return port.state === 'bound' || port.state === 'accepting' ? null : (port.error ?? ahead);
  }

  /** Idempotent; to be said again now and then, so that a port that failed is tried again. */
  want(wanted: 'closed' | 'bound' | 'accepting'): void {
    // The clients of a server that has just ended serving look for the other one.
    if (wanted === 'closed' && this.wanted !== 'closed') this.rehearsedAt = this.clock.monotonic();
    this.wanted = wanted;
    const { port } = this;
    if (port.state === 'bound' || port.state === 'accepting') this.ahead = null;
    if (wanted === 'closed') {
      if (port.state === 'failed') this.ahead = port.error;
      if (!this.isRehearsing && port.state !== 'closed') port.close('this server does not serve');
      return this.rehearse();
    }
    const { isRehearsing } = this;
    this.isRehearsing = false;
    if (isRehearsing || port.state === 'closed' || port.state === 'failed') return this.bind();
    if (wanted === 'accepting' && port.state === 'bound') port.accept();
    else if (wanted === 'bound' && port.state === 'accepting') port.hold();
  }

  private rehearse(): void {
    const now = this.clock.monotonic();
    if (this.port.state !== 'closed' || now - this.rehearsedAt < REHEARSE_MS) return;
    this.rehearsedAt = now;
    this.isRehearsing = true;
    void this.port.rehearse().then((trouble) => {
      // Else the port was wanted meanwhile.
      if (this.isRehearsing && this.rehearsedAt === now) this.rehearsed(trouble);
    });
  }

  private rehearsed(trouble: string | null): void {
    this.isRehearsing = false;
    if (trouble === this.ahead) return;
    this.ahead = trouble;
    if (trouble === null) this.log.write('info', 'Clients could connect to this server again, should it serve', { event: 'client-port', free: true });
    else this.log.write('warn', `Clients could not connect to this server, should it serve: ${trouble}`, { event: 'client-port', free: false });
    this.changed();
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
