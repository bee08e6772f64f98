import { BrokerCore } from '../../../../src/core/broker/core.js';
import type { BrokerLimits } from '../../../../src/core/broker/limits.js';
import type { Operation } from '../../../../src/core/broker/operations.js';
import { encodeText } from '../../../../src/core/wire/bytes.js';
import { LIMITS, recordOf, Rig } from './rig.js';

describe('clean and persistent sessions', () => {
  test.each([
    // first clean, then clean, session present
    [false, false, true],
    [false, true, false],
    [true, false, false],
    [true, true, false],
  ])('clean %s, then clean %s: present %s', (first, second, present) => {
    for (const between of ['disconnect', 'take over', 'fail over'] as const) {
      const rig = new Rig();
      rig.connect('c', { clean: first });
      rig.subscribe('c', 't:1');
      if (between === 'disconnect') rig.disconnect('c');
      if (between === 'fail over') rig.termStart();
      const lines = rig.connect('c', { clean: second });
      expect(lines.at(-1)).toBe(`2 connack ${present ? 'present' : 'new'}`);
      expect(rig.core.counts).toMatchObject({ sessions: 1, connected: 1, orphans: 0, subscriptions: present ? 1 : 0 });
      expect(rig.publish('c', 't=x').length).toBe(present ? 2 : 1);
      rig.disconnect('c');
      expect(rig.core.counts).toMatchObject({ sessions: second ? 0 : 1, connected: 0 });
    }
  });

  test('a clean session takes everything with it', () => {
    const rig = new Rig({ inflightMessagesMax: 1 });
    rig.connect('c', { clean: true });
    rig.subscribe('c', 't:2', 'u/#:1');
    rig.publish('c', 't=1', 2, 1);
    rig.publish('c', 't=2', 2, 2);
    rig.disconnect('c');
    expect(rig.core.counts).toEqual({ sessions: 0, connected: 0, orphans: 0, subscriptions: 0, queued: 0, inflight: 0, storedBytes: 0, retained: 0, messages: 0 });
    expect(rig.released).toEqual(rig.stored);
  });
});

describe('take-over', () => {
  test('the old connection is closed, its will published, and its late records do nothing', () => {
    const rig = new Rig();
    rig.connect('watcher');
    rig.subscribe('watcher', 'w:0');
    rig.connect('c', { will: 'w' });
    expect(rig.connect('c', { will: 'w' })).toEqual(['2 close taken-over', '1 publish w=will of c q0', '3 connack present']);
    const digest = rig.core.digest();
    const late: Operation[] = [
      { kind: 'publish', connection: 2, packetId: 1, topic: 'w', qos: 1, retain: true, payload: encodeText('late') },
      { kind: 'subscribe', connection: 2, packetId: 1, subscriptions: [{ filter: 'x', qos: 1 }] },
      { kind: 'unsubscribe', connection: 2, packetId: 1, filters: ['w'] },
      { kind: 'release', connection: 2, packetId: 1 },
      { kind: 'received', connection: 2, packetId: 1 },
      { kind: 'acknowledge', connection: 2, packetId: 1 },
      { kind: 'complete', connection: 2, packetId: 1 },
      { kind: 'disconnect', connection: 2, publishWill: true },
    ];
    for (const operation of late) {
      expect(rig.core.refusal(operation)).toMatchObject({ detail: expect.stringContaining('not') });
      expect(rig.run(operation)).toEqual([]);
      expect(rig.core.digest()).toBe(digest);
    }
  });

  test('a session gets its own will, if it subscribed to it', () => {
    const rig = new Rig();
    rig.connect('c', { will: 'w' });
    rig.subscribe('c', 'w:1');
    expect(rig.connect('c')).toEqual(['1 close taken-over', '2 connack present', '2 publish w=will of c q1 #1']);
  });

  test('by a clean connection nothing of the old session stays', () => {
    const rig = new Rig();
    rig.connect('c', { will: 'w' });
    rig.subscribe('c', 'w:1');
    expect(rig.connect('c', { clean: true })).toEqual(['1 close taken-over', '2 connack new']);
    expect(rig.core.counts).toMatchObject({ messages: 0, subscriptions: 0, sessions: 1 });
  });

  test('a second CONNECT on one connection is refused, and does nothing', () => {
    const rig = new Rig();
    rig.connect('c');
    expect(rig.core.refusal(rig.connectOperation('d', 1))).toMatchObject({ detail: expect.stringContaining('second CONNECT') });
    expect(rig.run(rig.connectOperation('d', 1))).toEqual([]);
    expect(rig.core.counts.sessions).toBe(1);
  });
});

describe('wills', () => {
  test.each([
    [true, ['1 publish w=will of c q1 #1']],
    [false, []],
  ])('the connection ended, publish the will: %s', (publishWill, expected) => {
    for (const clean of [true, false]) {
      const rig = new Rig();
      rig.connect('watcher');
      rig.subscribe('watcher', 'w:2');
      rig.connect('c', { will: 'w', clean });
      expect(rig.disconnect('c', publishWill)).toEqual(expected);
      rig.connect('c', { clean });
      expect(rig.disconnect('c', true)).toEqual([]);
    }
  });

  test('a will can be retained, and its message is known by the position of its CONNECT', () => {
    const rig = new Rig();
    rig.connect('c', { will: 'w', willRetain: true, willQos: 2 });
    rig.connect('d');
    rig.disconnect('c', true);
    expect(rig.stored).toEqual([1]);
    expect(rig.subscribe('d', 'w:2')).toEqual(['2 suback #77 2', '2 publish w=will of c q2 #1 retain']);
  });

  test('an empty retained will deletes', () => {
    const rig = new Rig();
    rig.connect('d');
    rig.publish('d', 'w!=x');
    rig.run({
      kind: 'connect', connection: 50, clientId: 'c', clean: true, user: 'u',
      will: { topic: 'w', qos: 0, retain: true, payload: new Uint8Array(0) },
    });
    expect(rig.core.counts.retained).toBe(1);
    rig.run({ kind: 'disconnect', connection: 50, publishWill: true });
    expect(rig.core.counts.retained).toBe(0);
  });

  test('a will does not exceed the limits', () => {
    const rig = new Rig({ queuedMessagesPerSessionMax: 1, retainedMessagesMax: 1, storedBytesMax: 20 });
    rig.connect('off');
    rig.subscribe('off', 'w:1', 'big:1');
    rig.disconnect('off');
    rig.connect('on');
    rig.subscribe('on', 'w:0', 'big:0');
    rig.publish('on', 'r!=1');
    const die = (topic: string): string[] => {
      rig.connect('c', { clean: true, will: topic, willRetain: true });
      return rig.disconnect('c', true);
    };
    // The queue has room, the retained store has not.
    expect(die('w')).toEqual(['2 publish w=will of c q0']);
    expect(rig.core.counts).toMatchObject({ retained: 1, queued: 1, storedBytes: 10 });
    // Neither has room.
    expect(die('w')).toEqual(['2 publish w=will of c q0']);
    expect(rig.core.counts).toMatchObject({ retained: 1, queued: 1, storedBytes: 10 });
    // No room for its bytes.
    rig.connect('off');
    rig.disconnect('off');
    rig.publish('on', 'r!=123', 1, 2);
    expect(rig.core.counts).toMatchObject({ retained: 1, queued: 0, storedBytes: 12 });
    expect(die('w')).toEqual(['2 publish w=will of c q0']);
    expect(rig.core.counts).toMatchObject({ retained: 1, queued: 0, storedBytes: 12 });
  });
});

describe('wills of all clients', () => {
  /** Whether a client may connect with a will of so many bytes. */
  function accepted(rig: Rig, client: string, bytes: number): boolean {
    const operation = { kind: 'connect' as const, connection: 1_000 + bytes, clientId: client, clean: true, user: null, will: { topic: 'w', qos: 1 as const, retain: false, payload: new Uint8Array(bytes) } };
    const refusal = rig.core.refusal(operation);
    if (refusal === null) rig.run(operation);
    else expect(refusal).toMatchObject({ code: 3, detail: expect.stringContaining('storedBytesMax') });
    return refusal === null;
  }

  test('have no more bytes than messages may have; who goes, or comes with another one, gives them back', () => {
    const rig = new Rig({ storedBytesMax: 100 });
    expect([accepted(rig, 'a', 60), accepted(rig, 'b', 41), accepted(rig, 'b', 40), accepted(rig, 'c', 1)]).toEqual([true, false, true, false]);
    expect(rig.core.refusal(rig.connectOperation('c', 999))).toBeNull();
    expect([accepted(rig, 'a', 61), accepted(rig, 'a', 59), accepted(rig, 'c', 1)]).toEqual([false, true, true]);
    rig.run({ kind: 'disconnect', connection: 1_040, publishWill: true });
    expect([accepted(rig, 'd', 41), accepted(rig, 'd', 39)]).toEqual([false, true]);
    // Those of orphans stay until they are published.
    rig.termStart({ storedBytesMax: 100 });
    expect(accepted(rig, 'e', 2)).toBe(false);
    rig.orphansGone('a', 'd');
    expect(accepted(rig, 'e', 99)).toBe(true);
  });

  test('above a limit that was lowered keep nobody out who comes with no larger one than before, or with an empty one', () => {
    const rig = new Rig({ storedBytesMax: 100 });
    expect([accepted(rig, 'a', 60), accepted(rig, 'b', 40)]).toEqual([true, true]);
    rig.termStart({ storedBytesMax: 50 });
    expect([accepted(rig, 'a', 61), accepted(rig, 'c', 1), accepted(rig, 'a', 60)]).toEqual([false, false, true]);
    expect([accepted(rig, 'b', 39), accepted(rig, 'c', 0)]).toEqual([true, true]);
    expect(accepted(rig, 'b', 41)).toBe(false);
  });

  test('do not keep those from connecting who come for what waits for them: what messages take is not theirs', () => {
    const rig = new Rig({ storedBytesMax: 100 });
    rig.connect('p');
    rig.publish('p', `t!=${'x'.repeat(100)}`);
    expect(accepted(rig, 'a', 50)).toBe(true);
  });
});

describe('retained messages', () => {
  test('are sent at subscribing, again at each, and not marked on the normal way', () => {
    const rig = new Rig();
    rig.connect('c');
    rig.subscribe('c', 'a/+:1');
    expect(rig.publish('c', 'a/1!=x')).toEqual(['1 puback #1', '1 publish a/1=x q1 #1']);
    expect(rig.publish('c', 'a/2!=y', 0)).toEqual(['1 publish a/2=y q0']);
    expect(rig.subscribe('c', 'a/+:1')).toEqual(['1 suback #77 1', '1 publish a/1=x q1 #2 retain', '1 publish a/2=y q0 retain']);
    expect(rig.subscribe('c', 'a/1:0', '#:1')).toEqual([
      '1 suback #77 0,1',
      '1 publish a/1=x q0 retain',
      '1 publish a/1=x q1 #3 retain',
      '1 publish a/2=y q0 retain',
    ]);
  });

  test('the last one counts, and an empty one deletes but is delivered', () => {
    const rig = new Rig();
    rig.connect('c');
    rig.publish('c', 't!=1');
    rig.publish('c', 't!=2');
    rig.publish('c', 'u!=3');
    expect(rig.core.counts).toMatchObject({ retained: 2, messages: 2, storedBytes: 2 });
    expect(rig.subscribe('c', 't:1')).toEqual(['1 suback #77 1', '1 publish t=2 q1 #1 retain']);
    expect(rig.publish('c', 't!=', 1, 4)).toEqual(['1 puback #4', '1 publish t= q1 #2']);
    expect(rig.core.counts.retained).toBe(1);
    expect(rig.subscribe('c', 't:1')).toEqual(['1 suback #77 1']);
    rig.publish('c', 'u!=', 0);
    expect(rig.core.counts.retained).toBe(0);
  });

  test('a message that is not retained leaves the retained one', () => {
    const rig = new Rig();
    rig.connect('c');
    rig.publish('c', 't!=1');
    rig.publish('c', 't=2');
    rig.publish('c', 't=', 1, 2);
    expect(rig.subscribe('c', 't:0')).toEqual(['1 suback #77 0', '1 publish t=1 q0 retain']);
  });

  test('retain stays set when a retained message waits or is sent again', () => {
    const rig = new Rig({ inflightMessagesMax: 1 });
    rig.connect('c');
    rig.publish('c', 'a!=1');
    rig.publish('c', 'b!=2');
    expect(rig.subscribe('c', '#:1')).toEqual(['1 suback #77 1', '1 publish a=1 q1 #1 retain']);
    rig.publish('c', 'b!=', 1, 2);
    rig.disconnect('c');
    expect(rig.connect('c')).toEqual(['2 connack present', '2 publish a=1 q1 #1 dup retain']);
    expect(rig.answer('c', 'acknowledge', 1)).toEqual(['2 publish b=2 q1 #2 retain']);
  });
});

describe('failover', () => {
  function rigAfterFailover(): Rig {
    const rig = new Rig();
    rig.connect('watcher');
    rig.subscribe('watcher', 'w/#:1', 'alive:1');
    rig.connect('kept', { will: 'w/kept' });
    rig.subscribe('kept', 't:1');
    rig.connect('clean', { will: 'w/clean', clean: true });
    rig.subscribe('clean', 't:1');
    rig.connect('away', { will: 'w/away' });
    rig.disconnect('away');
    expect(rig.termStart()).toEqual(['1 close session-gone', '2 close session-gone', '3 close session-gone']);
    return rig;
  }

  test('who was connected is an orphan, and who comes back in time was never gone', () => {
    const rig = rigAfterFailover();
    expect(rig.core.orphans()).toEqual(['watcher', 'kept', 'clean']);
    expect(rig.core.counts).toMatchObject({ connected: 0, orphans: 3, sessions: 4 });
    expect(rig.connect('watcher')).toEqual(['5 connack present']);
    expect(rig.connect('kept')).toEqual(['6 connack present']);
    expect(rig.connect('clean')).toEqual(['7 connack new']);
    expect(rig.core.orphans()).toEqual([]);
    expect(rig.orphansGone('watcher', 'kept', 'clean', 'away', 'nobody')).toEqual([]);
    expect(rig.core.counts).toMatchObject({ connected: 3, orphans: 0, sessions: 4 });
  });

  test('who does not come back is gone with a will', () => {
    const rig = rigAfterFailover();
    rig.connect('watcher');
    expect(rig.orphansGone('clean', 'kept')).toEqual(['5 publish w/clean=will of clean q1 #1', '5 publish w/kept=will of kept q1 #2']);
    expect(rig.core.counts).toMatchObject({ orphans: 0, sessions: 3 });
    expect(rig.connect('clean', { clean: true })).toEqual(['6 connack new']);
    expect(rig.connect('kept')).toEqual(['7 connack present']);
  });

  test('orphans outlive another failover, and records of the term before do nothing', () => {
    const rig = rigAfterFailover();
    rig.connect('watcher');
    expect(rig.termStart()).toEqual(['5 close session-gone']);
    expect(rig.core.orphans()).toEqual(['watcher', 'kept', 'clean']);
    const digest = rig.core.digest();
    expect(rig.disconnect('kept', true)).toEqual([]);
    expect(rig.core.digest()).toBe(digest);
    rig.connect('watcher');
    expect(rig.orphansGone(...rig.core.orphans()).length).toBe(2);
  });

  test('a persistent orphan gathers messages, a clean one does not', () => {
    const rig = rigAfterFailover();
    rig.connect('pub');
    rig.publish('pub', 't=x');
    expect(rig.core.counts).toMatchObject({ queued: 1, messages: 1 });
    expect(rig.connect('kept')).toEqual(['6 connack present', '6 publish t=x q1 #1']);
    expect(rig.connect('clean', { clean: true })).toEqual(['7 connack new']);
  });

  test('what was under way is sent again by the other server', () => {
    const rig = new Rig();
    rig.connect('c');
    rig.subscribe('c', 't:2');
    rig.publish('c', 't=1', 2, 1);
    rig.publish('c', 't=2', 1, 2);
    rig.answer('c', 'received', 1);
    rig.termStart();
    expect(rig.connect('c')).toEqual(['2 connack present', '2 pubrel #1', '2 publish t=2 q1 #2 dup']);
  });
});

describe('refusals', () => {
  function refused(limits: Partial<BrokerLimits>, prepare: (rig: Rig) => Operation): unknown {
    const rig = new Rig(limits);
    rig.connect('c');
    const operation = prepare(rig);
    const digest = rig.core.digest();
    const refusal = rig.core.refusal(operation);
    expect(rig.core.digest()).toBe(digest);
    return refusal;
  }
  const orphan = (rig: Rig, clean: boolean): void => {
    rig.connect('lost', { clean });
    rig.subscribe('lost', 't:1');
    rig.termStart();
    rig.connect('c');
  };
  const offline = (rig: Rig, qos = 1): void => {
    rig.connect('off');
    rig.subscribe('off', `t:${qos}`);
    rig.disconnect('off');
  };

  test('sessions: a new client is told 3, a known one is welcome', () => {
    expect(refused({ sessionsMax: 1 }, (rig) => rig.connectOperation('d', 9))).toMatchObject({ code: 3, detail: expect.stringContaining('sessionsMax') });
    expect(refused({ sessionsMax: 1 }, (rig) => rig.connectOperation('c', 9))).toBeNull();
    expect(refused({ sessionsMax: 2 }, (rig) => rig.connectOperation('d', 9))).toBeNull();
  });

  test('a queue at its limit', () => {
    const fill = (rig: Rig, messages: number, qos = 1): Operation => {
      offline(rig, qos);
      for (let at = 0; at < messages; at++) rig.publish('c', 't=x');
      return rig.publishOperation('c', 't=y');
    };
    const full = { queuedMessagesPerSessionMax: 3 };
    expect(refused(full, (rig) => fill(rig, 2))).toBeNull();
    expect(refused(full, (rig) => fill(rig, 3))).toMatchObject({ detail: expect.stringContaining('"off"') });
    expect(refused(full, (rig) => fill(rig, 3, 0))).toBeNull();
    expect(refused(full, (rig) => (fill(rig, 3), rig.publishOperation('c', 'elsewhere=y')))).toBeNull();
    expect(refused(full, (rig) => (fill(rig, 3), rig.publishOperation('c', 't!=y', 0, 0)))).toBeNull();
    expect(refused(full, (rig) => (fill(rig, 3), rig.connect('off'), rig.publishOperation('c', 't=y')))).toBeNull();
  });

  test('a QoS 2 message sent again is never refused', () => {
    const operation = (rig: Rig): Operation => {
      offline(rig, 2);
      rig.publish('c', 't=x', 2, 8);
      return rig.publishOperation('c', 't=x', 2, 8);
    };
    expect(refused({ queuedMessagesPerSessionMax: 1, storedBytesMax: 1 }, operation)).toBeNull();
  });

  test('bytes held', () => {
    const limit = { storedBytesMax: 4 };
    expect(refused(limit, (rig) => (offline(rig), rig.publishOperation('c', 't=1234')))).toBeNull();
    expect(refused(limit, (rig) => (offline(rig), rig.publishOperation('c', 't=12345')))).toMatchObject({ detail: expect.stringContaining('storedBytesMax') });
    expect(refused(limit, (rig) => (offline(rig), rig.publishOperation('c', 'unheard=12345')))).toBeNull();
    expect(refused(limit, (rig) => (orphan(rig, true), rig.publishOperation('c', 't=12345')))).toBeNull();
    expect(refused(limit, (rig) => (orphan(rig, false), rig.publishOperation('c', 't=12345')))).not.toBeNull();
    expect(refused(limit, (rig) => rig.publishOperation('c', 't!=12345', 0, 0))).toMatchObject({ detail: expect.stringContaining('storedBytesMax') });
  });

  test('retained messages', () => {
    const limit = { retainedMessagesMax: 1 };
    expect(refused(limit, (rig) => (rig.publish('c', 't!=x'), rig.publishOperation('c', 'u!=y')))).toMatchObject({
      detail: expect.stringContaining('retainedMessagesMax'),
    });
    expect(refused(limit, (rig) => (rig.publish('c', 't!=x'), rig.publishOperation('c', 't!=y')))).toBeNull();
    expect(refused(limit, (rig) => (rig.publish('c', 't!=x'), rig.publishOperation('c', 'u!=')))).toBeNull();
    expect(refused(limit, (rig) => (rig.publish('c', 't!=x'), rig.publishOperation('c', 'u=y')))).toBeNull();
  });

  test('subscriptions of one session: 0x80 for those beyond', () => {
    const rig = new Rig({ subscriptionsPerSessionMax: 2 });
    rig.connect('c');
    expect(rig.subscribe('c', 'a:1', 'b:2', 'c:0')).toEqual(['1 suback #77 1,2,128']);
    expect(rig.subscribe('c', 'a:2', 'd:0')).toEqual(['1 suback #77 2,128']);
    rig.unsubscribe('c', 'a');
    expect(rig.subscribe('c', 'd:0')).toEqual(['1 suback #77 0']);
  });

  test('a subscriber with a full queue gets no retained messages on top', () => {
    const limit = { queuedMessagesPerSessionMax: 1, inflightMessagesMax: 1 };
    const fill = (rig: Rig): Operation => {
      rig.publish('c', 'r!=1');
      rig.publish('c', 's!=2');
      rig.publish('c', 'u!=3');
      rig.subscribe('c', '#:1');
      return rig.subscribeOperation('c', 'r:1');
    };
    expect(refused(limit, fill)).toMatchObject({ detail: expect.stringContaining('retained') });
    expect(refused({ ...limit, queuedMessagesPerSessionMax: 3 }, fill)).toBeNull();
  });

  test.each<[string, (rig: Rig) => Operation]>([
    ['a topic name with a wildcard', (rig) => rig.publishOperation('c', 'a/+=x')],
    ['an empty topic name', (rig) => rig.publishOperation('c', '=x')],
    ['packet id 0', (rig) => rig.publishOperation('c', 't=x', 1, 0)],
    ['a filter that is not valid', (rig) => rig.subscribeOperation('c', 'a#:1')],
    ['a will to a wildcard', (rig) => rig.connectOperation('d', 9, { will: '#' })],
    ['an empty client id', (rig) => rig.connectOperation('', 9)],
  ])('%s', (_, prepare) => expect(refused({}, prepare)).toMatchObject({ detail: expect.any(String) }));

  test.each<[string, (rig: Rig) => Operation]>([
    ['term-start', () => ({ kind: 'term-start', server: 'primary' as never, limits: LIMITS })],
    ['orphans-gone', () => ({ kind: 'orphans-gone', clientIds: ['x'] })],
    ['an answer to nothing', () => ({ kind: 'acknowledge', connection: 1, packetId: 9 })],
  ])('%s is taken', (_, prepare) => expect(refused({}, prepare)).toBeNull());

  test('a filter that is not valid never enters the tree, even if a record holds one', () => {
    const rig = new Rig();
    rig.connect('c');
    expect(rig.subscribe('c', 'a#:1')).toEqual(['1 suback #77 128']);
  });
});

test('one SUBSCRIBE brings each retained message once, and of overlapping filters no more than a queue beyond that', () => {
  const core = new BrokerCore({ ...LIMITS, retainedMessagesMax: 1_000, queuedMessagesPerSessionMax: 1_000 });
  let position = 0;
  const say = (operation: Parameters<typeof recordOf>[0]): void => {
    expect(core.refusal(operation)).toBeNull();
    core.apply(recordOf(operation, ++position), () => undefined);
  };
  const subscribe = (filters: number): Parameters<typeof recordOf>[0] => ({ kind: 'subscribe', connection: 2, packetId: 1, subscriptions: Array.from({ length: filters }, () => ({ filter: '#', qos: 1 as const })) });
  say({ kind: 'connect', connection: 1, clientId: 'p', clean: true, will: null, user: null });
  for (let i = 0; i < 100; i++) say({ kind: 'publish', connection: 1, packetId: 1, topic: `t/${i}`, qos: 1, retain: true, payload: new Uint8Array(1) });
  say({ kind: 'connect', connection: 2, clientId: 's', clean: false, will: null, user: null });
  expect(core.refusal(subscribe(12))?.detail).toContain('queuedMessagesPerSessionMax');
  say(subscribe(11));
  expect(core.counts.queued).toBeLessThanOrEqual(1_100);
});
