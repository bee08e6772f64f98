import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Holds a server to so many connections. One more ends the one that has been idle for longest, a request that has not come whole included: connections that
 * ask for nothing shut nobody out. Where all are being answered, the new one is closed.
 */
export function limitConnections(server: Server, max: number): void {
  /** With what is asked on it; in the order in which they became idle. */
  const open = new Map<Socket, IncomingMessage | null>();
  server.on('connection', (socket: Socket) => {
    if (open.size >= max) (oldestIdle(open) ?? socket).destroy();
    if (socket.destroyed) return;
    open.set(socket, null);
    socket.once('close', () => open.delete(socket));
  });
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request;
    if (open.has(socket)) open.set(socket, request);
    response.once('close', () => {
      if (!open.delete(socket) || socket.destroyed) return;
      open.set(socket, null);
    });
  });
}

function oldestIdle(open: Map<Socket, IncomingMessage | null>): Socket | undefined {
  for (const [socket, request] of open) {
    if (request !== null && request.complete) continue;
    open.delete(socket);
    return socket;
  }
  return undefined;
}
