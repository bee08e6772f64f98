import mqttPacket from 'mqtt-packet';
import { PARTIAL_BYTES_FREE } from '../../../../src/protocols/mqtt/limits.js';
import { ROUND_MS } from '../../../../src/protocols/mqtt/rounds.js';
import { Rig, publish, type Client } from './rig.js';

const MAX = 100_000;
const LONG = PARTIAL_BYTES_FREE + 60_000;
const STALLED_MS = 120_000;
/** The header of a PUBLISH of two million bytes. */
const HEADER = Buffer.from([0x32, 0x80, 0x89, 0x7a]);

/** So many bytes of a long PUBLISH, without its end. */
function begin(client: Client, bytes: number): void {
  client.sendBytes(Buffer.concat([HEADER, Buffer.alloc(bytes - HEADER.length)]));
}

describe('packets under way of clients that are let in', () => {
  test('have one room together, however many they are; what is ordinary has a place beside it', async () => {
    const rig = new Rig({ partialBytesMax: MAX });
    const one = await rig.connected({ clean: false });
    begin(one, LONG);
    const two = await rig.connected({ clientId: 'c2', clean: false });
    begin(two, LONG);
    expect(one.stream.closedBy).toBeNull();
    expect(two.stream.closedBy).toContain('partialBytesMax');
    expect(rig.edge.operations.at(-1)).toMatchObject({ kind: 'disconnect', connection: two.connection, publishWill: true });
    expect(rig.log.from('warn')).toEqual([expect.stringMatching(/"c2" .* is disconnected: .*100000 bytes \(partialBytesMax\)/)]);
    const ordinary: Client[] = [];
    for (let i = 0; i < 20; i++) {
      ordinary.push(await rig.connected({ clientId: `o${i}` }));
      begin(ordinary[i] as Client, PARTIAL_BYTES_FREE);
    }
    expect(ordinary.filter(({ stream }) => stream.closedBy !== null)).toEqual([]);
  });

  test('count as what is held, in whatever pieces they come', async () => {
    const rig = new Rig({ partialBytesMax: MAX });
    const client = await rig.connected();
    begin(client, 1_000);
    for (let came = 1_000; client.stream.closedBy === null; came += 1_000) {
      expect(came).toBeLessThanOrEqual(PARTIAL_BYTES_FREE + MAX);
      client.sendBytes(Buffer.alloc(1_000));
    }
    expect(client.stream.closedBy).toContain('partialBytesMax');
  });

  test.each<[string, (client: Client, rig: Rig) => void]>([
    ['is whole', (client) => client.sendBytes(Buffer.concat([Buffer.from([0, 1]), Buffer.alloc(2_000_000 - LONG + 2, 0x61)]))],
    ['is lost with its connection', (client) => client.stream.lose('gone')],
    ['does not go on', (_client, rig) => rig.clock.advance(STALLED_MS + 2 * ROUND_MS)],
    ['is of a client that is taken over', (client) => client.effect({ kind: 'close', reason: 'taken-over' })],
  ])('leave their room when one %s', async (_what, end) => {
    const rig = new Rig({ partialBytesMax: MAX });
    const one = await rig.connected();
    begin(one, LONG);
    end(one, rig);
    rig.clock.turn();
    const two = await rig.connected({ clientId: 'c2' });
    begin(two, LONG);
    expect(two.stream.closedBy).toBeNull();
  });

  test('count also when they came in one piece with the CONNECT', async () => {
    const rig = new Rig({ partialBytesMax: MAX });
    begin(await rig.connected(), LONG);
    const two = rig.raw();
    const connect = mqttPacket.generate({ cmd: 'connect', clientId: 'c2', clean: true, keepalive: 0 });
    two.sendBytes(Buffer.concat([connect, HEADER, Buffer.alloc(LONG)]));
    await rig.clock.advanceAsync(0);
    expect(two.stream.closedBy).toContain('partialBytesMax');
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
