import { createServer } from 'node:net';

/** Below the range from which the system gives ports to outgoing connections, so that none of those can take one meanwhile. */
const FIRST = 12_000;
const COUNT = 20_000;
const given = new Set<number>();

/** Ports on loopback that nothing listens on, each given once in this process. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    ports.push(port);
  }
  return ports;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
