import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import mqttPacket, { type Packet } from 'mqtt-packet';
import { MQTT_LIMITS_DEFAULT } from '../../../src/protocols/mqtt/limits.js';
import type { Operation } from '../../../src/core/broker/operations.js';
import { topicFilterFault, topicNameFault } from '../../../src/core/broker/topics.js';
import type { PacketFramer } from '../../../src/protocols/mqtt/framer.js';
import { Rig } from '../../unit/protocols/mqtt/rig.js';
import { settle } from '../../unit/support/fake-clock.js';
import { budgetFor, metered } from '../meter.js';
import { chunkings, damaged, damages, joined, pieces, type Damage } from '../mutate.js';
import { hex } from '../outcome.js';
import { target } from '../target.js';

/*
 * What an MQTT client sends, to the connection as the broker has it. Held: the same operations and the same end however the bytes are cut; an operation
 * says what its packet says, field by field, encoded again by another codec; what was never a valid packet makes no operation; no more
 * is held than a packet and a piece.
 */

const PACKETS: readonly Packet[] = [
  { cmd: 'publish', messageId: 1, topic: 'a/b', payload: 'hello', qos: 1, retain: false, dup: false },
  { cmd: 'publish', messageId: 2, topic: 'ä/😀', payload: 'x'.repeat(200), qos: 2, retain: true, dup: true },
  { cmd: 'publish', topic: 'q', payload: '', qos: 0, retain: false, dup: false },
  { cmd: 'publish', topic: 'q', payload: '', qos: 0, retain: true, dup: false },
  { cmd: 'puback', messageId: 1 },
  { cmd: 'pubrec', messageId: 0xffff },
  { cmd: 'pubrel', messageId: 3 },
  { cmd: 'pubcomp', messageId: 3 },
  { cmd: 'subscribe', messageId: 4, subscriptions: [{ topic: 'a/#', qos: 2 }, { topic: '+/b', qos: 0 }] },
  { cmd: 'unsubscribe', messageId: 5, unsubscriptions: ['a/#', '+'] },
  { cmd: 'pingreq' },
  { cmd: 'disconnect' },
  { cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId: 'again', clean: true, keepalive: 5 },
];
const CONNECTS: readonly Packet[] = [
  { cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId: 'c1', clean: true, keepalive: 0 },
  { cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId: '', clean: true, keepalive: 60 },
  { cmd: 'connect', protocolId: 'MQIsdp', protocolVersion: 3, clientId: 'old', clean: false, keepalive: 1 },
  { cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId: 'w', clean: false, keepalive: 1, username: 'u', password: Buffer.from('p'), will: { topic: 'will/t', payload: Buffer.from('gone'), qos: 1, retain: true } },
];
const ENCODED = PACKETS.map((packet) => mqttPacket.generate(packet));
const HELLOS = CONNECTS.map((packet) => mqttPacket.generate(packet));

interface Input {
  readonly connect: number;
  readonly greeting: Damage;
  readonly packets: readonly { readonly which: number; readonly damage: Damage }[];
  readonly damage: Damage;
  readonly sizes: readonly number[];
}

const rarely = fc.oneof({ weight: 3, arbitrary: fc.constant<Damage>({ changes: [] }) }, { weight: 2, arbitrary: damages(1, 2) });
const inputs: fc.Arbitrary<Input> = fc.record({
  connect: fc.nat(CONNECTS.length - 1),
  greeting: rarely,
  packets: fc.array(fc.record({ which: fc.nat(PACKETS.length - 1), damage: rarely }), { maxLength: 8 }),
  damage: damages(0, 1),
  sizes: chunkings,
});

const STEPS_PER_BYTE = 400;
const BYTES_PER_BYTE = 40;
const PACKET_BYTES_MAX = 4_096;

/** The damage of one packet is in its body, and its length fits again. */
function repaired(packet: Uint8Array, damage: Damage, others: readonly Uint8Array[]): Uint8Array {
  if (damage.changes.length === 0) return packet;
  const lengthBytes = (packet[1] as number) < 0x80 ? 1 : 2;
  const body = damaged(packet.subarray(1 + lengthBytes), damage, others);
  return withLength(packet[0] as number, body);
}

function withLength(header: number, body: Uint8Array): Uint8Array {
  const length: number[] = [];
  for (let left = body.length; length.length === 0 || left > 0; left >>= 7) length.push((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
  return joined(Uint8Array.of(header, ...length), body);
}

function bytesOf({ connect, greeting, packets, damage }: Input): Uint8Array {
  const hello = repaired(HELLOS[connect] as Uint8Array, greeting, HELLOS);
  return damaged(joined(hello, ...packets.map((one) => repaired(ENCODED[one.which] as Uint8Array, one.damage, ENCODED))), damage, ENCODED);
}

interface Heard {
  readonly operations: readonly string[];
  readonly volatile: readonly string[];
  readonly closed: string | null;
  readonly warnings: readonly string[];
  readonly raw: readonly Operation[];
}

async function hear(parts: readonly Uint8Array[]): Promise<Heard> {
  const rig = new Rig({ packetBytesMax: PACKET_BYTES_MAX });
  const { stream } = rig.raw();
  const [watched] = (rig.protocol as unknown as { shared: { rounds: { watched: Set<{ inbox: { framer: PacketFramer } }> } } }).shared.rounds.watched;
  const largest = Math.max(...parts.map(({ length }) => length));
  for (const part of parts) {
    stream.receive(part);
    rig.clock.turn();
    // The login is judged meanwhile; what comes behind CONNECT waits.
    await settle();
    rig.clock.turn();
    assert.ok((watched?.inbox.framer.waiting ?? 0) <= MQTT_LIMITS_DEFAULT.packetBytesMax + largest, 'more waits than a packet and a piece');
  }
  return {
    operations: rig.edge.operations.map(shown),
    volatile: rig.edge.volatile.map(({ topic, payload }) => `${topic} ${hex(payload)}`),
    closed: stream.closedBy,
    warnings: rig.log.from('warn'),
    raw: rig.edge.operations,
  };
}

function shown(operation: Operation): string {
  return JSON.stringify(operation, (_, value: unknown) => (value instanceof Uint8Array ? hex(value) : value));
}

/** What an operation says, as the one packet of MQTT 3.1.1 that says it; `null` for what no packet says. */
function packetOf(operation: Operation): Packet | null {
  switch (operation.kind) {
    case 'publish':
      return { cmd: 'publish', messageId: operation.packetId, topic: operation.topic, payload: Buffer.from(operation.payload), qos: operation.qos, retain: operation.retain, dup: false };
    case 'subscribe':
      return { cmd: 'subscribe', messageId: operation.packetId, subscriptions: operation.subscriptions.map(({ filter, qos }) => ({ topic: filter, qos })) };
    case 'unsubscribe':
      return { cmd: 'unsubscribe', messageId: operation.packetId, unsubscriptions: [...operation.filters] };
    case 'acknowledge':
      return { cmd: 'puback', messageId: operation.packetId };
    case 'received':
      return { cmd: 'pubrec', messageId: operation.packetId };
    case 'release':
      return { cmd: 'pubrel', messageId: operation.packetId };
    case 'complete':
      return { cmd: 'pubcomp', messageId: operation.packetId };
    default:
      return null;
  }
}

/** The body of the packet, which holds everything but the flags of a publication, stands in what came. */
function stands(operation: Operation, came: string): void {
  const packet = packetOf(operation);
  if (packet === null) return;
  const bytes = mqttPacket.generate(packet);
  const body = hex(bytes.subarray(1 + ((bytes[1] as number) < 0x80 ? 1 : (bytes[2] as number) < 0x80 ? 2 : 3)));
  assert.ok(came.includes(body), `${shown(operation)} was made of bytes that did not come`);
}

function isValid(operation: Operation): void {
  if (operation.kind === 'publish') assert.equal(topicNameFault(operation.topic), null);
  if (operation.kind === 'subscribe') for (const { filter, qos } of operation.subscriptions) assert.ok(topicFilterFault(filter) === null && qos <= 2);
  if (operation.kind === 'unsubscribe') for (const filter of operation.filters) assert.equal(topicFilterFault(filter), null);
  if ('packetId' in operation && !(operation.kind === 'publish' && operation.qos === 0)) assert.ok(operation.packetId > 0);
  if (operation.kind === 'connect' && operation.will !== null) assert.equal(topicNameFault(operation.will.topic), null);
}

export const mqtt = target<Input>({
  name: 'mqtt',
  inputs,
  gateRuns: 300,
  acceptedLeast: 250,
  async holds(input) {
    const bytes = bytesOf(input);
    if (bytes.length === 0) return 0;
    const { value: whole } = await metered(budgetFor(bytes.length, STEPS_PER_BYTE, BYTES_PER_BYTE), () => hear([bytes]));
    const { value: cut } = await metered(budgetFor(bytes.length, STEPS_PER_BYTE * 4, BYTES_PER_BYTE), () => hear(pieces(bytes, input.sizes)));
    assert.deepEqual({ ...cut, raw: null }, { ...whole, raw: null });
    const came = hex(bytes);
    for (const operation of whole.raw) {
      isValid(operation);
      stands(operation, came);
    }
    // A stream that was closed was closed for a reason that the log has, or by a DISCONNECT.
    if (whole.closed !== null) assert.ok(whole.warnings.length > 0 || whole.operations.some((text) => text.includes('"disconnect"')), `closed in silence: ${whole.closed}`);
    return whole.raw.length;
  },
});
