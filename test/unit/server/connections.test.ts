import { Connections } from '../../../src/server/connections.js';
import { TERM_MAX } from '../../../src/core/terms/names.js';
import { Host, startedPair, TestClient, World } from './brokers.js';

describe('terms with high numbers', () => {
  test.each([2 ** 21 - 1, 2 ** 21, TERM_MAX])('clients are served in term %d, also by the next process', async (term) => {
    const world = new World();
    const one = new Host(world, 'one');
    for (const serving of [term - 1, term]) {
      await one.start();
      one.serve(serving);
      await world.run(50);
      const client = one.client();
      client.connect(`c${serving}`);
      client.publish('t', 'x');
      await world.run(500);
      expect(client).toMatchObject({ acknowledged: 1, closed: null });
      one.kill();
    }
    await one.start();
    expect(one.status).toMatchObject({ sessions: 2, journal: { damage: null } });
  });

  test('a term that no record can name is not begun, and nothing of it is written', async () => {
    const world = new World();
    const one = new Host(world, 'one');
    await one.start();
    one.serve(TERM_MAX + 1);
    await world.run(500);
    expect(one.status).toMatchObject({ role: 'idle', trouble: expect.stringContaining(`term ${TERM_MAX + 1} cannot be`), journal: { position: 0, damage: null } });
    expect(one.fatal).toEqual([]);
  });
});

describe('who connects in a term', () => {
  test('has a number that no session has of the term before: what ends that one closes nobody else', async () => {
    const { world, one, two } = await startedPair();
    const before = Array.from({ length: 3 }, () => one.client());
    before.forEach((client, at) => client.connect(`before${at}`));
    await world.run(500);
    one.kill();
    two.idle(false, 1);
    await world.run(50);
    two.serve(2);
    const client = two.client();
    client.connect('new');
    client.publish('t', 'x');
    await world.run(500);
    expect(before.map(({ connection }) => connection)).not.toContain(client.connection);
    expect(client.of('close')).toEqual([]);
    expect(client.acknowledged).toBe(1);
  });

  test('has one above those of the terms before that this server served in', () => {
    const all = new Connections();
    const add = (): number => all.add({ effect: () => undefined, close: () => undefined, resume: () => undefined });
    const first = add();
    all.beginAbove(first + 10);
    const second = add();
    all.beginAbove(first);
    const numbers = [first, second, add()];
    expect(numbers).toEqual([1, 12, 13]);
  });
});

describe('who is resumed first', () => {
  /** So many connections, and what it does when one is resumed. */
  function connections(count: number, resumed: (connection: number) => void): Connections {
    const all = new Connections();
    for (let at = 0; at < count; at++) {
      const connection: number = all.add({ effect: () => undefined, close: () => undefined, resume: () => resumed(connection) });
    }
    return all;
  }

  test('each time those behind the last one that had a turn; nobody has one when there is no more room', () => {
    const turns: number[] = [];
    let room = 0;
    const all = connections(5, (connection) => {
      turns.push(connection);
      room -= 1;
    });
    for (const [more, expected] of [[2, [1, 2]], [2, [3, 4]], [3, [5, 1, 2]], [0, []], [9, [3, 4, 5, 1, 2]], [1, [3]]] as const) {
      room = more;
      all.resume(() => room <= 0);
      expect(turns.splice(0)).toEqual(expected);
    }
  });

  test('also where the last one is gone meanwhile, or had its turn in another way', () => {
    const turns: number[] = [];
    const all = connections(4, (connection) => turns.push(connection));
    all.hadTurn(2);
    all.remove(2);
    all.resume(() => turns.length >= 2);
    expect(turns).toEqual([3, 4]);
    all.remove(4);
    all.resume(() => turns.length >= 5);
    expect(turns.slice(2)).toEqual([1, 3]);
    for (const number of [1, 3]) all.remove(number);
    all.resume(() => false);
    expect(turns).toHaveLength(4);
  });
});

class Resumed extends TestClient {
  constructor(
    edge: TestClient['edge'],
    private readonly resumes: (client: TestClient) => void,
  ) {
    super(edge);
  }
  override resume(): void {
    this.resumes(this);
  }
}

async function serving(count: number, resumes: (client: TestClient) => void): Promise<{ world: World; one: Host; all: TestClient[] }> {
  const world = new World();
  const one = new Host(world, 'one');
  await one.start();
  one.serve(1);
  await world.run(500);
  const watcher = one.client();
  watcher.connect('watcher');
  watcher.subscribe('t', 0);
  const all = Array.from({ length: count }, () => new Resumed(watcher.edge, resumes));
  all.forEach((client, at) => client.connect(`c${at}`));
  await world.run(500);
  return { world, one, all };
}

const BYTES = new Uint8Array(10_000);

test('under a load that lasts, those that connected last are served as often as those that connected first', async () => {
  const { world, all } = await serving(12, (client) => client.publish('t', BYTES));
  for (let at = 0; !(all[0] as TestClient).edge.congested; at++) (all[at] as TestClient).publish('t', BYTES);
  await world.run(5_000);
  const served = all.map((client) => client.acknowledged);
  expect(Math.min(...served)).toBeGreaterThan(10);
  expect(Math.max(...served)).toBeLessThanOrEqual(Math.min(...served) + 2);
});

test.each([0, 1] as const)('when there is room again, the first is the one behind that which had filled it (QoS %d)', async (qos) => {
  const resumed: TestClient[] = [];
  const { world, one, all } = await serving(4, (client) => resumed.push(client));
  const filler = all[1] as TestClient;
  const { edge } = filler;
  one.pulsing = false;
  await world.run(1_300);
  while (!edge.congested) {
    if (qos === 1) filler.publish('t', BYTES);
    else edge.submitVolatile('t', BYTES, filler.connection);
  }
  resumed.length = 0;
  one.pulsing = true;
  await world.run(2_000);
  expect(resumed.slice(0, 4).map((client) => all.indexOf(client))).toEqual([2, 3, 0, 1]);
});
