import { setImmediate as turn } from 'node:timers/promises';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Log } from '../ports/log.js';

const PATH_CHARS_LOGGED = 120;

/**
 * Drops a command whose sender has hung up before this process came to it: a paused one finds both at once when it goes on, perhaps long after
 * the operator was told that nothing answers, and has decided otherwise.
 */
export function dropAbandoned(app: FastifyInstance, log: Log): void {
  app.addHook('preHandler', async (request, reply) => {
    if (request.method !== 'POST' || !(await hasHungUp(request))) return;
    log.write('warn', `Dropped ${request.url.slice(0, PATH_CHARS_LOGGED)}: whoever asked for it had hung up before this server came to it; nothing was done`, { command: 'dropped' });
    reply.hijack();
    request.raw.socket.destroy();
  });
}

/** The end of a connection is read one turn after what came before it at the earliest. A client that ends only its half, and waits, cannot be told from one that has gone before something is written to it: both count. */
async function hasHungUp(request: FastifyRequest): Promise<boolean> {
  await turn();
  await turn();
  const { socket } = request.raw;
  return socket.destroyed || socket.readableEnded;
}
