import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { OneRequestAtATime } from './one-request.js';

/**
 * Bounds what connections can ask of a server, and so how long it can hold up whatever else runs in this process: each asks for one thing at a time
 * (`OneRequestAtATime`), and there are so many at most.
 *
 * One more ends the one that has been idle for longest, of the address that has the most with it: connections that ask for nothing shut nobody out, and those of
 * one machine not those of another. Where all of them are being answered, the new one is closed. A request that has not come whole is idle.
 */
export function limitConnections(server: Server, max: number): void {
  const serve = server.listeners('connection');
  server.removeAllListeners('connection');
  /** With what is asked on it; in the order in which they became idle. */
  const open = new Map<OneRequestAtATime, IncomingMessage | null>();
  server.on('connection', (socket: Socket) => {
    if (open.size >= max) (toBeEnded(open, socket.remoteAddress) ?? socket).destroy();
    if (socket.destroyed) return;
    const connection = new OneRequestAtATime(socket);
    open.set(connection, null);
    connection.once('close', () => open.delete(connection));
    for (const listener of serve) Reflect.apply(listener, server, [connection]);
  });
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const connection: unknown = request.socket;
    if (!(connection instanceof OneRequestAtATime)) return;
    connection.answering(request, response);
    if (open.has(connection)) open.set(connection, request);
    response.once('close', () => {
      if (!open.delete(connection) || connection.destroyed) return;
      open.set(connection, null);
    });
  });
}

/** For one more of `address`; `undefined`: that one has no better right than those that are there. */
function toBeEnded(open: Map<OneRequestAtATime, IncomingMessage | null>, address: string | undefined): OneRequestAtATime | undefined {
  const counts = new Map<string | undefined, number>();
  for (const one of [address, ...[...open.keys()].map(({ remoteAddress }) => remoteAddress)]) counts.set(one, (counts.get(one) ?? 0) + 1);
  let [found, most]: [OneRequestAtATime | undefined, number] = [undefined, (counts.get(address) ?? 0) - 1];
  for (const [connection, request] of open) {
    const count = counts.get(connection.remoteAddress) ?? 0;
    if (count <= most || (request !== null && request.complete)) continue;
    [found, most] = [connection, count];
  }
  if (found !== undefined) open.delete(found);
  return found;
}
