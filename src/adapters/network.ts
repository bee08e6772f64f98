import net from 'node:net';
import type { Endpoint } from '../core/control/broker.js';
import { LockstepError } from '../core/errors.js';
import type { Log } from '../ports/log.js';
import type { Listener, Network, Stream } from '../ports/stream.js';
import { lookUp } from './look-up.js';
import { dialFailed, listenFailed, plainReason, showEndpoint } from './network-errors.js';
import { SocketStream } from './socket-stream.js';

/** Connections that the system may hold until we accept them: 5,000 clients that come back after a failover must not be refused. */
const BACKLOG = 4096;

const QUIET_MS = 10_000;

export interface PlainNetworkOptions {
  readonly log: Log;
  /**
   * Refuse every address beyond loopback: what is neither authenticated nor encrypted stays on this machine. False only
   * for client listeners that have their own rules.
   */
  readonly loopbackOnly: boolean;
  /** Default: HIGH_WATER_BYTES of socket-stream.ts. */
  readonly highWaterBytes?: number;
}

/** True for `localhost`, 127.0.0.0/8 and ::1. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (net.isIPv4(host) && host.startsWith('127.'));
}

/** TCP without encryption. */
export function createPlainNetwork(options: PlainNetworkOptions): Network {
  const buffer = options.highWaterBytes === undefined ? {} : { highWaterBytes: options.highWaterBytes };
  return {
    async listen(endpoint: Endpoint, accept: (stream: Stream) => void): Promise<Listener> {
      if (options.loopbackOnly) onlyLoopback(endpoint);
      const server = net.createServer((socket) => {
        accept(new SocketStream(socket, { remote: remoteOf(socket), authenticated: false, ...buffer }));
      });
      return await bind(server, endpoint, options.log);
    },

    async dial(endpoint: Endpoint, timeoutMs: number): Promise<Stream> {
      if (options.loopbackOnly) onlyLoopback(endpoint);
      const socket = net.connect({ host: endpoint.host, port: endpoint.port, noDelay: true, lookup: lookUp });
      await established(socket, 'connect', endpoint, timeoutMs, plainReason);
      return new SocketStream(socket, { remote: remoteOf(socket), authenticated: false, ...buffer });
    },
  };
}

function onlyLoopback({ host }: Endpoint): void {
  if (isLoopback(host)) return;
  throw new LockstepError(
    'LOCKSTEP_NETWORK_SECRET_MISSING',
    `the two servers would talk over ${host} without encryption`,
    'Name a shared secret file in both profiles, or use loopback addresses for a pair on one machine.',
  );
}

export function remoteOf(socket: net.Socket): string {
  return socket.remoteAddress === undefined ? 'unknown' : showEndpoint({ host: socket.remoteAddress, port: socket.remotePort ?? 0 });
}

/**
 * Binds a server of node:net or node:tls, and keeps later errors of it from ending the process.
 * @throws LockstepError LOCKSTEP_PORT_TAKEN, LOCKSTEP_PORT_REFUSED
 */
export async function bind(server: net.Server, endpoint: Endpoint, log: Log): Promise<Listener> {
  await new Promise<void>((resolve, reject) => {
    const refused = (error: Error): void => reject(listenFailed(endpoint, error));
    server.once('error', refused);
    server.listen({ host: endpoint.host, port: endpoint.port, backlog: BACKLOG, exclusive: true }, () => {
      server.removeListener('error', refused);
      resolve();
    });
  });
  tellOfErrors(server, endpoint, log);
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : endpoint.port;
  return { port, close: () => void server.close() };
}

/** A connection that could not be taken, for want of file descriptors for one, is tried again at once, any number of times: a line in `QUIET_MS` says so, and how many there were. */
export function tellOfErrors(server: net.Server, endpoint: Endpoint, log: Log, now: () => number = () => performance.now()): void {
  let [quietUntil, unsaid] = [-Infinity, 0];
  server.on('error', (error) => {
    if (now() < quietUntil) {
      unsaid += 1;
      return;
    }
    const tail = unsaid > 0 ? ` (and ${unsaid} more since the last such line)` : '';
    log.write('warn', `listening on ${showEndpoint(endpoint)}: ${plainReason(error)}${tail}`);
    [quietUntil, unsaid] = [now() + QUIET_MS, 0];
  });
}

/** Waits for a dialled socket's `event`; destroys it and rejects when that does not come in time: LOCKSTEP_SECRET_REFUSED where `isAnswer`, else LOCKSTEP_DIAL_FAILED. */
export async function established(
  socket: net.Socket,
  event: 'connect' | 'secureConnect',
  endpoint: Endpoint,
  timeoutMs: number,
  explain: (error: unknown) => string,
  isAnswer: (error: unknown) => boolean = () => false,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer);
      socket.removeListener(event, connected);
      socket.removeListener('error', failed);
      socket.removeListener('close', closed);
    };
    const fail = (reason: string, cause?: unknown): void => {
      settle();
      socket.on('error', () => undefined); // a second error of the same socket says nothing new
      socket.destroy();
      reject(dialFailed(endpoint, reason, 'Check that the other server runs, its address and port, the firewall between the two and that both have the same shared secret.', cause, isAnswer(cause)));
    };
    const connected = (): void => {
      settle();
      resolve();
    };
    const failed = (error: Error): void => fail(explain(error), error);
    const closed = (): void => fail('the other side closed the connection');
    const timer = setTimeout(() => fail(`no answer within ${timeoutMs} ms`), timeoutMs);
    socket.once(event, connected);
    socket.once('error', failed);
    socket.once('close', closed);
  });
}
