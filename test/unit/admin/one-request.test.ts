import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { OneRequestAtATime } from '../../../src/admin/one-request.js';

const HEAD = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';

let socket: PassThrough;
let connection: OneRequestAtATime;
let given: string[];

beforeEach(() => {
  socket = new PassThrough();
  connection = new OneRequestAtATime(socket as unknown as Socket);
  given = [];
  connection.on('data', (piece: Buffer) => given.push(piece.toString()));
});
afterEach(() => {
  connection.destroy();
});

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function turns(): Promise<void> {
  for (let each = 0; each < 20; each += 1) await turn();
}

/** The HTTP server finds a request in what it was given. */
function asked(complete: boolean): { readonly request: { complete: boolean }; answered(): void } {
  const request = { complete };
  const response = new EventEmitter();
  connection.answering(request as IncomingMessage, response as unknown as ServerResponse);
  return { request, answered: () => void response.emit('close') };
}

test('gives on one head in a turn of the loop', async () => {
  socket.write(HEAD.repeat(3));
  const seen: number[] = [];
  for (let each = 0; each < 8; each += 1) {
    await turn();
    seen.push(given.length);
  }
  expect(given).toEqual([HEAD, HEAD, HEAD]);
  expect(seen.every((count, index) => count - (seen[index - 1] ?? 0) <= 1)).toBe(true);
});

test.each([
  ['a body behind its head', `${HEAD}${'x'.repeat(3_000)}`, [HEAD, 'x'.repeat(2_048), 'x'.repeat(952)]],
  ['ends of lines of either kind', 'GET / HTTP/1.1\nHost: x\n\nGET', ['GET / HTTP/1.1\nHost: x\n\n', 'GET']],
  ['empty lines before a request, which take no turn each', `${'\r\n'.repeat(1_000)}${HEAD}`, ['\r\n'.repeat(1_000) + HEAD]],
])('in pieces: %s', async (_, text, pieces) => {
  socket.write(text);
  await turns();
  expect(given).toEqual(pieces);
});

test('what comes behind a whole request is left, and the answer is the last', async () => {
  connection.once('data', () => void (first = asked(true)));
  let first: ReturnType<typeof asked> | null = null as ReturnType<typeof asked> | null;
  socket.write(HEAD.repeat(3));
  await turns();
  socket.write(HEAD);
  await turns();
  expect(given).toEqual([HEAD]);
  const closed = once(connection, 'close');
  first?.answered();
  await closed;
  expect(socket.destroyed).toBe(true);
});

test('a body that is not whole goes on, and so does the next request after the answer', async () => {
  const first = asked(false);
  socket.write('body');
  await turns();
  first.request.complete = true;
  first.answered();
  socket.write(HEAD);
  await turns();
  expect(given).toEqual(['body', HEAD]);
  expect(connection.destroyed).toBe(false);
});

test('the end is told also when more came than is given on', async () => {
  asked(true);
  socket.end(HEAD.repeat(100));
  await turns();
  expect(given).toEqual([]);
  expect(connection.readableEnded).toBe(true);
});
