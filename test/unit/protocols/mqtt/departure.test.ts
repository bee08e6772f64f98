import mqttPacket from 'mqtt-packet';
import type { Packet } from 'mqtt-packet';
import { message } from '../../support/fake-edge.js';
import { Rig, publish } from './rig.js';
import type { Client } from './rig.js';

const GOODBYE: Packet = { cmd: 'disconnect' };

/** A client that sends while the broker is congested, and is gone before that ends. */
async function gone(rig: Rig, packets: Packet[], rest: Uint8Array = Buffer.alloc(0), clientId = 'c1'): Promise<Client> {
  const client = await rig.connected({ clientId, keepalive: 5 });
  rig.edge.congested = true;
  client.sendBytes(Buffer.concat([...packets.map((packet) => mqttPacket.generate(packet)), rest]));
  client.stream.lose('the other side closed the connection');
  rig.clock.turn();
  return client;
}

function after(rig: Rig): unknown[] {
  return rig.edge.operations.filter(({ kind }) => kind !== 'connect');
}

describe('a client that is gone before all was taken that it had sent', () => {
  test('a DISCONNECT: what came before it is carried out, the will is dropped, however long it has to wait', async () => {
    const rig = new Rig({ stalledReaderMs: 1_000 });
    const client = await gone(rig, [publish(1), publish(0, 'q0', 'z', 0), publish(2, 'q2', 'x', 2), GOODBYE, publish(3)]);
    expect(rig.protocol.departed).toBe(1);
    rig.clock.advance(3_600_000);
    expect(after(rig)).toEqual([]);
    expect(rig.edge.handlers.size).toBe(1);
    rig.edge.relieve();
    const { connection } = client;
    expect(after(rig)).toMatchObject([{ kind: 'publish', packetId: 1 }, { kind: 'publish', packetId: 2, qos: 2 }, { kind: 'disconnect', connection, publishWill: false }]);
    expect(rig.edge.volatile).toMatchObject([{ topic: 'q0' }]);
    expect([rig.edge.handlers.size, rig.protocol.departed, rig.clock.pending]).toEqual([0, 0, 0]);
    expect(rig.log.from('info')).toEqual([]);
  });

  test('without one: all whole packets are carried out, then the will is published', async () => {
    const rig = new Rig();
    await gone(rig, [publish(1), { cmd: 'pingreq' }, publish(2)], mqttPacket.generate(publish(3)).subarray(0, 5));
    rig.edge.relieve();
    expect(after(rig)).toMatchObject([{ kind: 'publish', packetId: 1 }, { kind: 'publish', packetId: 2 }, { kind: 'disconnect', publishWill: true }]);
    expect([rig.edge.handlers.size, rig.protocol.departed]).toEqual([0, 0]);
  });

  test('of which nothing waits is over at once', async () => {
    const rig = new Rig();
    await gone(rig, []);
    expect(after(rig)).toMatchObject([{ kind: 'disconnect', publishWill: true }]);
    expect(rig.protocol.departed).toBe(0);
  });

  test('congestion comes and goes meanwhile; one packet more is taken each time', async () => {
    const rig = new Rig();
    await gone(rig, [publish(1), publish(2), GOODBYE]);
    rig.edge.onOperation = () => {
      rig.edge.congested = true;
    };
    for (const kinds of [['publish'], ['publish', 'publish'], ['publish', 'publish', 'disconnect']]) {
      rig.edge.relieve();
      rig.clock.advance(1_000);
      expect(after(rig)).toMatchObject(kinds.map((kind) => ({ kind })));
    }
    expect(rig.protocol.departed).toBe(0);
  });

  test('an operation that waited for room on the disk is carried out too', async () => {
    const rig = new Rig();
    const client = await rig.connected();
    rig.edge.refuse = (operation) => {
      if (operation === 'volatile' || operation.kind !== 'publish') return null;
      rig.edge.congested = true;
      return { kind: 'refused', reason: 'disk-full', detail: 'there is no room on the disk' };
    };
    client.send(publish(1));
    client.stream.lose('reset');
    rig.clock.turn();
    expect(after(rig)).toEqual([]);
    rig.edge.refuse = null;
    rig.edge.relieve();
    expect(after(rig)).toMatchObject([{ kind: 'publish', packetId: 1 }, { kind: 'disconnect', publishWill: true }]);
  });

  test('that it read too slowly is no reason to wait any more; nothing is sent', async () => {
    const rig = new Rig({ outgoingBytesMax: 100 * 1024 });
    const client = await rig.connected();
    client.stream.stall();
    for (let id = 1; id <= 60; id++) client.effect({ kind: 'deliver', message: message('t', Buffer.alloc(1024)), qos: 1, packetId: id, dup: false, retain: false });
    rig.clock.turn();
    // It was on its way when the stream was paused.
    client.stream.paused = false;
    client.send(publish(1), { cmd: 'pingreq' }, GOODBYE);
    expect(after(rig)).toEqual([]);
    const writes = client.stream.writes.length;
    client.stream.lose('reset');
    rig.clock.turn();
    expect(after(rig)).toMatchObject([{ kind: 'publish' }, { kind: 'disconnect', publishWill: false }]);
    expect(client.stream.writes.length).toBe(writes);
  });

  test('what is no MQTT ends it as it always does', async () => {
    const rig = new Rig();
    await gone(rig, [publish(1)], Buffer.from([0x40, 2, 0, 0]));
    rig.edge.relieve();
    expect(after(rig)).toMatchObject([{ kind: 'publish' }, { kind: 'disconnect', publishWill: true }]);
    expect(rig.protocol.counters.faults).toBe(1);
  });

  test('the server stops serving: it is over at once, and nothing is submitted', async () => {
    const rig = new Rig();
    await gone(rig, [publish(1), GOODBYE]);
    rig.edge.stop('this server is passive now');
    rig.clock.turn();
    expect(after(rig)).toEqual([]);
    expect([rig.edge.handlers.size, rig.protocol.departed, rig.clock.pending]).toEqual([0, 0, 0]);
  });

  test.each(['taken-over', 'session-gone'] as const)('closed by the broker (%s): over at once, nothing more is taken', async (reason) => {
    const rig = new Rig();
    const client = await gone(rig, [publish(1), GOODBYE]);
    client.effect({ kind: 'puback', packetId: 1 });
    client.effect({ kind: 'close', reason });
    rig.clock.turn();
    rig.edge.relieve();
    expect(after(rig)).toEqual([]);
    expect([rig.edge.handlers.size, rig.protocol.departed, rig.clock.pending]).toEqual([0, 0, 0]);
  });
});

describe('its next connection comes before all was taken', () => {
  test('what came before is carried out first, congested or not, and the will is dropped by its DISCONNECT', async () => {
    const rig = new Rig();
    await gone(rig, [publish(1), GOODBYE]);
    await rig.raw().connect({ clientId: 'other' });
    expect(after(rig)).toEqual([]);
    await rig.raw().connect({ clientId: 'c1' });
    expect(rig.edge.kinds()).toEqual(['connect', 'connect', 'publish', 'disconnect', 'connect']);
    expect(after(rig)).toMatchObject([{}, { kind: 'disconnect', publishWill: false }]);
    expect([rig.edge.handlers.size, rig.protocol.departed]).toEqual([2, 0]);
  });

  test('for one turn: what takes longer is given up, and the broker sees a take-over', async () => {
    const rig = new Rig();
    const count = 100;
    await gone(rig, [...Array.from({ length: count }, (_, at) => publish(at + 1)), GOODBYE]);
    rig.edge.onOperation = () => rig.clock.work(5);
    await rig.raw().connect({ clientId: 'c1' });
    const taken = rig.edge.kinds().filter((kind) => kind === 'publish').length;
    expect(taken).toBeGreaterThan(0);
    expect(taken).toBeLessThan(count / 2);
    rig.edge.relieve();
    rig.clock.advance(1_000);
    expect(rig.edge.kinds()).toEqual(['connect', ...Array.from({ length: taken }, () => 'publish'), 'connect']);
    expect([rig.edge.handlers.size, rig.protocol.departed]).toEqual([1, 0]);
  });

  test('and is refused: the earlier one waits on', async () => {
    const rig = new Rig();
    await gone(rig, [publish(1), GOODBYE]);
    rig.edge.refuse = () => ({ kind: 'refused', reason: 'disk-full', detail: 'there is no room on the disk' });
    await rig.raw().connect({ clientId: 'c1' });
    expect(rig.protocol.departed).toBe(1);
    rig.edge.refuse = null;
    rig.edge.relieve();
    expect(after(rig)).toMatchObject([{ kind: 'publish' }, { kind: 'disconnect', publishWill: false }]);
  });

  test('while this server does not serve: nothing is taken', async () => {
    const rig = new Rig();
    await gone(rig, [publish(1), GOODBYE]);
    rig.edge.serving = false;
    rig.edge.refuse = () => ({ kind: 'refused', reason: 'not-serving', detail: 'this server hands over to its peer' });
    await rig.raw().connect({ clientId: 'c1' });
    rig.edge.serving = true;
    rig.edge.refuse = null;
    rig.edge.relieve();
    expect(after(rig)).toMatchObject([{ kind: 'publish' }, { kind: 'disconnect', publishWill: false }]);
  });
});
