import type { FastifyInstance } from 'fastify';
import type { Log } from '../ports/log.js';
import type { ServerStatus } from './status.js';

/** Header of a request that is meant for one server: whatever else listens there refuses it. */
export const MEANT_HEADER = 'lockstep-server';

type Server = Pick<ServerStatus, 'cluster' | 'server'>;

export function meantFor({ cluster, server }: Server): string {
  return `${encodeURIComponent(cluster)}/${encodeURIComponent(server)}`;
}

/** Refuses what is meant for another server: its port is mistyped in the profile of whoever asks. What names nobody is meant for whoever hears it. */
export function refuseStrangers(app: FastifyInstance, status: () => Server, log: Log): void {
  app.addHook('onRequest', async (request, reply) => {
    const meant = request.headers[MEANT_HEADER];
    if (meant === undefined) return;
    const { cluster, server } = status();
    if (meant === meantFor({ cluster, server })) return;
    const code = 'LOCKSTEP_ADMIN_OTHER_SERVER';
    log.write('warn', 'Refused what an operator asked for: it was meant for another server', { code });
    await reply.status(409).send({ error: { code, message: `here answers the ${server} server of "${cluster}", which was not meant; nothing was done`, remedy: 'Check admin.host and admin.port in the profile.' } });
  });
}
