import type { Server as TlsServer, TLSSocket } from 'node:tls';
import { performance } from 'node:perf_hooks';
import type { Socket } from 'node:net';
import type { Log } from '../ports/log.js';
import { remoteOf } from './network.js';
import type { TlsRefusal } from './tls-refusal.js';

/** How long the other side may take over its TLS handshake; for `tls.createServer`. */
export const TLS_HANDSHAKE_MS = 5000;
/** TLS handshakes under way at once; what comes beyond is closed. */
export const TLS_HANDSHAKES_MAX = 512;
/** One line for the same reason in this time; the next line says how many were left out. */
const REPEAT_MS = 30_000;
const REASONS_MAX = 64;

/**
 * Calls `accept` for each connection that passed its TLS handshake. One that fails, is too slow or comes on top of too many
 * is closed and logged, not more than one line for each reason in a while; the line says which side ended it.
 */
export function acceptTls(server: TlsServer, log: Log, explain: (error: unknown) => TlsRefusal, accept: (socket: TLSSocket) => void): void {
  const refusals = new Refusals(log);
  // A socket that is gone does not know any more whose it was.
  const remotes = new WeakMap<Socket, string>();
  let underWay = 0; // every connection ends in exactly one of `secureConnection` and `tlsClientError`
  server.on('connection', (socket: Socket) => {
    underWay += 1;
    remotes.set(socket, remoteOf(socket));
    if (underWay > TLS_HANDSHAKES_MAX) socket.destroy(new Error(`more than ${TLS_HANDSHAKES_MAX} TLS handshakes are under way`));
  });
  server.on('tlsClientError', (error, socket) => {
    underWay -= 1;
    const { _parent: below } = socket as Layered;
    refusals.add((below == null ? undefined : remotes.get(below)) ?? remoteOf(socket), explain(error));
    socket.destroy();
  });
  server.on('secureConnection', (socket) => {
    underWay -= 1;
    accept(socket);
  });
}

/** Not in the types of Node.js: the TCP socket under one of TLS. */
type Layered = TLSSocket & { readonly _parent?: Socket | null };

class Refusals {
  private readonly last = new Map<string, { at: number; leftOut: number }>();

  constructor(private readonly log: Log) {}

  add(remote: string, refusal: TlsRefusal): void {
    const reason = refusal.text;
    const now = performance.now();
    const known = this.last.get(reason);
    if (known !== undefined && now - known.at < REPEAT_MS) {
      known.leftOut += 1;
      return;
    }
    if (this.last.size >= REASONS_MAX) this.last.clear();
    const leftOut = known === undefined || known.leftOut === 0 ? '' : `; ${known.leftOut} more since the last such line`;
    this.last.set(reason, { at: now, leftOut: 0 });
    const line = { server: `a connection from ${remote} was refused: ${reason}`, client: `the client at ${remote} ${reason}`, nobody: `a connection from ${remote} ${reason}` }[refusal.by];
    this.log.write(refusal.by === 'nobody' ? 'info' : 'warn', `${line}${leftOut}`);
  }
}
