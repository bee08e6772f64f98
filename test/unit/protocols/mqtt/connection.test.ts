import mqttPacket from 'mqtt-packet';
import { RecordOrigin } from '../../../../src/core/journal/envelope.js';
import { settle } from '../../support/fake-clock.js';
import { message } from '../../support/fake-edge.js';
import { Rig, publish } from './rig.js';

describe('from packets to operations', () => {
  test('CONNECT with everything it can say', async () => {
    const rig = new Rig();
    const client = rig.raw();
    await client.connect({ clientId: 'c9', clean: false, username: 'ann', will: { topic: 'w', payload: Buffer.from('gone'), qos: 1, retain: true } });
    expect(rig.edge.operations).toEqual([
      { kind: 'connect', connection: 1, clientId: 'c9', clean: false, user: null, will: { topic: 'w', payload: Buffer.from('gone'), qos: 1, retain: true } },
    ]);
    expect(rig.edge.origins).toEqual([RecordOrigin.mqtt3]);
    expect(client.received()).toEqual([]);
  });

  test('an empty client id with a clean session gets a generated one', async () => {
    const rig = new Rig();
    await rig.raw().connect({ clientId: '' });
    expect(rig.edge.operations).toMatchObject([{ clientId: `auto-${'1'.padStart(32, '0')}` }]);
  });

  test('each packet becomes one operation, in order; QoS 0 does not enter the log unless it is retained', async () => {
    const rig = new Rig();
    const client = await rig.connected();
    rig.edge.operations.length = 0;
    client.send(
      publish(1, 'q1', 'x', 1),
      publish(2, 'q2', 'y', 2, true),
      publish(0, 'q0', 'z', 0),
      publish(0, 'q0r', '', 0, true),
      { cmd: 'pubrel', messageId: 2 },
      { cmd: 'puback', messageId: 11 },
      { cmd: 'pubrec', messageId: 12 },
      { cmd: 'pubcomp', messageId: 12 },
      { cmd: 'subscribe', messageId: 3, subscriptions: [{ topic: 'a/#', qos: 2 }] },
      { cmd: 'unsubscribe', messageId: 4, unsubscriptions: ['a/#'] },
    );
    const connection = client.connection;
    expect(rig.edge.operations).toEqual([
      { kind: 'publish', connection, packetId: 1, topic: 'q1', qos: 1, retain: false, payload: Buffer.from('x') },
      { kind: 'publish', connection, packetId: 2, topic: 'q2', qos: 2, retain: true, payload: Buffer.from('y') },
      { kind: 'publish', connection, packetId: 0, topic: 'q0r', qos: 0, retain: true, payload: Buffer.alloc(0) },
      { kind: 'release', connection, packetId: 2 },
      { kind: 'acknowledge', connection, packetId: 11 },
      { kind: 'received', connection, packetId: 12 },
      { kind: 'complete', connection, packetId: 12 },
      { kind: 'subscribe', connection, packetId: 3, subscriptions: [{ filter: 'a/#', qos: 2 }] },
      { kind: 'unsubscribe', connection, packetId: 4, filters: ['a/#'] },
    ]);
    expect(rig.edge.volatile).toEqual([{ topic: 'q0', payload: Buffer.from('z') }]);
    expect(rig.edge.volatileBy).toEqual([connection]);
    // Nothing of this is answered before it is admitted.
    expect(client.received()).toEqual([]);
  });

  test.each([[3, 'MQIsdp'], [4, 'MQTT']] as const)('level %d: what is marked as sent again, and CONNACK of a session that is there', async (level, protocolId) => {
    const rig = new Rig();
    const client = rig.raw();
    await client.connect({ protocolId, protocolVersion: level, clean: false });
    client.effect({ kind: 'connack', sessionPresent: true });
    rig.clock.turn();
    // Reserved in MQTT 3.1.
    expect(client.received()).toMatchObject([{ cmd: 'connack', returnCode: 0, sessionPresent: level === 4 }]);
    rig.edge.operations.length = 0;
    const { connection } = client;
    client.sendBytes(Buffer.from([0x6a, 2, 0, 7, 0x8a, 6, 0, 8, 0, 1, 0x61, 1, 0xaa, 5, 0, 9, 0, 1, 0x61]));
    const again = [
      { kind: 'release', connection, packetId: 7 },
      { kind: 'subscribe', connection, packetId: 8, subscriptions: [{ filter: 'a', qos: 1 }] },
      { kind: 'unsubscribe', connection, packetId: 9, filters: ['a'] },
    ];
    expect(rig.edge.operations).toEqual(level === 3 ? again : [{ kind: 'disconnect', connection, publishWill: true }]);
    expect(client.stream.closedBy === null).toBe(level === 3);
  });

  test.each([[3, 'MQIsdp'], [4, 'MQTT'], [5, 'MQTT']] as const)('level %d: the flags of CONNECT are looked at in MQTT 3.1.1 and later', async (level, protocolId) => {
    const rig = new Rig();
    const client = rig.raw();
    const bytes = Buffer.from(mqttPacket.generate({ cmd: 'connect', protocolId: protocolId as 'MQTT', protocolVersion: level, clientId: 'old', clean: true, keepalive: 0 }));
    bytes[0] = 0x12;
    client.sendBytes(bytes);
    await settle();
    rig.clock.turn();
    if (level === 3) expect(rig.edge.operations).toMatchObject([{ kind: 'connect', clientId: 'old' }]);
    else expect(client.stream.closedBy).toBe('reserved flags 2 in a CONNECT packet');
  });

  test('shared subscriptions are not granted, and the broker hears of the others only', async () => {
    const rig = new Rig();
    const client = await rig.connected();
    rig.edge.operations.length = 0;
    const { connection } = client;
    client.send(
      { cmd: 'subscribe', messageId: 5, subscriptions: [{ topic: '$share/g/a', qos: 1 }] },
      { cmd: 'subscribe', messageId: 6, subscriptions: [{ topic: 'a', qos: 1 }, { topic: '$share/g/a', qos: 1 }, { topic: '$shared', qos: 2 }] },
      { cmd: 'subscribe', messageId: 6, subscriptions: [{ topic: 'b', qos: 0 }] },
    );
    expect(rig.edge.operations).toEqual([
      { kind: 'subscribe', connection, packetId: 5, subscriptions: [] },
      { kind: 'subscribe', connection, packetId: 6, subscriptions: [{ filter: 'a', qos: 1 }, { filter: '$shared', qos: 2 }] },
      { kind: 'subscribe', connection, packetId: 6, subscriptions: [{ filter: 'b', qos: 0 }] },
    ]);
    client.effect({ kind: 'suback', packetId: 5, granted: [] });
    client.effect({ kind: 'suback', packetId: 6, granted: [1, 2] });
    client.effect({ kind: 'suback', packetId: 6, granted: [0] });
    client.effect({ kind: 'suback', packetId: 6, granted: [2, 1] });
    rig.clock.turn();
    expect(client.received()).toMatchObject([
      { cmd: 'suback', messageId: 5, granted: [0x80] },
      { cmd: 'suback', messageId: 6, granted: [1, 0x80, 2] },
      { cmd: 'suback', messageId: 6, granted: [0] },
      { cmd: 'suback', messageId: 6, granted: [2, 1] },
    ]);
    expect(rig.log.from('warn').join()).toContain('is not granted "$share/g/a": shared subscriptions are not offered');
  });

  test('byte at a time', async () => {
    const rig = new Rig();
    const client = rig.raw();
    const bytes = Buffer.concat([
      mqttPacket.generate({ cmd: 'connect', clientId: 'slow', keepalive: 0 }),
      mqttPacket.generate(publish(5)),
      mqttPacket.generate({ cmd: 'disconnect' }),
    ]);
    for (const byte of bytes) {
      client.sendBytes(Buffer.from([byte]));
      await rig.clock.advanceAsync(0);
    }
    expect(rig.edge.operations).toMatchObject([{ kind: 'connect', clientId: 'slow' }, { kind: 'publish', packetId: 5 }, { kind: 'disconnect', publishWill: false }]); // prettier-ignore
  });

  test('what a client sends behind its CONNECT, without waiting, follows it', async () => {
    const rig = new Rig();
    const client = rig.raw();
    client.send({ cmd: 'connect', clientId: 'eager', keepalive: 0 } as never, publish(1), publish(2));
    expect(rig.edge.operations).toEqual([]);
    expect(client.stream.paused).toBe(true);
    await rig.clock.advanceAsync(0);
    expect(rig.edge.kinds()).toEqual(['connect', 'publish', 'publish']);
    expect(client.stream.paused).toBe(false);
  });
});

describe('from effects to packets', () => {
  test('the effects of one group leave in one write', async () => {
    const rig = new Rig();
    const client = await rig.connected();
    const writes = client.stream.writes.length;
    client.effect({ kind: 'puback', packetId: 1 });
    client.effect({ kind: 'suback', packetId: 2, granted: [1, 0x80] });
    client.effect({ kind: 'deliver', message: message('t', 'hello'), qos: 1, packetId: 7, dup: true, retain: false });
    client.effect({ kind: 'pubrel', packetId: 8 });
    expect(client.received()).toEqual([]);
    rig.clock.turn();
    expect(client.stream.writes.length).toBe(writes + 1);
    expect(client.received()).toMatchObject([
      { cmd: 'puback', messageId: 1 },
      { cmd: 'suback', messageId: 2, granted: [1, 0x80] },
      { cmd: 'publish', topic: 't', payload: Buffer.from('hello'), qos: 1, messageId: 7, dup: true, retain: false },
      { cmd: 'pubrel', messageId: 8 },
    ]);
  });

  test('many connections share one end of turn', async () => {
    const rig = new Rig();
    const one = await rig.connected({ clientId: 'one' });
    const two = await rig.connected({ clientId: 'two' });
    const before = rig.clock.pending;
    one.effect({ kind: 'puback', packetId: 1 });
    two.effect({ kind: 'puback', packetId: 2 });
    expect(rig.clock.pending).toBe(before + 1);
    rig.clock.turn();
    expect([one.received(), two.received()]).toMatchObject([[{ messageId: 1 }], [{ messageId: 2 }]]);
  });

  test('PINGREQ is answered by the connection itself', async () => {
    const rig = new Rig();
    const client = await rig.connected();
    client.send({ cmd: 'pingreq' });
    expect(client.received()).toMatchObject([{ cmd: 'pingresp' }]);
    expect(rig.edge.kinds()).toEqual(['connect']);
  });

  test('a PINGREQ behind CONNECT is answered behind CONNACK (MQTT-3.2.0-1)', async () => {
    const rig = new Rig();
    const client = rig.raw();
    await client.connect();
    client.send({ cmd: 'pingreq' }, { cmd: 'pingreq' });
    expect(client.received()).toEqual([]);
    client.effect({ kind: 'connack', sessionPresent: false });
    rig.clock.turn();
    expect(client.received().map(({ cmd }) => cmd)).toEqual(['connack', 'pingresp', 'pingresp']);
  });

  test('nothing overtakes a message whose payload is being loaded', async () => {
    const rig = new Rig();
    const client = await rig.connected();
    const cold = message('cold', 4, 10);
    client.effect({ kind: 'puback', packetId: 1 });
    client.effect({ kind: 'deliver', message: cold, qos: 1, packetId: 2, dup: false, retain: false });
    client.effect({ kind: 'deliver', message: message('warm', 'w', 11), qos: 1, packetId: 3, dup: false, retain: false });
    rig.clock.turn();
    client.effect({ kind: 'puback', packetId: 4 });
    rig.clock.turn();
    expect(client.received()).toMatchObject([{ cmd: 'puback', messageId: 1 }]);
    expect(rig.edge.loads.map((load) => load.message)).toEqual([cold]);
    rig.edge.loads[0]?.done(Buffer.from('cold'));
    rig.clock.turn();
    expect(client.received()).toMatchObject([{ messageId: 2, payload: Buffer.from('cold') }, { messageId: 3 }, { cmd: 'puback', messageId: 4 }]);
    // The core decides what stays in memory.
    expect(cold.payload).toBeNull();
  });

  test('a payload that comes at once', async () => {
    const rig = new Rig();
    const client = await rig.connected();
    rig.edge.loadPayload = (_message, done) => done(Buffer.from('now'));
    client.effect({ kind: 'deliver', message: message('t', 3), qos: 1, packetId: 2, dup: false, retain: false });
    client.effect({ kind: 'deliver', message: message('t', 3), qos: 1, packetId: 3, dup: false, retain: false });
    rig.clock.turn();
    expect(client.received()).toMatchObject([{ messageId: 2 }, { messageId: 3 }]);
  });

  test('a payload that cannot be read back: QoS 0 is lost, QoS 1 ends the connection', async () => {
    const rig = new Rig();
    const client = await rig.connected();
    client.effect({ kind: 'deliver', message: message('t', 3, 20), qos: 0, packetId: 0, dup: false, retain: true });
    client.effect({ kind: 'deliver', message: message('t', 3, 21), qos: 1, packetId: 2, dup: false, retain: false });
    rig.clock.turn();
    rig.edge.loads[0]?.done(null);
    rig.edge.loads[1]?.done(null);
    rig.clock.turn();
    expect(rig.protocol.counters.qos0Dropped).toBe(1);
    expect(client.stream.closedBy).toMatch(/message 21 .* cannot be read back/);
    expect(rig.edge.operations.at(-1)).toMatchObject({ kind: 'disconnect', publishWill: true });
    expect(client.received()).toEqual([]);
  });

  test('payloads to be read back are asked for together, and leave in their order and in one write, however they come', async () => {
    const rig = new Rig();
    const client = await rig.connected();
    const before = client.stream.writes.length;
    for (let at = 0; at < 20; at++) client.effect({ kind: 'deliver', message: at === 7 ? { ...message('t', 3, 100 + at), payload: Buffer.from('xyz') } : message('t', 3, 100 + at), qos: 1, packetId: at + 1, dup: false, retain: false });
    rig.clock.turn();
    expect(rig.edge.loads).toHaveLength(19);
    for (const load of [...rig.edge.loads].reverse()) {
      expect(client.stream.writes.length).toBe(before);
      load.done(Buffer.from('abc'));
    }
    rig.clock.turn();
    expect(client.stream.writes.length).toBe(before + 1);
    expect(client.received().map((packet) => (packet.cmd === 'publish' ? `${packet.messageId} ${String(packet.payload)}` : packet.cmd))).toEqual(Array.from({ length: 20 }, (_, at) => `${at + 1} ${at === 7 ? 'xyz' : 'abc'}`));
  });

  test('a QoS 0 message that has to wait keeps its payload and not the block that it came in', async () => {
    const rig = new Rig();
    const client = await rig.connected();
    client.effect({ kind: 'deliver', message: message('t', 3, 1), qos: 1, packetId: 1, dup: false, retain: false });
    rig.clock.turn();
    const block = Buffer.from('...xyz...'.padEnd(1_000));
    client.effect({ kind: 'deliver', message: { ...message('t', 3, 2), payload: new Uint8Array(block.buffer, block.byteOffset + 3, 3) }, qos: 0, packetId: 0, dup: false, retain: false });
    block.fill(0);
    rig.edge.loads[0]?.done(Buffer.from('abc'));
    rig.clock.turn();
    expect(client.received().map((packet) => (packet.cmd === 'publish' ? String(packet.payload) : packet.cmd))).toEqual(['abc', 'xyz']);
  });

  test('no more is asked for at once than leaves in one write', async () => {
    const rig = new Rig();
    const client = await rig.connected();
    for (let at = 0; at < 20; at++) client.effect({ kind: 'deliver', message: message('t', 100_000, 100 + at), qos: 1, packetId: at + 1, dup: false, retain: false });
    rig.clock.turn();
    expect(rig.edge.loads).toHaveLength(2);
    for (let at = 0; at < 20; at++) rig.edge.loads[at]?.done(Buffer.alloc(100_000));
    expect(rig.edge.loads).toHaveLength(20);
    expect(client.received()).toHaveLength(20);
  });

  test('a payload that comes after the connection has gone is of no interest', async () => {
    const rig = new Rig();
    const client = await rig.connected();
    client.effect({ kind: 'deliver', message: message('t', 3), qos: 1, packetId: 2, dup: false, retain: false });
    rig.clock.turn();
    client.stream.lose('reset');
    rig.clock.turn();
    const writes = client.stream.writes.length;
    rig.edge.loads[0]?.done(Buffer.from('abc'));
    rig.clock.turn();
    expect(client.stream.writes.length).toBe(writes);
  });
});

describe('refused by the broker', () => {
  test('CONNECT at a limit is answered with CONNACK 3', async () => {
    const rig = new Rig();
    rig.edge.refuse = () => ({ kind: 'refused', reason: 'limit', detail: '10 sessions are open (sessionsMax)' });
    const client = rig.raw();
    await client.connect();
    rig.clock.turn();
    expect(client.received()).toMatchObject([{ cmd: 'connack', returnCode: 3 }]);
    expect(client.stream.ended).toBe(true);
    expect(rig.edge.handlers.size).toBe(0);
    expect(rig.log.from('warn').join()).toMatch(/"c1" .* is refused: 10 sessions/);
  });

  test('CONNECT while not serving is cut without an answer', async () => {
    const rig = new Rig();
    rig.edge.refuse = () => ({ kind: 'refused', reason: 'not-serving', detail: 'this server is passive' });
    const client = rig.raw();
    await client.connect();
    expect(client.received()).toEqual([]);
    expect(client.stream.closedBy).toBe('this server is passive');
  });

  test.each(['limit', 'disk-full', 'not-serving'] as const)('a PUBLISH (%s) ends the connection, unacknowledged', async (reason) => {
    const rig = new Rig();
    const client = await rig.connected();
    rig.edge.refuse = (operation) => (operation !== 'volatile' && operation.kind === 'publish' ? { kind: 'refused', reason, detail: 'full' } : null);
    client.send(publish(1), publish(2));
    expect(client.stream.closedBy).toBe('full');
    expect(client.received()).toEqual([]);
    expect(rig.edge.kinds()).toEqual(['connect', 'disconnect']);
    expect(rig.edge.handlers.size).toBe(0);
  });

  test('a full disk: the client waits with what it sent, in order, until there is room', async () => {
    const rig = new Rig();
    const client = await rig.connected({ keepalive: 1 });
    rig.edge.refuse = (operation) => {
      if (operation === 'volatile' || operation.kind !== 'publish') return null;
      rig.edge.congested = true;
      return { kind: 'refused', reason: 'disk-full', detail: 'there is no room on the disk' };
    };
    client.send(publish(1), publish(2));
    rig.clock.advance(60_000);
    rig.edge.relieve();
    expect(rig.edge.congested).toBe(true);
    expect(rig.edge.kinds()).toEqual(['connect']);
    expect(client.stream.closedBy).toBeNull();
    rig.edge.refuse = null;
    rig.edge.relieve();
    expect(rig.edge.operations.slice(1)).toMatchObject([{ kind: 'publish', packetId: 1 }, { kind: 'publish', packetId: 2 }]);
    rig.clock.turn();
    expect(client.stream.paused).toBe(false);
  });

  test('a QoS 0 message at a limit is lost, the connection stays', async () => {
    const rig = new Rig();
    const client = await rig.connected();
    rig.edge.refuse = (operation) => (operation === 'volatile' ? { kind: 'refused', reason: 'limit', detail: 'too much waits' } : null);
    client.send(publish(0, 'a', 'x', 0), publish(0, 'a', 'x', 0), publish(3));
    expect(rig.protocol.counters.qos0Dropped).toBe(2);
    expect(rig.edge.kinds()).toEqual(['connect', 'publish']);
    // Throttled: one line for both.
    expect(rig.log.from('warn')).toHaveLength(1);
  });
});

describe('the end', () => {
  test('DISCONNECT: the will is dropped', async () => {
    const rig = new Rig();
    const client = await rig.connected();
    client.send({ cmd: 'disconnect' }, publish(9));
    rig.clock.turn();
    expect(rig.edge.operations.slice(1)).toEqual([{ kind: 'disconnect', connection: client.connection, publishWill: false }]);
    expect(rig.edge.handlers.size).toBe(0);
    expect(client.stream.closedBy).not.toBeNull();
    expect(rig.clock.pending).toBe(0);
  });

  test('a lost socket: the will is published, once', async () => {
    const rig = new Rig();
    const client = await rig.connected();
    client.stream.lose('reset by the other side');
    rig.clock.turn();
    expect(rig.edge.operations.slice(1)).toEqual([{ kind: 'disconnect', connection: client.connection, publishWill: true }]);
    expect(rig.edge.handlers.size).toBe(0);
  });

  test('a protocol error: what came before it counts, what comes after does not', async () => {
    const rig = new Rig();
    const client = await rig.connected();
    client.sendBytes(Buffer.concat([mqttPacket.generate(publish(1)), Buffer.from([0x40, 2, 0, 0]), mqttPacket.generate(publish(2))]));
    rig.clock.turn();
    expect(rig.edge.operations.slice(1)).toMatchObject([{ kind: 'publish', packetId: 1 }, { kind: 'disconnect', publishWill: true }]);
    expect(client.stream.closedBy).toMatch(/packet id 0/);
    expect(rig.log.from('warn')).toEqual([expect.stringMatching(/^MQTT client "c1" at 192\.0\.2\.1:40000 is disconnected: .*packet id 0 \[MQTT-2\.3\.1-1\]$/)]);
    expect(rig.protocol.counters.faults).toBe(1);
  });

  test('a second CONNECT', async () => {
    const rig = new Rig();
    const client = await rig.connected();
    await client.connect();
    expect(client.stream.closedBy).toMatch(/second CONNECT/);
    expect(rig.edge.operations.at(-1)).toMatchObject({ kind: 'disconnect', publishWill: true });
  });

  test('taken over: what was admitted before is still sent, no disconnect is submitted', async () => {
    const rig = new Rig();
    const client = await rig.connected();
    client.effect({ kind: 'puback', packetId: 5 });
    client.effect({ kind: 'close', reason: 'taken-over' });
    client.effect({ kind: 'puback', packetId: 6 });
    client.sendBytes(mqttPacket.generate(publish(7)));
    rig.clock.turn();
    expect(client.received()).toMatchObject([{ cmd: 'puback', messageId: 5 }]);
    expect(client.stream.closedBy).not.toBeNull();
    expect(rig.edge.kinds()).toEqual(['connect']);
    expect(rig.edge.handlers.size).toBe(0);
  });

  test('taken over, and the socket lost in the same turn', async () => {
    const rig = new Rig();
    const client = await rig.connected();
    client.stream.lose('reset');
    client.effect({ kind: 'close', reason: 'taken-over' });
    rig.clock.turn();
    expect(rig.edge.kinds()).toEqual(['connect']);
    expect(rig.edge.handlers.size).toBe(0);
  });

  test("closed by the broker for the client's own fault: the will is published", async () => {
    const rig = new Rig();
    const client = await rig.connected();
    client.effect({ kind: 'close', reason: 'protocol-error' });
    rig.clock.turn();
    expect(rig.edge.operations.at(-1)).toMatchObject({ kind: 'disconnect', publishWill: true });
  });

  test('the server stops serving: nothing is submitted', async () => {
    const rig = new Rig();
    const client = await rig.connected();
    client.effect({ kind: 'puback', packetId: 5 });
    rig.edge.stop('this server is passive now');
    rig.clock.turn();
    expect(client.stream.closedBy).toBe('this server is passive now');
    expect(rig.edge.kinds()).toEqual(['connect']);
    expect(rig.edge.handlers.size).toBe(0);
    expect(rig.clock.pending).toBe(0);
  });
});

describe('who may read', () => {
  test('congested: the packet under way is the last; the rest of the same bytes waits as well', async () => {
    const rig = new Rig();
    const client = await rig.connected();
    rig.edge.onOperation = ({ kind }) => {
      if (kind === 'publish') rig.edge.congested = true;
    };
    client.send(publish(1), publish(2), publish(3));
    expect(rig.edge.kinds()).toEqual(['connect', 'publish']);
    expect(client.stream.paused).toBe(true);
    rig.edge.onOperation = null;
    rig.edge.relieve();
    rig.clock.turn();
    expect(rig.edge.kinds()).toEqual(['connect', 'publish', 'publish', 'publish']);
    expect(client.stream.paused).toBe(false);
  });

  test("a client is not to blame for silence while it was the server that did not read", async () => {
    const rig = new Rig();
    const client = await rig.connected({ keepalive: 2 });
    rig.edge.congested = true;
    client.send({ cmd: 'pingreq' });
    rig.edge.relieve();
    rig.edge.congested = true;
    client.send(publish(1));
    rig.clock.advance(60_000);
    expect(client.stream.closedBy).toBeNull();
    rig.edge.relieve();
    rig.clock.advance(2_900);
    expect(client.stream.closedBy).toBeNull();
    rig.clock.advance(1_000);
    expect(client.stream.closedBy).toBe('keep-alive timeout');
  });
});
