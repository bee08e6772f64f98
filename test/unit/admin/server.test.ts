import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import type { Command, CommandResult, RepositoryCommand } from '../../../src/admin/commands.js';
import { MEANT_HEADER, meantFor } from '../../../src/admin/meant.js';
import { cannotListen, createAdmin } from '../../../src/admin/server.js';
import type { AdminOptions, AdminServer } from '../../../src/admin/server.js';
import type { ServerId } from '../../../src/core/identity.js';
import type { ServerStatus } from '../../../src/admin/status.js';
import { WRONG_TOKEN_DELAY_MS } from '../../../src/admin/wrong-tokens.js';
import { FakeLog } from '../support/fake-log.js';
import { exampleStatus } from './example-status.js';
import { STRANGERS } from './strangers.js';

interface Reply {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

let admin: AdminServer | null = null;
let asked: Command[] = [];
let answer: () => Promise<CommandResult> = async () => ({ kind: 'done', message: 'under way' });

async function start(status: () => ServerStatus, change: Partial<AdminOptions> = {}): Promise<void> {
  asked = [];
  answer = async () => ({ kind: 'done', message: 'under way' });
  const command = async (wanted: Command): Promise<CommandResult> => {
    asked.push(wanted);
    return answer();
  };
  admin = await createAdmin({ host: '127.0.0.1', port: 0, token: null, status, command, repositories: { ask: () => ({ kind: 'refused', why: 'there is no repository' }), task: () => ({ kind: 'unknown' }) }, log: { write: () => undefined }, ...STRANGERS, ...change });
}

async function ask(method: string, path: string, body: string | null = null, headers: Record<string, string> = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port: admin?.port, method, path, headers: { ...(body === null ? {} : { 'content-type': 'application/json' }), ...headers } }, (incoming) => {
      let text = '';
      incoming.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) }));
    });
    outgoing.on('error', reject);
    outgoing.end(body ?? undefined);
  });
}

const errorCode = (reply: Reply): string => (reply.body['error'] as { code: string }).code;

afterEach(async () => {
  await admin?.close();
  admin = null;
});

describe('questions', () => {
  it('/status answers the whole status', async () => {
    await start(() => exampleStatus());
    const reply = await ask('GET', '/status');
    expect(reply.status).toBe(200);
    expect(reply.body).toEqual(JSON.parse(JSON.stringify(exampleStatus())));
  });

  it('/live answers 200 whatever the state', async () => {
    await start(() => exampleStatus({ serving: false, state: 'WAITING' }));
    expect((await ask('GET', '/live')).status).toBe(200);
  });

  it('/serving is 200 only while serving, and says where clients go', async () => {
    let serving = true;
    await start(() => exampleStatus({ serving, state: serving ? 'ACTIVE' : 'PASSIVE' }));
    expect(await ask('GET', '/serving')).toMatchObject({ status: 200, body: { serving: true, clients: ['127.0.0.1:1883'] } });
    serving = false;
    expect(await ask('GET', '/serving')).toMatchObject({ status: 503, body: { serving: false, state: 'PASSIVE', backupServer: '127.0.0.1:1884' } });
  });

  it('unknown paths and methods are 404', async () => {
    await start(() => exampleStatus());
    expect(errorCode(await ask('GET', '/nothing'))).toBe('LOCKSTEP_ADMIN_UNKNOWN');
    expect((await ask('POST', '/status', '{}')).status).toBe(404);
  });

  it('a failure inside is 500 without its text', async () => {
    await start(() => {
      throw new Error('private detail');
    });
    const reply = await ask('GET', '/status');
    expect(reply.status).toBe(500);
    expect(JSON.stringify(reply.body)).not.toContain('private detail');
  });
});

describe('the log', () => {
  it('a refusal and its reason are in the log, behind what was asked', async () => {
    const log = new FakeLog();
    await start(() => exampleStatus(), { log });
    answer = async () => ({ kind: 'refused', code: 'LOCKSTEP_COMMAND_REFUSED', message: 'a switchover needs this server ACTIVE; it is PASSIVE', remedy: 'See status.' });
    await ask('POST', '/switchover', '{}');
    await ask('POST', '/promote', '{}');
    await ask('POST', '/repositories/stock/sync', '{}');
    expect(log.from('info')).toEqual([
      'Asked for switchover by an operator',
      'Refused the switchover that an operator asked for: a switchover needs this server ACTIVE; it is PASSIVE',
      'Refused the promote that an operator asked for: the loss that it can mean was not accepted',
      'Asked for a sync of the repository stock by an operator',
      'Refused the sync of the repository stock that an operator asked for: there is no repository',
    ]);
    expect(log.from('warn')).toHaveLength(3);
    expect(log.lines[1]?.fields).toEqual({ command: 'switchover', code: 'LOCKSTEP_COMMAND_REFUSED' });
  });
});

describe('commands', () => {
  beforeEach(() => start(() => exampleStatus()));

  it('are passed on', async () => {
    expect(await ask('POST', '/stop', '{}')).toEqual({ status: 200, body: { message: 'under way' } });
    await ask('POST', '/switchover', '{}');
    await ask('POST', '/promote', '{"acceptDataLoss":true}');
    expect(asked).toEqual([{ name: 'stop' }, { name: 'switchover' }, { name: 'promote', acceptDataLoss: true }]);
  });

  it('a refusal is 409 with its code and remedy', async () => {
    answer = async () => ({ kind: 'refused', code: 'LOCKSTEP_SWITCHOVER_NO_PEER', message: 'no PASSIVE server', remedy: 'Start it.' });
    expect(await ask('POST', '/switchover', '{}')).toEqual({ status: 409, body: { error: { code: 'LOCKSTEP_SWITCHOVER_NO_PEER', message: 'no PASSIVE server', remedy: 'Start it.' } } });
  });

  it.each([['{}'], ['{"acceptDataLoss":"true"}'], ['{"acceptDataLoss":1}'], ['null'], ['[]']])('promote with %s is not passed on', async (body) => {
    expect(errorCode(await ask('POST', '/promote', body))).toBe('LOCKSTEP_PROMOTE_NOT_ACCEPTED');
    expect(asked).toEqual([]);
  });

  it.each([['not JSON', '{'], ['too long', `{"a":"${'x'.repeat(5000)}"}`]])('a body that is %s is refused', async (_, body) => {
    const reply = await ask('POST', '/stop', body);
    expect(reply.status).toBeGreaterThanOrEqual(400);
    expect(reply.status).toBeLessThan(500);
    expect(asked).toEqual([]);
  });

  it.each([
    ['a rebound name', { host: 'evil.example' }],
    ['a form', { 'content-type': 'text/plain' }],
    ['a page of another site', { 'sec-fetch-site': 'cross-site' }],
  ])('%s gets none through', async (_, headers) => {
    expect((await ask('POST', '/stop', '{}', headers)).status).toBeGreaterThanOrEqual(400);
    expect(asked).toEqual([]);
  });

  it.each([['/stop', ''], ['/switchover', ''], ['/promote', ''], ['/repositories/stock/sync', ''], ['/stop', 'GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(500)]])('%s of one who hung up before it was read is not carried out later (%#)', async (path, behind) => {
    await admin?.close();
    const log = new FakeLog();
    const wishes: string[] = [];
    await start(() => exampleStatus(), { log, repositories: { ask: (name) => ({ kind: 'refused', why: String(wishes.push(name)) }), task: () => ({ kind: 'unknown' }) } });
    const body = '{"acceptDataLoss":true,"checksum":false}';
    const socket = connect(admin?.port ?? 0, '127.0.0.1');
    await once(socket, 'connect');
    // Both lie there when the server reads next, as after a pause.
    socket.write(`POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}${behind}`);
    socket.destroy();
    await once(socket, 'close');
    while (log.lines.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(log.from('warn')).toEqual([`Dropped ${path}: whoever asked for it had hung up before this server came to it; nothing was done`]);
    expect(asked).toEqual([]);
    expect(wishes).toEqual([]);
  });

  it.each(['/stop', '/switchover', '/promote', '/repositories/stock/sync'])('%s that is meant for another server is refused', async (path) => {
    const { cluster, server } = exampleStatus();
    const body = '{"acceptDataLoss":true}';
    for (const other of [{ cluster, server: 'other' as ServerId }, { cluster: `${cluster} 2`, server }]) {
      expect(await ask('POST', path, body, { [MEANT_HEADER]: meantFor(other) })).toMatchObject({ status: 409, body: { error: { code: 'LOCKSTEP_ADMIN_OTHER_SERVER' } } });
    }
    expect(asked).toEqual([]);
    expect((await ask('POST', '/stop', body, { [MEANT_HEADER]: meantFor({ cluster, server }) })).status).toBe(200);
  });

  it('a restore may name many paths', async () => {
    await admin?.close();
    const asks: RepositoryCommand[] = [];
    await start(() => exampleStatus(), { token: 'a-long-enough-token', repositories: { ask: (_, command) => ({ kind: 'accepted', id: asks.push(command) }), task: () => ({ kind: 'unknown' }) } });
    const paths = Array.from({ length: 1_000 }, (_, i) => `${i}/${'x'.repeat(400)}`);
    const body = JSON.stringify({ version: 'v', paths });
    expect((await ask('POST', '/repositories/stock/restore', body, { authorization: 'Bearer a-long-enough-token' })).status).toBe(202);
    expect(asks).toEqual([{ ask: 'restore', version: 'v', paths }]);
  });

  it.each([['/repositories/%zz/sync', 400], [`/repositories/${'n'.repeat(200)}/sync`, 414]])('a path that cannot be asked for (%#) is refused as all else', async (path, status) => {
    const reply = await ask('POST', path, '{}');
    expect(reply.status).toBe(status);
    expect(reply.body).toEqual({ error: { code: 'LOCKSTEP_ADMIN_REQUEST', message: expect.any(String) as string, remedy: expect.any(String) as string } });
  });

  it.each([['no HTTP', 'SSH-2.0-x\r\n\r\n', '400'], ['too long a header', `GET /live HTTP/1.1\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, '431']])('so is %s', async (_, bytes, status) => {
    const socket = connect(admin?.port ?? 0, '127.0.0.1');
    socket.write(bytes);
    const [answered] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    const [head = '', body = ''] = answered.toString().split('\r\n\r\n');
    expect(head).toContain(`HTTP/1.1 ${status} `);
    expect(JSON.parse(body)).toMatchObject({ error: { code: 'LOCKSTEP_ADMIN_REQUEST' } });
  });

  it('no preflight is answered', async () => {
    const reply = await ask('OPTIONS', '/stop', null, { origin: 'http://evil.example', 'access-control-request-method': 'POST' });
    expect(reply.status).toBe(404);
  });
});

describe('a token', () => {
  beforeEach(() => start(() => exampleStatus(), { token: 'a-long-enough-token' }));
  it('that is wrong is refused later, and leaves a trace', async () => {
    await admin?.close();
    const traces: unknown[] = [];
    const after: AdminOptions['clock']['after'] = (ms, action) => {
      traces.push(ms);
      return STRANGERS.clock.after(ms, action);
    };
    await start(() => exampleStatus(), { token: 'a-long-enough-token', clock: { after }, sparingLog: { write: (...line) => void traces.push(line[4]) } });
    expect((await ask('GET', '/status', null, { authorization: 'Bearer wrong' })).status).toBe(401);
    await ask('GET', '/status', null, { authorization: 'Bearer a-long-enough-token' });
    await ask('GET', '/live');
    expect(traces).toEqual(['127.0.0.1', WRONG_TOKEN_DELAY_MS]);
  });

  it('is asked for by /status and commands, not by the checks of load balancers', async () => {
    expect((await ask('GET', '/status')).status).toBe(401);
    expect((await ask('POST', '/stop', '{}', { authorization: 'Bearer wrong' })).status).toBe(401);
    expect(asked).toEqual([]);
    expect((await ask('GET', '/serving')).status).toBe(200);
    expect((await ask('GET', '/live')).status).toBe(200);
    expect((await ask('GET', '/status', null, { authorization: 'Bearer a-long-enough-token' })).status).toBe(200);
  });
});

describe('listening', () => {
  it('connections on which nothing is asked do not stay', async () => {
    await start(() => exampleStatus());
    const { port } = admin ?? { port: 0 };
    const socket = connect(port, '127.0.0.1');
    socket.write('GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const [answered] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    expect(answered.toString()).toMatch(/keep-alive: timeout=5\r/i);
  });

  it('on localhost is listening on 127.0.0.1', async () => {
    await start(() => exampleStatus(), { host: 'localhost' });
    expect((await ask('GET', '/live')).status).toBe(200);
  });

  it('beyond loopback without a token is refused', async () => {
    await expect(start(() => exampleStatus(), { host: '0.0.0.0' })).rejects.toMatchObject({ code: 'LOCKSTEP_ADMIN_EXPOSED' });
  });
  it('on an address or a name that is none of this machine is an error of that', () => {
    for (const code of ['EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN']) {
      const error = cannotListen({ host: 'nohost', port: 1 }, Object.assign(new Error('x'), { code }));
      expect(error).toMatchObject({ code: 'LOCKSTEP_ADMIN_PORT', message: expect.stringMatching(/^admin\.host: /) as string, remedy: expect.stringContaining('admin.host') as string });
    }
  });
  it('on a taken port is an error that names it', async () => {
    await start(() => exampleStatus());
    const { port } = admin ?? { port: 0 };
    const first = admin;
    await expect(start(() => exampleStatus(), { port })).rejects.toMatchObject({ code: 'LOCKSTEP_ADMIN_PORT', message: expect.stringContaining(String(port)) as string });
    admin = first;
  });
});
