import fc from 'fast-check';
import mqttPacket from 'mqtt-packet';
import type { Packet } from 'mqtt-packet';
import type { Effect, Qos } from '../../../../src/core/broker/effects.js';
import { decodeAcknowledgement, decodeConnect, decodePublish, decodeSubscribe, decodeUnsubscribe } from '../../../../src/protocols/mqtt/decoder.js';
import { PacketEncoder, encodeConnack } from '../../../../src/protocols/mqtt/encoder.js';
import type { Outgoing } from '../../../../src/protocols/mqtt/encoder.js';
import { ProtocolFault } from '../../../../src/protocols/mqtt/fault.js';
import { PacketFramer } from '../../../../src/protocols/mqtt/framer.js';
import { TopicCache } from '../../../../src/protocols/mqtt/topic-cache.js';
import { message } from '../../support/fake-edge.js';

function framed(bytes: Uint8Array): PacketFramer {
  const framer = new PacketFramer(10_000_000);
  framer.push(bytes);
  expect(framer.next()).toBe(true);
  return framer;
}

function text(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value as string);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
}

function packet(header: number, ...parts: (Buffer | number)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => (typeof part === 'number' ? Buffer.from([part]) : part)));
  expect(body.length).toBeLessThan(128);
  return Buffer.concat([Buffer.from([header, body.length]), body]);
}

function connect(flags: number, ...fields: Buffer[]): Buffer {
  return packet(0x10, text('MQTT'), 4, flags, 0, 60, ...fields);
}

function encode(item: Outgoing, payload: Uint8Array | null = null): Buffer {
  const encoder = new PacketEncoder();
  const buffer = Buffer.alloc(encoder.size(item), 0xee);
  expect(encoder.write(item, payload, buffer, 0)).toBe(buffer.length);
  return buffer;
}

const TOPIC = fc.string({ minLength: 1, maxLength: 60, unit: 'grapheme' }).filter((topic) => !/[+#\0]/.test(topic) && !topic.startsWith('$'));
const PUBLISH = fc.record({
  topic: TOPIC,
  payload: fc.uint8Array({ maxLength: 300 }),
  qos: fc.constantFrom(0, 1, 2) as fc.Arbitrary<Qos>,
  retain: fc.boolean(),
  messageId: fc.integer({ min: 1, max: 65_535 }),
});

describe('what is read here agrees with mqtt-packet', () => {
  test('PUBLISH from a client', () => {
    fc.assert(
      fc.property(PUBLISH, ({ payload, messageId, ...rest }) => {
        const bytes = mqttPacket.generate({ cmd: 'publish', dup: false, messageId, payload: Buffer.from(payload), ...rest });
        const read = decodePublish(framed(bytes), new TopicCache());
        expect({ ...read, payload: [...read.payload] }).toEqual({ ...rest, packetId: rest.qos === 0 ? 0 : messageId, payload: [...payload] });
      }),
    );
  });

  test('PUBLISH to a client', () => {
    fc.assert(
      fc.property(PUBLISH, fc.boolean(), ({ topic, payload, qos, retain, messageId }, redelivered) => {
        const dup = redelivered && qos > 0;
        const bytes = encode({ kind: 'deliver', connection: 1, message: message(topic, payload), qos, packetId: qos === 0 ? 0 : messageId, dup, retain }, payload);
        const wanted = { cmd: 'publish', topic, payload: Buffer.from(payload), qos, retain, dup, messageId } as const;
        expect(bytes.toString('hex')).toBe(mqttPacket.generate(wanted).toString('hex'));
      }),
    );
  });

  test.each([127, 128, 16_383, 16_384, 2_097_151, 2_097_152])('PUBLISH whose remaining length is %i', (length) => {
    const payload = Buffer.alloc(length - 3, 1);
    const bytes = encode({ kind: 'deliver', connection: 1, message: message('t', payload), qos: 0, packetId: 0, dup: false, retain: false }, payload);
    expect(bytes.equals(mqttPacket.generate({ cmd: 'publish', topic: 't', payload, qos: 0, retain: false, dup: false }))).toBe(true);
    expect(decodePublish(framed(bytes), new TopicCache()).payload.length).toBe(length - 3);
  });

  test.each(['puback', 'pubrec', 'pubrel', 'pubcomp', 'unsuback'] as const)('%s', (kind) => {
    const wanted = mqttPacket.generate({ cmd: kind, messageId: 0x1234, granted: [] } as Packet);
    expect(encode({ kind, connection: 1, packetId: 0x1234 }).toString('hex')).toBe(wanted.toString('hex'));
    if (kind !== 'unsuback') expect(decodeAcknowledgement(framed(wanted))).toBe(0x1234);
  });

  test('CONNACK, SUBACK, PINGRESP', () => {
    const connack: Effect = { kind: 'connack', connection: 1, sessionPresent: true };
    expect(encode(connack)).toEqual(mqttPacket.generate({ cmd: 'connack', sessionPresent: true, returnCode: 0 }));
    expect(Buffer.from(encodeConnack(5))).toEqual(mqttPacket.generate({ cmd: 'connack', sessionPresent: false, returnCode: 5 }));
    const suback: Effect = { kind: 'suback', connection: 1, packetId: 300, granted: [0, 1, 2, 0x80] };
    expect(encode(suback)).toEqual(mqttPacket.generate({ cmd: 'suback', messageId: 300, granted: [0, 1, 2, 0x80] }));
    expect(encode({ kind: 'pingresp' })).toEqual(mqttPacket.generate({ cmd: 'pingresp' }));
  });

  test('a payload of another length than the message says is an assertion, not a broken stream', () => {
    const item: Outgoing = { kind: 'deliver', connection: 1, message: message('t', 5), qos: 0, packetId: 0, dup: false, retain: false };
    expect(() => encode(item, Buffer.alloc(4))).toThrow(/whole payload/);
  });
});

describe('CONNECT', () => {
  test('with everything', () => {
    const will = { topic: 'w/t', payload: Buffer.from([0, 255]), qos: 2, retain: true } as const;
    const bytes = mqttPacket.generate({ cmd: 'connect', clientId: 'ü', clean: false, keepalive: 300, username: 'ann', password: Buffer.from('x'), will });
    expect(decodeConnect(framed(bytes), 100)).toEqual({ level: 4, clientId: 'ü', clean: false, keepAlive: 300, will, user: 'ann', password: Buffer.from('x') });
  });

  test('MQTT 3.1', () => {
    const bytes = mqttPacket.generate({ cmd: 'connect', clientId: 'old', protocolId: 'MQIsdp', protocolVersion: 3 });
    expect(decodeConnect(framed(bytes), 100)).toMatchObject({ level: 3, clientId: 'old', clean: true });
  });

  test('a legal U+FFFD and a byte order mark are texts like others', () => {
    expect(decodeConnect(framed(connect(2, text('\ufffd\ufeff'))), 100)).toMatchObject({ clientId: '\ufffd\ufeff' });
  });

  test.each([
    ['MQTT 5', mqttPacket.generate({ cmd: 'connect', clientId: 'c', protocolVersion: 5 }), 1, /MQTT 5/],
    ['level 6, whatever follows it', packet(0x10, text('MQTT'), 6), 1, /level 6/],
    ["a bridge's private level", packet(0x10, text('MQTT'), 0x84, 2, 0, 0, text('c')), 1, /level 132/],
    ['level 3 under the new name', packet(0x10, text('MQTT'), 3, 2, 0, 0, text('c')), 1, /level 3/],
    ['an empty id without a clean session', connect(0, text('')), 2, /empty/],
    ['an empty id in MQTT 3.1', packet(0x10, text('MQIsdp'), 3, 2, 0, 0, text('')), 2, /empty/],
    ['a long id', connect(2, text('éé')), 2, /longer than 3 bytes/],
  ])('is answered with a code: %s', (_name, bytes, code, why) => {
    expect(decodeConnect(framed(bytes), 3)).toEqual({ code, why: expect.stringMatching(why) as string });
  });

  test.each([
    ['another protocol', packet(0x10, text('MQTX'), 4, 2, 0, 0, text('c')), 'MQTT-3.1.2-1'],
    ['no protocol name', packet(0x10), '§4.8'],
    ['the reserved flag', connect(3, text('c')), 'MQTT-3.1.2-3'],
    ['a will QoS without a will', connect(0x0a, text('c')), 'MQTT-3.1.2-11'],
    ['a will retain flag without a will', connect(0x22, text('c')), 'MQTT-3.1.2-11'],
    ['a will of QoS 3', connect(0x1e, text('c'), text('t'), text('p')), 'MQTT-3.1.2-14'],
    ['a password without a user', connect(0x42, text('c'), text('p')), 'MQTT-3.1.2-22'],
    ['no client id', connect(2), '§4.8'],
    ['a client id that ends early', connect(2, Buffer.from([0, 9, 0x61])), '§4.8'],
    ['no will message', connect(6, text('c'), text('t')), '§4.8'],
    ['no user name', connect(0x82, text('c')), '§4.8'],
    ['no password', connect(0xc2, text('c'), text('u')), '§4.8'],
    ['bytes left over', connect(2, text('c'), Buffer.from([1])), '§4.8'],
    ['U+0000 in the client id', connect(2, text('a\0b')), 'MQTT-1.5.3-2'],
    ['a lone surrogate in the client id', connect(2, text(Buffer.from([0xed, 0xa0, 0x80]))), 'MQTT-1.5.3-1'],
    ['an overlong form in the user name', connect(0x82, text('c'), text(Buffer.from([0xc0, 0xaf]))), 'MQTT-1.5.3-1'],
    ['a will topic with a wildcard', connect(6, text('c'), text('a/#'), text('p')), 'MQTT-3.3.2-2'],
    ["a will topic of the server's own", connect(6, text('c'), text('$SYS/x'), text('p')), '§4.7.2'],
  ])('closes the connection: %s', (_name, bytes, clause) => {
    expectFault(() => decodeConnect(framed(bytes), 100), clause);
  });

  test('a bridge may say where bridges do whether it is connected', () => {
    const topic = '$SYS/broker/connection/host.br/state';
    expect(decodeConnect(framed(connect(6, text('c'), text(topic), text('0'))), 100)).toMatchObject({ will: { topic } });
    expect(decodePublish(framed(packet(0x30, text(topic), Buffer.from('1'))), new TopicCache())).toMatchObject({ topic });
  });
});

describe('PUBLISH', () => {
  test.each([
    ['no topic', packet(0x30), 'MQTT-3.3.2-1'],
    ['an empty topic', packet(0x30, text('')), 'MQTT-3.3.2-2'],
    ['a topic that ends early', packet(0x30, Buffer.from([0, 5, 0x61])), '§4.8'],
    ['half a packet id', packet(0x32, text('a'), 0), '§4.8'],
    ['packet id 0', packet(0x32, text('a'), 0, 0), 'MQTT-2.3.1-1'],
    ['a +', packet(0x30, text('a/+')), 'MQTT-3.3.2-2'],
    ['a #', packet(0x30, text('#')), 'MQTT-3.3.2-2'],
    ['$SYS', packet(0x30, text('$SYS/x')), '§4.7.2'],
    ['U+0000', packet(0x30, text('a\0')), 'MQTT-1.5.3-2'],
    ['broken UTF-8', packet(0x30, text(Buffer.from([0x61, 0xff]))), 'MQTT-1.5.3-1'],
    ['UTF-8 that ends early', packet(0x30, text(Buffer.from([0xe2, 0x82]))), 'MQTT-1.5.3-1'],
  ])('closes the connection: %s', (_name, bytes, clause) => {
    expectFault(() => decodePublish(framed(bytes), new TopicCache()), clause);
  });

  test('the topic that is remembered is compared whole', () => {
    const topics = new TopicCache();
    const read = (topic: string): string => decodePublish(framed(packet(0x30, text(topic))), topics).topic;
    expect(['a/b', 'a/b', 'a/c', 'b/c', 'a', 'a/b', 'ü', 'ü'].map(read)).toEqual(['a/b', 'a/b', 'a/c', 'b/c', 'a', 'a/b', 'ü', 'ü']);
    expectFault(() => read('+'), 'MQTT-3.3.2-2');
    expectFault(() => read('+'), 'MQTT-3.3.2-2');
  });

  test('acknowledgements of packet id 0', () => {
    expectFault(() => decodeAcknowledgement(framed(Buffer.from([0x40, 2, 0, 0]))), 'MQTT-2.3.1-1');
  });
});

describe('SUBSCRIBE and UNSUBSCRIBE', () => {
  test('in order, duplicates and all', () => {
    const subscriptions = [{ topic: 'a/+', qos: 1 }, { topic: '#', qos: 0 }, { topic: 'a/+', qos: 2 }] as const; // prettier-ignore
    const bytes = mqttPacket.generate({ cmd: 'subscribe', messageId: 9, subscriptions: [...subscriptions] });
    expect(decodeSubscribe(framed(bytes))).toEqual({ packetId: 9, subscriptions: subscriptions.map(({ topic, qos }) => ({ filter: topic, qos })) });
    const other = mqttPacket.generate({ cmd: 'unsubscribe', messageId: 7, unsubscriptions: ['x', '$SYS/#'] });
    expect(decodeUnsubscribe(framed(other))).toEqual({ packetId: 7, filters: ['x', '$SYS/#'] });
  });

  test('a remaining length in a longer form than needed', () => {
    const bytes = Buffer.concat([Buffer.from([0x82, 0x86, 0x00, 0, 1]), text('a'), Buffer.from([1])]);
    expect(decodeSubscribe(framed(bytes))).toEqual({ packetId: 1, subscriptions: [{ filter: 'a', qos: 1 }] });
  });

  test.each([
    ['packet id 0', packet(0x82, 0, 0, text('a'), 1), 'MQTT-2.3.1-1'],
    ['no filter', packet(0x82, 0, 1), 'MQTT-3.8.3-3'],
    ['QoS 3', packet(0x82, 0, 1, text('a'), 3), 'MQTT-3.8.3-4'],
    ['reserved bits', packet(0x82, 0, 1, text('a'), 4), 'MQTT-3.8.3-4'],
    ['no QoS', packet(0x82, 0, 1, text('a')), '§4.8'],
    ['an empty filter', packet(0x82, 0, 1, text(''), 0), '§4.7'],
    ['a # in the middle', packet(0x82, 0, 1, text('a/#/b'), 0), '§4.7'],
    ['a + beside a letter', packet(0x82, 0, 1, text('a+'), 0), '§4.7'],
    ['U+0000', packet(0x82, 0, 1, text('\0'), 0), 'MQTT-1.5.3-2'],
    ['broken UTF-8', packet(0x82, 0, 1, text(Buffer.from([0x80])), 0), 'MQTT-1.5.3-1'],
    ['a second filter that ends early', packet(0x82, 0, 1, text('a'), 0, 0, 9), '§4.8'],
  ])('SUBSCRIBE closes the connection: %s', (_name, bytes, clause) => {
    expectFault(() => decodeSubscribe(framed(bytes)), clause);
  });

  test('too many filters in one packet', () => {
    const subscriptions = Array.from({ length: 10_001 }, () => ({ topic: 'a', qos: 0 as const }));
    expectFault(() => decodeSubscribe(framed(mqttPacket.generate({ cmd: 'subscribe', messageId: 1, subscriptions }))), 'limit');
  });

  test.each([
    ['packet id 0', packet(0xa2, 0, 0, text('a')), 'MQTT-2.3.1-1'],
    ['no filter', packet(0xa2, 0, 1), 'MQTT-3.10.3-2'],
    ['a filter that ends early', packet(0xa2, 0, 1, 0, 4, 0x61), '§4.8'],
    ['no packet id', packet(0xa2, 0), '§4.8'],
  ])('UNSUBSCRIBE closes the connection: %s', (_name, bytes, clause) => {
    expectFault(() => decodeUnsubscribe(framed(bytes)), clause);
  });
});

describe('any bytes at all', () => {
  test('are a packet or a fault, never another error', () => {
    const decoders = { 1: (f: PacketFramer) => decodeConnect(f, 100), 3: (f: PacketFramer) => decodePublish(f, new TopicCache()), 8: decodeSubscribe, 10: decodeUnsubscribe };
    const headers = fc.constantFrom(0x10, 0x30, 0x32, 0x35, 0x82, 0xa2);
    const prefix = fc.constantFrom([], [0, 4, 77, 81, 84, 84, 4], [0, 1, 0, 1]);
    fc.assert(
      fc.property(headers, prefix, fc.uint8Array({ maxLength: 60 }), (header, start, rest) => {
        const body = Buffer.from([...start, ...rest]);
        const decode = decoders[(header >> 4) as keyof typeof decoders];
        try {
          decode(framed(Buffer.concat([Buffer.from([header, body.length]), body])));
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolFault);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

function expectFault(action: () => unknown, clause: string): void {
  let fault: unknown = null;
  try {
    action();
  } catch (error) {
    fault = error;
  }
  expect(fault).toBeInstanceOf(ProtocolFault);
  expect((fault as ProtocolFault).clause).toBe(clause);
}

test('one topic name behind the other is read rightly, long ones too, of which none is kept', () => {
  const topics = new TopicCache();
  const kept = (): number => (topics as unknown as { lastBytes: Uint8Array }).lastBytes.length;
  for (const topic of ['a/b', 'a/b', 'x'.repeat(60_000), 'y'.repeat(60_000), 'a/b', 'a/c']) {
    const bytes = Buffer.from(topic);
    expect(topics.read(bytes, 0, bytes.length)).toBe(topic);
    expect(kept()).toBe(3);
  }
});
