import { createBoundedServer } from '../../../src/admin/http-server.js';

test('a request that is not whole in 10 s is refused a second later at the latest', () => {
  const server = createBoundedServer(() => undefined) as ReturnType<typeof createBoundedServer> & { readonly connectionsCheckingInterval: number };
  expect(server.requestTimeout).toBe(10_000);
  expect(server.headersTimeout).toBe(10_000);
  expect(server.connectionsCheckingInterval).toBe(1_000);
});
