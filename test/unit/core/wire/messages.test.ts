import fc from 'fast-check';
import { encodeText } from '../../../../src/core/wire/bytes.js';
import { clip, MessageRefused } from '../../../../src/core/wire/fields.js';
import { decodeHello, encodeHello, SETTINGS_MAX } from '../../../../src/core/wire/hello.js';
import { CLIENT_ENDPOINTS_MAX, decodePeerStatus, DETAIL_CHARS_MAX, encodePeerStatus } from '../../../../src/core/wire/peer-status.js';
import { readTermRecord } from '../../../../src/core/wire/term-record.js';
import { HELLO, STATUS } from './samples.js';

const json = (value: unknown): Uint8Array => encodeText(JSON.stringify(value));
const refusal = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(MessageRefused);
    return (error as MessageRefused).message;
  }
  throw new Error('was accepted');
};

/** `value` with the field at `path` replaced; `undefined` removes it. */
function change(value: object, path: string, to: unknown): object {
  const copy = structuredClone(value) as Record<string, unknown>;
  const names = path.split('.');
  const last = names.pop() as string;
  const inner = names.reduce<Record<string, unknown>>((at, name) => at[name] as Record<string, unknown>, copy);
  if (to === undefined) delete inner[last];
  else inner[last] = to;
  return copy;
}

/**
 * What the first version says, byte for byte, with all of its fields: a server of a later one must understand it, since a pair is upgraded one server after the other.
 * Nothing is changed here, and a field that is added to what is said is read by `Fields.added`.
 */
const FIRST_VERSION = {
  hello: '{"cluster":"orders","server":"primary","role":"primary","run":"run-1","version":"0.1.0","settings":{"ha.pingInterval":"500ms"}}',
  status:
    '{"server":"primary","run":"run-1","seq":7,"heard":{"run":"run-2","seq":3},"state":"ACTIVE","previous":"ACTIVE_SYNC","moves":4,"reason":"the peer is in sync","term":9,' +
    '"record":{"schema":1,"term":9,"server":"primary","inSync":[{"server":"primary","journal":"j1"},{"server":"secondary","journal":"j2"}],"position":12,"cause":"admission","at":"2026-01-02T03:04:05.678Z","nonce":"n9"},' +
    '"inDoubt":null,"shareId":"share","shareEmpty":false,"shareReplaced":false,"shareBare":false,"shareGivenUp":false,"brokerDown":false,' +
    '"broker":{"run":"run-b","journal":"j1","logTerm":9,"position":40,"durable":39,"damage":null,"diverged":null,"fencedThrough":8,"replicationPhase":"in-step"},' +
    '"holdsLock":true,"releasedLock":false,"gatewayAnswers":true,"wantsSwitchover":false,"stopping":false,"clientEndpoints":["a:1883"],' +
    '"repositories":{"run":"run-r","names":["applications"],"from":"run-q","copies":[{"name":"applications","condition":"in-sync","detail":null}]}}',
};

test('what the first version says is understood, and what it does not say is not known', () => {
  expect(decodeHello(encodeText(FIRST_VERSION.hello))).toEqual({ ...(JSON.parse(FIRST_VERSION.hello) as object), advisedSettings: null });
  const status = JSON.parse(FIRST_VERSION.status) as { readonly broker: object };
  expect(decodePeerStatus(encodeText(FIRST_VERSION.status))).toEqual({ ...status, wallTime: null, unfit: null, hindrance: null, broker: { ...status.broker, users: null } });
});

describe('hello', () => {
  it('comes out as it went in', () => expect(decodeHello(encodeHello(HELLO))).toEqual(HELLO));
  it('tolerates fields that it does not know', () => expect(decodeHello(json({ ...HELLO, colour: 'blue' }))).toEqual(HELLO));

  it.each([
    ['cluster', undefined, 'hello.cluster missing; a text is expected'],
    ['cluster', '', 'hello.cluster is ""; a name is expected'],
    ['server', 7, 'hello.server is 7; a text is expected'],
    ['role', 'boss', 'hello.role is "boss"; one of primary, secondary is expected'],
    ['run', 'x'.repeat(129), 'hello.run is "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…; at most 128 characters are allowed, 129 came'],
    ['settings', [], 'hello.settings is []; an object is expected'],
    ['settings', { a: 1 }, 'hello.settings.a is 1; a text is expected'],
    ['settings', { ['k'.repeat(200)]: '' }, 'hello.settings has a key of 200 characters; 1 to 128 are allowed'],
    ['settings', Object.fromEntries(Array.from({ length: SETTINGS_MAX + 1 }, (_, i) => [`k${i}`, ''])), 'hello.settings has 129 keys; at most 128 are allowed'],
  ])('refuses a bad %s (%#)', (field, to, message) => expect(refusal(() => decodeHello(json(change(HELLO, field, to))))).toBe(message));

  it('takes "__proto__" for a key like any other', () => {
    const { settings } = decodeHello(encodeText(JSON.stringify({ ...HELLO, settings: {} }).replace('"settings":{}', '"settings":{"__proto__":"x"}')));
    expect(Object.keys(settings)).toEqual(['__proto__']);
    expect(Object.getPrototypeOf(settings)).toBe(Object.prototype);
  });

  it('refuses what is not JSON', () => {
    expect(refusal(() => decodeHello(encodeText('{')))).toBe('hello of 1 bytes is not JSON');
    expect(refusal(() => decodeHello(new Uint8Array([0xff, 0xfe])))).toBe('hello of 2 bytes is not JSON: not UTF-8');
    expect(refusal(() => decodeHello(encodeText('null')))).toBe('hello is null; an object is expected');
  });
});

describe('status', () => {
  it('comes out as it went in', () => expect(decodePeerStatus(encodePeerStatus(STATUS))).toEqual(STATUS));

  it('comes out as it went in when everything that may be null is', () => {
    const bare = { ...STATUS, wallTime: null, hindrance: null, heard: null, record: null, inDoubt: null, shareId: null, broker: null, clientEndpoints: [] };
    expect(decodePeerStatus(encodePeerStatus(bare))).toEqual(bare);
  });

  it('cuts what is too long in place of ending the conversation', () => {
    const long = { ...STATUS, reason: 'r'.repeat(9000), clientEndpoints: Array.from({ length: 99 }, () => 'mqtt://h') };
    const got = decodePeerStatus(encodePeerStatus(long));
    expect(got.reason).toHaveLength(DETAIL_CHARS_MAX);
    expect(got.clientEndpoints).toHaveLength(CLIENT_ENDPOINTS_MAX);
  });

  it.each([
    ['seq', 1.5, 'status.seq is 1.5; a whole number from 0 to 9007199254740991 is expected'],
    ['seq', -1, 'status.seq is -1;'],
    ['heard', undefined, 'status.heard missing; an object is expected'],
    ['heard.seq', 'x', 'status.heard.seq is "x"'],
    ['state', 'DEAD', 'status.state is "DEAD"; one of WAITING, PASSIVE_SYNC'],
    ['term', null, 'status.term is null;'],
    ['inDoubt', 0, 'status.inDoubt is 0; a whole number from 1'],
    ['brokerDown', 1, 'status.brokerDown is 1; true or false is expected'],
    ['stopping', undefined, 'status.stopping missing; true or false is expected'],
    ['broker.position', 2 ** 53, 'status.broker.position is 9007199254740992;'],
    ['broker.replicationPhase', 'asleep', 'status.broker.replicationPhase is "asleep"'],
    ['record.term', 0, 'status.record.term is 0; a whole number from 1'],
    ['record.schema', 2, 'status.record.schema is 2; a whole number from 1 to 1 is expected'],
    ['record.inSync', [], 'status.record.inSync has 0 elements; 1 to 2 are expected'],
    ['record.cause', 'whim', 'status.record.cause is "whim"'],
    ['record.forced', false, 'status.record.forced is false; it is true or absent'],
    ['clientEndpoints', [1], 'status.clientEndpoints[0] is 1; a text of at most'],
  ])('refuses a bad %s (%#)', (field, to, message) => expect(refusal(() => decodePeerStatus(json(change(STATUS, field, to))))).toContain(message));

  it('asks for every field of the first version', () => {
    for (const field of Object.keys(JSON.parse(FIRST_VERSION.status) as object)) expect(refusal(() => decodePeerStatus(json(change(STATUS, field, undefined))))).toContain(`status.${field} missing`);
  });

  it('refuses a record with one server twice', () => {
    const [first] = STATUS.record?.inSync ?? [];
    expect(refusal(() => readTermRecord({ ...STATUS.record, inSync: [first, first] }))).toBe('record.inSync names primary twice');
  });
});

describe('any bytes', () => {
  const decoders = [decodeHello, decodePeerStatus];

  it('are decoded or refused, never anything else', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.json().map(encodeText)), (bytes) => {
        for (const decode of decoders) refusal(() => decode(bytes));
      }),
    );
  });

  it('of a damaged status are refused or still make a status', () => {
    const whole = encodePeerStatus(STATUS);
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, value) => {
        const damaged = whole.slice();
        damaged[at] = value;
        try {
          const once = decodePeerStatus(damaged);
          expect(decodePeerStatus(encodePeerStatus(once))).toEqual(once);
        } catch (error) {
          expect(error).toBeInstanceOf(MessageRefused);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('what nests deeper than a call stack', () => {
  const deep = `${'{"a":'.repeat(40_000)}1${'}'.repeat(40_000)}`;

  it.each([
    ['the whole hello', `[${deep}]`, decodeHello],
    ['a field of a hello', JSON.stringify(HELLO).replace('"primary"', deep), decodeHello],
    ['a field of a status', JSON.stringify(STATUS).replace('"ACTIVE"', deep), decodePeerStatus],
    ['a setting', JSON.stringify(HELLO).replace('"500ms"', deep), decodeHello],
  ])('is refused like anything else: %s', (_, text, decode) => expect(refusal(() => decode(encodeText(text)))).toContain('{"a":{"a":'));
});

describe('clip', () => {
  it('never leaves half a character', () => {
    expect(clip('ab😀', 4)).toBe('ab😀');
    expect(clip('ab😀c', 4)).toBe('ab…');
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), fc.integer({ min: 1, max: 30 }), (text, max) => {
        const clipped = clip(text, max);
        expect(clipped.length).toBeLessThanOrEqual(max);
        expect(clipped).not.toMatch(/\p{Surrogate}/u);
      }),
    );
  });
});
