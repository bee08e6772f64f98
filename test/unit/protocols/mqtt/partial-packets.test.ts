import mqttPacket from 'mqtt-packet';
import { LONG_PACKET_BYTES_PER_SECOND, PARTIAL_BYTES_FREE } from '../../../../src/protocols/mqtt/limits.js';
import { ROUND_MS } from '../../../../src/protocols/mqtt/rounds.js';
import { message } from '../../support/fake-edge.js';
import { Rig, publish, type Client } from './rig.js';

/** Of one such packet, with its header. */
const BYTES = 2_000_004;
/** Room for one, and not for two. */
const MAX = 2_100_000;
const STALLED_MS = 120_000;
/** Far less than the one that is read from may be silent. */
const STALLED_MS_READ = 10_000;
/** A PUBLISH of two million bytes: its header, topic and packet id. */
const HEADER = Buffer.from([0x32, 0x80, 0x89, 0x7a, 0, 1, 0x74, 0, 1]);

/** So many bytes of a long PUBLISH, without its end. */
function begin(client: Client, bytes: number): void {
  client.sendBytes(Buffer.concat([HEADER, Buffer.alloc(bytes - HEADER.length)]));
}

describe('packets under way of clients that are let in', () => {
  test('have one room together, as long as they say that they are; whoever comes to none is not read from until there is', async () => {
    const rig = new Rig({ partialBytesMax: MAX });
    const [one, two] = [await rig.connected({ clean: false }), await rig.connected({ clientId: 'c2', clean: false })];
    begin(one, 1_000);
    begin(two, 1_000);
    rig.clock.turn();
    expect([one.stream.paused, two.stream.paused]).toEqual([false, true]);
    expect(rig.log.from('warn')).toEqual([expect.stringMatching(/"c2" .* is not read from for now: .* 2100000 bytes \(partialBytesMax\)/)]);
    rig.clock.advance(10 * STALLED_MS_READ);
    one.sendBytes(Buffer.alloc(BYTES - 1_000));
    rig.clock.turn();
    rig.clock.turn();
    expect([one.stream.closedBy, two.stream.closedBy, two.stream.paused]).toEqual([null, null, false]);
    two.sendBytes(Buffer.alloc(BYTES - 1_000));
    rig.clock.turn();
    expect(rig.edge.operations.filter(({ kind }) => kind === 'publish')).toHaveLength(2);
  });

  test('that are ordinary have a place beside it', async () => {
    const rig = new Rig({ partialBytesMax: MAX });
    begin(await rig.connected(), 1_000);
    for (let i = 0; i < 20; i++) {
      const client = await rig.connected({ clientId: `o${i}` });
      client.sendBytes(Buffer.concat([Buffer.from([0x32, 0x80, 0x80, 0x03]), Buffer.alloc(1_000)]));
      expect(client.stream.paused).toBe(false);
    }
  });

  test('wait in the order in which they came', async () => {
    const rig = new Rig({ partialBytesMax: MAX });
    const clients: Client[] = [];
    for (let i = 0; i < 4; i++) clients.push(await rig.connected({ clientId: `c${i}` }));
    for (const client of clients) begin(client, 1_000);
    const reading = (): boolean[] => {
      rig.clock.turn();
      rig.clock.turn();
      return clients.map(({ stream }) => !stream.paused && stream.closedBy === null);
    };
    expect(reading()).toEqual([true, false, false, false]);
    (clients[1] as Client).stream.lose('gone');
    (clients[0] as Client).stream.lose('gone');
    expect(reading()).toEqual([false, false, true, false]);
    (clients[2] as Client).sendBytes(Buffer.alloc(BYTES - 1_000));
    expect(reading()).toEqual([false, false, true, true]);
  });

  test.each<[string, (client: Client, rig: Rig) => void]>([
    ['is whole', (client) => client.sendBytes(Buffer.alloc(BYTES - 1_000))],
    ['is lost with its connection', (client) => client.stream.lose('gone')],
    ['does not go on', (_client, rig) => rig.clock.advance(STALLED_MS + 2 * ROUND_MS)],
    ['is of a client that is taken over', (client) => client.effect({ kind: 'close', reason: 'taken-over' })],
  ])('leave their room when one %s', async (_what, ends) => {
    const rig = new Rig({ partialBytesMax: MAX });
    const one = await rig.connected({ keepalive: 0 });
    begin(one, 1_000);
    ends(one, rig);
    rig.clock.turn();
    const two = await rig.connected({ clientId: 'c2' });
    begin(two, 1_000);
    expect(two.stream.paused).toBe(false);
  });

  test('that are longer than the room are refused', async () => {
    const rig = new Rig({ partialBytesMax: BYTES - PARTIAL_BYTES_FREE - 1_000 });
    const client = await rig.connected();
    begin(client, 1_000);
    expect(client.stream.closedBy).toContain('partialBytesMax');
  });

  test('of a client that waits end with its connection, and what it waits for goes to the next', async () => {
    const rig = new Rig({ partialBytesMax: MAX });
    const [one, two] = [await rig.connected(), await rig.connected({ clientId: 'c2' })];
    begin(one, 1_000);
    begin(two, 1_000);
    two.stream.lose('gone');
    rig.clock.turn();
    expect(rig.edge.operations.at(-1)).toMatchObject({ kind: 'disconnect', connection: two.connection, publishWill: true });
  });

  test('count also when they came in one piece with the CONNECT', async () => {
    const rig = new Rig({ partialBytesMax: MAX });
    begin(await rig.connected(), 1_000);
    const two = rig.raw();
    const connect = mqttPacket.generate({ cmd: 'connect', clientId: 'c2', clean: true, keepalive: 0 });
    two.sendBytes(Buffer.concat([connect, HEADER, Buffer.alloc(1_000)]));
    await rig.clock.advanceAsync(0);
    expect(two.stream.paused).toBe(true);
  });
});

describe('a packet under way of which nothing more comes', () => {
  test('ends the connection after stalledPacketMs, also without a keep-alive', async () => {
    const rig = new Rig({ stalledPacketMs: STALLED_MS });
    const client = await rig.connected({ keepalive: 0 });
    begin(client, 10);
    rig.clock.advance(STALLED_MS);
    expect(client.stream.closedBy).toBeNull();
    rig.clock.advance(2 * ROUND_MS);
    expect(client.stream.closedBy).toBe('stalled packet');
    expect(rig.edge.operations.at(-1)).toMatchObject({ kind: 'disconnect', publishWill: true });
    expect(rig.log.from('warn')).toEqual([expect.stringMatching(/"c1" .* is disconnected: its packet of 2000004 bytes that is under way is 120000 ms \(stalledPacketMs\) behind 256 bytes a second/)]);
  });

  test('of one that takes none of the room that clients share the line says so', async () => {
    const rig = new Rig();
    const client = await rig.connected();
    client.sendBytes(Buffer.from([0x30, 100]));
    rig.clock.advance(STALLED_MS + 2 * ROUND_MS);
    expect(client.stream.closedBy).toBe('stalled packet');
    expect(rig.log.from('warn')).toEqual([expect.stringMatching(/"c1" .* is disconnected: for 120000 ms \(stalledPacketMs\) not one byte came/)]);
  });

  test('a slow one goes on, by single bytes, and when it is whole there is no limit', async () => {
    const rig = new Rig();
    const client = await rig.connected({ keepalive: 0 });
    const [whole, end] = [Buffer.from([0x30, 5, 0, 3]), Buffer.from('a/b')];
    for (const byte of [...whole, ...end]) {
      client.sendBytes(Buffer.from([byte]));
      rig.clock.advance(STALLED_MS - ROUND_MS);
    }
    expect(rig.edge.volatile).toHaveLength(1);
    rig.clock.advance(50 * STALLED_MS);
    expect(client.stream.closedBy).toBeNull();
  });

  test('time in which the server does not read, or stands still, does not count', async () => {
    const rig = new Rig();
    const client = await rig.connected({ keepalive: 0 });
    client.send(publish(1));
    begin(client, 10);
    rig.clock.advance(STALLED_MS - 2_000);
    rig.edge.congested = true;
    rig.edge.emit({ kind: 'puback', packetId: 1, connection: client.connection });
    rig.clock.advance(50 * STALLED_MS);
    expect(client.stream.paused).toBe(true);
    rig.edge.relieve();
    rig.clock.work(STALLED_MS);
    rig.clock.advance(1_000);
    expect(client.stream.closedBy).toBeNull();
    rig.clock.advance(1_000 + 4 * ROUND_MS);
    expect(client.stream.closedBy).toBe('stalled packet');
  });
});

describe('a packet under way that takes of the room that clients share', () => {
  test('does not keep it by single bytes', async () => {
    const rig = new Rig({ partialBytesMax: MAX });
    const [one, two] = [await rig.connected(), await rig.connected({ clientId: 'c2' })];
    begin(one, 1_000);
    begin(two, 1_000);
    for (let i = 0; i < 2; i++) {
      rig.clock.advance(STALLED_MS / 2);
      one.sendBytes(Buffer.alloc(1));
    }
    expect(one.stream.closedBy).toBeNull();
    rig.clock.advance(2 * ROUND_MS);
    expect(one.stream.closedBy).toBe('stalled packet');
    expect([two.stream.closedBy, two.stream.paused]).toEqual([null, false]);
  });

  test('goes on at the least pace, also behind a line that was dead for a while', async () => {
    const rig = new Rig();
    const client = await rig.connected();
    const seconds = 1_000;
    begin(client, BYTES - seconds * LONG_PACKET_BYTES_PER_SECOND);
    for (let second = 1; second <= seconds; second++) {
      rig.clock.advance(second === 300 ? STALLED_MS - 2_000 : 1_000);
      client.sendBytes(Buffer.alloc(LONG_PACKET_BYTES_PER_SECOND));
    }
    expect(client.stream.closedBy).toBeNull();
    expect(rig.edge.operations.at(-1)).toMatchObject({ kind: 'publish' });
  });

  test('has its whole time, however the one before it came', async () => {
    const rig = new Rig();
    const client = await rig.connected();
    begin(client, 1_000);
    rig.clock.advance(STALLED_MS - 2_000);
    client.sendBytes(Buffer.concat([Buffer.alloc(BYTES - 1_000), HEADER]));
    rig.clock.advance(STALLED_MS);
    expect(client.stream.closedBy).toBeNull();
    rig.clock.advance(2 * ROUND_MS);
    expect(client.stream.closedBy).toBe('stalled packet');
  });

  test('saves nothing up by coming faster', async () => {
    const rig = new Rig();
    const client = await rig.connected();
    begin(client, 1_000);
    client.sendBytes(Buffer.alloc(1_000_000));
    rig.clock.advance(STALLED_MS + 2 * ROUND_MS);
    expect(client.stream.closedBy).toBe('stalled packet');
  });

  test('does not count the time in which its client waits for room', async () => {
    const rig = new Rig({ partialBytesMax: MAX });
    const [one, two] = [await rig.connected(), await rig.connected({ clientId: 'c2' })];
    begin(one, 1_000);
    begin(two, 1_000);
    for (let i = 0; i < 10; i++) {
      rig.clock.advance(STALLED_MS / 2);
      one.sendBytes(Buffer.alloc((LONG_PACKET_BYTES_PER_SECOND * STALLED_MS) / 2_000));
    }
    one.stream.lose('gone');
    rig.clock.advance(STALLED_MS - ROUND_MS);
    expect([two.stream.closedBy, two.stream.paused]).toEqual([null, false]);
    rig.clock.advance(3 * ROUND_MS);
    expect(two.stream.closedBy).toBe('stalled packet');
  });

  test('is read to its end from a client that reads slowly, and nothing behind it', async () => {
    const rig = new Rig({ outgoingBytesMax: 100 * 1_024 });
    const client = await rig.connected();
    begin(client, 1_000);
    client.stream.stall();
    for (let i = 1; i <= 60; i++) client.effect({ kind: 'deliver', message: message('t', Buffer.alloc(1_024)), qos: 1, packetId: i, dup: false, retain: false });
    rig.clock.turn();
    expect(client.stream.paused).toBe(false);
    client.sendBytes(Buffer.concat([Buffer.alloc(BYTES - 1_000), HEADER]));
    expect(rig.edge.kinds()).toEqual(['connect', 'publish']);
    client.sendBytes(Buffer.alloc(BYTES - HEADER.length));
    expect(client.stream.paused).toBe(true);
    expect(rig.edge.kinds()).toEqual(['connect', 'publish']);
  });

  test('is not kept by a client that reads slowly and does not go on with it', async () => {
    const rig = new Rig({ outgoingBytesMax: 100 * 1_024, stalledReaderMs: 2 * STALLED_MS });
    const client = await rig.connected();
    begin(client, 1_000);
    client.stream.stall();
    for (let i = 1; i <= 60; i++) client.effect({ kind: 'deliver', message: message('t', Buffer.alloc(1_024)), qos: 1, packetId: i, dup: false, retain: false });
    rig.clock.advance(STALLED_MS + 2 * ROUND_MS);
    expect(client.stream.closedBy).toBe('stalled packet');
  });
});
