import type { Verdict } from '../../src/ports/authenticator.js';
import { FakeAuthenticator } from '../unit/support/fake-authenticator.js';
import { MqttStack } from './support/mqtt-stack.js';
import { RawClient, publish, seen, texts } from './support/raw-client.js';
import { connect, field, packet, u16 } from './support/raw-packets.js';
import type { Piece } from './support/raw-packets.js';

/* MQTT 3.1.1, sections 1.5, 2, 3.1 and 3.2, from outside. Names begin with the numbers of the statements (appendix B). */

const TURNED_AWAY: Readonly<Record<string, Verdict>> = {
  stranger: { kind: 'refused', reason: 'bad-credentials' },
  unwanted: { kind: 'refused', reason: 'not-authorized' },
  'too many': { kind: 'busy' },
};

let stack: MqttStack;
let watcher: RawClient;
const open: RawClient[] = [];

beforeAll(async () => {
  stack = await MqttStack.start({ authenticator: new FakeAuthenticator({ verdicts: TURNED_AWAY }), mqtt: { failedLoginDelayMs: 0 }, limits: { sessionsMax: 400 } });
});
afterAll(() => stack.stop());
beforeEach(async () => {
  watcher = await client();
  await watcher.subscribe('#');
});
afterEach(() => {
  for (const one of open.splice(0)) one.vanish();
});

async function client(options: Parameters<typeof RawClient.connect>[1] = {}): Promise<RawClient> {
  return kept(RawClient.connect(stack.port, options));
}

async function kept(opening: Promise<RawClient>): Promise<RawClient> {
  const one = await opening;
  open.push(one);
  return one;
}

/** A new connection that says just this. */
async function says(...bytes: Uint8Array[]): Promise<RawClient> {
  const one = await kept(RawClient.open(stack.port));
  one.send(...bytes);
  return one;
}

const WILL = 0x04;
const WILL_RETAIN = 0x20;
const USER = 0x80;
const PASSWORD = 0x40;
const CLEAN = 0x02;
/** UTF-8 of what must not be in a text, and of what must be taken as it is. */
const ILL_FORMED: readonly (readonly [string, readonly number[]])[] = [
  ['the surrogate U+D800', [0xed, 0xa0, 0x80]],
  ['the surrogate U+DFFF', [0xed, 0xbf, 0xbf]],
  ['a pair of surrogates, each encoded by itself', [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]],
  ['a lone continuation byte', [0x61, 0x80]],
  ['a sequence cut off', [0xe2, 0x82]],
  ['an overlong slash', [0xc0, 0xaf]],
  ['an overlong null', [0xc0, 0x80]],
  ['a code point above U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
  ['the byte FF', [0xff]],
];

describe('every combination of connect flags', () => {
  const valid: number[] = [];
  const invalid: number[] = [];
  for (let flags = 0; flags < 256; flags++) (isValid(flags) ? valid : invalid).push(flags);

  function isValid(flags: number): boolean {
    const willQos = (flags >> 3) & 3;
    if ((flags & 1) !== 0 || willQos === 3) return false;
    if ((flags & WILL) === 0 && (willQos !== 0 || (flags & WILL_RETAIN) !== 0)) return false;
    return (flags & PASSWORD) === 0 || (flags & USER) !== 0;
  }

  function fields(flags: number): Piece[] {
    return [`flags${flags}`, ...((flags & WILL) === 0 ? [] : [`will/${flags}`, 'gone']), ...((flags & USER) === 0 ? [] : ['good']), ...((flags & PASSWORD) === 0 ? [] : ['secret'])];
  }

  test('MQTT-3.1.4-4, MQTT-3.1.2-9, MQTT-3.1.2-19, MQTT-3.1.2-21, MQTT-3.1.3-1, MQTT-3.1.3-3: what the flags may say is acknowledged with CONNACK 0', async () => {
    expect(valid.length).toBe(2 * 3 * (1 + 6));
    for (const flags of valid) {
      const one = await says(connect({ flags }, ...fields(flags)));
      expect([flags, (await one.next()).bytes.toString('hex')]).toEqual([flags, '20020000']);
      await one.disconnect();
    }
  });

  test('MQTT-3.1.2-3, MQTT-3.1.2-11, MQTT-3.1.2-13, MQTT-3.1.2-14, MQTT-3.1.2-15, MQTT-3.1.2-22, MQTT-3.1.4-1: what they may not say ends the connection without a CONNACK', async () => {
    const ends = await Promise.all(invalid.map(async (flags) => [flags, await (await says(connect({ flags }, ...fields(flags)))).closed()]));
    expect(ends).toEqual(invalid.map((flags) => [flags, []]));
    expect(texts(await watcher.before())).toEqual([]);
  });
});

describe('a CONNECT that does not conform ends the connection without a CONNACK (MQTT-3.1.4-1)', () => {
  test.each([
    ['MQTT-3.1.2-1: another protocol name', connect({ name: 'MQTTT' }, 'c')],
    ['MQTT-3.1.2-1: the name in small letters', connect({ name: 'mqtt' }, 'c')],
    ['MQTT-3.1.2-1: an empty name', connect({ name: '' }, 'c')],
    ['MQTT-3.1.2-3: the reserved flag', connect({ flags: CLEAN | 1 }, 'c')],
    ['MQTT-3.1.2-9: no will topic and message', connect({ flags: CLEAN | WILL }, 'c')],
    ['MQTT-3.1.2-9: no will message', connect({ flags: CLEAN | WILL }, 'c', 'topic')],
    ['MQTT-3.1.2-11: a will without its flag', connect({}, 'c', 'topic', 'gone')],
    ['MQTT-3.1.2-18: a user name without its flag', connect({}, 'c', 'good')],
    ['MQTT-3.1.2-19: no user name', connect({ flags: CLEAN | USER }, 'c')],
    ['MQTT-3.1.2-20: a password without its flag', connect({ flags: CLEAN | USER }, 'c', 'good', 'secret')],
    ['MQTT-3.1.2-21: no password', connect({ flags: CLEAN | USER | PASSWORD }, 'c', 'good')],
    ['MQTT-3.1.2-22: a password without a user name', connect({ flags: CLEAN | PASSWORD }, 'c', 'secret')],
    ['MQTT-3.1.3-3: no client id', connect({})],
    ['MQTT-3.1.3-3: a client id longer than the packet', connect({}, u16(10), Buffer.from('c'))],
    ['MQTT-3.3.2-2: a wildcard in the will topic', connect({ flags: CLEAN | WILL }, 'c', 'a/#', 'gone')],
    ['MQTT-4.7.3-1: an empty will topic', connect({ flags: CLEAN | WILL }, 'c', '', 'gone')],
    ['MQTT-2.2.2-1, MQTT-2.2.2-2: reserved flags of the header', connect({ first: 0x12 }, 'c')],
    ['a packet cut off behind its flags', packet(0x10, 'MQTT', 4, CLEAN)],
    ['nothing in it', packet(0x10)],
  ] as const)('%s', async (_, bytes) => {
    expect(await (await says(bytes)).closed()).toEqual([]);
  });

  test.each(ILL_FORMED)('MQTT-1.5.3-1, MQTT-3.1.3-4, MQTT-3.1.3-10, MQTT-3.1.3-11: %s in the client id, the will topic, the user name, the protocol name', async (_, bytes) => {
    const text = field([0x61, ...bytes, 0x62]);
    expect(await (await says(connect({}, text))).closed()).toEqual([]);
    expect(await (await says(connect({ flags: CLEAN | WILL }, 'c', text, 'gone'))).closed()).toEqual([]);
    expect(await (await says(connect({ flags: CLEAN | USER }, 'c', text))).closed()).toEqual([]);
    expect(await (await says(connect({ name: text }, 'c'))).closed()).toEqual([]);
  });

  test('MQTT-1.5.3-2, MQTT-4.7.3-2: U+0000 in the client id, the will topic, the user name', async () => {
    expect(await (await says(connect({}, 'a\0b'))).closed()).toEqual([]);
    expect(await (await says(connect({ flags: CLEAN | WILL }, 'c', 'a\0b', 'gone'))).closed()).toEqual([]);
    expect(await (await says(connect({ flags: CLEAN | USER }, 'c', '\0'))).closed()).toEqual([]);
  });

  test('will message and password are bytes, not texts: U+0000 and ill-formed UTF-8 are taken', async () => {
    const bytes = [0, 0xff, 0xed, 0xa0, 0x80];
    const one = await says(connect({ flags: CLEAN | WILL | USER | PASSWORD }, 'binary', 'wills/binary', field(bytes), 'good', field(bytes)));
    expect(await one.next()).toMatchObject({ cmd: 'connack', returnCode: 0 });
    one.vanish();
    expect(await watcher.of('publish')).toMatchObject({ topic: 'wills/binary', payload: Buffer.from(bytes) });
  });
});

describe('the first packet', () => {
  test.each([
    ['PUBLISH', packet(0x32, 'first', u16(1), Buffer.from('x'))],
    ['PUBLISH of QoS 0, retained', packet(0x31, 'first', Buffer.from('x'))],
    ['PUBREL', packet(0x62, u16(1))],
    ['SUBSCRIBE', packet(0x82, u16(1), 'first', 0)],
    ['UNSUBSCRIBE', packet(0xa2, u16(1), 'first')],
    ['PINGREQ', packet(0xc0)],
    ['DISCONNECT', packet(0xe0)],
    ['CONNACK', packet(0x20, 0, 0)],
    ['something that is not MQTT', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ])('MQTT-3.1.0-1: %s where CONNECT must be ends the connection, unanswered', async (_, bytes) => {
    expect(await (await says(bytes)).closed()).toEqual([]);
    expect(await watcher.before()).toEqual([]);
    const late = await client();
    await late.subscribe('first');
    expect(await late.before()).toEqual([]);
  });

  test('MQTT-3.1.0-2: a second CONNECT ends the connection, and the will is published', async () => {
    const one = await client({ clientId: 'twice', will: { topic: 'wills/twice', payload: Buffer.from('gone'), qos: 1, retain: false } });
    one.send(connect({}, 'twice'));
    expect(await one.closed()).toEqual([]);
    expect(await watcher.message()).toMatchObject({ topic: 'wills/twice', text: 'gone' });
  });

  test('MQTT-3.1.0-2: also when both come at once', async () => {
    const one = await says(connect({}, 'at once'), connect({}, 'at once'));
    expect((await one.closed()).filter(({ cmd }) => cmd !== 'connack')).toEqual([]);
  });

  test('MQTT-3.2.0-1: the answer to CONNECT comes before everything else, also before what was asked behind it', async () => {
    const one = await says(connect({}, 'eager'), packet(0x82, u16(1), 'eager', 2), packet(0x32, 'eager', u16(2), Buffer.from('x')), packet(0xc0));
    expect(await one.next()).toMatchObject({ cmd: 'connack', returnCode: 0 });
    await one.of('pingresp');
    expect([(await one.of('suback', 1)).cmd, (await one.of('puback', 2)).cmd, (await one.message()).text]).toEqual(['suback', 'puback', 'x']);
  });

  test('MQTT-3.2.0-1: and before the messages that wait for the session', async () => {
    const before = await client({ clientId: 'waits', clean: false });
    await before.subscribe('waits');
    await before.disconnect();
    await watcher.publish('waits', 'x', 1);
    const one = await says(connect({ flags: 0 }, 'waits'));
    expect(await one.next()).toMatchObject({ cmd: 'connack', sessionPresent: true });
    expect(await one.message()).toMatchObject({ text: 'x' });
  });

  test('it may come in any pieces', async () => {
    const one = await kept(RawClient.open(stack.port));
    for (const byte of connect({ flags: CLEAN | WILL }, 'pieces', 'wills/pieces', 'gone')) {
      one.send(Uint8Array.of(byte));
      await new Promise(setImmediate);
    }
    expect(await one.next()).toMatchObject({ cmd: 'connack', returnCode: 0 });
  });
});

describe('a CONNECT that is refused with a code', () => {
  const MQTT5 = packet(0x10, 'MQTT', 5, CLEAN, u16(60), 0, 'five');

  test.each([
    ['MQTT-3.1.2-2: MQTT 5', 1, MQTT5],
    ['MQTT-3.1.2-2: level 3 of MQTT', 1, connect({ level: 3 }, 'c')],
    ['MQTT-3.1.2-2: level 6', 1, connect({ level: 6 }, 'c')],
    ['MQTT-3.1.2-2: a bridge of another broker (level 0x84)', 1, connect({ level: 0x84 }, 'c')],
    ['MQTT-3.1.2-2: level 4 of MQIsdp', 1, connect({ name: 'MQIsdp', level: 4 }, 'c')],
    ['MQTT-3.1.3-7, MQTT-3.1.3-8: an empty client id without a clean session', 2, connect({ flags: 0 }, '')],
    ['MQTT-3.1.3-9: a client id longer than clientIdBytesMax', 2, connect({}, 'x'.repeat(1_025))],
    ['the login cannot be judged now', 3, connect({ flags: CLEAN | USER }, 'c', 'too many')],
    ['a wrong password', 4, connect({ flags: CLEAN | USER | PASSWORD }, 'c', 'stranger', 'guess')],
    ['a user who may not connect', 5, connect({ flags: CLEAN | USER }, 'c', 'unwanted')],
  ] as const)('%s is told %i, then the connection ends (MQTT-3.2.2-4, MQTT-3.2.2-5), and nothing behind it is looked at (MQTT-3.1.4-5)', async (_, code, bytes) => {
    const one = await says(bytes, packet(0x33, 'behind', u16(1), Buffer.from('x')), packet(0x82, u16(2), '#', 0));
    const came = await one.closed();
    expect(came.map((each) => each.bytes.toString('hex'))).toEqual([`2002000${code}`]);
    expect(texts(await watcher.before())).toEqual([]);
  });

  test('MQTT-3.2.2-4: Session Present is 0 in a refusal, also where there is a session', async () => {
    const session = await client({ clientId: 'known', clean: false });
    await session.disconnect();
    const one = await says(connect({ flags: USER }, 'known', 'unwanted'));
    expect((await one.closed()).map(({ bytes }) => bytes.toString('hex'))).toEqual(['20020005']);
  });

  test('no will of a refused CONNECT is ever published', async () => {
    await (await says(connect({ flags: CLEAN | WILL | USER }, 'c', 'wills/refused', 'gone', 'unwanted'))).closed();
    expect(texts(await watcher.before())).toEqual([]);
  });

  test('MQTT-3.2.2-6: what no code stands for ends the connection without a CONNACK', async () => {
    expect(await (await says(connect({ name: 'AMQP' }, 'c'))).closed()).toEqual([]);
  });

  test('at sessionsMax: code 3', async () => {
    const small = await MqttStack.start({ limits: { sessionsMax: 2 } });
    try {
      const [first] = [await RawClient.connect(small.port, { clientId: 'first' }), await RawClient.connect(small.port, { clientId: 'second', clean: false })];
      const third = await RawClient.open(small.port);
      expect((await third.connect({ clientId: 'third' })).bytes.toString('hex')).toBe('20020003');
      await third.closed();
      // One that is known may come back; a place that becomes free may be taken.
      expect(await (await RawClient.open(small.port)).connect({ clientId: 'second', clean: false })).toMatchObject({ returnCode: 0, sessionPresent: true });
      await first.disconnect();
      expect(await (await RawClient.open(small.port)).connect({ clientId: 'third' })).toMatchObject({ returnCode: 0 });
    } finally {
      await small.stop();
    }
  });

  test('MQTT 3.1, level 3 of MQIsdp, is served too', async () => {
    expect(await (await says(connect({ name: 'MQIsdp', level: 3 }, 'old'))).next()).toMatchObject({ cmd: 'connack', returnCode: 0 });
    // A SUBSCRIBE that is sent again is marked as that, where MQTT 3.1.1 has a reserved bit.
    const again = await says(connect({ name: 'MQIsdp', level: 3 }, 'again'), Uint8Array.of(0x8a, 6, 0, 8, 0, 1, 0x61, 1));
    expect([(await again.next()).cmd, (await again.next()).bytes.toString('hex')]).toEqual(['connack', '9003000801']);
    expect((await (await says(connect({ name: 'MQIsdp', level: 3 }, ''))).closed()).map(({ bytes }) => bytes.toString('hex'))).toEqual(['20020002']);
  });
});

describe('client ids', () => {
  test.each([
    ['one letter', 'a'],
    ['23 of those that every server must allow', 'abcdefghijklmnopqrstuvw'],
    ['the other letters', 'xyzABCDEFGHIJKLMNOPQRST'],
    ['and the digits', 'UVWXYZ0123456789'],
    ['others: spaces, signs, other scripts', ' ä/#+$ 語 😀 '],
    ['1,024 bytes', 'é'.repeat(512)],
  ])('MQTT-3.1.3-5: %s', async (_, clientId) => {
    const one = await kept(RawClient.open(stack.port));
    expect(await one.connect({ clientId })).toMatchObject({ returnCode: 0 });
  });

  test('MQTT-3.1.3-6: two clients without one get two that nobody else has', async () => {
    const [one, two] = [await client({ clientId: '' }), await client({ clientId: '' })];
    await one.subscribe('anonymous');
    await two.publish('anonymous', 'x');
    expect(await one.message()).toMatchObject({ text: 'x' });
    expect(await two.before()).toEqual([]);
  });

  test('MQTT-3.1.3-2: the id is the whole id: letters, case, spaces and U+FEFF make other clients', async () => {
    const ids = ['who', 'Who', 'who ', '\ufeffwho', 'whö', 'who\u0308'];
    const all = [];
    for (const clientId of ids) all.push(await client({ clientId }));
    for (const one of all) expect(await one.before()).toEqual([]);
  });
});

describe('texts', () => {
  test('MQTT-1.5.3-3: U+FEFF is kept wherever it stands', async () => {
    const one = await client();
    await one.subscribe('\ufeffmark', 'ma\ufeffrk');
    for (const topic of ['\ufeffmark', 'ma\ufeffrk', 'mark']) await watcher.publish(topic, topic, 1);
    expect((await one.messages(2)).map(({ topic }) => Buffer.from(topic).toString('hex'))).toEqual(['efbbbf6d61726b', '6d61efbbbf726b']);
    expect(await one.before()).toEqual([]);
  });

  test('what well-formed UTF-8 can say goes through unchanged, control characters and noncharacters too', async () => {
    const topic = 'ä€😀\u0001\u007f\u009f\ufdd0\uffff\u{10ffff} e\u0301';
    await watcher.publish(topic, 'x', 1);
    expect((await watcher.message()).topic).toBe(topic);
  });

  test.each(ILL_FORMED)('MQTT-1.5.3-1: %s in a topic name or filter ends the connection', async (_, bytes) => {
    const text = field(bytes);
    for (const broken of [packet(0x30, text, Buffer.from('x')), packet(0x32, text, u16(1)), packet(0x82, u16(1), text, 0), packet(0x82, u16(1), 'good', 0, text, 0), packet(0xa2, u16(1), text)]) {
      const one = await client();
      one.send(broken);
      expect(await one.closed()).toEqual([]);
    }
  });

  test('MQTT-1.5.3-2, MQTT-4.7.3-2: U+0000 in a topic name or filter ends the connection', async () => {
    for (const broken of [packet(0x30, 'a\0', Buffer.from('x')), packet(0x82, u16(1), 'a\0b', 0), packet(0xa2, u16(1), '\0')]) {
      const one = await client();
      one.send(broken);
      expect(await one.closed()).toEqual([]);
    }
  });
});

describe('headers', () => {
  const RESERVED = { PUBACK: [0x40, 0], PUBREC: [0x50, 0], PUBREL: [0x60, 2], SUBSCRIBE: [0x80, 2], UNSUBSCRIBE: [0xa0, 2], PINGREQ: [0xc0, 0], DISCONNECT: [0xe0, 0], PUBCOMP: [0x70, 0] } as const;
  const BODIES: Readonly<Record<string, Piece[]>> = { SUBSCRIBE: [u16(1), 'f', 0], UNSUBSCRIBE: [u16(1), 'f'], PINGREQ: [], DISCONNECT: [] };

  test.each(Object.entries(RESERVED))('MQTT-2.2.2-1, MQTT-2.2.2-2, MQTT-3.6.1-1, MQTT-3.8.1-1, MQTT-3.10.1-1, MQTT-3.14.1-1: every other value of the reserved flags of %s ends the connection, as a fault: the will is published', async (name, [type, only]) => {
    for (let flags = 0; flags < 16; flags++) {
      if (flags === only) continue;
      const one = await client({ will: { topic: `wills/${name}`, payload: Buffer.from(`${flags}`), qos: 1, retain: false } });
      one.send(packet(type | flags, ...(BODIES[name] ?? [u16(1)])));
      expect([flags, await one.closed()]).toEqual([flags, []]);
      expect(await watcher.message()).toMatchObject({ text: `${flags}` });
    }
  });

  test.each([
    ['type 0', packet(0x00)],
    ['type 15', packet(0xf0)],
    ['CONNACK', packet(0x20, 0, 0)],
    ['SUBACK', packet(0x90, u16(1), 0)],
    ['UNSUBACK', packet(0xb0, u16(1))],
    ['PINGRESP', packet(0xd0)],
    ['PINGREQ with a body', packet(0xc0, 1)],
    ['DISCONNECT with a body', packet(0xe0, 0)],
    ['PUBACK that is too long', packet(0x40, u16(1), 0)],
    ['PUBREL that is too short', packet(0x62, 1)],
    ['a remaining length of five bytes', Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0x01])],
  ])('MQTT-4.8.0-1: %s ends the connection', async (_, bytes) => {
    const one = await client();
    one.send(bytes);
    expect(await one.closed()).toEqual([]);
  });

  test('MQTT-2.3.1-1: packet id 0 ends the connection', async () => {
    for (const broken of [packet(0x32, 't', u16(0)), packet(0x34, 't', u16(0)), packet(0x82, u16(0), 't', 0), packet(0xa2, u16(0), 't')]) {
      const one = await client();
      one.send(broken);
      expect(await one.closed()).toEqual([]);
    }
    expect(await watcher.before()).toEqual([]);
  });

  test('a remaining length in more bytes than it needs is taken: the standard does not forbid it', async () => {
    const one = await client();
    one.send(Buffer.from([0xc0, 0x80, 0x00]));
    expect(await one.next()).toMatchObject({ cmd: 'pingresp' });
  });

  test('MQTT-7.1.1-1, MQTT-6.0.0-2 (as far as TCP goes): packets lie in the stream as they will; many in one piece, one in many', async () => {
    const one = await client();
    const bytes = Buffer.concat(Array.from({ length: 50 }, (_, i) => packet(0x32, 'pieces', u16(i + 1), Buffer.from(`${i}`))));
    for (let at = 0; at < bytes.length; at += 7) {
      one.send(bytes.subarray(at, at + 7));
      if (at % 70 === 0) await new Promise(setImmediate);
    }
    for (let id = 1; id <= 50; id++) await one.of('puback', id);
    expect((await watcher.messages(50)).map(({ text }) => text)).toEqual(Array.from({ length: 50 }, (_, i) => `${i}`));
  });

  test('MQTT-3.12.4-1: PINGREQ is answered with PINGRESP', async () => {
    const one = await client();
    one.send({ cmd: 'pingreq' }, { cmd: 'pingreq' });
    expect([(await one.next()).bytes.toString('hex'), (await one.next()).bytes.toString('hex')]).toEqual(['d000', 'd000']);
  });

  test('MQTT-2.2.2-1, MQTT-2.3.1-5, MQTT-2.3.1-6, MQTT-2.3.1-7: what the server sends has the flags and ids that the standard says', async () => {
    const one = await client();
    await one.subscribe('own');
    one.send(publish('own', 'x', 0), publish('own', 'x', 1, 0x1234), publish('own', 'x', 2, 0x2345), { cmd: 'pubrel', messageId: 0x2345 }, { cmd: 'unsubscribe', messageId: 0x3456, unsubscriptions: ['own'] });
    const hex = async (...of: Parameters<RawClient['of']>): Promise<string> => (await one.of(...of)).bytes.toString('hex');
    expect(await hex('puback', 0x1234)).toBe('40021234');
    expect(await hex('pubrec', 0x2345)).toBe('50022345');
    expect(await hex('pubcomp', 0x2345)).toBe('70022345');
    expect(await hex('unsuback', 0x3456)).toBe('b0023456');
    const [zero, first, second] = [await one.of('publish'), await one.of('publish'), await one.of('publish')];
    expect(zero.bytes.toString('hex')).toBe('300600036f776e78');
    expect([first.bytes[0], second.bytes[0], first.bytes.length, second.bytes.length]).toEqual([0x32, 0x34, 10, 10]);
    expect([seen(first).qos, seen(second).qos]).toEqual([1, 2]);
    if (second.messageId === undefined) throw new Error('no packet id');
    one.send({ cmd: 'pubrec', messageId: second.messageId });
    expect((await one.of('pubrel', second.messageId)).bytes[0]).toBe(0x62);
  });
});
