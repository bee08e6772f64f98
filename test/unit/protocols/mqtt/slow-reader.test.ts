import { HIGH_WATER_BYTES } from '../../../../src/adapters/socket-stream.js';
import { MQTT_LIMITS_DEFAULT, OUTGOING_BYTES_FREE, WRITE_BYTES_MAX } from '../../../../src/protocols/mqtt/limits.js';
import { ROUND_MS } from '../../../../src/protocols/mqtt/rounds.js';
import { WAITING_PACKET_BYTES, WaitingPackets } from '../../../../src/protocols/mqtt/waiting.js';
import { message } from '../../support/fake-edge.js';
import { Rig, publish } from './rig.js';
import type { Client } from './rig.js';

const KB = 1024;

function deliver(client: Client, count: number, qos: 0 | 1, bytes = KB): void {
  for (let i = 1; i <= count; i++) {
    client.effect({ kind: 'deliver', message: message('t', Buffer.alloc(bytes, i)), qos, packetId: qos === 0 ? 0 : i, dup: false, retain: false });
  }
}

describe('a subscriber that does not read', () => {
  test('QoS 0: at most outgoingBytesMax waits, the rest is dropped and counted, and the log says so once', async () => {
    const rig = new Rig({ outgoingBytesMax: 100 * KB });
    const client = await rig.connected();
    client.stream.stall();
    deliver(client, 500, 0);
    rig.clock.turn();
    deliver(client, 500, 0);
    rig.clock.turn();
    const dropped = rig.protocol.counters.qos0Dropped;
    expect(dropped).toBeGreaterThan(890);
    expect(client.stream.bufferedBytes).toBeLessThanOrEqual(100 * KB);
    expect(rig.log.from('warn')).toEqual([expect.stringMatching(/loses QoS 0 messages .*\(outgoingBytesMax\)/)]);
    client.stream.unstall();
    rig.clock.turn();
    expect(client.received()).toHaveLength(1_000 - dropped);
  });

  test('QoS 0: small messages count as the memory that they take, not as their few bytes', async () => {
    const rig = new Rig({ outgoingBytesMax: 100 * KB });
    const client = await rig.connected();
    client.stream.stall();
    deliver(client, 20, 0);
    rig.clock.turn();
    const before = client.stream.bufferedBytes;
    deliver(client, 5_000, 0, 20);
    rig.clock.turn();
    const waiting = 5_000 - rig.protocol.counters.qos0Dropped;
    expect(waiting).toBeGreaterThan(100);
    expect(waiting * WAITING_PACKET_BYTES + before).toBeLessThanOrEqual(100 * KB);
    client.stream.unstall();
    rig.clock.turn();
    expect(client.received()).toHaveLength(20 + waiting);
  });

  test('QoS 0: a client that reads loses nothing, however many small messages come in one turn', async () => {
    const rig = new Rig({ outgoingBytesMax: 100 * KB });
    const client = await rig.connected();
    deliver(client, 20_000, 0, 1);
    rig.clock.turn();
    expect(rig.protocol.counters.qos0Dropped).toBe(0);
    expect(client.received()).toHaveLength(20_000);
  });

  test('QoS 0: while memory is scarce nothing waits for a client that does not read; one that reads loses nothing', async () => {
    const rig = new Rig();
    const [slow, quick] = [await rig.connected(), await rig.connected({ clientId: 'c2' })];
    slow.stream.stall();
    deliver(slow, 300, 0);
    rig.clock.turn();
    rig.edge.scarce = true;
    deliver(slow, 100, 0);
    deliver(quick, 100, 0);
    deliver(slow, 1, 1);
    rig.clock.turn();
    expect(rig.protocol.counters.qos0Dropped).toBe(100);
    expect(rig.log.from('warn')).toEqual([expect.stringMatching(/loses QoS 0 messages .*memory is nearly used up/)]);
    expect(quick.received()).toHaveLength(100);
    rig.edge.scarce = false;
    deliver(slow, 10, 0);
    slow.stream.unstall();
    for (let i = 0; i < 5; i++) rig.clock.turn();
    expect(slow.received()).toHaveLength(300 + 1 + 10);
  });

  test('QoS 0: what waits for all clients together is bounded beside a little for each, and the rest is dropped and counted', async () => {
    const rig = new Rig({ allOutgoingBytesMax: 500 * KB });
    const clients: Client[] = [];
    for (let at = 0; at < 12; at++) {
      const client = await rig.connected({ clientId: `c${at}` });
      client.stream.stall();
      deliver(client, 1, 0, 300 * KB);
      rig.clock.turn();
      clients.push(client);
    }
    for (const client of clients) deliver(client, 100, 0);
    const waiting = 12 * 100 - rig.protocol.counters.qos0Dropped;
    const perPacket = KB + WAITING_PACKET_BYTES;
    const free = Math.floor(OUTGOING_BYTES_FREE / perPacket);
    expect(waiting * perPacket).toBeGreaterThan(500 * KB);
    expect(waiting).toBeLessThanOrEqual((500 * KB) / perPacket + 1 + 12 * free);
    expect(waiting).toBeGreaterThan(11 * (free - 2));
    expect(rig.log.from('warn')).toEqual(expect.arrayContaining([expect.stringMatching(/loses QoS 0 messages .*\(allOutgoingBytesMax\)/)]));
    // Whoever reads, and whoever is gone, gives room back.
    const before = rig.protocol.counters.qos0Dropped;
    const [first, second, third] = clients as [Client, Client, Client];
    for (const client of [...clients.slice(3), second]) client.stream.destroy('gone');
    first.stream.unstall();
    for (let turns = 0; turns < 5; turns++) rig.clock.turn();
    expect(first.received().length).toBe(1 + 100);
    deliver(third, 200, 0);
    expect(rig.protocol.counters.qos0Dropped).toBe(before);
  });

  test('QoS 0: a message for which many clients wait takes its memory once', () => {
    const waiting = new WaitingPackets(KB);
    const item = (of = { ...message('t', 'x'.repeat(600)), qos: 0 as const }) => ({ kind: 'deliver' as const, connection: 1, message: of, qos: 0 as const, packetId: 0, dup: false, retain: false });
    const one = item();
    const packets = [waiting.of(one), waiting.of(one), waiting.of(one)];
    expect(waiting.isFull).toBe(false);
    const other = waiting.of(item());
    expect(waiting.isFull).toBe(true);
    for (const packet of packets.slice(1)) waiting.leave(packet);
    expect(waiting.isFull).toBe(true);
    waiting.leave(packets[0] as typeof other);
    expect(waiting.isFull).toBe(false);
    waiting.leave(other);
  });

  test('QoS 0: clients that wait for one message share its packet, and keep no block that it came in', () => {
    const waiting = new WaitingPackets(KB);
    const block = new Uint8Array(64 * KB).fill(7);
    const one = { ...message('t', 10), qos: 0 as const, payload: block.subarray(100, 110) };
    const item = (connection: number, qos: 0 | 1 = 0, of = one) => ({ kind: 'deliver' as const, connection, message: of, qos, packetId: qos, dup: false, retain: false });
    const [first, second] = [waiting.of(item(1)), waiting.of(item(2))];
    expect(second).toBe(first);
    expect(first).toMatchObject({ kind: 'deliver', qos: 0, packetId: 0, retain: false, message: { topic: 't', size: 10, payload: new Uint8Array(10).fill(7) } });
    const { message: held } = first as typeof first & { kind: 'deliver' };
    expect(held.payload?.buffer.byteLength).toBeLessThan(KB);
    // The broker may let go of the payload of a message that it holds itself.
    one.payload = new Uint8Array(10);
    expect(held.payload).toEqual(new Uint8Array(10).fill(7));
    const other = waiting.of(item(1, 0, { ...one }));
    expect(other).not.toBe(first);
    const references = [item(1, 1), { ...item(1), retain: true }, item(1, 0, { ...one, payload: null as never })];
    for (const reference of references) expect(waiting.of(reference)).toBe(reference);
  });

  test('QoS 0: what a SUBSCRIBE brings of retained messages waits and is sent whole', async () => {
    const rig = new Rig({ outgoingBytesMax: 100 * KB, outgoingPacketsMax: 200 });
    const client = await rig.connected();
    client.stream.stall();
    for (let i = 1; i <= 500; i++) client.effect({ kind: 'deliver', message: message('t', Buffer.alloc(KB, i)), qos: 0, packetId: 0, dup: false, retain: true });
    rig.clock.turn();
    expect(rig.protocol.counters.qos0Dropped).toBe(0);
    client.stream.unstall();
    for (let i = 0; i < 20; i++) rig.clock.turn();
    expect(client.received()).toHaveLength(500);
    expect(client.stream.closedBy).toBeNull();
  });

  test('QoS 0: one message larger than the limit passes when nothing waits', async () => {
    const rig = new Rig({ outgoingBytesMax: 10 * KB });
    const client = await rig.connected();
    deliver(client, 1, 0, 50 * KB);
    rig.clock.turn();
    expect(client.received()).toHaveLength(1);
  });

  test('QoS 1: nothing is dropped; the stream holds no more than one write beyond its high water', async () => {
    const rig = new Rig({ outgoingBytesMax: 100 * KB });
    const client = await rig.connected();
    client.stream.stall();
    deliver(client, 2_000, 1);
    rig.clock.turn();
    deliver(client, 100, 1);
    rig.clock.turn();
    expect(client.stream.bufferedBytes).toBeLessThanOrEqual(client.stream.highWaterBytes + WRITE_BYTES_MAX);
    expect(client.stream.closedBy).toBeNull();
    client.stream.unstall();
    rig.clock.turn();
    for (let i = 0; i < 20; i++) rig.clock.turn();
    expect(client.received().map((packet) => packet.messageId)).toEqual([...range(2_000), ...range(100)]);
  });

  test('is not read from over half of outgoingBytesMax, and is again when it reads', async () => {
    const rig = new Rig({ outgoingBytesMax: 100 * KB });
    const client = await rig.connected();
    client.stream.stall();
    deliver(client, 60, 1);
    rig.clock.turn();
    expect(client.stream.paused).toBe(true);
    client.send(publish(1));
    expect(rig.edge.kinds()).toEqual(['connect']);
    client.stream.unstall();
    rig.clock.turn();
    expect(client.stream.paused).toBe(false);
    expect(rig.edge.kinds()).toEqual(['connect', 'publish']);
  });

  test.each([
    ['less', 100, false],
    ['more', 400, true],
  ])('with a limit below what a socket takes at once: it is read from again when it has taken what it was sent, %s than that', async (_what, count, paused) => {
    const rig = new Rig({ outgoingBytesMax: 64 * KB });
    const client = await rig.connected({}, HIGH_WATER_BYTES);
    client.stream.stall();
    deliver(client, count, 1);
    rig.clock.turn();
    expect(client.stream.bufferedBytes).toBeGreaterThan(64 * KB);
    expect(client.stream.paused).toBe(paused);
    client.stream.unstall();
    rig.clock.turn();
    client.send(publish(1));
    expect(client.stream.paused).toBe(false);
    expect(rig.edge.kinds()).toEqual(['connect', 'publish']);
    expect(client.received()).toHaveLength(count);
  });

  test('one that waits, and that nothing tells of the end of it, is read from again at the next round', async () => {
    const rig = new Rig();
    const client = await rig.connected();
    rig.edge.congested = true;
    client.send(publish(1));
    expect(client.stream.paused).toBe(true);
    rig.edge.congested = false;
    rig.clock.advance(ROUND_MS);
    expect(client.stream.paused).toBe(false);
    expect(rig.edge.kinds()).toEqual(['connect', 'publish']);
  });

  test('more packets than outgoingPacketsMax: it is disconnected, its session keeps what waits', async () => {
    const rig = new Rig({ outgoingPacketsMax: 1_000 });
    const client = await rig.connected();
    client.stream.stall();
    deliver(client, 2_000, 1, 100);
    rig.clock.turn();
    expect(client.stream.closedBy).toMatch(/outgoingPacketsMax/);
    expect(rig.edge.operations.at(-1)).toMatchObject({ kind: 'disconnect', publishWill: true });
    expect(rig.log.from('warn')).toEqual([expect.stringMatching(/1000 packets wait for it \(outgoingPacketsMax\); its session keeps what waits/)]);
  });

  test('takes nothing for stalledReaderMs: it is disconnected', async () => {
    const rig = new Rig({ stalledReaderMs: 30_000 });
    const client = await rig.connected({ keepalive: 5 });
    client.stream.stall();
    deliver(client, 3_000, 1);
    rig.clock.turn();
    expect(client.stream.paused).toBe(true);
    rig.clock.advance(29_500);
    expect(client.stream.closedBy).toBeNull();
    rig.clock.advance(1_500);
    expect(client.stream.closedBy).toBe('stalled reader');
    expect(rig.edge.handlers.size).toBe(0);
    expect(rig.log.from('warn').join()).toMatch(/for 30000 ms \(stalledReaderMs\) it took nothing of \d+ bytes/);
  });

  test('a long group goes out before it ends', async () => {
    const rig = new Rig(MQTT_LIMITS_DEFAULT);
    const client = await rig.connected();
    deliver(client, 300, 0);
    expect(client.stream.writes.length).toBeGreaterThan(1);
    rig.clock.turn();
    expect(client.received()).toHaveLength(300);
  });
});

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1);
}
