import mqttPacket from 'mqtt-packet';
import type { IConnectPacket, ISubscribePacket, IUnsubscribePacket, Packet } from 'mqtt-packet';
import type { Qos } from '../../core/broker/effects.js';
import type { Will } from '../../core/broker/operations.js';
import { assert } from '../../core/errors.js';
import { encodeText } from '../../core/wire/bytes.js';
import { topicFilterFault } from '../../core/broker/topics.js';
import { ProtocolFault } from './fault.js';
import { FILTERS_PER_PACKET_MAX } from './limits.js';
import { checkFlags, withFlags } from './framer.js';
import type { PacketFramer } from './framer.js';
import { ConnackCode } from './packets.js';
import type { ConnectPacket, ConnectRefusal, PublishPacket, SubscribePacket, UnsubscribePacket } from './packets.js';
import { BodyWalk } from './text.js';
import { checkTopicName } from './topic-cache.js';
import type { TopicCache } from './topic-cache.js';

/*
 * From whole packets to their meaning. mqtt-packet decodes CONNECT, SUBSCRIBE and UNSUBSCRIBE; it is given one packet at a time, so that
 * no field can reach into the next packet, and only after a walk over the fields has made the checks that it lacks: strict
 * UTF-8, U+0000, bytes left over, flags that contradict each other. PUBLISH and the acknowledgements, which are nearly all of the traffic
 * and a few fields each, are read here; a property test compares them with mqtt-packet.
 */

const FLAG_USER = 0x80;
const FLAG_PASSWORD = 0x40;
const FLAG_WILL = 0x04;

/** @throws ProtocolFault */
export function decodePublish(packet: PacketFramer, topics: TopicCache): PublishPacket {
  const { bytes, start, end, header } = packet;
  if (end - start < 2) throw new ProtocolFault('a PUBLISH packet without a topic name', 'MQTT-3.3.2-1');
  const qos = ((header >> 1) & 3) as Qos;
  const topicEnd = start + 2 + (((bytes[start] as number) << 8) | (bytes[start + 1] as number));
  const payloadStart = qos === 0 ? topicEnd : topicEnd + 2;
  if (payloadStart > end) throw new ProtocolFault('a PUBLISH packet that ends within its topic name or packet id', '§4.8');
  const topic = topics.read(bytes, start + 2, topicEnd);
  const packetId = qos === 0 ? 0 : readPacketId(bytes, topicEnd, 'PUBLISH');
  return { topic, qos, retain: (header & 1) === 1, packetId, payload: bytes.subarray(payloadStart, end) };
}

/** The packet id of a PUBACK, PUBREC, PUBREL or PUBCOMP. @throws ProtocolFault */
export function decodeAcknowledgement(packet: PacketFramer): number {
  return readPacketId(packet.bytes, packet.start, 'acknowledgement');
}

/** @throws ProtocolFault */
export function decodeConnect(packet: PacketFramer, clientIdBytesMax: number): ConnectPacket | ConnectRefusal {
  const walk = new BodyWalk(packet.bytes, packet.start, packet.end, 'CONNECT');
  const protocol = walk.text('protocol name');
  if (protocol !== 'MQTT' && protocol !== 'MQIsdp') throw new ProtocolFault('a CONNECT for another protocol', 'MQTT-3.1.2-1');
  const level = walk.u8('protocol level');
  if (level !== 3) checkFlags(packet.header);
  if ((level !== 3 && level !== 4) || (level === 4) !== (protocol === 'MQTT')) {
    // Nothing behind the level can be relied on: it belongs to another version.
    const version = protocol === 'MQTT' && level === 5 ? 'MQTT 5' : `protocol level ${level} of "${protocol}"`;
    return { code: ConnackCode.unacceptableVersion, why: `it speaks ${version}; this server speaks MQTT 3.1.1 and 3.1` };
  }
  walkConnect(walk);
  const connect = parseWhole(packet) as IConnectPacket;
  const clean = connect.clean === true;
  if (connect.clientId === '' && (!clean || level === 3)) {
    return { code: ConnackCode.identifierRejected, why: 'its client id is empty, which needs a clean session and MQTT 3.1.1' };
  }
  if (encodeText(connect.clientId).length > clientIdBytesMax) {
    return { code: ConnackCode.identifierRejected, why: `its client id is longer than ${clientIdBytesMax} bytes` };
  }
  return {
    level,
    clientId: connect.clientId,
    clean,
    keepAlive: connect.keepalive ?? 0,
    will: willOf(connect),
    user: connect.username ?? null,
    password: connect.password ?? null,
  };
}

/** @throws ProtocolFault */
export function decodeSubscribe(packet: PacketFramer): SubscribePacket {
  const walk = new BodyWalk(packet.bytes, packet.start, packet.end, 'SUBSCRIBE');
  const packetId = walkPacketId(walk, 'SUBSCRIBE');
  if (walk.done) throw new ProtocolFault('a SUBSCRIBE without a topic filter', 'MQTT-3.8.3-3');
  for (let count = 1; !walk.done; count++) {
    checkFilter(walk.text('topic filter'), count);
    if (walk.u8('requested QoS') > 2) throw new ProtocolFault('a SUBSCRIBE with a QoS above 2 or reserved bits', 'MQTT-3.8.3-4');
  }
  const { subscriptions } = parseWhole(packet) as ISubscribePacket;
  return { packetId, subscriptions: subscriptions.map(({ topic, qos }) => ({ filter: topic, qos })) };
}

/** @throws ProtocolFault */
export function decodeUnsubscribe(packet: PacketFramer): UnsubscribePacket {
  const walk = new BodyWalk(packet.bytes, packet.start, packet.end, 'UNSUBSCRIBE');
  const packetId = walkPacketId(walk, 'UNSUBSCRIBE');
  if (walk.done) throw new ProtocolFault('an UNSUBSCRIBE without a topic filter', 'MQTT-3.10.3-2');
  for (let count = 1; !walk.done; count++) checkFilter(walk.text('topic filter'), count);
  return { packetId, filters: (parseWhole(packet) as IUnsubscribePacket).unsubscriptions };
}

/** Checks a CONNECT from its flags on (§3.1.2.3 and what follows). */
function walkConnect(walk: BodyWalk): void {
  const flags = walk.u8('connect flags');
  if ((flags & 1) !== 0) throw new ProtocolFault('the reserved connect flag is set', 'MQTT-3.1.2-3');
  const willQos = (flags >> 3) & 3;
  if ((flags & FLAG_WILL) === 0 && (flags & 0x38) !== 0) throw new ProtocolFault('flags of a will without a will', 'MQTT-3.1.2-11');
  if (willQos === 3) throw new ProtocolFault('a will of QoS 3', 'MQTT-3.1.2-14');
  if ((flags & FLAG_PASSWORD) !== 0 && (flags & FLAG_USER) === 0) throw new ProtocolFault('a password without a user name', 'MQTT-3.1.2-22');
  walk.u16('keep-alive');
  walk.text('client id');
  if ((flags & FLAG_WILL) !== 0) {
    checkTopicName(walk.text('will topic'), 'will topic');
    walk.skipBlob('will message');
  }
  if ((flags & FLAG_USER) !== 0) walk.text('user name');
  if ((flags & FLAG_PASSWORD) !== 0) walk.skipBlob('password');
  walk.finish();
}

function willOf(connect: IConnectPacket): Will | null {
  const will = connect.will;
  if (will === undefined) return null;
  assert(typeof will.payload !== 'string', 'mqtt-packet gives a will as bytes');
  return { topic: will.topic, qos: will.qos ?? 0, retain: will.retain === true, payload: will.payload };
}

function checkFilter(filter: string, count: number): void {
  if (count > FILTERS_PER_PACKET_MAX) throw new ProtocolFault(`more than ${FILTERS_PER_PACKET_MAX} topic filters in one packet`, 'limit');
  const fault = topicFilterFault(filter);
  if (fault !== null) throw new ProtocolFault(`a topic filter that cannot be one: ${fault}`, '§4.7');
}

function walkPacketId(walk: BodyWalk, packet: string): number {
  const packetId = walk.u16('packet id');
  if (packetId === 0) throw new ProtocolFault(`a ${packet} packet with packet id 0`, 'MQTT-2.3.1-1');
  return packetId;
}

function readPacketId(bytes: Uint8Array, at: number, packet: string): number {
  const packetId = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  if (packetId === 0) throw new ProtocolFault(`a ${packet} packet with packet id 0`, 'MQTT-2.3.1-1');
  return packetId;
}

/** One packet through mqtt-packet, with a parser of its own: nothing is left behind for another client's packet. */
function parseWhole(packet: PacketFramer): Packet {
  const parser = mqttPacket.parser();
  const parsed: Packet[] = [];
  let failure: string | null = null;
  parser.on('packet', (one) => parsed.push(one));
  parser.on('error', (error: Error) => {
    failure = error.message;
  });
  // Any Uint8Array is taken at run time; the types know Node's own only.
  parser.parse(wholePacket(packet) as Buffer);
  if (failure !== null) throw new ProtocolFault(`a malformed packet: ${String(failure)}`, '§4.8');
  const only = parsed[0];
  if (only === undefined || parsed.length !== 1) throw new ProtocolFault('a packet whose length contradicts its fields', '§4.8');
  return only;
}

/** The packet with a fixed header of the shortest form: the framer accepted the length, the parser need not count it its own way. */
function wholePacket(packet: PacketFramer): Uint8Array {
  let length = packet.end - packet.start;
  const head = [withFlags(packet.header)];
  do {
    const byte = length & 0x7f;
    length >>= 7;
    head.push(length > 0 ? byte | 0x80 : byte);
  } while (length > 0);
  const whole = new Uint8Array(head.length + packet.end - packet.start);
  whole.set(head);
  whole.set(packet.bytes.subarray(packet.start, packet.end), head.length);
  return whole;
}
