import type { Endpoint } from '../../../src/core/control/broker.js';
import { LockstepError } from '../../../src/core/errors.js';
import type { Clock } from '../../../src/ports/clock.js';
import type { Listener, Network, Stream } from '../../../src/ports/stream.js';
import { fakeStreamPair, type FakeStream } from './fake-stream.js';

/** A network in memory, of ports that listen. */
export class FakeNetwork implements Network {
  /** Port to what accepts there. A test may take a port by setting it. */
  readonly bound = new Map<number, (stream: Stream) => void>();
  private nextPort = 50_000;

  constructor(private readonly clock: Clock) {}

  async listen(endpoint: Endpoint, accept: (stream: Stream) => void): Promise<Listener> {
    await Promise.resolve();
    const port = endpoint.port === 0 ? this.nextPort++ : endpoint.port;
    if (this.bound.has(port)) throw new LockstepError('LOCKSTEP_PORT_TAKEN', `port ${port} is taken`, 'Choose another one.');
    this.bound.set(port, accept);
    return {
      port,
      close: () => {
        if (this.bound.get(port) === accept) this.bound.delete(port);
      },
    };
  }

  async dial(endpoint: Endpoint): Promise<Stream> {
    await Promise.resolve();
    return this.connect(endpoint.port);
  }

  /** As `dial`, at once. */
  connect(port: number): FakeStream {
    const accept = this.bound.get(port);
    if (accept === undefined) throw new LockstepError('LOCKSTEP_DIAL_FAILED', `connection refused: nobody listens on ${port}`, 'Start it.');
    const [mine, theirs] = fakeStreamPair(this.clock);
    accept(theirs);
    return mine;
  }
}
