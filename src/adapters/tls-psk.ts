import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import tls from 'node:tls';
import type { Endpoint } from '../core/control/broker.js';
import { LockstepError } from '../core/errors.js';
import type { Log } from '../ports/log.js';
import type { Listener, Network, Stream } from '../ports/stream.js';
import { lookUp } from './look-up.js';
import { dialFailed, plainReason, systemCode } from './network-errors.js';
import { bind, established, remoteOf } from './network.js';
import type { PairKey } from './secret.js';
import { SocketStream } from './socket-stream.js';
import { acceptTls, TLS_HANDSHAKE_MS } from './tls-accept.js';
import type { TlsRefusal } from './tls-refusal.js';

/*
 * The links between the two servers: TLS 1.3 with a pre-shared key. OpenSSL always adds an elliptic-curve exchange to it
 * (psk_dhe_ke), so that whoever learns the secret later cannot read what was recorded before. An external key has SHA-256
 * as its hash, which leaves these two suites. See docs/decisions/tls-psk.md.
 */
const TLS = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  ciphers: 'TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256',
  secureOptions: constants.SSL_OP_NO_TICKET,
} as const;

const IDENTITY_CHARS_MAX = 128;

export interface PskNetworkOptions {
  readonly key: PairKey;
  readonly cluster: string;
  readonly server: string;
  readonly log: Log;
  /** Default: HIGH_WATER_BYTES of socket-stream.ts. */
  readonly highWaterBytes?: number;
}

/**
 * A network on which both sides prove that they have the shared secret. Every stream of it is authenticated; what does not
 * pass never reaches `accept`, and is one log line (throttled). Which server the other one is, its hello says.
 */
export function createPskNetwork(options: PskNetworkOptions): Network {
  const key = Buffer.from(options.key.bytes);
  const buffer = options.highWaterBytes === undefined ? {} : { highWaterBytes: options.highWaterBytes };
  return {
    async listen(endpoint: Endpoint, accept: (stream: Stream) => void): Promise<Listener> {
      const identities = new WeakMap<Socket, string>();
      const server = tls.createServer({
        ...TLS,
        handshakeTimeout: TLS_HANDSHAKE_MS,
        pskCallback: (socket, identity) => {
          if (!isIdentity(identity)) return null;
          identities.set(socket, identity);
          return key;
        },
      });
      acceptTls(server, options.log, explainAccepted, (socket) => {
        const identity = identities.get(socket);
        // Only the key opens a session here (there is no certificate and no ticket); if that ever changed, nobody gets in.
        if (identity === undefined) socket.destroy();
        else accept(new SocketStream(socket, { remote: `${identity} at ${remoteOf(socket)}`, authenticated: true, ...buffer }));
      });
      return await bind(server, endpoint, options.log);
    },

    async dial(endpoint: Endpoint, timeoutMs: number): Promise<Stream> {
      const socket = tls.connect({
        ...TLS,
        host: endpoint.host,
        port: endpoint.port,
        lookup: lookUp,
        pskCallback: () => ({ identity: `${options.cluster}/${options.server}`, psk: key }),
        checkServerIdentity: refuseCertificate,
      });
      await established(socket, 'secureConnect', endpoint, timeoutMs, explainDialled, isSecretTrouble);
      if (!provedKey(socket)) {
        socket.destroy();
        throw dialFailed(endpoint, 'it did not prove that it has our shared secret', 'Check that nothing else answers at that address.', undefined, true);
      }
      return new SocketStream(socket, { remote: remoteOf(socket), authenticated: true, ...buffer });
    },
  };
}

function isIdentity(identity: string): boolean {
  return identity.length <= IDENTITY_CHARS_MAX && /^[\x21-\x7e]+$/.test(identity);
}

/** A server that shows a certificate, however good, is not our peer: the key is the only proof. */
function refuseCertificate(): Error {
  return new LockstepError('LOCKSTEP_DIAL_FAILED', 'it showed a certificate in place of our shared secret', 'Check that nothing else answers at that address.');
}

/** TLS 1.3 treats an external key as a session that goes on; without one there would be a certificate. */
function provedKey(socket: tls.TLSSocket): boolean {
  return socket.authorized && socket.isSessionReused() && Object.keys(socket.getPeerCertificate()).length === 0;
}

function explainAccepted(error: unknown): TlsRefusal {
  const code = systemCode(error);
  // Nothing is wrong here: one that dials with another secret hears so before it goes away.
  if (code === 'ECONNRESET' || code === 'EPIPE') return { by: 'nobody', text: 'ended before it said who it is; a look whether the port is open, as "lockstep check" on the other server takes, ends so' };
  return { by: 'server', text: whyRefused(error) };
}

function whyRefused(error: unknown): string {
  switch (systemCode(error)) {
    case 'ERR_SSL_BINDER_DOES_NOT_VERIFY':
      return OTHER_SECRET;
    case 'ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM':
      return 'it did not offer a shared secret';
    case 'ERR_SSL_UNSUPPORTED_PROTOCOL':
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_HTTP_REQUEST':
      return 'it does not speak TLS 1.3 (another program, or a server without a secret file)';
    default:
      return plainReason(error);
  }
}

const OTHER_SECRET = 'it does not have our shared secret (the secret files differ)';
const NO_SECRET = 'it does not accept a shared secret (another program, or a server without a secret file)';
const SECRET_TROUBLE: Readonly<Record<string, string>> = {
  ERR_SSL_SSLV3_ALERT_ILLEGAL_PARAMETER: OTHER_SECRET,
  ERR_SSL_TLSV1_ALERT_DECRYPT_ERROR: OTHER_SECRET,
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: NO_SECRET,
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: NO_SECRET,
  ERR_SSL_WRONG_VERSION_NUMBER: NO_SECRET,
};

/** What listens there answered, and not as a server with our secret does. */
function isSecretTrouble(error: unknown): boolean {
  return error instanceof LockstepError || SECRET_TROUBLE[systemCode(error) ?? ''] !== undefined;
}

function explainDialled(error: unknown): string {
  if (error instanceof LockstepError) return error.message;
  return SECRET_TROUBLE[systemCode(error) ?? ''] ?? plainReason(error);
}
