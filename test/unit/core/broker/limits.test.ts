import { BrokerCore } from '../../../../src/core/broker/core.js';
import type { Operation } from '../../../../src/core/broker/operations.js';
import { encodedSnapshot, LIMITS, line, recordOf, restoredFrom, Rig } from './rig.js';

/** Three messages wait for a subscriber that is away. */
function away(rig: Rig): void {
  rig.termStart({});
  rig.connect('sub');
  rig.subscribe('sub', 'a:1', 'b:1', 'c:1');
  rig.connect('pub');
  rig.disconnect('sub');
  for (const [at, topic] of ['a', 'b', 'c'].entries()) rig.publish('pub', `${topic}=${at}`, 1);
}

describe('the limits of a term', () => {
  test('hold for its records, whatever the server was started with that applies them', () => {
    const rig = new Rig();
    rig.termStart({ subscriptionsPerSessionMax: 2 });
    rig.connect('c');
    expect(rig.subscribe('c', 'a:1', 'b:1', 'c:1')).toEqual(['1 suback #77 1,1,128']);
    rig.termStart({ subscriptionsPerSessionMax: 3 });
    rig.connect('c');
    expect(rig.subscribe('c', 'd:1', 'e:1')).toEqual(['2 suback #77 1,128']);
  });

  test('a term of a version that says none goes on with those before', () => {
    const rig = new Rig({ subscriptionsPerSessionMax: 1 });
    rig.termStart({ subscriptionsPerSessionMax: 2 });
    rig.termStart(null);
    rig.connect('c');
    expect(rig.subscribe('c', 'a:1', 'b:1', 'c:1')).toEqual(['1 suback #77 1,1,128']);
  });

  test('lowered: what is beyond them stays, and nothing is added to it', () => {
    const rig = new Rig();
    away(rig);
    rig.termStart({ subscriptionsPerSessionMax: 1, queuedMessagesPerSessionMax: 2, inflightMessagesMax: 1, sessionsMax: 1, storedBytesMax: 1, retainedMessagesMax: 0 });
    expect(rig.core.counts).toMatchObject({ sessions: 2, subscriptions: 3, queued: 3 });
    expect(rig.connect('pub')).toEqual(['3 connack present']);
    expect(rig.core.refusal(rig.publishOperation('pub', 'a=x', 1))).toMatchObject({ detail: expect.stringContaining('storedBytesMax') });
    expect(rig.core.refusal(rig.connectOperation('new', 9))).toMatchObject({ code: 3 });
    expect(rig.connect('sub')).toEqual(['4 connack present', '4 publish a=0 q1 #1']);
    expect(rig.answer('sub', 'acknowledge', 1)).toEqual(['4 publish b=1 q1 #2']);
  });

  test('a queue that stands above the new limit is full until it is below', () => {
    const rig = new Rig();
    away(rig);
    rig.termStart({ queuedMessagesPerSessionMax: 2, inflightMessagesMax: 1 });
    rig.connect('pub');
    const isTaken = (): boolean => rig.core.refusal(rig.publishOperation('pub', 'a=x', 1)) === null;
    expect(isTaken()).toBe(false);
    rig.connect('sub');
    expect(isTaken()).toBe(false);
    rig.answer('sub', 'acknowledge', 1);
    expect(isTaken()).toBe(true);
  });

  test('changed between two starts: with a snapshot or without, the copies of one log stay equal, and QoS 2 exactly once', () => {
    const [before, changed] = [{ ...LIMITS, inflightMessagesMax: 10 }, { ...LIMITS, inflightMessagesMax: 1 }];
    const rig = new Rig(before);
    const replayed = new BrokerCore(changed);
    const replay = (operation: Operation, position: number): string[] => {
      const lines: string[] = [];
      replayed.apply(recordOf(operation, position), (effect) => void lines.push(line(effect)));
      return lines;
    };
    const ids = [1, 2];
    const log: readonly Operation[] = [
      { kind: 'term-start', server: 'primary' as never, limits: before },
      { kind: 'connect', connection: 1, clientId: 'pub', clean: false, user: null, will: null },
      { kind: 'connect', connection: 2, clientId: 'sub', clean: false, user: null, will: null },
      { kind: 'subscribe', connection: 2, packetId: 9, subscriptions: [{ filter: 't', qos: 2 }] },
      ...ids.map((packetId): Operation => ({ kind: 'publish', connection: 1, packetId, topic: 't', qos: 2, retain: false, payload: new Uint8Array([packetId]) })),
      ...ids.map((packetId): Operation => ({ kind: 'received', connection: 2, packetId })),
      ...ids.map((packetId): Operation => ({ kind: 'complete', connection: 2, packetId })),
      { kind: 'disconnect', connection: 2, publishWill: false },
    ];
    for (const [at, operation] of log.entries()) {
      rig.run(operation);
      replay(operation, at + 1);
    }
    expect(replayed.digest()).toBe(restoredFrom(encodedSnapshot(rig.core), changed).digest());
    expect(replay({ kind: 'connect', connection: 3, clientId: 'sub', clean: false, user: null, will: null }, log.length + 1)).toEqual(['3 connack present']);
  });
});

test('the digest tells limits apart', () => {
  const said = [{}, { inflightMessagesMax: 3 }, { sessionsMax: 3 }, { subscriptionsPerSessionMax: 3 }, { queuedMessagesPerSessionMax: 3 }, { storedBytesMax: 3 }, { storedBytesMax: 3 + 2 ** 32 }, { retainedMessagesMax: 3 }];
  const digests = said.map((limits) => {
    const rig = new Rig();
    rig.termStart(limits);
    return rig.core.digest();
  });
  expect(new Set(digests).size).toBe(said.length);
});
