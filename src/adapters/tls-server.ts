import tls from 'node:tls';
import type { Endpoint } from '../core/control/broker.js';
import type { Log } from '../ports/log.js';
import type { Listener, Network, Stream } from '../ports/stream.js';
import { bind, remoteOf } from './network.js';
import { SocketStream } from './socket-stream.js';
import { acceptTls, TLS_HANDSHAKE_MS } from './tls-accept.js';
import type { TlsFiles } from './tls-files.js';
import type { TlsIdentity } from './tls-identity.js';
import { explainClientHandshake } from './tls-refusal.js';

export interface TlsServerOptions {
  readonly identity: TlsIdentity;
  readonly log: Log;
  /** Default: HIGH_WATER_BYTES of socket-stream.ts. */
  readonly highWaterBytes?: number;
}

/**
 * Listens for clients with TLS 1.2 or 1.3. Clients show no certificate, so their streams are not `authenticated`. A change of the identity counts
 * for connections that come after it.
 */
export function createTlsServer({ identity, log, highWaterBytes }: TlsServerOptions): Pick<Network, 'listen'> {
  const buffer = highWaterBytes === undefined ? {} : { highWaterBytes };
  return {
    async listen(endpoint: Endpoint, accept: (stream: Stream) => void): Promise<Listener> {
      const server = tls.createServer({ ...contextOf(identity.files), handshakeTimeout: TLS_HANDSHAKE_MS });
      acceptTls(server, log, (error) => explainClientHandshake(error, TLS_HANDSHAKE_MS), (socket) => accept(new SocketStream(socket, { remote: remoteOf(socket), authenticated: false, ...buffer })));
      const { port, close } = await bind(server, endpoint, log);
      server.setSecureContext(contextOf(identity.files)); // it may have changed while the port was bound
      const cancel = identity.onChange((files) => server.setSecureContext(contextOf(files)));
      return {
        port,
        close: () => {
          cancel();
          close();
        },
      };
    },
  };
}

function contextOf({ cert, key }: TlsFiles): tls.SecureContextOptions {
  return { cert, key, minVersion: 'TLSv1.2' };
}
