import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identityOf, identityText } from '../../../src/adapters/process-identity.js';
import { AdminClient } from '../../../src/cli/admin-client.js';
import { askHttp } from '../../../src/cli/ask-http.js';
import type { Profile } from '../../../src/profile/profile.js';

let server: Server;
afterEach(() => {
  server.close();
  server.closeAllConnections();
});

async function listening(answer: RequestListener, port = 0): Promise<number> {
  server = createServer(answer);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function clientAt(port: number, tokenFile: string | null = null, folder = '/nosuch', host = '127.0.0.1'): AdminClient {
  return new AdminClient({ path: '/p/lockstep.yaml', admin: { host, port, tokenFile }, server: { id: 'primary', role: 'primary', cluster: 'c ü' }, data: { folder } } as Profile);
}

async function clientOf(status: unknown, port = 0): Promise<AdminClient> {
  return clientAt(await listening((_, response) => response.end(JSON.stringify(status)), port));
}

test('a status of an older server lacks nothing that the command reads: in an upgrade the command is often the newer one', async () => {
  const client = await clientOf({ schema: 1, state: 'ACTIVE' });
  expect(await client.status()).toMatchObject({ state: 'ACTIVE', unlike: [] });
});

test('a server on localhost is asked where it listens', async () => {
  const port = await listening((_, response) => response.end());
  await expect(clientAt(port, null, '/nosuch', 'localhost').status()).rejects.toMatchObject({ message: expect.stringContaining(`http://127.0.0.1:${port}/status`) });
});

test('what a server tells stands', async () => {
  const client = await clientOf({ schema: 1, unlike: ['clocks'] });
  expect(await client.status()).toMatchObject({ unlike: ['clocks'] });
});

test('an admin port may be any, also one that browsers do not ask', async () => {
  const forbidden = [10080, 6000, 5060, 6667];
  for (const port of forbidden) {
    const client = await clientOf({ schema: 1, state: 'ACTIVE' }, port).catch(() => null);
    if (client === null) continue; // Another program has it.
    expect(await client.status()).toMatchObject({ state: 'ACTIVE' });
    return;
  }
  throw new Error(`none of the ports ${forbidden.join(', ')} is free`);
});

test('a command says which server it is for, and its refusal by another one is a refusal', async () => {
  const meant: unknown[] = [];
  const client = clientAt(await listening((request, response) => {
    meant.push(request.headers['lockstep-server']);
    response.writeHead(409).end(JSON.stringify({ error: { code: 'LOCKSTEP_ADMIN_OTHER_SERVER', message: 'here answers another one', remedy: 'Check it.' } }));
  }));
  await expect(client.command('stop', {})).rejects.toMatchObject({ code: 'LOCKSTEP_ADMIN_OTHER_SERVER', exitCode: 4 });
  await expect(client.askRepository('r', { ask: 'sync', checksum: false })).rejects.toMatchObject({ exitCode: 4 });
  expect(meant).toEqual(['c%20%C3%BC/primary', 'c%20%C3%BC/primary']);
});

test('a token file that cannot be used is a wrong profile; beside a server that runs, not one to be written anew', async () => {
  const port = await listening((_, response) => response.end('{}'));
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-client-'));
  const message = '/nosuch/token cannot be read: it is not there (admin.tokenFile of /p/lockstep.yaml)';
  try {
    await expect(clientAt(port, '/nosuch/token', folder).status()).rejects.toMatchObject({ code: 'LOCKSTEP_TOKEN_FILE', exitCode: 2, message, remedy: expect.stringContaining('long random word') as string });
    writeFileSync(join(folder, 'manager.pid'), identityText(identityOf(process.ppid)));
    const remedy = expect.stringMatching(new RegExp(`^A server reads its token when it starts: .*kill ${process.ppid}`)) as string;
    await expect(clientAt(port, '/nosuch/token', folder).command('stop', {})).rejects.toMatchObject({ code: 'LOCKSTEP_TOKEN_FILE', exitCode: 2, message, remedy });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a host whose name cannot be resolved is no server that does not run', async () => {
  await listening((_, response) => response.end());
  // No name can be so: nobody is asked for it.
  await expect(clientAt(1, null, '/nosuch', 'a..b').status()).rejects.toMatchObject({ code: 'LOCKSTEP_SERVER_NAME', exitCode: 3, message: expect.stringContaining('the name a..b cannot be resolved') as string, remedy: 'See admin.host in /p/lockstep.yaml.' });
});

test('no redirect is followed', async () => {
  const paths: unknown[] = [];
  const client = clientAt(await listening((request, response) => {
    paths.push(request.url);
    response.writeHead(302, { location: '/elsewhere' }).end();
  }));
  await expect(client.status()).rejects.toMatchObject({ code: 'LOCKSTEP_ADMIN_NOT_OURS' });
  expect(paths).toEqual(['/status']);
});

describe('an answer', () => {
  const asked = { host: '127.0.0.1', method: 'GET', path: '/', headers: {}, body: null, timeoutMs: 60_000 };

  test('that is too long is no answer of a server', async () => {
    const port = await listening((_, response) => response.end('x'.repeat(11)));
    await expect(askHttp({ ...asked, port, bytesMax: 10 })).rejects.toMatchObject({ kind: 'foreign' });
    await expect(askHttp({ ...asked, port, bytesMax: 11 })).resolves.toEqual({ status: 200, text: 'x'.repeat(11) });
  });

  test('that is not HTTP is none, either', async () => {
    const port = await listening((request) => void request.socket.end('SSH-2.0-nothing\r\n'));
    await expect(clientAt(port).status()).rejects.toMatchObject({ code: 'LOCKSTEP_ADMIN_NOT_OURS' });
  });

  test('that does not come whole in time is late', async () => {
    const port = await listening((_, response) => void response.write('{'));
    await expect(askHttp({ ...asked, port, timeoutMs: 1 })).rejects.toMatchObject({ kind: 'late' });
  });

  test('that breaks off is none', async () => {
    const port = await listening((_, response) => {
      response.writeHead(200, { 'content-length': 10 });
      response.write('x', () => response.destroy());
    });
    await expect(askHttp({ ...asked, port })).rejects.toMatchObject({ kind: 'none' });
  });
});
