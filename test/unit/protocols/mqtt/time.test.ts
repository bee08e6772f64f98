import mqttPacket from 'mqtt-packet';
import { KEEP_ALIVE_PROGRESS_BYTES } from '../../../../src/protocols/mqtt/limits.js';
import { ROUND_MS } from '../../../../src/protocols/mqtt/rounds.js';
import { message } from '../../support/fake-edge.js';
import { Rig } from './rig.js';

describe('keep-alive', () => {
  test('a silent client is disconnected after one and a half times its keep-alive, with its will', async () => {
    const rig = new Rig();
    const client = await rig.connected({ keepalive: 10 });
    rig.clock.advance(15_000);
    expect(client.stream.closedBy).toBeNull();
    rig.clock.advance(ROUND_MS);
    expect(client.stream.closedBy).toBe('keep-alive timeout');
    expect(rig.edge.operations.at(-1)).toMatchObject({ kind: 'disconnect', publishWill: true });
    expect(rig.log.from('info')).toEqual([expect.stringContaining('silent for more than 15000 ms')]);
  });

  test('any whole packet counts', async () => {
    const rig = new Rig();
    const client = await rig.connected({ keepalive: 10 });
    for (let i = 0; i < 5; i++) {
      rig.clock.advance(14_000);
      client.send({ cmd: 'pingreq' });
    }
    rig.clock.advance(14_000);
    expect(client.stream.closedBy).toBeNull();
  });

  test('single bytes of a packet that is not whole do not count (MQTT-3.1.2-24)', async () => {
    const rig = new Rig();
    const client = await rig.connected({ keepalive: 10 });
    client.sendBytes(Buffer.from([0x30, 100]));
    for (let i = 0; i < 2; i++) {
      rig.clock.advance(7_000);
      client.sendBytes(Buffer.from([0x61]));
    }
    rig.clock.advance(2_000);
    expect(client.stream.closedBy).toBe('keep-alive timeout');
  });

  test('KEEP_ALIVE_PROGRESS_BYTES of a long packet count', async () => {
    const rig = new Rig();
    const client = await rig.connected({ keepalive: 10 });
    client.sendBytes(Buffer.from([0x30, 0xff, 0x7f]));
    for (let i = 0; i < 10; i++) {
      rig.clock.advance(14_000);
      client.sendBytes(Buffer.alloc(KEEP_ALIVE_PROGRESS_BYTES, 0x61));
    }
    rig.clock.advance(14_000);
    expect(client.stream.closedBy).toBeNull();
  });

  test('0 means none', async () => {
    const rig = new Rig();
    const client = await rig.connected({ keepalive: 0 });
    rig.clock.advance(50 * 3_600_000);
    expect(client.stream.closedBy).toBeNull();
  });

  test('a pause in which the server does not read is no sign of life: the silence before it still counts', async () => {
    const rig = new Rig();
    const client = await rig.connected({ keepalive: 10 });
    for (let times = 0; times < 2; times++) {
      expect(client.stream.closedBy).toBeNull();
      rig.clock.advance(7_000);
      rig.edge.congested = true;
      client.effect({ kind: 'deliver', message: message('t', 'x'), qos: 0, packetId: 0, dup: false, retain: false });
      rig.clock.advance(3_000);
      expect(client.stream.paused).toBe(true);
      rig.edge.relieve();
      rig.clock.turn();
      expect(client.stream.paused).toBe(false);
    }
    rig.clock.advance(500);
    expect(client.stream.closedBy).toBeNull();
    rig.clock.advance(500 + ROUND_MS);
    expect(client.stream.closedBy).toBe('keep-alive timeout');
  });

  test.each([2_000, 20_000])('while this process stands still (%i ms) nobody is silent: what came meanwhile is read first, what is under way has its time', async (ms) => {
    const rig = new Rig();
    const [pinging, late, silent] = [await rig.connected({ keepalive: 1 }), await rig.connected({ keepalive: 1, clientId: 'c2' }), await rig.connected({ keepalive: 1, clientId: 'c3' })];
    rig.clock.advance(400);
    for (const client of [pinging, late, silent]) client.send({ cmd: 'pingreq' });
    rig.clock.work(ms);
    pinging.stream.receive(Buffer.from([0xc0, 0]));
    rig.clock.advance(1_000);
    expect([pinging, late, silent].map((client) => client.stream.closedBy)).toEqual([null, null, null]);
    late.send({ cmd: 'pingreq' });
    rig.clock.advance(400);
    pinging.send({ cmd: 'pingreq' });
    rig.clock.advance(600 + ROUND_MS);
    expect([pinging, late, silent].map((client) => client.stream.closedBy)).toEqual([null, null, 'keep-alive timeout']);
  });

  test('a standstill that is shorter than a round: what came meanwhile is read first', async () => {
    const rig = new Rig();
    const client = await rig.connected({ keepalive: 1 });
    rig.clock.advance(1_400);
    rig.clock.work(ROUND_MS);
    client.stream.receive(Buffer.from([0xc0, 0]));
    rig.clock.advance(1_000);
    expect(client.stream.closedBy).toBeNull();
  });

  test('what comes in a pause, and is taken behind it, is a sign of life of that moment', async () => {
    const rig = new Rig();
    const client = await rig.connected({ keepalive: 10 });
    rig.clock.advance(14_000);
    rig.edge.congested = true;
    client.send({ cmd: 'pingreq' });
    rig.clock.advance(60_000);
    rig.edge.relieve();
    rig.clock.advance(15_000);
    expect(client.stream.closedBy).toBeNull();
    rig.clock.advance(2 * ROUND_MS);
    expect(client.stream.closedBy).toBe('keep-alive timeout');
  });

  test('what the server sends does not count', async () => {
    const rig = new Rig();
    const client = await rig.connected({ keepalive: 2 });
    for (let i = 0; i < 4; i++) {
      rig.clock.advance(1_000);
      client.effect({ kind: 'puback', packetId: 1 });
    }
    expect(client.stream.closedBy).toBe('keep-alive timeout');
  });
});

describe('5,000 idle connections', () => {
  test('cost one timer, and none when they are gone', async () => {
    const rig = new Rig();
    const clients = [];
    for (let i = 0; i < 5_000; i++) {
      const client = rig.raw();
      client.stream.receive(mqttPacket.generate({ cmd: 'connect', clientId: `c${i}`, keepalive: 60 }));
      clients.push(client);
    }
    await rig.clock.advanceAsync(0);
    expect(rig.edge.handlers.size).toBe(5_000);
    expect(rig.clock.pending).toBe(1);
    rig.clock.advance(60_000);
    expect(rig.clock.pending).toBe(1);
    expect(rig.edge.handlers.size).toBe(5_000);
    for (const { stream } of clients) stream.lose('gone');
    rig.clock.turn();
    expect(rig.edge.handlers.size).toBe(0);
    expect(rig.clock.pending).toBe(0);
  });
});

describe('CONNECT in time', () => {
  test.each([
    ['says nothing', Buffer.alloc(0)],
    ['dribbles', mqttPacket.generate({ cmd: 'connect', clientId: 'c' }).subarray(0, 9)],
  ])('a client that %s', (_name, bytes) => {
    const rig = new Rig({ connectTimeoutMs: 5_000 });
    const client = rig.raw();
    for (let at = 0; at < 4_800; at += 400) {
      rig.clock.advance(400);
      if (bytes.length > 0) client.sendBytes(bytes.subarray(at / 400, at / 400 + 1));
    }
    expect(client.stream.closedBy).toBeNull();
    rig.clock.advance(200 + ROUND_MS);
    expect(client.stream.closedBy).toMatch(/within 5000 ms \(connectTimeoutMs\)/);
    expect(rig.edge.operations).toEqual([]);
    expect(rig.clock.pending).toBe(0);
  });

  test.each([
    ['PUBLISH', mqttPacket.generate({ cmd: 'publish', topic: 'a', payload: '', qos: 0, retain: false, dup: false })],
    ['PINGREQ', mqttPacket.generate({ cmd: 'pingreq' })],
    ['SUBSCRIBE', mqttPacket.generate({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a', qos: 0 }] })],
    ['DISCONNECT', mqttPacket.generate({ cmd: 'disconnect' })],
  ])('%s as the first packet', (name, bytes) => {
    const rig = new Rig();
    const client = rig.raw();
    client.sendBytes(bytes);
    expect(client.stream.closedBy).toContain(`${name} as its first packet`);
    expect(rig.edge.operations).toEqual([]);
  });

  test('MQTT 5 is told so by CONNACK 1 and a line in the log', () => {
    const rig = new Rig();
    const client = rig.raw();
    client.sendBytes(mqttPacket.generate({ cmd: 'connect', clientId: 'five', protocolVersion: 5 }));
    rig.clock.turn();
    expect(client.stream.takeOutput()).toEqual(Buffer.from([0x20, 2, 0, 1]));
    expect(client.stream.ended).toBe(true);
    expect(rig.log.from('warn')).toEqual([expect.stringMatching(/CONNACK 1.*MQTT 5/)]);
  });

  test('before CONNECT a packet may be no longer than a CONNECT can be, whatever packetBytesMax says', () => {
    const rig = new Rig({ packetBytesMax: 32 * 1024 * 1024 });
    const client = rig.raw();
    client.sendBytes(Buffer.from([0x10, 0xff, 0xff, 0x7f]));
    expect(client.stream.closedBy).toMatch(/CONNECT packet of 2097155 bytes/);
  });

  test('after it packetBytesMax holds, told by name', async () => {
    const rig = new Rig({ packetBytesMax: 1_000 });
    const client = await rig.connected();
    client.sendBytes(Buffer.from([0x30, 0xe6, 0x07]));
    expect(client.stream.closedBy).toMatch(/PUBLISH packet of 1001 bytes; 1000 are allowed \(packetBytesMax\)/);
  });
});

test('a CONNECT that came while this process stood still is taken', async () => {
  const rig = new Rig({ connectTimeoutMs: 5_000 });
  const [client, later] = [rig.raw(), rig.raw()];
  rig.clock.advance(1_000);
  rig.clock.work(10_000);
  client.stream.receive(mqttPacket.generate({ cmd: 'connect', clientId: 'c' }));
  await rig.clock.advanceAsync(0);
  expect(rig.edge.kinds()).toEqual(['connect']);
  rig.clock.advance(2_000);
  expect(later.stream.closedBy).toBeNull();
  rig.clock.advance(4_000);
  expect(later.stream.closedBy).toMatch(/connectTimeoutMs/);
});

describe('a connection that is ended politely', () => {
  test('and takes nothing is cut after lingerMs', () => {
    const rig = new Rig({ lingerMs: 2_000 });
    const client = rig.raw();
    client.stream.stall();
    client.sendBytes(mqttPacket.generate({ cmd: 'connect', clientId: 'five', protocolVersion: 5 }));
    expect(client.stream.ended).toBe(true);
    rig.clock.advance(1_900);
    expect(client.stream.closedBy).toBeNull();
    rig.clock.advance(100 + ROUND_MS);
    expect(client.stream.closedBy).toMatch(/lingerMs/);
    expect(rig.clock.pending).toBe(0);
  });
});
