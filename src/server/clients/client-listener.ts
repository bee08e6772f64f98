import type { Endpoint } from '../../core/control/broker.js';
import { LockstepError } from '../../core/errors.js';
import type { Clock } from '../../ports/clock.js';
import type { Log } from '../../ports/log.js';
import type { Listener, Network, Stream } from '../../ports/stream.js';
import { HeldStream } from './held-stream.js';
import { ThrottledLog } from './throttled-log.js';

/** A way in for clients: plain or TLS, which is the network's matter. */
export interface ClientDoor {
  /** For the log and the status: `mqtt`, `mqtts`. */
  readonly name: string;
  readonly network: Network;
  readonly endpoint: Endpoint;
}

export interface ClientListenerLimits {
  /** Connections open at the same time, over all doors. A further one is closed at once. */
  readonly connectionsMax: number;
}

export interface ClientListenerWorld {
  readonly doors: readonly ClientDoor[];
  readonly limits: ClientListenerLimits;
  /** Speaks the protocol on a stream from now on. It sets the stream's handlers before it returns. */
  start(stream: Stream): void;
  /** How many closed connections the protocol has not done with. They take room as open ones do. */
  departed?(): number;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * `closed`: no port is listening. `binding`: on the way to `bound`. `bound`: the ports are ours; connections are held unread.
 * `accepting`: connections are served. `failed`: a port could not be bound, see `error`; `bind` tries again.
 */
export type ClientPortState = 'closed' | 'binding' | 'bound' | 'accepting' | 'failed';

interface Attempt {
  readonly generation: number;
  /** The ports are closed again when they are bound. */
  isTrial: boolean;
  /** Resolves to why they could not be bound. */
  ended: Promise<string | null>;
}

/**
 * The clients' ports of one server. Bound before a term is claimed, so that winning it never meets a port that is taken; served only
 * after it is won; closed on the server that does not serve, so that clients go on to the other one at once.
 *
 * Invariant: all doors are bound, or none is.
 */
export class ClientListener {
  private current: ClientPortState = 'closed';
  private failure: string | null = null;
  private listeners: { readonly name: string; readonly listener: Listener }[] = [];
  private readonly held = new Set<HeldStream>();
  private readonly started = new Set<HeldStream>();
  private readonly log: ThrottledLog;
  private attempt: Attempt | null = null;
  /** Grows with every `close`: a port that gets bound after it is closed again. */
  private generation = 0;
  /** The one in which it was last said that clients are accepted: a pause of a moment, between two terms, is no news. */
  private toldGeneration = -1;

  constructor(private readonly world: ClientListenerWorld) {
    this.log = new ThrottledLog(world.log, world.clock);
  }

  get state(): ClientPortState {
    return this.current;
  }

  /** Why binding failed; `null` unless the state is `failed`. */
  get error(): string | null {
    return this.failure;
  }

  /** Open connections, held ones included, and those that the protocol has not done with. */
  get connections(): number {
    return this.held.size + this.started.size + (this.world.departed?.() ?? 0);
  }

  /** The ports in use, also when 0 was asked for. Empty unless bound or accepting. */
  get ports(): readonly { readonly name: string; readonly port: number }[] {
    return this.listeners.map(({ name, listener }) => ({ name, port: listener.port }));
  }

  /**
   * Binds all doors. Does nothing when they are bound already. Resolves when it has come to an end, one way or the other:
   * `state` then is `bound`, `failed`, or `closed` when `close` came between. Never rejects.
   */
  async bind(): Promise<void> {
    const generation = this.generation;
    // An attempt from before a `close` ends first: it may still hold the ports for a moment.
    while (this.attempt !== null && this.attempt.generation !== generation) await this.attempt.ended;
    if (generation !== this.generation || this.current === 'bound' || this.current === 'accepting') return;
    // A trial becomes the binding itself: nothing has to be waited for.
    if (this.attempt !== null) this.attempt.isTrial = false;
    await this.begin(generation, false).ended;
  }

  /** Binds all doors, closes them at once, and resolves to what kept them from being bound. Does nothing unless they are closed. `bind` may come between, and is as quick as ever. Never rejects. */
  async rehearse(): Promise<string | null> {
    if (this.current !== 'closed' || this.attempt !== null) return null;
    return await this.begin(this.generation, true).ended;
  }

  private begin(generation: number, isTrial: boolean): Attempt {
    if (this.attempt !== null) return this.attempt;
    const attempt: Attempt = { generation, isTrial, ended: Promise.resolve(null) };
    this.attempt = attempt;
    attempt.ended = this.bindDoors(attempt).finally(() => {
      this.attempt = null;
    });
    return attempt;
  }

  /** Serves: held connections and all that follow. To be called only when bound; does nothing otherwise. */
  accept(): void {
    if (this.current !== 'bound') return;
    this.current = 'accepting';
    if (this.toldGeneration !== this.generation) this.log.always('info', `Clients are accepted on ${this.ports.map(({ name, port }) => `port ${port} (${name})`).join(' and ')}`, { ports: this.ports });
    this.toldGeneration = this.generation;
    for (const stream of this.held) this.startOn(stream);
  }

  /** Connections that come from now on are held; those that are served stay. */
  hold(): void {
    if (this.current === 'accepting') this.current = 'bound';
  }

  /** Closes the ports and destroys every connection, held or served, at once. */
  close(reason: string): void {
    this.generation += 1;
    this.current = 'closed';
    this.failure = null;
    for (const { listener } of this.listeners) listener.close();
    this.listeners = [];
    for (const stream of [...this.held, ...this.started]) stream.destroy(reason);
  }

  private async bindDoors(attempt: Attempt): Promise<string | null> {
    const { generation } = attempt;
    this.current = 'binding';
    this.failure = null;
    const bound: typeof this.listeners = [];
    try {
      for (const { name, network, endpoint } of this.world.doors) {
        bound.push({ name, listener: await network.listen(endpoint, (stream) => this.admit(stream, generation)) });
      }
    } catch (error) {
      for (const { listener } of bound) listener.close();
      return this.fail(error, attempt);
    }
    if (generation !== this.generation) {
      for (const { listener } of bound) listener.close();
      return null;
    }
    this.listeners = bound;
    this.current = 'bound';
    if (attempt.isTrial) {
      this.close('this server does not serve');
      return null;
    }
    for (const { name, listener } of bound) this.log.always('debug', `client port ${listener.port} (${name}) is bound`, { port: listener.port, door: name });
    return null;
  }

  private fail(error: unknown, { generation, isTrial }: Attempt): string | null {
    for (const stream of this.held) stream.destroy('the client ports could not be bound');
    if (generation !== this.generation) return null;
    const failure = error instanceof LockstepError ? `${error.message}. ${error.remedy}` : String(error);
    this.current = isTrial ? 'closed' : 'failed';
    if (isTrial) return failure;
    this.failure = failure;
    this.log.write('bind', 'error', `Clients cannot connect: ${this.failure}`, { code: error instanceof LockstepError ? error.code : undefined });
    return failure;
  }

  private admit(stream: Stream, generation: number): void {
    if (generation !== this.generation) {
      stream.destroy('the client port is closed');
      return;
    }
    const { connectionsMax } = this.world.limits;
    if (this.connections >= connectionsMax) {
      this.log.write('full', 'warn', `client at ${stream.remote} is refused: ${connectionsMax} connections are open (connectionsMax)`, { remote: stream.remote });
      stream.destroy('too many connections');
      return;
    }
    const held = new HeldStream(stream, (gone) => {
      this.held.delete(gone);
      this.started.delete(gone);
    });
    this.held.add(held);
    if (this.current === 'accepting') this.startOn(held);
  }

  private startOn(stream: HeldStream): void {
    this.held.delete(stream);
    if (stream.isClosed) return;
    this.started.add(stream);
    this.world.start(stream);
  }
}
