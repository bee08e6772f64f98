import type { Packet } from 'mqtt-packet';
import { Rig } from './rig.js';

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
