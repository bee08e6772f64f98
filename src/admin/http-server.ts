import { createServer, type RequestListener, type Server } from 'node:http';
import { limitConnections } from './connections.js';

/** A request that is not whole by then is dropped. */
const REQUEST_TIMEOUT_MS = 10_000;
/** Whether a request is late is looked at so often; Node.js would look every 30 s. */
const LATE_LOOK_MS = 1_000;
/** A connection on which nothing is asked for so long is closed. */
const KEEP_ALIVE_MS = 5_000;
/** One more ends an idle one. All that ask at once hold up the HA manager, in whose process this runs, for much less than a pingInterval. */
const CONNECTIONS_MAX = 128;

/** A server of HTTP, not listening yet, that nobody who reaches it can hold up, nor whatever else runs in this process. */
export function createBoundedServer(handler: RequestListener): Server {
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS, keepAliveTimeout: KEEP_ALIVE_MS, connectionsCheckingInterval: LATE_LOOK_MS }, handler);
  server.setTimeout(REQUEST_TIMEOUT_MS);
  limitConnections(server, CONNECTIONS_MAX);
  return server;
}
