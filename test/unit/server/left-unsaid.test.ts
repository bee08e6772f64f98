import type { ClientEdge } from '../../../src/server/edge.js';
import { Host, TestClient, World } from './brokers.js';

const BYTES = new Uint8Array(10_000);
const WILL = { topic: 'will', payload: Uint8Array.of(1), qos: 0 as const, retain: false };

/** A client that is back as soon as clients are read again. */
class Returning extends TestClient {
  private back = false;

  constructor(
    edge: ClientEdge,
    private readonly clientId: string,
  ) {
    super(edge);
  }

  override resume(): void {
    if (!this.back) this.connect(this.clientId);
    this.back = true;
  }
}

async function serving(): Promise<{ world: World; one: Host; watcher: TestClient }> {
  const world = new World();
  const one = new Host(world, 'one', { journal: { segmentBytes: 64 * 1024, groupBytes: 8 * 1024, hurryBytes: 1024, preallocate: false, pendingBytesMax: 48 * 1024 } });
  await one.start();
  one.serve(1);
  await world.run(500);
  const watcher = one.client();
  watcher.connect('watcher');
  watcher.subscribe('will', 0);
  watcher.subscribe('t', 0);
  await world.run(500);
  return { world, one, watcher };
}

test('a DISCONNECT that the disk had no room for is known before the client is back: its will is not published', async () => {
  const { world, one, watcher } = await serving();
  const client = one.client();
  client.edge.submit({ kind: 'connect', connection: client.connection, clientId: 'client', clean: false, will: WILL, user: null }, 1);
  await world.run(100);
  const back = new Returning(client.edge, 'client');
  one.image.hang();
  const filler = one.client();
  filler.connect('filler');
  for (const bytes of [BYTES, new Uint8Array(0)]) while (filler.publish('elsewhere', bytes).kind === 'accepted');
  expect(client.edge.submit({ kind: 'disconnect', connection: client.connection, publishWill: false }, 1)).toEqual({ kind: 'accepted' });
  client.edge.unregister(client.connection);
  one.pulsing = false;
  one.image.release();
  await world.until(() => back.of('connack').length === 1, 'the client is back');
  one.pulsing = true;
  await world.run(1_000);
  expect(watcher.of('deliver')).toEqual([]);
});

test('a connection whose place another one has taken publishes nothing more, at QoS 0 either', async () => {
  const { world, one, watcher } = await serving();
  const [old, newer] = [one.client(), one.client()];
  old.connect('client');
  await world.run(100);
  expect(old.edge.submitVolatile('t', BYTES, old.connection)).toEqual({ kind: 'accepted' });
  newer.connect('client');
  expect(old.edge.submitVolatile('t', BYTES, old.connection)).toMatchObject({ kind: 'refused', reason: 'limit' });
  expect(newer.edge.submitVolatile('t', BYTES, newer.connection)).toEqual({ kind: 'accepted' });
  await world.run(500);
  expect(watcher.of('deliver')).toHaveLength(2);
});
