/*
 * How fast one core turns PUBLISH packets into operations and acknowledgements into bytes, without broker, disk or socket.
 * Not a test: `npm run build:test && node dist-test/test/unit/protocols/mqtt/throughput.bench.js`.
 */
import mqttPacket from 'mqtt-packet';
import type { Effect, Message } from '../../../../src/core/broker/effects.js';
import type { Monotonic, Position } from '../../../../src/core/identity.js';
import { AnonymousAuthenticator } from '../../../../src/protocols/mqtt/anonymous.js';
import { MqttProtocol } from '../../../../src/protocols/mqtt/protocol.js';
import type { Clock } from '../../../../src/ports/clock.js';
import type { Stream, StreamHandlers } from '../../../../src/ports/stream.js';
import type { ClientEdge, ClientHandler, Submitted } from '../../../../src/server/edge.js';

const CHUNK_PACKETS = 240;
const ROUNDS = 4_000;
const ACCEPTED: Submitted = { kind: 'accepted' };

class SinkStream implements Stream {
  readonly remote = 'bench';
  readonly authenticated = false;
  readonly bufferedBytes = 0;
  get takenBytes(): number {
    return this.bytes;
  }
  handlers: StreamHandlers | null = null;
  writes = 0;
  bytes = 0;

  handle(handlers: StreamHandlers): void {
    this.handlers = handlers;
  }
  write(bytes: Uint8Array): boolean {
    this.writes += 1;
    this.bytes += bytes.length;
    return true;
  }
  pause(): void {}
  resume(): void {}
  end(): void {}
  destroy(): void {}
}

const turns: (() => void)[] = [];
const clock: Clock = {
  monotonic: () => performance.now() as Monotonic,
  sinceBoot: () => performance.now(),
  wall: () => Date.now(),
  after: () => () => undefined,
  soon: (action) => turns.push(action),
  next: (action) => turns.push(action),
};

let handler: ClientHandler | null = null;
let held: Effect[] = [];
const edge: ClientEdge = {
  serving: true,
  congested: false,
  scarce: false,
  register: (one) => {
    handler = one;
    return 1;
  },
  unregister: () => undefined,
  submit: (operation) => {
    if (operation.kind === 'publish') held.push({ kind: 'puback', connection: 1, packetId: operation.packetId });
    return ACCEPTED;
  },
  submitVolatile: () => ACCEPTED,
  loadPayload: () => undefined,
};

function turn(): void {
  for (const action of turns.splice(0)) action();
}

function chunkOf(topicBase: string): Buffer {
  const packets: Buffer[] = [];
  for (let i = 0; i < CHUNK_PACKETS; i++) {
    packets.push(mqttPacket.generate({ cmd: 'publish', topic: topicBase, payload: Buffer.alloc(256, i), qos: 1, retain: false, dup: false, messageId: i + 1 }));
  }
  return Buffer.concat(packets);
}

async function connected(): Promise<SinkStream> {
  const stream = new SinkStream();
  new MqttProtocol({ edge, clock, log: { write: () => undefined }, random: { id: () => '', fraction: () => 0 }, authenticator: new AnonymousAuthenticator() }).start(stream);
  stream.handlers?.data(mqttPacket.generate({ cmd: 'connect', clientId: 'bench', keepalive: 60 }));
  await new Promise((resolve) => setImmediate(resolve));
  turn();
  return stream;
}

function measure(name: string, count: number, action: () => void): void {
  for (let i = 0; i < ROUNDS / 10; i++) action();
  const began = process.cpuUsage();
  const wall = performance.now();
  for (let i = 0; i < ROUNDS; i++) action();
  const { user, system } = process.cpuUsage(began);
  const perSecond = (ROUNDS * count) / ((performance.now() - wall) / 1_000);
  process.stdout.write(`${JSON.stringify({ name, perSecond: Math.round(perSecond), cpuMicrosecondsEach: Number(((user + system) / (ROUNDS * count)).toFixed(3)) })}\n`);
}

const publisher = await connected();
const chunk = chunkOf('sensors/building-7/floor-3/temperature');
measure('QoS 1 publish: parse, submit, acknowledge', CHUNK_PACKETS, () => {
  publisher.handlers?.data(chunk);
  const effects = held;
  held = [];
  for (const effect of effects) handler?.effect(effect);
  turn();
});

const message: Message = { id: 1 as Position, topic: 'sensors/building-7/floor-3/temperature', qos: 1, size: 256, payload: Buffer.alloc(256), references: 1 };
measure('QoS 1 deliver: effect to bytes', CHUNK_PACKETS, () => {
  for (let i = 1; i <= CHUNK_PACKETS; i++) handler?.effect({ kind: 'deliver', connection: 1, message, qos: 1, packetId: i, dup: false, retain: false });
  turn();
});
