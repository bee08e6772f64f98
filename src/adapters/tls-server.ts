import { promises as files } from 'node:fs';
import tls from 'node:tls';
import type { Endpoint } from '../core/control/broker.js';
import { LockstepError } from '../core/errors.js';
import type { Log } from '../ports/log.js';
import type { Listener, Network, Stream } from '../ports/stream.js';
import { plainReason } from './network-errors.js';
import { bind, remoteOf } from './network.js';
import { SocketStream } from './socket-stream.js';
import { acceptTls, TLS_HANDSHAKE_MS } from './tls-accept.js';
import { explainClientHandshake } from './tls-refusal.js';

export interface TlsServerOptions {
  /** PEM files: the certificate with its chain, and its private key. */
  readonly certFile: string;
  readonly keyFile: string;
  readonly log: Log;
  /** Default: HIGH_WATER_BYTES of socket-stream.ts. */
  readonly highWaterBytes?: number;
}

/**
 * Listens for clients with TLS 1.2 or 1.3. Clients show no certificate, so their streams are not `authenticated`.
 * Reads both files at once, so that a bad one is known before anything is bound.
 * @throws LockstepError LOCKSTEP_TLS_FILE_UNREADABLE, LOCKSTEP_TLS_FILE_REFUSED
 */
export async function createTlsServer(options: TlsServerOptions): Promise<Pick<Network, 'listen'>> {
  const cert = await readPem('certificate', options.certFile);
  const key = await readPem('private key', options.keyFile);
  checkPair(options, cert, key);
  const buffer = options.highWaterBytes === undefined ? {} : { highWaterBytes: options.highWaterBytes };
  return {
    async listen(endpoint: Endpoint, accept: (stream: Stream) => void): Promise<Listener> {
      const server = tls.createServer({ cert, key, minVersion: 'TLSv1.2', handshakeTimeout: TLS_HANDSHAKE_MS });
      acceptTls(server, options.log, (error) => explainClientHandshake(error, TLS_HANDSHAKE_MS), (socket) => accept(new SocketStream(socket, { remote: remoteOf(socket), authenticated: false, ...buffer })));
      return await bind(server, endpoint, options.log);
    },
  };
}

async function readPem(what: string, file: string): Promise<Buffer> {
  try {
    return await files.readFile(file);
  } catch (error) {
    throw new LockstepError('LOCKSTEP_TLS_FILE_UNREADABLE', `cannot read the TLS ${what} ${file}: ${plainReason(error)}`, 'Check the path in the profile and that this user may read the file.', { cause: error });
  }
}

function checkPair(options: TlsServerOptions, cert: Buffer, key: Buffer): void {
  try {
    tls.createSecureContext({ cert, key });
  } catch (error) {
    throw new LockstepError(
      'LOCKSTEP_TLS_FILE_REFUSED',
      `the TLS files ${options.certFile} and ${options.keyFile} do not make a server's identity: ${plainReason(error)}`,
      'Give the certificate with its chain and the private key that belongs to it, both in PEM form and the key without a passphrase.',
      { cause: error },
    );
  }
}
