import { hashText } from '../../../../src/core/broker/digest.js';
import { StoredMessage } from '../../../../src/core/broker/messages.js';
import { Outbound } from '../../../../src/core/broker/outbound.js';
import { Session } from '../../../../src/core/broker/session.js';
import { BrokerState } from '../../../../src/core/broker/state.js';
import type { Position } from '../../../../src/core/identity.js';
import { encodedSnapshot, LIMITS, Rig } from './rig.js';

describe('publishing', () => {
  test.each([
    // published, subscribed, delivered
    [0, 0, 0],
    [0, 2, 0],
    [1, 0, 0],
    [1, 1, 1],
    [1, 2, 1],
    [2, 0, 0],
    [2, 1, 1],
    [2, 2, 2],
  ] as const)('QoS %i to a subscription of QoS %i arrives at QoS %i', (published, subscribed, delivered) => {
    const rig = new Rig();
    rig.connect('pub');
    rig.connect('sub');
    expect(rig.subscribe('sub', `t:${subscribed}`)).toEqual([`2 suback #77 ${subscribed}`]);
    const answer = published === 1 ? ['1 puback #5'] : published === 2 ? ['1 pubrec #5'] : [];
    expect(rig.publish('pub', 't=x', published, 5)).toEqual([...answer, `2 publish t=x q${delivered}${delivered > 0 ? ' #1' : ''}`]);
  });

  test('overlapping subscriptions bring one copy with the highest QoS', () => {
    const rig = new Rig();
    rig.connect('c');
    rig.subscribe('c', 'a/b:0', 'a/+:1', 'a/#:2', '#:0');
    expect(rig.publish('c', 'a/b=x', 2)).toEqual(['1 pubrec #1', '1 publish a/b=x q2 #1']);
    rig.unsubscribe('c', 'a/#');
    expect(rig.publish('c', 'a/b=y', 2, 2)).toEqual(['1 pubrec #2', '1 publish a/b=y q1 #2']);
    rig.unsubscribe('c', 'a/+', 'nothing/of/it');
    expect(rig.publish('c', 'a/b=z', 2, 3)).toEqual(['1 pubrec #3', '1 publish a/b=z q0']);
    expect(rig.unsubscribe('c', 'a/b', '#')).toEqual(['1 unsuback #78']);
    expect(rig.publish('c', 'a/b=z', 1, 4)).toEqual(['1 puback #4']);
  });

  test('subscribing again changes the QoS of later messages', () => {
    const rig = new Rig();
    rig.connect('c');
    rig.subscribe('c', 't:0');
    rig.publish('c', 't=1');
    expect(rig.subscribe('c', 't:1')).toEqual(['1 suback #77 1']);
    expect(rig.publish('c', 't=2')).toEqual(['1 puback #1', '1 publish t=2 q1 #1']);
    expect(rig.core.counts.subscriptions).toBe(1);
  });

  test('sessions are served in the order in which they were made, not in that of their subscriptions', () => {
    const rig = new Rig();
    for (const client of ['a', 'b', 'c']) rig.connect(client);
    for (const client of ['c', 'a', 'b']) rig.subscribe(client, 't:1');
    expect(rig.publish('a', 't=x')).toEqual(['1 puback #1', '1 publish t=x q1 #1', '2 publish t=x q1 #1', '3 publish t=x q1 #1']);
  });

  test('volatile messages reach who is connected, and change nothing', () => {
    const rig = new Rig();
    rig.connect('here');
    rig.connect('gone');
    rig.subscribe('here', 't:2');
    rig.subscribe('gone', 't:2');
    rig.disconnect('gone');
    const digest = rig.core.digest();
    const effects: unknown[] = [];
    rig.core.deliverVolatile('t', new Uint8Array([1]), (effect) => void effects.push(effect));
    rig.core.deliverVolatile('other', new Uint8Array([1]), (effect) => void effects.push(effect));
    expect(effects).toEqual([
      expect.objectContaining({ kind: 'deliver', connection: 1, qos: 0, packetId: 0, retain: false, message: expect.objectContaining({ id: 0, topic: 't' }) }),
    ]);
    expect(rig.core.digest()).toBe(digest);
    expect(rig.core.recomputeDigest()).toBe(digest);
  });

  test('payloads are copied, unless somebody sees to the views', () => {
    for (const viewsKept of [true, false]) {
      const rig = new Rig({}, { viewsKept });
      rig.connect('c');
      rig.subscribe('c', 't:1');
      rig.publish('c', 't=x');
      const held = [...rig.core.snapshotEntries()].flatMap((piece) => (piece.kind === 'message' ? [piece.message.payload] : []));
      expect(held[0]?.byteLength === held[0]?.buffer.byteLength).toBe(!viewsKept);
    }
  });
});

describe('QoS 1 to a subscriber', () => {
  function rigWithOne(): Rig {
    const rig = new Rig();
    rig.connect('pub');
    rig.connect('sub');
    rig.subscribe('sub', 't:1');
    rig.publish('pub', 't=x');
    return rig;
  }

  test('PUBACK ends it', () => {
    const rig = rigWithOne();
    expect(rig.stored).toEqual([4]);
    expect(rig.core.counts).toMatchObject({ messages: 1, storedBytes: 1, queued: 0 });
    expect(rig.answer('sub', 'acknowledge', 1)).toEqual([]);
    expect(rig.released).toEqual([4]);
    expect(rig.core.counts).toMatchObject({ messages: 0, storedBytes: 0 });
    expect(rig.disconnect('sub')).toEqual([]);
    expect(rig.connect('sub')).toEqual(['3 connack present']);
  });

  test('without PUBACK it comes again with dup, under the same packet id', () => {
    const rig = rigWithOne();
    rig.disconnect('sub');
    expect(rig.connect('sub')).toEqual(['3 connack present', '3 publish t=x q1 #1 dup']);
    expect(rig.connect('sub')).toEqual(['3 close taken-over', '4 connack present', '4 publish t=x q1 #1 dup']);
    rig.answer('sub', 'acknowledge', 1);
    expect(rig.connect('sub')).toEqual(['4 close taken-over', '5 connack present']);
  });

  test.each([
    ['a PUBACK for nothing', 'acknowledge', 2, []],
    ['a PUBCOMP', 'complete', 1, []],
    ['a PUBCOMP for nothing', 'complete', 9, []],
    ['a PUBREC', 'received', 1, ['2 pubrel #1']],
    ['a PUBREC for nothing', 'received', 9, ['2 pubrel #9']],
  ] as const)('%s does not end it', (_, kind, packetId, expected) => {
    const rig = rigWithOne();
    const digest = rig.core.digest();
    expect(rig.answer('sub', kind, packetId)).toEqual(expected);
    expect(rig.core.digest()).toBe(digest);
    rig.disconnect('sub');
    expect(rig.connect('sub')).toEqual(['3 connack present', '3 publish t=x q1 #1 dup']);
  });
});

describe('QoS 2 to a subscriber', () => {
  function rigWithOne(): Rig {
    const rig = new Rig();
    rig.connect('pub');
    rig.connect('sub');
    rig.subscribe('sub', 't:2');
    rig.publish('pub', 't=x', 2);
    return rig;
  }
  const again = (rig: Rig): string[] => {
    rig.disconnect('sub', true);
    return rig.connect('sub').slice(1);
  };

  test('step by step, with a reconnection at each', () => {
    const rig = rigWithOne();
    expect(again(rig)).toEqual(['3 publish t=x q2 #1 dup']);
    expect(rig.answer('sub', 'received', 1)).toEqual(['3 pubrel #1']);
    expect(rig.core.counts).toMatchObject({ messages: 0, storedBytes: 0 });
    expect(again(rig)).toEqual(['4 pubrel #1']);
    expect(rig.answer('sub', 'received', 1)).toEqual(['4 pubrel #1']);
    expect(again(rig)).toEqual(['5 pubrel #1']);
    expect(rig.answer('sub', 'complete', 1)).toEqual([]);
    expect(again(rig)).toEqual([]);
    expect(rig.answer('sub', 'received', 1)).toEqual(['6 pubrel #1']);
    expect(rig.answer('sub', 'complete', 1)).toEqual([]);
  });

  test('neither PUBACK nor an early PUBCOMP ends it', () => {
    const rig = rigWithOne();
    rig.answer('sub', 'acknowledge', 1);
    rig.answer('sub', 'complete', 1);
    expect(again(rig)).toEqual(['3 publish t=x q2 #1 dup']);
    rig.answer('sub', 'received', 1);
    rig.answer('sub', 'acknowledge', 1);
    expect(again(rig)).toEqual(['4 pubrel #1']);
  });

  test('order is kept on reconnection, with PUBREL in its place', () => {
    const rig = rigWithOne();
    rig.publish('pub', 't=y', 1, 2);
    rig.publish('pub', 't=z', 2, 3);
    rig.answer('sub', 'received', 1);
    expect(again(rig)).toEqual(['3 pubrel #1', '3 publish t=y q1 #2 dup', '3 publish t=z q2 #3 dup']);
    rig.answer('sub', 'received', 3);
    rig.answer('sub', 'complete', 1);
    expect(again(rig)).toEqual(['4 publish t=y q1 #2 dup', '4 pubrel #3']);
  });
});

describe('QoS 2 from a publisher', () => {
  test('a message sent again before PUBREL is routed once', () => {
    const rig = new Rig();
    rig.connect('c');
    rig.subscribe('c', 't:0');
    expect(rig.publish('c', 't=x', 2, 9)).toEqual(['1 pubrec #9', '1 publish t=x q0']);
    expect(rig.publish('c', 't=x', 2, 9)).toEqual(['1 pubrec #9']);
    rig.disconnect('c', true);
    rig.connect('c');
    expect(rig.publish('c', 't=x', 2, 9)).toEqual(['2 pubrec #9']);
    rig.termStart();
    rig.connect('c');
    expect(rig.publish('c', 't=x', 2, 9)).toEqual(['3 pubrec #9']);
    expect(rig.answer('c', 'release', 9)).toEqual(['3 pubcomp #9']);
    expect(rig.answer('c', 'release', 9)).toEqual(['3 pubcomp #9']);
    expect(rig.publish('c', 't=new', 2, 9)).toEqual(['3 pubrec #9', '3 publish t=new q0']);
  });

  test('PUBREL for an id that is not known is answered', () => {
    const rig = new Rig();
    rig.connect('c');
    expect(rig.answer('c', 'release', 5)).toEqual(['1 pubcomp #5']);
  });

  test('a clean session forgets its ids', () => {
    const rig = new Rig();
    rig.connect('c', { clean: true });
    rig.connect('sub');
    rig.subscribe('sub', 't:0');
    rig.publish('c', 't=x', 2, 9);
    rig.disconnect('c');
    rig.connect('c', { clean: true });
    expect(rig.publish('c', 't=x', 2, 9)).toEqual(['3 pubrec #9', '2 publish t=x q0']);
  });

  test('QoS 1 under the same id is another message', () => {
    const rig = new Rig();
    rig.connect('c');
    rig.subscribe('c', 't:0');
    rig.publish('c', 't=x', 2, 9);
    expect(rig.publish('c', 't=y', 1, 9)).toEqual(['1 puback #9', '1 publish t=y q0']);
  });
});

describe('the in-flight window', () => {
  test('what exceeds it waits, in order, and moves up at each answer', () => {
    const rig = new Rig({ inflightMessagesMax: 2 });
    rig.connect('pub');
    rig.connect('sub');
    rig.subscribe('sub', 't:2');
    for (let id = 1; id <= 5; id++) rig.publish('pub', `t=${id}`, id % 2 === 0 ? 2 : 1, id);
    expect(rig.core.counts).toMatchObject({ queued: 3, messages: 5 });
    expect(rig.answer('sub', 'received', 2)).toEqual(['2 pubrel #2']);
    expect(rig.answer('sub', 'complete', 2)).toEqual(['2 publish t=3 q1 #3']);
    rig.disconnect('sub');
    expect(rig.connect('sub')).toEqual(['3 connack present', '3 publish t=1 q1 #1 dup', '3 publish t=3 q1 #3 dup']);
    expect(rig.answer('sub', 'acknowledge', 3)).toEqual(['3 publish t=4 q2 #4']);
    expect(rig.answer('sub', 'acknowledge', 1)).toEqual(['3 publish t=5 q1 #5']);
    expect(rig.core.counts).toMatchObject({ queued: 0, messages: 2 });
  });

  test('QoS 0 does not wait', () => {
    const rig = new Rig({ inflightMessagesMax: 1 });
    rig.connect('c');
    rig.subscribe('c', 'one:1', 'none:0');
    rig.publish('c', 'one=1');
    rig.publish('c', 'one=2');
    expect(rig.publish('c', 'none=3', 1, 3)).toEqual(['1 puback #3', '1 publish none=3 q0']);
  });

  test('packet ids go round from 65,535 to 1 and pass over those in use', () => {
    const state = new BrokerState({ ...LIMITS, inflightMessagesMax: 5 }, { stored: () => undefined, released: () => undefined });
    const session = new Session('c', 1, false);
    session.nextPacketId = 65_534;
    state.insertSession(session);
    state.attach(session, 1, null, null);
    const outbound = new Outbound(state);
    const sent: number[] = [];
    let id = 0;
    const deliver = (): void => {
      const message = new StoredMessage(++id as Position, 't', hashText('t'), 1, 0, new Uint8Array(0));
      outbound.deliver(session, message, 1, false, (effect) => void (effect.kind === 'deliver' && sent.push(effect.packetId)));
    };
    for (let at = 0; at < 3; at++) deliver();
    expect(sent).toEqual([65_534, 65_535, 1]);
    // Once round: 1 and 65,535 are still in use.
    outbound.acknowledge(session, 65_534, () => undefined);
    session.nextPacketId = 65_534;
    for (let at = 0; at < 2; at++) deliver();
    expect(sent.slice(3)).toEqual([65_534, 2]);
    const again: number[] = [];
    outbound.resume(session, (effect) => void (effect.kind === 'deliver' && again.push(effect.packetId)));
    expect(again).toEqual([65_535, 1, 65_534, 2]);
  });
});

describe('offline queues', () => {
  test('a persistent session gets QoS 1 and 2 later, in order, and QoS 0 not', () => {
    const rig = new Rig();
    rig.connect('pub');
    rig.connect('sub');
    rig.subscribe('sub', 't:2', 'low:0');
    rig.disconnect('sub');
    rig.publish('pub', 't=1', 1);
    rig.publish('pub', 't=0', 0);
    rig.publish('pub', 'low=1', 1, 2);
    rig.publish('pub', 't=2', 2, 3);
    expect(rig.core.counts).toMatchObject({ queued: 2, messages: 2 });
    expect(rig.connect('sub')).toEqual(['3 connack present', '3 publish t=1 q1 #1', '3 publish t=2 q2 #2']);
    expect(rig.core.counts).toMatchObject({ queued: 0, messages: 2 });
  });

  test('under way before, waiting after, new last', () => {
    const rig = new Rig({ inflightMessagesMax: 2 });
    rig.connect('pub');
    rig.connect('sub');
    rig.subscribe('sub', 't:1');
    for (const id of [1, 2, 3]) rig.publish('pub', `t=${id}`, 1, id);
    rig.disconnect('sub', true);
    rig.publish('pub', 't=4', 1, 4);
    expect(rig.connect('sub')).toEqual(['3 connack present', '3 publish t=1 q1 #1 dup', '3 publish t=2 q1 #2 dup']);
    rig.publish('pub', 't=5', 1, 5);
    expect(rig.answer('sub', 'acknowledge', 1)).toEqual(['3 publish t=3 q1 #3']);
    expect(rig.answer('sub', 'acknowledge', 2)).toEqual(['3 publish t=4 q1 #4']);
    expect(rig.answer('sub', 'acknowledge', 3)).toEqual(['3 publish t=5 q1 #5']);
  });

  test('one message in many queues is held once', () => {
    const rig = new Rig();
    rig.connect('pub');
    for (const client of ['a', 'b', 'c']) {
      rig.connect(client);
      rig.subscribe(client, 't:1');
      rig.disconnect(client);
    }
    rig.publish('pub', 't!=12345');
    expect(rig.core.counts).toMatchObject({ queued: 3, messages: 1, storedBytes: 5, retained: 1 });
    for (const client of ['a', 'b', 'c']) rig.connect(client, { clean: true });
    expect(rig.core.counts).toMatchObject({ queued: 0, messages: 1, storedBytes: 5 });
    rig.publish('pub', 't!=', 1, 2);
    expect(rig.core.counts).toMatchObject({ messages: 0, storedBytes: 0, retained: 0 });
    expect(rig.released).toEqual(rig.stored);
  });

  test('unsubscribing leaves what waits already', () => {
    const rig = new Rig({ inflightMessagesMax: 1 });
    rig.connect('c');
    rig.subscribe('c', 't:1');
    rig.publish('c', 't=1');
    rig.publish('c', 't=2');
    rig.unsubscribe('c', 't');
    expect(rig.answer('c', 'acknowledge', 1)).toEqual(['1 publish t=2 q1 #2']);
  });
});

test('a payload that is not in memory is asked of the owner when a snapshot is written', () => {
  const rig = new Rig();
  rig.connect('c');
  rig.subscribe('c', 't:1');
  rig.publish('c', 't=x');
  for (const piece of rig.core.snapshotEntries()) if (piece.kind === 'message') piece.message.payload = null;
  const asked: number[] = [];
  encodedSnapshot(rig.core, (message) => {
    asked.push(message.id);
    return new Uint8Array([120]);
  });
  expect(asked).toEqual([3]);
});
