import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

/** Below the range from which the system gives ports to outgoing connections, so that none of those can take one meanwhile. */
const FIRST = 12_000;
const BLOCK_PORTS = 100;
const BLOCKS = 200;
const TRIES_MAX = 10_000;

/** What is left of the block that this suite holds. */
const left: number[] = [];

/**
 * Ports on loopback that nothing listens on. They are this suite's own until its process ends: suites run side by side, and a port that is
 * free between two lives of a server must not go to another's.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  for (let tries = 0; ports.length < count; tries += 1) {
    if (tries > TRIES_MAX) throw new Error(`no free ports on loopback from ${FIRST} to ${FIRST + BLOCKS * BLOCK_PORTS - 1}`);
    const port = left.pop();
    if (port === undefined) await takeBlock();
    else if (await isFree(port)) ports.push(port);
  }
  return ports;
}

/** A block belongs to whoever holds the UDP socket on its first port: one process of all on this machine, until it ends. */
async function takeBlock(): Promise<void> {
  const first = FIRST + Math.floor(Math.random() * BLOCKS) * BLOCK_PORTS;
  const held = await new Promise<boolean>((resolve) => {
    const socket = createSocket('udp4').unref();
    socket.once('error', () => socket.close(() => resolve(false)));
    socket.bind({ port: first, address: '127.0.0.1', exclusive: true }, () => resolve(true));
  });
  if (held) for (let port = first; port < first + BLOCK_PORTS; port += 1) left.push(port);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
