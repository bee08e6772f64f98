import { strict as assert } from 'node:assert';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import type { Command } from '../../../src/admin/commands.js';
import { createAdmin, type AdminServer } from '../../../src/admin/server.js';
import { encodeText } from '../../../src/core/wire/bytes.js';
import { readToken } from '../../../src/profile/private-file.js';
import { exampleStatus } from '../../unit/admin/example-status.js';
import { STRANGERS } from '../../unit/admin/strangers.js';
import { anyText } from '../json.js';
import { damaged, damages, type Damage } from '../mutate.js';
import { outcome } from '../outcome.js';
import { target } from '../target.js';

/*
 * Requests to the admin HTTP, as raw bytes on a socket, and the file that its token is read from. Held: a command is carried out only for a request that has the
 * token, JSON and the command's own path, and once for every sound one; every answer is one of those that are documented, never 500; whatever came, the server
 * answers the next one.
 */

const TOKEN = 'correct-horse-battery';

interface Input {
  readonly method: string;
  readonly path: string;
  readonly token: 'right' | 'none' | 'wrong' | 'basic' | 'twice';
  readonly host: string;
  readonly type: string | null;
  readonly extra: readonly string[];
  readonly body: string;
  readonly length: 'right' | 'none' | 'short' | 'long' | 'negative' | 'chunked';
  readonly damage: Damage;
  /** This side ends its half behind the request: the server takes it for gone, and drops a command. */
  readonly hangsUp: boolean;
  readonly file: string;
}

const HOSTS = ['127.0.0.1', 'localhost:80', '[::1]'];
const COMMANDS = ['/stop', '/switchover', '/promote'];
const JSON_TYPES = ['application/json', 'application/json; charset=utf-8'];
const ACCEPTING = '{"acceptDataLoss":true}';
const files = fc.oneof(anyText(40), fc.constantFrom(TOKEN, `${TOKEN}\n`, ` ${TOKEN}\r\n`, 'short', 'two words of a token', `${TOKEN}\u00a0x`, ''));

/** What an operator's program sends. */
const sound: fc.Arbitrary<Input> = fc.record({
  method: fc.constant('POST'),
  path: fc.constantFrom(...COMMANDS),
  token: fc.constant('right' as const),
  host: fc.constantFrom(...HOSTS),
  type: fc.constantFrom(...JSON_TYPES),
  extra: fc.constant([]),
  body: fc.constant(ACCEPTING),
  length: fc.constantFrom('right' as const, 'chunked' as const),
  damage: fc.constant({ changes: [] }),
  hangsUp: fc.constant(false),
  file: files,
});

const any: fc.Arbitrary<Input> = fc.record({
  method: fc.constantFrom('GET', 'POST', 'POST', 'POST', 'PUT', 'OPTIONS', 'HEAD', 'DELETE', 'CONNECT', 'post', 'PROPFIND'),
  path: fc.constantFrom('/stop', '/switchover', '/promote', '/status', '/live', '/serving', '/', '//stop', '/stop/', '/stop?x=1', '/STOP', '/%73top', '/live/../stop', '/live?/../stop', '/serving#/stop', 'http://x/stop', '*', '/%', '/\u0000'),
  token: fc.constantFrom('right', 'right', 'none', 'wrong', 'basic', 'twice') as fc.Arbitrary<Input['token']>,
  host: fc.constantFrom('127.0.0.1', '127.0.0.1', '127.0.0.1', 'localhost:80', '[::1]', 'evil.example', '127.0.0.1.evil.example', ''),
  type: fc.constantFrom('application/json', 'application/json', 'application/json; charset=utf-8', 'text/plain', 'application/jsonx', null),
  extra: fc.array(fc.constantFrom('Sec-Fetch-Site: cross-site', 'Sec-Fetch-Site: same-origin', 'Expect: 100-continue', 'Upgrade: websocket\r\nConnection: Upgrade', 'Transfer-Encoding: gzip', `X: ${'x'.repeat(20_000)}`, 'Content-Length: 5', 'Accept-Version: 9', ' folded: y'), { maxLength: 2 }),
  body: fc.oneof(
    fc.constantFrom('{}', '{"acceptDataLoss":true}', '{"acceptDataLoss":"true"}', '{"acceptDataLoss":1}', '{"__proto__":{"acceptDataLoss":true}}', '{"constructor":{"prototype":{"acceptDataLoss":true}}}', '[]', 'null', '', '{', `"${'x'.repeat(5_000)}"`, '['.repeat(4_000), '\ufeff{}'),
    fc.json({ maxDepth: 2 }),
  ),
  length: fc.constantFrom('right', 'right', 'right', 'none', 'short', 'long', 'negative', 'chunked') as fc.Arbitrary<Input['length']>,
  damage: fc.oneof({ weight: 2, arbitrary: fc.constant<Damage>({ changes: [] }) }, { weight: 1, arbitrary: damages(1, 3) }),
  hangsUp: fc.constantFrom(false, false, false, true),
  file: files,
});

const inputs = fc.oneof({ weight: 5, arbitrary: any }, { weight: 1, arbitrary: sound });

/** Of a request that has every right, is whole, and comes from one who waits for the answer. */
function isSound({ method, path, token, host, type, extra, body, length, damage, hangsUp }: Input): boolean {
  const asks = method === 'POST' && COMMANDS.includes(path) && token === 'right' && HOSTS.includes(host) && type !== null && JSON_TYPES.includes(type);
  return asks && extra.length === 0 && body === ACCEPTING && (length === 'right' || length === 'chunked') && damage.changes.length === 0 && !hangsUp;
}

interface Ground {
  readonly server: AdminServer;
  readonly folder: string;
  readonly commands: Command[];
}

let ground: Promise<Ground> | null = null;

async function begin(): Promise<Ground> {
  const commands: Command[] = [];
  const server = await createAdmin({
    host: '127.0.0.1',
    port: 0,
    token: TOKEN,
    status: () => exampleStatus(),
    command: (command) => {
      commands.push(command);
      return Promise.resolve({ kind: 'done', message: 'under way' });
    },
    repositories: { ask: () => ({ kind: 'refused', why: 'none' }), task: () => ({ kind: 'unknown' }) },
    log: { write: () => undefined },
    ...STRANGERS,
  });
  return { server, folder: mkdtempSync(join(tmpdir(), 'lockstep-token-')), commands };
}

function bytesOf(input: Input): Uint8Array {
  const { method, path, host, type, extra, body, length } = input;
  const tokens = { right: [`Authorization: Bearer ${TOKEN}`], none: [], wrong: ['Authorization: Bearer wrong'], basic: [`Authorization: Basic ${TOKEN}`], twice: ['Authorization: Bearer wrong', `Authorization: Bearer ${TOKEN}`] }[input.token];
  const bytes = Buffer.byteLength(body);
  const size = { right: [`Content-Length: ${bytes}`], none: [], short: [`Content-Length: ${Math.max(0, bytes - 1)}`], long: [`Content-Length: ${bytes + 10}`], negative: ['Content-Length: -1'], chunked: ['Transfer-Encoding: chunked'] }[length];
  const sent = length === 'chunked' ? `${bytes.toString(16)}\r\n${body}\r\n0\r\n\r\n` : body;
  const lines = [`${method} ${path} HTTP/1.1`, `Host: ${host}`, ...tokens, ...(type === null ? [] : [`Content-Type: ${type}`]), ...size, ...extra, 'Connection: close', '', sent];
  return damaged(encodeText(lines.join('\r\n')), input.damage);
}

/** A server that waits for more of a request than will come is left after so long. */
const PATIENCE_MS = 60;

/** What came back until the server closed. `endsAfterMs`: then this side ends its half, if the server has not closed by then; 0: at once behind the request; `null`: never. */
function answerTo(port: number, request: Uint8Array, endsAfterMs: number | null): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    let timer: NodeJS.Timeout | undefined;
    const socket = net.connect({ host: '127.0.0.1', port }, () => {
      if (endsAfterMs === 0) return socket.end(request);
      socket.write(request);
      if (endsAfterMs !== null) timer = setTimeout(() => socket.end(), endsAfterMs);
      return socket;
    });
    socket.setEncoding('latin1').on('data', (piece: string) => (text += piece));
    // A reset is an end, too.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(text);
    });
  });
}

const STATUSES: ReadonlySet<string> = new Set(['200', '400', '401', '403', '404', '408', '409', '413', '414', '415', '417', '431', '503']);
const LIVE = encodeText('GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n');

export const admin = target<Input>({
  name: 'admin',
  inputs,
  gateRuns: 60,
  acceptedLeast: 3,
  async holds(input) {
    ground ??= begin();
    const { server, commands, folder } = await ground;
    commands.length = 0;
    const request = bytesOf(input);
    const isWhole = isSound(input);
    const answer = await answerTo(server.port, request, isWhole ? null : input.hangsUp ? 0 : PATIENCE_MS);
    // Whoever was to go on, and hung up, may have got no more than that.
    const status = /^(?:HTTP\/1\.1 100 Continue\r\n\r\n)?HTTP\/1\.1 (\d{3})/.exec(answer)?.[1];
    if (answer !== '' && !/^HTTP\/1\.1 100 Continue\r\n\r\n$/.test(answer)) assert.ok(status !== undefined && STATUSES.has(status), `answered ${answer.slice(0, 200)}`);
    if (isWhole) assert.deepEqual([status, commands.map(({ name }) => `/${name}`)], ['200', [input.path]], 'a sound request is not carried out');
    if (input.damage.changes.length === 0) judge(input, commands, status);
    // Whatever else was changed: without the token in it, no request commands.
    if (!Buffer.from(request).includes(`Bearer ${TOKEN}`)) assert.deepEqual(commands, [], 'a command without the token');
    assert.match(await answerTo(server.port, LIVE, null), /^HTTP\/1\.1 200 /);
    tokenOf(folder, input.file);
    return commands.length;
  },
  async close() {
    const begun = await ground;
    ground = null;
    if (begun === null) return;
    await begun.server.close();
    rmSync(begun.folder, { recursive: true, force: true });
  },
});

/** Of a request as it was meant: who commands has everything that is asked for. */
function judge(input: Input, commands: readonly Command[], status: string | undefined): void {
  if (commands.length === 0) return;
  const [command] = commands;
  assert.equal(commands.length, 1);
  assert.equal(input.method, 'POST');
  assert.equal(input.token, 'right');
  assert.ok(HOSTS.includes(input.host), `host ${input.host}`);
  assert.ok(input.type?.startsWith('application/json') === true && input.type !== 'application/jsonx', `type ${input.type}`);
  assert.ok(!input.extra.includes('Sec-Fetch-Site: cross-site'), 'asked by another site');
  assert.equal(status, '200');
  if (command?.name !== 'promote') return;
  const body = JSON.parse(input.body) as { acceptDataLoss?: unknown };
  assert.ok(Object.hasOwn(body, 'acceptDataLoss') && body.acceptDataLoss === true, 'promoted without acceptance');
}

function tokenOf(folder: string, content: string): void {
  const file = join(folder, 'token');
  writeFileSync(file, content, { mode: 0o600 });
  const read = outcome(() => readToken(file));
  if (read.kind === 'refused') assert.equal(read.code, 'LOCKSTEP_TOKEN_FILE');
  else assert.ok(read.value.length >= 16 && /^[\x21-\x7e]+$/.test(read.value) && content.includes(read.value));
}
