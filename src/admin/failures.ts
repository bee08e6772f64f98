import type { Socket } from 'node:net';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { LockstepError } from '../core/errors.js';
import type { Log } from '../ports/log.js';

/** What is there to be asked, as the remedy of a request for anything else. */
const PATHS = 'GET /status, /live, /serving; POST /stop, /switchover, /promote, /repositories/NAME/sync (or diff, verify, restore).';
const OWN_HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };

interface Refusal {
  readonly error: { readonly code: string; readonly message: string; readonly remedy: string };
}

function refusal(code: string, message: string, remedy: string): Refusal {
  return { error: { code, message, remedy } };
}

/** Requests that come to no route, and routes that fail, are refused in the same form as everything else. */
export function answerFailures(app: FastifyInstance, log: Log): void {
  app.setNotFoundHandler((_request, reply) => reply.status(404).send(refusal('LOCKSTEP_ADMIN_UNKNOWN', 'nothing is there', PATHS)));
  app.setErrorHandler((error: unknown, _request, reply) => {
    const status = statusOf(error);
    if (error instanceof LockstepError) return reply.status(409).send(refusal(error.code, error.message, error.remedy));
    const text = error instanceof Error ? error.message : String(error);
    if (status === 413) return reply.status(status).send(refusal('LOCKSTEP_ADMIN_REQUEST', text, 'Send less: a command is a few bytes, and a restore names 1,000 paths at most.'));
    if (status < 500) return reply.status(status).send(refusal('LOCKSTEP_ADMIN_REQUEST', text, 'Send a JSON body of a few bytes, {} at least.'));
    log.write('error', `A request to the admin server failed: ${text}`, { stack: error instanceof Error ? error.stack : undefined });
    return reply.status(500).send(refusal('LOCKSTEP_ADMIN_FAILED', 'the request failed; the log says why', 'See the log of this server.'));
  });
}

/** Of a path that no route can be looked up for: it is no URL, or a name in it is too long. */
export function refusePath(error: FastifyError, _request: FastifyRequest, reply: FastifyReply): void {
  void reply.status(statusOf(error)).headers(OWN_HEADERS).send(refusal('LOCKSTEP_ADMIN_REQUEST', `that path cannot be asked for: ${error.message}`, PATHS));
}

/** Of bytes that are no request of HTTP, or one that does not come whole in time. */
export function refuseBytes(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  const line = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? '408 Request Timeout' : error.code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request';
  const body = JSON.stringify(refusal('LOCKSTEP_ADMIN_REQUEST', 'that is no request of HTTP that can be read', 'Use the lockstep command, or a tool that speaks HTTP.'));
  if (socket.writable) socket.write(`HTTP/1.1 ${line}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n${body}`);
  socket.destroy(error);
}

function statusOf(error: unknown): number {
  const status = typeof error === 'object' && error !== null && 'statusCode' in error ? error.statusCode : 500;
  return typeof status === 'number' && status >= 400 ? status : 500;
}
