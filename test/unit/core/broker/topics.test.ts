import { RetainedStore } from '../../../../src/core/broker/retained.js';
import { StoredMessage } from '../../../../src/core/broker/messages.js';
import { hashText } from '../../../../src/core/broker/digest.js';
import { Session } from '../../../../src/core/broker/session.js';
import { SubscriptionTree, TOPIC_CHARS_CACHED_MAX, TOPICS_CACHED_MAX } from '../../../../src/core/broker/subscriptions.js';
import { TOPIC_LEVELS_MAX, topicFilterFault, topicMatches, topicNameFault } from '../../../../src/core/broker/topics.js';
import type { Position } from '../../../../src/core/identity.js';
import fc from 'fast-check';

describe('topic names', () => {
  test.each(['a', '/', '//', 'a/b', '/a', 'a/', ' ', 'ä/ö', '$SYS/x', 'a b', 'x'.repeat(65_535), '/'.repeat(TOPIC_LEVELS_MAX - 1)])(
    'valid: %.20s',
    (topic) => expect(topicNameFault(topic)).toBeNull(),
  );
  test.each([
    ['', 'at least one'],
    ['a/+', 'wildcards'],
    ['a/#', 'wildcards'],
    ['a#b', 'wildcards'],
    ['a\0b', 'null character'],
    ['x'.repeat(65_536), 'longer'],
    ['€'.repeat(21_846), 'longer'],
    ['/'.repeat(TOPIC_LEVELS_MAX), 'levels'],
  ])('not valid: %.20s', (topic, why) => expect(topicNameFault(topic)).toContain(why));
  test('the length is counted in bytes of UTF-8', () => {
    expect(topicNameFault('€'.repeat(21_845))).toBeNull();
    expect(topicNameFault('😀'.repeat(16_383))).toBeNull();
    expect(topicNameFault('😀'.repeat(16_384))).toContain('longer');
  });
});

describe('topic filters', () => {
  test.each(['#', '+', 'a/#', '+/+', '/+', '+/', 'a/+/b', 'a/+/#', '/#', '$SYS/#', '+/a/+'])('valid: %s', (filter) =>
    expect(topicFilterFault(filter)).toBeNull(),
  );
  test.each(['', 'a#', '#/a', 'a/#/b', 'a+', '+a', 'a/b+/c', '++', '##', 'a/\0'])('not valid: %j', (filter) =>
    expect(topicFilterFault(filter)).not.toBeNull(),
  );
});

/** filter, topic, whether it matches: §4.7.1 to §4.7.3. */
const MATCHES: readonly [string, string, boolean][] = [
  ['sport/tennis/player1/#', 'sport/tennis/player1', true],
  ['sport/tennis/player1/#', 'sport/tennis/player1/ranking', true],
  ['sport/tennis/player1/#', 'sport/tennis/player1/score/wimbledon', true],
  ['sport/#', 'sport', true],
  ['sport/#', 'sports', false],
  ['#', 'a/b/c', true],
  ['#', '/', true],
  ['sport/tennis/+', 'sport/tennis/player1', true],
  ['sport/tennis/+', 'sport/tennis/player1/ranking', false],
  ['sport/+', 'sport', false],
  ['sport/+', 'sport/', true],
  ['+/+', '/finance', true],
  ['/+', '/finance', true],
  ['+', '/finance', false],
  ['+', 'finance', true],
  ['#', '$SYS/x', false],
  ['+/x', '$SYS/x', false],
  ['+', '$SYS', false],
  ['$SYS/#', '$SYS/x', true],
  ['$SYS/#', '$SYS', true],
  ['$SYS/+', '$SYS/x', true],
  ['a/#', 'a/$x', true],
  ['a/+', 'a/$x', true],
  ['a', 'A', false],
  ['a', 'a/', false],
  ['a/', 'a', false],
  ['+/b/#', 'a/b', true],
  ['+/b/#', 'a/b/c/d', true],
  ['a/+/c', 'a//c', true],
];

function message(id: number, topic: string): StoredMessage {
  return new StoredMessage(id as Position, topic, hashText(topic), 1, 0, new Uint8Array(0));
}

describe('matching', () => {
  test.each(MATCHES)('%s and %s: %s', (filter, topic, expected) => {
    expect(topicMatches(filter, topic)).toBe(expected);
    const tree = new SubscriptionTree();
    tree.subscribe(new Session('c', 1, true), filter, 1);
    expect(tree.targets(topic).sessions.length).toBe(expected ? 1 : 0);
    const store = new RetainedStore();
    store.set(message(1, topic));
    expect(store.match(filter).length).toBe(expected ? 1 : 0);
  });

  const level = fc.constantFrom('', 'a', 'b', '$s');
  const topicOf = fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => levels.join('/')).filter((topic) => topic !== '');
  const filterOf = fc
    .tuple(fc.array(fc.oneof(level, fc.constant('+')), { maxLength: 4 }), fc.boolean())
    .map(([levels, many]) => [...levels, ...(many ? ['#'] : [])].join('/'))
    .filter((filter) => filter !== '');

  test('the trees agree with the plain rule, whatever was subscribed and unsubscribed', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(3), filterOf, fc.constantFrom(0, 1, 2, null)), { maxLength: 30 }), fc.array(topicOf), (steps, topics) => {
        const tree = new SubscriptionTree();
        const sessions = [4, 3, 2, 1].map((serial) => new Session(`c${serial}`, serial, true));
        const model = new Map<Session, Map<string, number>>(sessions.map((session) => [session, new Map()]));
        const check = (): void => {
          for (const topic of topics) {
            const found = tree.targets(topic);
            const expected = [...sessions].reverse().flatMap((session) => {
              const qos = [...(model.get(session) ?? [])].filter(([filter]) => topicMatches(filter, topic)).map(([, value]) => value);
              return qos.length > 0 ? [[session.clientId, Math.max(...qos)]] : [];
            });
            expect(found.sessions.map((session, at) => [session.clientId, found.qos[at]])).toEqual(expected);
          }
        };
        for (const [who, filter, qos] of steps) {
          const session = sessions[who] as Session;
          if (qos === null) {
            tree.unsubscribe(session, filter);
            model.get(session)?.delete(filter);
          } else {
            tree.subscribe(session, filter, qos as 0 | 1 | 2);
            model.get(session)?.set(filter, qos);
          }
          check();
        }
        for (const [session, filters] of model) for (const filter of filters.keys()) tree.unsubscribe(session, filter);
        expect([...tree.entries()]).toEqual([]);
        expect(tree.size).toBe(0);
      }),
      { numRuns: 200 },
    );
  });

  test('retained messages come by age, whatever the filter', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(topicOf, fc.boolean()), { maxLength: 30 }), fc.array(filterOf), (steps, filters) => {
        const store = new RetainedStore();
        const model = new Map<string, number>();
        steps.forEach(([topic, keep], at) => {
          if (keep) {
            store.set(message(at + 1, topic));
            model.set(topic, at + 1);
          } else {
            store.delete(topic);
            model.delete(topic);
          }
        });
        expect(store.size).toBe(model.size);
        for (const filter of filters) {
          const expected = [...model].filter(([topic]) => topicMatches(filter, topic)).map(([, id]) => id);
          expect(store.match(filter).map(({ id }) => id)).toEqual(expected.sort((left, right) => left - right));
        }
      }),
    );
  });

  test('a filter of very many levels does not exhaust the stack', () => {
    const deep = Array.from({ length: 30_000 }, () => '+').join('/');
    const tree = new SubscriptionTree();
    const session = new Session('c', 1, true);
    tree.subscribe(session, deep, 1);
    expect(tree.targets(deep.replaceAll('+', 'x')).sessions).toEqual([session]);
    tree.unsubscribe(session, deep);
    const store = new RetainedStore();
    store.set(message(1, deep.replaceAll('+', 'x')));
    expect(store.match('#').length).toBe(1);
  });

  test('a long topic is answered as any other, and not remembered', () => {
    const tree = new SubscriptionTree();
    const session = new Session('s', 1, false);
    tree.subscribe(session, 'long/#', 1);
    for (const [topic, known] of [[`long/${'x'.repeat(TOPIC_CHARS_CACHED_MAX)}`, false], ['long/short', true]] as const) {
      expect(tree.targets(topic).sessions).toEqual([session]);
      expect(tree.knows(topic)).toBe(known);
    }
  });

  test('the cache is bounded, and only valid names are remembered', () => {
    const tree = new SubscriptionTree();
    for (let at = 0; at < TOPICS_CACHED_MAX; at++) tree.targets(`t/${at}`);
    expect(tree.knows('t/0')).toBe(true);
    tree.targets('one/more');
    expect(tree.knows('t/0')).toBe(false);
    expect(tree.knows('one/more')).toBe(true);
    tree.targets('a/+');
    expect(tree.knows('a/+')).toBe(false);
  });
});
