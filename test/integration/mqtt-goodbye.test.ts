import net from 'node:net';
import mqttPacket from 'mqtt-packet';
import type { Packet } from 'mqtt-packet';
import { MqttStack } from './support/mqtt-stack.js';
import { RawClient, publish, texts } from './support/raw-client.js';
import type { Qos } from './support/raw-client.js';

/* Clients that say much in one go and close their connection behind it, as `mosquitto_pub -l` does: all of it has come long before the server can have taken it. */

const COUNT = 1_000;
const SUBSCRIBERS = 20;

let stack: MqttStack;
let watchers: RawClient[];

beforeAll(async () => {
  stack = await MqttStack.start();
  watchers = await Promise.all(Array.from({ length: SUBSCRIBERS }, () => RawClient.connect(stack.port)));
  await Promise.all(watchers.map((one) => one.subscribe(['will', 0], ['said', 0])));
});
afterAll(async () => {
  for (const one of watchers) one.vanish();
  await stack.stop();
});

/** Connects, says these packets in one write, and ends the connection; resolves when it has closed. */
async function says(packets: readonly Packet[], clean = true): Promise<void> {
  const socket = net.connect({ host: '127.0.0.1', port: stack.port, noDelay: true });
  socket.on('error', () => undefined);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  const answer = new Promise((resolve) => socket.once('data', resolve));
  socket.write(mqttPacket.generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId: 'talker', clean, keepalive: 60, will: { topic: 'will', payload: Buffer.from('died'), qos: 0, retain: false } }));
  await answer;
  socket.resume();
  socket.end(Buffer.concat(packets.map((one) => mqttPacket.generate(one))));
  await closed;
}

function burst(qos: Qos, dup = false): Packet[] {
  return Array.from({ length: COUNT }, (_, at) => publish('said', `message ${at}`, qos, qos === 0 ? undefined : at + 1, { dup }));
}

/** What the first of those that watch has got, the last of it this text. */
async function heard(last: string): Promise<string[]> {
  const all: string[] = [];
  for (let text = ''; text !== last; ) {
    text = String((await (watchers[0] as RawClient).of('publish')).payload);
    all.push(text);
  }
  return all;
}

const SAID = Array.from({ length: COUNT }, (_, at) => `message ${at}`);

test.each([0, 1, 2] as const)('a burst of QoS %d, DISCONNECT, and the end of the connection: all arrives, no will (MQTT-3.14.4-3)', async (qos) => {
  await says([...burst(qos), { cmd: 'disconnect' }]);
  expect(await heard(`message ${COUNT - 1}`)).toEqual(SAID);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(texts(await (watchers[0] as RawClient).before())).toEqual([]);
});

test('the same without DISCONNECT: all arrives, then the will', async () => {
  await says(burst(1));
  expect(await heard('died')).toEqual([...SAID, 'died']);
});

test('a burst of QoS 2 that was taken so is remembered: sent again, it is answered and not delivered again', async () => {
  await says([...burst(2), { cmd: 'disconnect' }], false);
  expect(await heard(`message ${COUNT - 1}`)).toEqual(SAID);
  const again = await RawClient.connect(stack.port, { clientId: 'talker', clean: false });
  again.send(...burst(2, true));
  for (let id = 1; id <= COUNT; id++) await again.of('pubrec', id);
  await again.disconnect();
  expect(texts(await (watchers[0] as RawClient).before())).toEqual([]);
});
