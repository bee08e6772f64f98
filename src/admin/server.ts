import fastify from 'fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { LockstepError } from '../core/errors.js';
import type { Clock } from '../ports/clock.js';
import type { Log } from '../ports/log.js';
import { adminAddress, isLoopback } from '../profile/values.js';
import type { Command, CommandResult, RepositoryDesk } from './commands.js';
import { dropAbandoned } from './abandoned.js';
import { answerFailures, refuseBytes, refusePath } from './failures.js';
import { guard, type GuardSettings } from './guard.js';
import { createBoundedServer } from './http-server.js';
import { refuseStrangers } from './meant.js';
import { serveRepositories } from './repositories.js';
import type { ServerStatus } from './status.js';
import { WrongTokens, type SparingLog } from './wrong-tokens.js';

/** A command's body is a few bytes, but for the paths of a restore; more than this is refused with 413. */
const BODY_BYTES_MAX = 4096;
const OPEN_PATHS: ReadonlySet<string> = new Set(['/live', '/serving']);

export interface AdminOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Asked for by /status and every command when not `null`. Without one, `host` must be loopback. */
  readonly token: string | null;
  status(): ServerStatus;
  command(command: Command): Promise<CommandResult>;
  readonly repositories: RepositoryDesk;
  readonly log: Log;
  /** For what whoever reaches the port can cause. */
  readonly sparingLog: SparingLog;
  readonly clock: Pick<Clock, 'after'>;
}

export interface AdminServer {
  /** The port in use. */
  readonly port: number;
  /** Answers what is under way, then closes. */
  close(): Promise<void>;
}

/**
 * Starts the admin HTTP server: GET /status, /live, /serving; POST /stop, /switchover, /promote, /repositories/NAME/WHAT. It only ever reads a
 * status or passes a command on: what comes of it is decided by the HA manager.
 * @throws LockstepError LOCKSTEP_ADMIN_PORT when it cannot listen (rejects)
 */
export async function createAdmin(options: AdminOptions): Promise<AdminServer> {
  const loopback = isLoopback(options.host);
  if (!loopback && options.token === null) {
    throw new LockstepError('LOCKSTEP_ADMIN_EXPOSED', `admin HTTP on ${options.host} would let every machine stop this server`, 'Set admin.tokenFile, or admin.host 127.0.0.1.');
  }
  const app = fastify({ bodyLimit: BODY_BYTES_MAX, forceCloseConnections: true, logger: false, frameworkErrors: refusePath, clientErrorHandler: refuseBytes, serverFactory: createBoundedServer });
  protect(app, { loopback, token: options.token }, new WrongTokens(options.clock, options.sparingLog));
  refuseStrangers(app, () => options.status(), options.log);
  dropAbandoned(app, options.log);
  answerQuestions(app, options);
  takeCommands(app, options);
  serveRepositories(app, options);
  answerFailures(app, options.log);
  try {
    await app.listen({ host: adminAddress(options.host), port: options.port });
  } catch (error) {
    await app.close();
    throw cannotListen(options, error);
  }
  const address = app.server.address();
  const port = typeof address === 'object' && address !== null ? address.port : options.port;
  return { port, close: () => app.close() };
}

const OTHER_PORT = 'Stop what uses that port, or set another admin.port (and backupAdminPort at the other server).';
const OTHER_HOST = 'Name an address of this machine in admin.host, or a name that it knows.';

export function cannotListen({ host, port }: Pick<AdminOptions, 'host' | 'port'>, error: unknown): LockstepError {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : null;
  const text = error instanceof Error ? error.message : String(error);
  const refuse = (key: 'host' | 'port', why: string): LockstepError =>
    new LockstepError('LOCKSTEP_ADMIN_PORT', `admin.${key}: the admin HTTP cannot listen on ${host}:${port}: ${why}`, key === 'port' ? OTHER_PORT : OTHER_HOST, { cause: error });
  if (code === 'EADDRINUSE') return refuse('port', 'the port is taken by another program');
  if (code === 'EADDRNOTAVAIL') return refuse('host', 'that address is not one of this machine');
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return refuse('host', `that name cannot be resolved (${code})`);
  return refuse('port', code === 'EACCES' ? 'the operating system does not permit it' : text);
}

function protect(app: FastifyInstance, settings: GuardSettings, wrongTokens: WrongTokens): void {
  app.addHook('onRequest', async (request, reply) => {
    void reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff');
    const path = request.url.split('?')[0] ?? '';
    const passage = guard({ method: request.method, headers: request.headers, open: OPEN_PATHS.has(path) }, settings);
    if (passage.kind === 'pass') return;
    if (passage.status === 401) {
      await wrongTokens.refuse(request.ip);
      void reply.header('www-authenticate', 'Bearer');
    }
    const { status, code, message, remedy } = passage;
    await reply.status(status).send({ error: { code, message, remedy } });
  });
}

function answerQuestions(app: FastifyInstance, options: AdminOptions): void {
  app.get('/status', () => options.status());
  app.get('/live', () => ({ live: true }));
  app.get('/serving', (_request, reply) => {
    const { serving, state, server, clientEndpoints, backupServer, peer } = options.status();
    return reply.status(serving ? 200 : 503).send({ serving, server, state, clients: clientEndpoints, backupServer, peerState: peer.state });
  });
}

function takeCommands(app: FastifyInstance, options: AdminOptions): void {
  const run = async (reply: FastifyReply, command: Command): Promise<FastifyReply> => {
    options.log.write('info', `Asked for ${command.name} by an operator`, { command: command.name });
    const result = await options.command(command);
    if (result.kind === 'done') return reply.status(200).send({ message: result.message });
    const { code, message, remedy } = result;
    options.log.write('warn', `Refused the ${command.name} that an operator asked for: ${message}`, { command: command.name, code });
    return reply.status(409).send({ error: { code, message, remedy } });
  };
  app.post('/stop', (_request, reply) => run(reply, { name: 'stop' }));
  app.post('/switchover', (_request, reply) => run(reply, { name: 'switchover' }));
  app.post('/promote', (request, reply) => {
    if (!acceptsDataLoss(request)) {
      options.log.write('warn', 'Refused the promote that an operator asked for: the loss that it can mean was not accepted', { command: 'promote', code: 'LOCKSTEP_PROMOTE_NOT_ACCEPTED' });
      const message = 'promotion can lose acknowledged messages that only the other server has, and that was not accepted';
      return reply.status(400).send({ error: { code: 'LOCKSTEP_PROMOTE_NOT_ACCEPTED', message, remedy: 'See what /status says of the other server; then lockstep promote --accept-data-loss.' } });
    }
    return run(reply, { name: 'promote', acceptDataLoss: true });
  });
}

function acceptsDataLoss(request: FastifyRequest): boolean {
  const body: unknown = request.body;
  return typeof body === 'object' && body !== null && 'acceptDataLoss' in body && body.acceptDataLoss === true;
}
