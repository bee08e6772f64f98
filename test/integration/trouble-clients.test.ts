import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect as open, type Socket } from 'node:net';
import { generate, type Packet } from 'mqtt-packet';
import { connect } from './support/clients.js';
import { pairTest } from './support/pair.js';
import type { TestServer } from './support/server.js';
import { until } from './support/until.js';

const MIB = 1024 * 1024;
/** So many as the system allows this process to have open, with room for its own. The broker is started with the same limit. */
const IDLE_CONNECTIONS = Math.min(5_000, descriptors() - 500);

function descriptors(): number {
  return Number(/Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? 1_024);
}

/** Bytes of memory that the broker has in use. */
function memoryOf(server: TestServer): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${String(server.pid('broker'))}/status`, 'utf8'))?.[1] ?? 0) * 1024;
}

function helloOf(clientId: string, clean = true): Buffer {
  return generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId, clean, keepalive: 0 } as Packet);
}

/** A client made by hand: says CONNECT, and then nothing but what it is told. */
function rawClient(server: TestServer, clientId: string, clean = true): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = open(server.address, () => socket.write(helloOf(clientId, clean)));
    socket.on('error', () => undefined);
    socket.once('close', () => reject(new Error(`${clientId} was not let in`)));
    socket.once('data', (answer) => (answer[0] === 0x20 && answer[3] === 0 ? resolve(socket) : reject(new Error(`${clientId} was refused`))));
  });
}

function closing(socket: Socket): Promise<void> {
  socket.resume();
  return new Promise((resolve) => (socket.destroyed ? resolve() : socket.once('close', () => resolve())));
}

describe('clients in trouble, and clients that make it', () => {
  pairTest('malformed packets and packets above the limit: each client is disconnected and named with the reason, the others do not notice', async (pair) => {
    const { active } = await pair.start();
    const traffic = await pair.traffic();
    const publish = generate({ cmd: 'publish', topic: 'a', payload: 'x', qos: 0, dup: false, retain: false, length: 0 } as unknown as Packet);
    const wrong: [string, Uint8Array, RegExp][] = [
      ['random', randomBytes(4_096).fill(0xff, 0, 1), /WARN .*client "random".* is disconnected: .* \[.*\]$/],
      ['reserved-flags', Buffer.from([0x82 & 0xf0, 5, 0, 1, 0, 0, 0]), /WARN .*client "reserved-flags".* is disconnected: .* \[.*\]$/],
      ['endless-length', Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0xff]), /WARN .*client "endless-length".* is disconnected: .* \[.*\]$/],
      ['second-connect', helloOf('second-connect'), /WARN .*client "second-connect".* is disconnected: .* \[.*\]$/],
      ['wildcard', Buffer.concat([Buffer.from([0x30, 5, 0, 3]), Buffer.from('a/#')]), /WARN .*client "wildcard".* is disconnected: .* \[.*\]$/],
      ['too-large', Buffer.from([0x30, 0x80, 0x80, 0x80, 0x04, 0, 1, 0x61]), /WARN .*client "too-large".* is disconnected: .*(bytes|large|long).* \[.*\]$/],
    ];
    for (const [clientId, bytes, line] of wrong) {
      const socket = await rawClient(active, clientId);
      socket.write(bytes);
      await closing(socket);
      await active.says(line);
    }
    // Before CONNECT, too; and one that sends nothing of its last packet.
    const early = open(active.address, () => early.write(publish));
    early.on('error', () => undefined);
    await closing(early);
    const half = await rawClient(active, 'half');
    half.end(publish.subarray(0, 3));
    await closing(half);
    await traffic.flows();
    await traffic.settle();
    expect((await active.status())?.broker?.crashes).toBe(0);
  });

  pairTest('a subscriber that never reads while much is published: memory stays bounded, it is disconnected by name, and its session gets every acknowledged message later', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await pair.traffic();
    const deaf = await rawClient(active, 'deaf', false);
    deaf.pause();
    deaf.write(generate({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'flood/#', qos: 1 }] } as Packet));
    await until('the deaf one has subscribed', async () => ((await active.status())?.sessions ?? 0) >= 3);
    const before = memoryOf(active);
    const publisher = connect([active.address], 'flooder', { clean: true });
    const payload = randomBytes(16 * 1024);
    const acknowledged = new Set<string>();
    for (let round = 0; round < 25; round += 1) {
      await Promise.all(
        Array.from({ length: 100 }, async (_, index) => {
          const topic = `flood/${round}/${index}`;
          if (index % 2 === 0) await publisher.publishAsync(topic, payload, { qos: 0 });
          else {
            await publisher.publishAsync(topic, payload, { qos: 1 });
            acknowledged.add(topic);
          }
        }),
      );
    }
    await active.says(/WARN .*client "deaf".* is disconnected: .*its session keeps what waits/);
    expect(acknowledged.size).toBe(1_250);
    expect(memoryOf(active) - before).toBeLessThan(160 * MIB);
    await closing(deaf);
    await traffic.flows();
    // The other server has its queue as well.
    await active.killWhole();
    await passive.reachesState('STANDALONE');
    const got = new Set<string>();
    const reader = connect([passive.address], 'deaf');
    reader.on('message', (topic) => got.add(topic));
    await until('the session has everything', () => [...acknowledged].every((topic) => got.has(topic)));
    await Promise.all([reader.endAsync(true), publisher.endAsync(true)]);
    await traffic.settle();
  }, both({ mqtt: { outgoingBytesPerClientMax: '1MiB', stalledReaderLimit: '2s' } }));

  pairTest(`${IDLE_CONNECTIONS} idle connections (5,000, or what the limit of open files lets this process have): each is let in, they cost little, others are served, and the limit is told`, async (pair) => {
    const { active } = await pair.start();
    const traffic = await pair.traffic();
    const before = memoryOf(active);
    const sockets: Socket[] = [];
    for (let count = 0; count < IDLE_CONNECTIONS; count += 250) {
      sockets.push(...(await Promise.all(Array.from({ length: Math.min(250, IDLE_CONNECTIONS - count) }, (_, index) => rawClient(active, `idle-${count + index}`)))));
    }
    const status = await active.reaches('all are counted', ({ clients }) => clients >= IDLE_CONNECTIONS);
    expect(status.state).toBe('ACTIVE');
    expect((memoryOf(active) - before) / IDLE_CONNECTIONS).toBeLessThan(48 * 1024);
    await traffic.flows();
    // Two more than the limit: the traffic's own two count, too.
    const one = open(active.address);
    one.on('error', () => undefined);
    await closing(one);
    await active.says(`is refused: ${IDLE_CONNECTIONS + 2} connections are open (connectionsMax)`);
    const gone = Promise.all(sockets.map(closing));
    for (const socket of sockets) socket.destroy();
    await gone;
    await active.reaches('they are gone', ({ clients }) => clients < 10);
    await traffic.settle();
    expect((await active.status())?.broker?.crashes).toBe(0);
  }, both({ mqtt: { connectionsMax: IDLE_CONNECTIONS + 2 } }));
});

function both<T>(sections: T): { readonly primary: T; readonly secondary: T } {
  return { primary: sections, secondary: sections };
}
