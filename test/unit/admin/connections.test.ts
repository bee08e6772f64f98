import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { limitConnections } from '../../../src/admin/connections.js';

const MAX = 2;
let server: Server;
let sockets: Socket[] = [];
let held: ServerResponse[] = [];
let asked = 0;

beforeEach(async () => {
  held = [];
  sockets = [];
  asked = 0;
  server = createServer((request: IncomingMessage, response) => {
    asked += 1;
    if (request.url === '/held') held.push(response);
    else response.end('here');
  });
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
async function opened(text = '', localAddress = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ port: port(), host: '127.0.0.1', localAddress });
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

test('requests that come at once are not answered at once: one is, and the connection ends', async () => {
  const socket = await opened('GET /held HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(1_000));
  const closed = once(socket, 'close');
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  for (let turn = 0; turn < 100; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  expect(asked).toBe(1);
  held[0]?.end('the first');
  await closed;
  expect(asked).toBe(1);
  expect(text.match(/HTTP\/1\.1 200/g)).toHaveLength(1);
  expect(text).toContain('the first');
});

test('one behind the other they are', async () => {
  const socket = await opened();
  for (let each = 1; each <= 3; each += 1) {
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(socket, 'data');
    expect(asked).toBe(each);
  }
  expect(socket.destroyed).toBe(false);
});

// Of the whole of 127.0.0.0/8 one may call on Linux alone.
(process.platform === 'linux' ? test : test.skip)('the connections of one address push out none of another', async () => {
  const others = await opened('', '127.0.0.2');
  for (let each = 0; each < 4; each += 1) (await opened()).resume();
  others.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  const [text] = (await once(others, 'data')) as [Buffer];
  expect(text.toString()).toContain('here');
});
