import type { FastifyInstance } from 'fastify';
import type { RepositoryCommand } from './commands.js';
import type { AdminOptions } from './server.js';

const PATHS_MAX = 1_000;
const TEXT_CHARS_MAX = 4_096;
/** Room for so many paths of the usual length. They go to the keeper with every order until it has answered. Nothing is read of one who lacks the token. */
const BODY_BYTES_MAX = 512 * 1024;
const NAME_CHARS_LOGGED = 80;
const REMEDY = 'See "lockstep repo status" for the repositories and their kept versions, here and at the other server.';

/**
 * POST /repositories/NAME/sync, diff, verify or restore: begins it and answers with a number. GET /repositories/tasks/NUMBER: how it ended, or that it
 * has not. How far it is, /status says.
 */
export function serveRepositories(app: FastifyInstance, { repositories, log }: Pick<AdminOptions, 'repositories' | 'log'>): void {
  app.post<{ Params: { name: string; ask: string } }>('/repositories/:name/:ask', { bodyLimit: BODY_BYTES_MAX }, async (request, reply) => {
    const { name, ask } = request.params;
    const command = commandOf(ask, request.body);
    if (command === null) {
      const message = `a repository can be asked for sync, diff, verify, or restore with a version; not for ${JSON.stringify(ask.slice(0, 40))} with this body`;
      return await reply.status(400).send({ error: { code: 'LOCKSTEP_ADMIN_REQUEST', message, remedy: 'Send {"checksum": false}, or {"version": "…", "paths": null} for restore.' } });
    }
    log.write('info', `Asked for a ${ask} of the repository ${name.slice(0, NAME_CHARS_LOGGED)} by an operator`, { command: `repository ${ask}`, repository: name });
    const result = repositories.ask(name, command);
    if (result.kind === 'refused') {
      const code = 'LOCKSTEP_COMMAND_REFUSED';
      log.write('warn', `Refused the ${ask} of the repository ${name.slice(0, NAME_CHARS_LOGGED)} that an operator asked for: ${result.why}`, { command: `repository ${ask}`, repository: name, code });
      return await reply.status(409).send({ error: { code, message: result.why, remedy: REMEDY } });
    }
    return await reply.status(202).send({ id: result.id });
  });
  app.get<{ Params: { id: string } }>('/repositories/tasks/:id', async (request, reply) => {
    const id = /^\d{1,15}$/.test(request.params.id) ? Number(request.params.id) : -1;
    return await reply.send(repositories.task(id));
  });
}

function commandOf(ask: string, body: unknown): RepositoryCommand | null {
  const fields = typeof body === 'object' && body !== null ? (body as Readonly<Record<string, unknown>>) : {};
  if (ask === 'sync' || ask === 'diff' || ask === 'verify') return { ask, checksum: fields['checksum'] === true };
  if (ask !== 'restore') return null;
  const { version, paths } = fields;
  if (!isText(version)) return null;
  if (paths === null || paths === undefined) return { ask, version, paths: null };
  return Array.isArray(paths) && paths.length > 0 && paths.length <= PATHS_MAX && paths.every(isText) ? { ask, version, paths } : null;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= TEXT_CHARS_MAX;
}
