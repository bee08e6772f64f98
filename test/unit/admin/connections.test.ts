import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { limitConnections } from '../../../src/admin/connections.js';

const MAX = 2;
let server: Server;
let sockets: Socket[] = [];
let held: ServerResponse[] = [];

beforeEach(async () => {
  held = [];
  sockets = [];
  server = createServer((request: IncomingMessage, response) => void (request.url === '/held' ? held.push(response) : response.end('here')));
  limitConnections(server, MAX);
  await new Promise<void>((listening) => void server.listen(0, '127.0.0.1', listening));
});
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  server.closeAllConnections();
  server.close();
});

const port = (): number => (server.address() as AddressInfo).port;

/** Open, and known to the server. */
async function opened(text = ''): Promise<Socket> {
  const socket = connect(port(), '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => undefined);
  const known = once(server, text.startsWith('GET') ? 'request' : 'connection');
  await once(socket, 'connect');
  socket.write(text);
  await known;
  return socket;
}

async function answer(): Promise<string> {
  const [incoming] = (await once(get({ host: '127.0.0.1', port: port(), agent: false }), 'response')) as [IncomingMessage];
  incoming.resume();
  return String(incoming.statusCode);
}

test('idle connections shut nobody out: the one that is idle for longest is ended', async () => {
  const [first, second] = [await opened(), await opened()];
  const closed = once(first, 'close');
  first.resume();
  expect(await answer()).toBe('200');
  await closed;
  expect(second.destroyed).toBe(false);
});

test('nor does a request that does not come whole', async () => {
  const requests = [await opened('POST / HTTP/1.1\r\nHost: x\r\n'), await opened('POST / HTTP/1.1\r\nHost: x\r\n')];
  requests[0]?.resume();
  expect(await answer()).toBe('200');
});

test('what is being answered is not ended: then the new one is', async () => {
  const request = 'GET /held HTTP/1.1\r\nHost: x\r\n\r\n';
  const answered = [await opened(request), await opened(request)];
  await expect(answer()).rejects.toThrow();
  expect(answered.map(({ destroyed }) => destroyed)).toEqual([false, false]);
  for (const response of held) response.end('late');
  const [text] = (await once(answered[0] as Socket, 'data')) as [Buffer];
  expect(text.toString()).toContain('late');
});
