import mqttPacket from 'mqtt-packet';
import type { Packet } from 'mqtt-packet';
import { TURN_MS } from '../../../../src/protocols/mqtt/inbox.js';
import type { MqttLimits } from '../../../../src/protocols/mqtt/limits.js';
import { Rounds } from '../../../../src/protocols/mqtt/rounds.js';
import { ALL_TURN_MS, Turns } from '../../../../src/protocols/mqtt/turns.js';
import { FakeClock } from '../../support/fake-clock.js';
import { type Client, Rig } from './rig.js';

const PACKETS = 80;
const WORK_MS = 5;

function subscribe(messageId: number): Packet {
  return { cmd: 'subscribe', messageId, subscriptions: [{ topic: `+/${messageId}`, qos: 1 }] };
}

test('packets that take long to carry out are taken in turns with those of others, in their order; nothing more is read meanwhile', async () => {
  const rig = new Rig();
  const client = await rig.connected();
  const other = await rig.connected({ clientId: 'c2' });
  rig.edge.operations.length = 0;
  rig.edge.onOperation = () => rig.clock.work(WORK_MS);
  client.send(...Array.from({ length: PACKETS }, (_, number) => subscribe(number + 1)));
  expect(rig.edge.operations.length).toBeLessThan(PACKETS / 2);
  expect(client.stream.paused).toBe(true);
  other.send({ cmd: 'pingreq' });
  const answers: Packet[] = [];
  for (let turns = 0; turns < 3; turns += 1) {
    rig.clock.turn();
    answers.push(...other.received());
  }
  expect(answers).toMatchObject([{ cmd: 'pingresp' }]);
  expect(rig.edge.operations.length).toBeLessThan(PACKETS);
  rig.clock.advance(PACKETS * WORK_MS);
  expect(rig.edge.operations.map((operation) => (operation.kind === 'subscribe' ? operation.packetId : 0))).toEqual(Array.from({ length: PACKETS }, (_, number) => number + 1));
  expect(client.stream.paused).toBe(false);
});

test('a connection that ends before its next turn: what had come is taken in turns all the same, in its order, then its will is published', async () => {
  const rig = new Rig();
  const client = await rig.connected();
  rig.edge.operations.length = 0;
  rig.edge.onOperation = () => rig.clock.work(WORK_MS);
  client.send(...Array.from({ length: PACKETS }, (_, number) => subscribe(number + 1)));
  client.stream.destroy('gone');
  rig.clock.turn();
  expect(rig.edge.operations.length).toBeLessThan(PACKETS);
  rig.clock.advance(PACKETS * WORK_MS);
  expect(rig.edge.operations.slice(0, -1).map((operation) => (operation.kind === 'subscribe' ? operation.packetId : 0))).toEqual(Array.from({ length: PACKETS }, (_, number) => number + 1));
  expect(rig.edge.operations.at(-1)).toMatchObject({ kind: 'disconnect', publishWill: true });
  expect(rig.edge.handlers.size).toBe(0);
});

describe('very many clients that send at once', () => {
  const CLIENTS = 40;
  const PER_CLIENT = 12;

  async function together(limits: Partial<MqttLimits> = {}): Promise<{ rig: Rig; clients: Client[]; takenOf(): number[] }> {
    const rig = new Rig(limits);
    const clients: Client[] = [];
    for (let at = 0; at < CLIENTS; at++) clients.push(await rig.connected({ clientId: `c${at}` }));
    rig.edge.operations.length = 0;
    rig.edge.onOperation = () => rig.clock.work(WORK_MS);
    const takenOf = (): number[] => rig.edge.operations.map((operation) => clients.findIndex(({ connection }) => 'connection' in operation && connection === operation.connection));
    return { rig, clients, takenOf };
  }

  /** All comes in one turn of the event loop. */
  function receive({ clock }: Rig, clients: readonly Client[]): void {
    const packets = Buffer.concat(Array.from({ length: PER_CLIENT }, (_, number) => mqttPacket.generate(subscribe(number + 1))));
    for (const { stream } of clients) stream.receive(packets);
    clock.turn();
  }

  test('take a bounded time of one turn together, whoever they are; the others have theirs in the next ones, in the order in which they came', async () => {
    const { rig, clients, takenOf } = await together();
    receive(rig, clients);
    const mostPerTurn = (ALL_TURN_MS + TURN_MS) / WORK_MS;
    expect(takenOf().length).toBeLessThanOrEqual(mostPerTurn);
    expect(clients.slice(4).every(({ stream }) => stream.paused)).toBe(true);
    const all = takenOf().length;
    for (let before = -1, now = all; now !== before; before = now, now = takenOf().length) {
      rig.clock.turn();
      expect(takenOf().length - now).toBeLessThanOrEqual(mostPerTurn);
    }
    expect(takenOf()).toHaveLength(CLIENTS * PER_CLIENT);
    // Each has had its first turn before any has had its last one.
    const lastFirst = Math.max(...clients.map((_, at) => takenOf().indexOf(at)));
    const firstLast = Math.min(...clients.slice(4).map((_, at) => takenOf().lastIndexOf(at + 4)));
    expect(lastFirst).toBeLessThan(firstLast);
    expect(clients.some(({ stream }) => stream.paused)).toBe(false);
  });

  test('so do those that were waiting for the end of a congestion', async () => {
    const { rig, clients, takenOf } = await together();
    rig.edge.congested = true;
    receive(rig, clients);
    expect(takenOf()).toEqual([]);
    rig.edge.congested = false;
    for (const handler of rig.edge.handlers.values()) handler.resume();
    expect(takenOf().length).toBeLessThanOrEqual((ALL_TURN_MS + TURN_MS) / WORK_MS);
    rig.clock.advance(CLIENTS * PER_CLIENT * WORK_MS);
    expect(takenOf()).toHaveLength(CLIENTS * PER_CLIENT);
  });

  test('keep nobody out: a CONNECT that has come waits for no turn of theirs', async () => {
    const { rig, clients, takenOf } = await together({ connectTimeoutMs: 100 });
    const late = rig.raw();
    receive(rig, clients);
    late.stream.receive(mqttPacket.generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId: 'late', clean: true, keepalive: 0 }));
    await rig.clock.advanceAsync(0);
    expect(takenOf().length).toBeLessThan(CLIENTS * PER_CLIENT);
    expect(rig.edge.operations.at(-1)).toMatchObject({ kind: 'connect', clientId: 'late' });
    await rig.clock.advanceAsync(CLIENTS * PER_CLIENT * WORK_MS + 1_000);
    expect(takenOf().filter((at) => at >= 0)).toHaveLength(CLIENTS * PER_CLIENT);
    expect(late.stream.closedBy).toBeNull();
  });

  test('one that ends meanwhile is forgotten, and one that waits is not silent for its keep-alive', async () => {
    const { rig, clients, takenOf } = await together();
    const idle = await rig.connected({ clientId: 'idle', keepalive: 1 });
    receive(rig, clients);
    idle.stream.receive(mqttPacket.generate({ cmd: 'pingreq' }));
    for (const { stream } of clients) stream.destroy('gone');
    rig.clock.advance(CLIENTS * PER_CLIENT * WORK_MS + 100);
    expect(idle.received()).toMatchObject([{ cmd: 'pingresp' }]);
    expect(takenOf().filter((at) => at >= 0)).toHaveLength(CLIENTS * (PER_CLIENT + 1));
    expect(rig.edge.handlers.size).toBe(1);
  });
});

test('what is sent to clients counts as what comes from them does', () => {
  const clock = new FakeClock();
  const turns = new Turns(clock);
  const rounds = new Rounds(clock, turns);
  const seen: boolean[] = [];
  rounds.atEndOfTurn(() => {
    clock.work(ALL_TURN_MS - 1);
    turns.worked(ALL_TURN_MS - 1);
  });
  rounds.atEndOfTurn(() => seen.push(turns.isOver));
  rounds.atEndOfTurn(() => clock.work(1));
  clock.turn();
  expect([...seen, turns.isOver]).toEqual([false, true]);
  clock.turn();
  expect(turns.isOver).toBe(false);
});
