import mqttPacket from 'mqtt-packet';
import { STRANGER_BYTES_FREE } from '../../../../src/protocols/mqtt/limits.js';
import { FakeAuthenticator } from '../../support/fake-authenticator.js';
import { Rig, publish, type Client } from './rig.js';

const MAX = 100_000;
const LONG = 60_000;

/** The beginning of a CONNECT with a long will, without its end. */
function begins(client: Client, bytes: number): void {
  const whole = mqttPacket.generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId: 'c', clean: true, keepalive: 0, will: { topic: 'w', payload: Buffer.alloc(65_000), qos: 0, retain: false } });
  client.sendBytes(whole.subarray(0, bytes));
}

test('clients that are not let in have one room together, however many they are; what is ordinary has a place beside it', () => {
  const rig = new Rig({ strangerBytesMax: MAX });
  const [one, two] = [rig.raw(), rig.raw()];
  begins(one, LONG);
  expect(one.stream.closedBy).toBeNull();
  begins(two, LONG);
  expect(two.stream.closedBy).toContain('strangerBytesMax');
  const ordinary = Array.from({ length: 50 }, () => rig.raw());
  for (const client of ordinary) begins(client, STRANGER_BYTES_FREE);
  expect(ordinary.filter(({ stream }) => stream.closedBy !== null)).toEqual([]);
});

test.each<[string, (client: Client, rig: Rig) => Promise<void> | void]>([
  ['goes away', (client) => client.stream.destroy('gone')],
  ['is too slow', (_client, rig) => rig.clock.advance(20_000)],
])('there is room again when one %s', async (_what, end) => {
  const rig = new Rig({ strangerBytesMax: MAX });
  const one = rig.raw();
  begins(one, LONG);
  await end(one, rig);
  rig.clock.advance(1_000);
  const two = rig.raw();
  begins(two, LONG);
  expect(two.stream.closedBy).toBeNull();
});

const will = { topic: 'w', payload: Buffer.alloc(LONG), qos: 0, retain: false } as const;

test('what is judged takes room; who is let in takes none, and may send what he likes', async () => {
  const judge = new FakeAuthenticator({ byHand: true });
  const rig = new Rig({ strangerBytesMax: MAX }, judge);
  const one = rig.raw();
  await one.connect({ will, username: 'ann', password: Buffer.from('x') });
  const two = rig.raw();
  begins(two, LONG);
  expect(two.stream.closedBy).toContain('strangerBytesMax');
  judge.answer({ kind: 'accepted', user: 'ann' });
  await rig.clock.advanceAsync(0);
  one.effect({ kind: 'connack', sessionPresent: false });
  one.send(publish(1, 't', 'x'.repeat(2 * MAX)));
  expect(one.stream.closedBy).toBeNull();
  const three = rig.raw();
  begins(three, LONG);
  expect(three.stream.closedBy).toBeNull();
});

test('who was refused and takes his time to close takes none', async () => {
  const rig = new Rig({ strangerBytesMax: MAX }, new FakeAuthenticator({ byHand: true, waitingMax: 0 }));
  const one = rig.raw();
  await one.connect({ will });
  expect(one.received()).toMatchObject([{ cmd: 'connack', returnCode: 3 }]);
  const two = rig.raw();
  begins(two, LONG);
  expect(two.stream.closedBy).toBeNull();
});
