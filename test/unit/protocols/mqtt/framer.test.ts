import fc from 'fast-check';
import { ProtocolFault } from '../../../../src/protocols/mqtt/fault.js';
import { PacketFramer } from '../../../../src/protocols/mqtt/framer.js';

function packet(header: number, body: Buffer): Buffer {
  const head = [header];
  let length = body.length;
  do {
    head.push(length >= 128 ? (length & 0x7f) | 0x80 : length);
    length >>= 7;
  } while (length > 0);
  return Buffer.concat([Buffer.from(head), body]);
}

/** Header and body of every packet that comes out. */
function drain(framer: PacketFramer): string[] {
  const all: string[] = [];
  while (framer.next()) all.push(`${framer.header.toString(16)}:${Buffer.from(framer.bytes.subarray(framer.start, framer.end)).toString('hex')}`);
  return all;
}

describe('PacketFramer', () => {
  test.each(['in one piece', 'in two'])('a packet that came %s is not held any more when the next one is asked for', (how) => {
    const framer = new PacketFramer(10_000);
    const bytes = packet(0x30, Buffer.alloc(5_000));
    framer.push(bytes.subarray(0, how === 'in two' ? 100 : bytes.length));
    if (how === 'in two') {
      expect(framer.next()).toBe(false);
      framer.push(bytes.subarray(100));
    }
    expect(framer.next()).toBe(true);
    expect(framer.bytes.length).toBeGreaterThan(5_000);
    expect(framer.next()).toBe(false);
    expect(framer.bytes.length).toBe(0);
  });

  test('gives the same packets however the bytes are cut', () => {
    const bodies = fc.array(fc.uint8Array({ maxLength: 400 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(bodies, fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1 }), (parts, cuts) => {
        const packets = parts.map((body) => packet(0x32, Buffer.from(body)));
        const bytes = Buffer.concat(packets);
        const framer = new PacketFramer(1_000);
        const seen: string[] = [];
        let cut = 0;
        for (let at = 0; at < bytes.length; ) {
          const size = cuts[cut++ % cuts.length] as number;
          framer.push(bytes.subarray(at, at + size));
          seen.push(...drain(framer));
          at += size;
        }
        expect(seen).toEqual(parts.map((body) => `32:${Buffer.from(body).toString('hex')}`));
        expect(framer.waiting).toBe(0);
      }),
    );
  });

  test('byte at a time, across a length of three bytes', () => {
    const bytes = Buffer.concat([packet(0x30, Buffer.alloc(20_000, 7)), packet(0xc0, Buffer.alloc(0))]);
    const framer = new PacketFramer(30_000);
    const seen: string[] = [];
    for (const byte of bytes) {
      framer.push(Buffer.from([byte]));
      seen.push(...drain(framer).map((one) => one.slice(0, 5)));
    }
    expect(seen).toEqual(['30:07', 'c0:']);
  });

  test('takes plain Uint8Arrays and pieces that wait', () => {
    const framer = new PacketFramer(100);
    framer.push(new Uint8Array([0x40, 2, 0]));
    framer.push(new Uint8Array([1, 0xc0, 0, 0xe0]));
    framer.push(new Uint8Array([0]));
    expect(drain(framer)).toEqual(['40:0001', 'c0:', 'e0:']);
  });

  test('a packet stays good when the next ones come', () => {
    const framer = new PacketFramer(100);
    framer.push(packet(0x30, Buffer.from('0001aX')).subarray(0, 3));
    framer.next();
    framer.push(packet(0x30, Buffer.from('0001aX')).subarray(3));
    expect(framer.next()).toBe(true);
    const first = framer.bytes.subarray(framer.start, framer.end);
    framer.push(packet(0x30, Buffer.from('0001bY')));
    expect(framer.next()).toBe(true);
    expect(Buffer.from(first).toString()).toBe('0001aX');
  });

  test('refuses a packet that is too large from its header, before any of it has come', () => {
    const framer = new PacketFramer(100);
    framer.push(Buffer.from([0x30, 98]));
    expect(framer.next()).toBe(false);
    const other = new PacketFramer(100);
    other.push(Buffer.from([0x30, 99]));
    expect(() => other.next()).toThrow(/101 bytes; 100 are allowed \(packetBytesMax\)/);
  });

  test('an announced length alone makes nobody hold memory', () => {
    const framer = new PacketFramer(256 * 1024 * 1024);
    framer.push(Buffer.from([0x30, 0xff, 0xff, 0xff, 0x3f, 1, 2, 3]));
    expect(framer.next()).toBe(false);
    const { partial } = framer as unknown as { partial: Uint8Array };
    expect(partial.length).toBeLessThan(1_000);
  });

  test.each([
    ['PUBREL', [0x6a, 2, 0, 1], '62:0001'],
    ['PUBREL without any', [0x60, 2, 0, 1], '62:0001'],
    ['SUBSCRIBE', [0x8a, 2, 0, 1], '82:0001'],
    ['UNSUBSCRIBE', [0xaa, 2, 0, 1], 'a2:0001'],
    ['PUBACK', [0x4b, 2, 0, 1], '40:0001'],
    ['PINGREQ', [0xc8, 0], 'c0:'],
    ['PUBLISH, which keeps its flags', [0x3b, 2, 0, 1], '3b:0001'],
  ])('of a client of MQTT 3.1 takes the flags of a %s as they are, whole and byte by byte', (_name, bytes, out) => {
    for (const step of [bytes.length, 1]) {
      const framer = new PacketFramer(100);
      framer.isOld = true;
      const seen: string[] = [];
      for (let at = 0; at < bytes.length; at += step) {
        framer.push(Buffer.from(bytes.slice(at, at + step)));
        seen.push(...drain(framer));
      }
      expect(seen).toEqual([out]);
    }
  });

  test('of a client of MQTT 3.1 refuses what only a server says, and a PUBLISH that cannot be one', () => {
    for (const bytes of [[0x20, 2], [0x36, 3], [0x38, 3], [0xf0, 0]]) {
      const framer = new PacketFramer(100);
      framer.isOld = true;
      framer.push(Buffer.from(bytes));
      expect(() => framer.next()).toThrow(ProtocolFault);
    }
  });

  test.each([
    ['type 0', [0x00, 0], '§2.2.1'],
    ['CONNACK', [0x20, 2], '§2.2.1'],
    ['SUBACK', [0x90, 2], '§2.2.1'],
    ['UNSUBACK', [0xb0, 2], '§2.2.1'],
    ['PINGRESP', [0xd0, 0], '§2.2.1'],
    ['type 15', [0xf0, 0], '§2.2.1'],
    ['CONNECT with flags', [0x11], 'MQTT-2.2.2-2'],
    ['PUBACK with flags', [0x42], 'MQTT-2.2.2-2'],
    ['PUBREL without its flag', [0x60], 'MQTT-2.2.2-2'],
    ['SUBSCRIBE without its flag', [0x80], 'MQTT-2.2.2-2'],
    ['UNSUBSCRIBE without its flag', [0xa0], 'MQTT-2.2.2-2'],
    ['PINGREQ with flags', [0xc1], 'MQTT-2.2.2-2'],
    ['DISCONNECT with flags', [0xe4], 'MQTT-2.2.2-2'],
    ['QoS 3', [0x36], 'MQTT-3.3.1-4'],
    ['QoS 0 duplicate', [0x38], 'MQTT-3.3.1-2'],
    ['a length of five bytes', [0x30, 0x80, 0x80, 0x80, 0x80], '§2.2.3'],
    ['PUBACK of length 3', [0x40, 3], '§3'],
    ['PUBREC of length 0', [0x50, 0], '§3'],
    ['PINGREQ of length 1', [0xc0, 1], '§3'],
    ['DISCONNECT of length 2', [0xe0, 2], '§3'],
    ['a TLS client', [0x16, 3, 1], 'MQTT-2.2.2-2'],
    ['an HTTP client', [...Buffer.from('GET / HTTP/1.1')], 'MQTT-2.2.2-2'],
  ])('refuses %s as early as it can be known', (_name, bytes, clause) => {
    for (const step of [bytes.length, 1]) {
      const framer = new PacketFramer(100);
      let fault: unknown = null;
      for (let at = 0; at < bytes.length && fault === null; at += step) {
        framer.push(Buffer.from(bytes.slice(at, at + step)));
        try {
          framer.next();
        } catch (error) {
          fault = error;
        }
      }
      expect(fault).toBeInstanceOf(ProtocolFault);
      expect((fault as ProtocolFault).clause).toBe(clause);
    }
  });
});
