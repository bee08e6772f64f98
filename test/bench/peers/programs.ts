import { accessSync, constants } from 'node:fs';
import { createServer, connect } from 'node:net';
import path from 'node:path';
import { until } from '../waiting.js';

const LISTEN_MS_MAX = 10_000;

/** Where a program is, by PATH and the folders for system programs; `null` when it is not installed. */
export function findProgram(name: string): string | null {
  const folders = [...(process.env['PATH'] ?? '').split(path.delimiter), '/usr/sbin', '/usr/local/sbin'];
  for (const folder of folders) {
    const file = path.join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      continue;
    }
  }
  return null;
}

/** Ports that are free now. Somebody else may take one before it is used: then the server says so and the run fails. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () => {
      const server = createServer();
      return new Promise<typeof server>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', () => resolve(server)));
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** @throws Error when nobody listens after ten seconds */
export async function listening(port: number, what: string): Promise<void> {
  await until(LISTEN_MS_MAX, () => `${what} to listen`, () => listens(port));
}

function listens(port: number): Promise<true | null> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(null));
  });
}
