import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AdminClient } from '../../../src/cli/admin-client.js';
import type { Profile } from '../../../src/profile/profile.js';

let server: Server;
afterEach(() => server.close());

async function clientOf(status: unknown): Promise<AdminClient> {
  server = createServer((_, response) => response.end(JSON.stringify(status)));
  await new Promise<void>((listening) => void server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  return new AdminClient({ admin: { host: '127.0.0.1', port, tokenFile: null } } as Profile);
}

test('a status of an older server lacks nothing that the command reads: in an upgrade the command is often the newer one', async () => {
  const client = await clientOf({ schema: 1, state: 'ACTIVE' });
  expect(await client.status()).toMatchObject({ state: 'ACTIVE', unlike: [] });
});

test('what a server tells stands', async () => {
  const client = await clientOf({ schema: 1, unlike: ['clocks'] });
  expect(await client.status()).toMatchObject({ unlike: ['clocks'] });
});
