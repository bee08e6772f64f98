import type { Check } from '../../../../src/core/history/verdict.js';
import { begun, CLOCK, judged, Teller } from './told.js';

function broken(teller: Teller): Partial<Record<Check, number>> {
  return Object.fromEntries(judged(teller.file).violations.map(({ check, count }) => [check, count]));
}

describe('a history holds', () => {
  test('when what was acknowledged came, QoS 2 once', () => {
    const told = begun().sends('p', 'm1').acknowledged('p', 'm1').sends('p', 'm2', { qos: 1 }).acknowledged('p', 'm2').receives('c', 'm1').receives('c', 'm2', { qos: 1 }).drained('c');
    expect(judged(told.file)).toMatchObject({ holds: true, violations: [], figures: { messages: 2, acknowledged: 2, owed: 2, lost: 0, received: 2 } });
  });

  test('when a QoS 1 message comes again, which is counted', () => {
    const told = begun().sends('p', 'm', { qos: 1 }).acknowledged('p', 'm').receives('c', 'm', { qos: 1 }).receives('c', 'm', { qos: 1 }).drained('c');
    expect(judged(told.file)).toMatchObject({ holds: true, figures: { duplicates: 1, repeated: 0 } });
  });

  test('when a message that nobody answered comes, or does not', () => {
    const told = begun().sends('p', 'm1').sends('p', 'm2').receives('c', 'm2').drained('c');
    expect(judged(told.file)).toMatchObject({ holds: true, figures: { unanswered: 2, owed: 0 } });
  });

  test.each<[string, Teller]>([
    ['sent before the subscription was granted', new Teller().connected('p').sends('p', 'm').connected('c').subscribes('c', 't/#').acknowledged('p', 'm').drained('c')],
    ['subscribed to at QoS 0', new Teller().connected('c').subscribes('c', 't', 0).connected('p').sends('p', 'm').acknowledged('p', 'm').drained('c')],
    ['of another topic', begun().sends('p', 'm', { topic: 'u' }).acknowledged('p', 'm').drained('c')],
    ['refused a subscription to', new Teller().connected('c').subscribes('c', 't', null).connected('p').sends('p', 'm').acknowledged('p', 'm').drained('c')],
    ['unsubscribed from meanwhile', begun().sends('p', 'm').unsubscribes('c', 't/#').acknowledged('p', 'm').drained('c')],
    ['acknowledged after it was drained', begun().sends('p', 'm').drained('c').acknowledged('p', 'm')],
    ['sent while a clean session was away', new Teller().connected('c', { clean: true }).subscribes('c', 't').connected('p').disconnected('c').sends('p', 'm').acknowledged('p', 'm').connected('c', { clean: true }).drained('c')],
    ['queued for a clean session whose connection ended', new Teller().connected('c', { clean: true }).subscribes('c', 't').connected('p').sends('p', 'm').acknowledged('p', 'm').disconnected('c').connected('c', { clean: true }).subscribes('c', 't').drained('c')],
    ['queued for a session that its client had discarded', begun().disconnected('c').sends('p', 'm').acknowledged('p', 'm').connected('c', { clean: true }).subscribes('c', 't').drained('c')],
    ['queued when it was unsubscribed from', begun().sends('p', 'm').acknowledged('p', 'm').unsubscribes('c', 't/#').drained('c')],
  ])('when a message did not come that was %s', (_, told) => {
    expect(judged(told.file)).toMatchObject({ holds: true, figures: { owed: 0 } });
  });

  test('when a message comes to a session with subscriptions from before the history', () => {
    const told = begun().connected('d', { sessionPresent: true }).sends('p', 'm').receives('d', 'm', { qos: 1 });
    expect(judged(told.file).violations).toEqual([]);
  });

  test('when a message comes at the lower QoS of its sending and its subscription', () => {
    const told = new Teller().connected('c').subscribes('c', 't', 1).connected('p').sends('p', 'm1').sends('p', 'm2', { qos: 0 }).receives('c', 'm1', { qos: 1 }).receives('c', 'm2', { qos: 0 });
    expect(judged(told.file).violations).toEqual([]);
  });

  test('when overlapping subscriptions each bring a QoS 2 message', () => {
    const told = begun().subscribes('c', 't/+').sends('p', 'm', { topic: 't/a' }).acknowledged('p', 'm').receives('c', 'm', { topic: 't/a' }).receives('c', 'm', { topic: 't/a' }).drained('c');
    expect(judged(told.file).holds).toBe(true);
  });
});

describe('a history is broken', () => {
  test('when an acknowledged message did not come', () => {
    const told = begun().sends('p', 'm', { qos: 1 }).acknowledged('p', 'm').drained('c');
    expect(judged(told.file).violations).toEqual([{ check: 'lost', count: 1, examples: ['m (QoS 1, t), acknowledged to p at 6, did not come to c'] }]);
  });

  test('also when the session was away meanwhile, and when it was subscribed to again', () => {
    const away = begun().disconnected('c').sends('p', 'm').acknowledged('p', 'm').connected('c', { sessionPresent: true }).drained('c');
    expect(broken(away)).toEqual({ lost: 1 });
    expect(broken(begun().sends('p', 'm').subscribes('c', 't/#').acknowledged('p', 'm').drained('c'))).toEqual({ lost: 1 });
  });

  test('also when the subscription ended after the client was drained', () => {
    expect(broken(begun().sends('p', 'm').acknowledged('p', 'm').drained('c').unsubscribes('c', 't/#').drained('c'))).toEqual({ lost: 1 });
    expect(broken(begun().sends('p', 'm').acknowledged('p', 'm').drained('c').disconnected('c').connected('c', { clean: true }))).toEqual({ lost: 1 });
  });

  test('when a QoS 2 message comes twice', () => {
    expect(broken(begun().sends('p', 'm').receives('c', 'm').receives('c', 'm').drained('c'))).toEqual({ repeated: 1 });
  });

  test('when two messages change places', () => {
    const told = begun().sends('p', 'm1').sends('p', 'm2').receives('c', 'm2').receives('c', 'm1');
    expect(broken(told)).toEqual({ disordered: 1 });
    const onTwoTopics = begun().sends('p', 'm1', { topic: 't/1' }).sends('p', 'm2', { topic: 't/2' }).receives('c', 'm2', { topic: 't/2' }).receives('c', 'm1', { topic: 't/1' });
    expect(broken(onTwoTopics)).toEqual({});
  });

  test('not when a QoS 1 run of messages is repeated, and not by what the program published twice', () => {
    const told = begun();
    for (const m of ['m1', 'm2', 'm3']) told.sends('p', m, { qos: 1 });
    for (const m of ['m1', 'm2', 'm1', 'm2', 'm3']) told.receives('c', m, { qos: 1 });
    expect(broken(told)).toEqual({});
    expect(broken(begun().sends('p', 'm1').sends('p', 'm2').sends('p', 'm1').receives('c', 'm2').receives('c', 'm1').receives('c', 'm1'))).toEqual({});
  });

  test('not by a message that the consumer may have missed before its sender repeated it', () => {
    const late = new Teller().connected('p').sends('p', 'm1', { qos: 1 }).connected('c', { clean: true }).subscribes('c', 't', 1).sends('p', 'm2', { qos: 1 }).receives('c', 'm2', { qos: 1 }).receives('c', 'm1', { qos: 1 });
    expect(broken(late)).toEqual({});
    const atQos0 = new Teller().connected('c').subscribes('c', 't', 0).connected('p').sends('p', 'm1', { qos: 1 }).sends('p', 'm2', { qos: 1 }).receives('c', 'm2', { qos: 0 }).receives('c', 'm1', { qos: 0 });
    expect(broken(atQos0)).toEqual({});
    const sentAtQos0 = begun().sends('p', 'm1', { qos: 0 }).sends('p', 'm2', { qos: 0 }).receives('c', 'm2', { qos: 0 }).receives('c', 'm1', { qos: 0 });
    expect(broken(sentAtQos0)).toEqual({ disordered: 1 });
  });

  test('when a message comes that nobody sent', () => {
    expect(broken(begun().receives('c', 'm'))).toEqual({ invented: 1 });
  });

  test('when a message comes before it was sent, by clocks that leave no doubt', () => {
    expect(broken(begun().receives('c', 'm').sends('p', 'm'))).toEqual({ invented: 1 });
    const early = begun().at(100).receives('c', 'm').file;
    const late = (uncertaintyMs: number) => new Teller({ clock: 'two', uncertaintyMs }).at(150).connected('q').sends('q', 'm').file;
    expect(judged(early, late(10)).violations).toMatchObject([{ check: 'invented' }]);
    expect(judged(early, late(100)).violations).toEqual([]);
  });

  test('when a message comes to a client that has not subscribed to it', () => {
    expect(broken(begun().connected('d').sends('p', 'm').receives('d', 'm').subscribes('d', 't'))).toEqual({ invented: 1 });
  });

  test.each([{ digest: 'other' }, { topic: 't/other' }, { qos: 1 as const }, { qos: 0 as const }])('when a message comes with %j', (other) => {
    expect(broken(begun().sends('p', 'm').receives('c', 'm', other))).toEqual({ altered: 1 });
  });

  test('when a session that was to be kept is gone', () => {
    expect(broken(begun().disconnected('c').connected('c'))).toEqual({ 'session-lost': 1 });
    expect(broken(begun().disconnected('c').connected('c', { clean: true }).disconnected('c').connected('c'))).toEqual({});
  });

  test('and the first five of many are told', () => {
    const told = begun();
    for (let i = 0; i < 8; i += 1) told.receives('c', `m${i}`);
    const [violation] = judged(told.file).violations;
    expect(violation).toMatchObject({ check: 'invented', count: 8 });
    expect(violation?.examples).toHaveLength(5);
  });
});

describe('retained messages', () => {
  const kept = { retain: true };
  const stands = (): Teller => new Teller().connected('p').sends('p', 'r1', kept).acknowledged('p', 'r1').sends('p', 'r2', kept).acknowledged('p', 'r2').connected('c').subscribes('c', 't');

  test('the last one is what a new subscription gets', () => {
    expect(broken(stands().receives('c', 'r2', kept).drained('c'))).toEqual({});
    expect(broken(stands().receives('c', 'r1', kept).drained('c'))).toEqual({ 'retained-stale': 1 });
    expect(broken(stands().drained('c'))).toEqual({ 'retained-missing': 1 });
  });

  test('one that is cleared after the client was drained is missed', () => {
    const cleared = (told: Teller): Teller => told.sends('p', 'x', { retain: true, digest: '' }).acknowledged('p', 'x');
    expect(broken(cleared(stands().drained('c')))).toEqual({ 'retained-missing': 1 });
    expect(broken(cleared(stands()).receives('c', 'x', { digest: '' }).drained('c'))).toEqual({});
  });

  test('one of several senders is missed, also behind one that was cleared', () => {
    const told = new Teller().connected('p').connected('q').sends('p', 'r1', kept).acknowledged('p', 'r1').sends('q', 'x', { retain: true, digest: '' }).acknowledged('q', 'x').sends('p', 'r2', kept).acknowledged('p', 'r2').sends('q', 'r3', kept).connected('c').subscribes('c', 't');
    expect(broken(told.drained('c'))).toEqual({ 'retained-missing': 1 });
  });

  test('one that may have been replaced or cleared is not judged', () => {
    const open = new Teller().connected('p').connected('q').sends('p', 'r1', kept).sends('q', 'r2', kept).acknowledged('p', 'r1').acknowledged('q', 'r2').connected('c').subscribes('c', 't');
    expect(broken(open.receives('c', 'r1', kept).drained('c'))).toEqual({});
    const cleared = new Teller().connected('p').sends('p', 'r1', kept).acknowledged('p', 'r1').sends('p', 'x', { retain: true, digest: '' }).connected('c').subscribes('c', 't');
    expect(broken(cleared.drained('c'))).toEqual({});
  });

  test('one that was cleared before is not to come', () => {
    const cleared = new Teller().connected('p').sends('p', 'r1', kept).acknowledged('p', 'r1').sends('p', 'x', { retain: true, digest: '' }).acknowledged('p', 'x').connected('c').subscribes('c', 't');
    expect(broken(cleared.receives('c', 'r1', kept).drained('c'))).toEqual({ 'retained-stale': 1 });
  });
});

describe('clocks', () => {
  const publisher = (clock: string, uncertaintyMs: number, at: number) => new Teller({ clock, uncertaintyMs }).at(at).connected('p').sends('p', 'm').acknowledged('p', 'm').file;
  const consumer = new Teller(CLOCK).connected('c').subscribes('c', 't').at(1_000).drained('c').file;

  test('of several files order what they surely order', () => {
    expect(judged(consumer, publisher('one', 0, 100)).violations).toMatchObject([{ check: 'lost' }]);
    expect(judged(consumer, publisher('two', 50, 100)).violations).toMatchObject([{ check: 'lost' }]);
    expect(judged(consumer, publisher('two', 200, 100)).holds).toBe(true);
    expect(judged(consumer, publisher('two', 50, 980)).holds).toBe(true);
  });
});

describe('outages', () => {
  test('are the time in which something waited and nothing was acknowledged', () => {
    const told = begun().at(100).sends('p', 'm1').at(110).acknowledged('p', 'm1').at(5_000).mark('killed').at(5_010).sends('p', 'm2').at(5_400).acknowledged('p', 'm2').at(6_000).mark('again').at(6_010).sends('p', 'm3').at(6_020).acknowledged('p', 'm3');
    expect(judged(told.file).outages).toEqual([
      { mark: null, longestMs: 390, from: 5_011 },
      { mark: 'killed', longestMs: 390, from: 5_011 },
      { mark: 'again', longestMs: 10, from: 6_011 },
    ]);
  });

  test('count the message that waited longest', () => {
    const told = begun().at(100).sends('p', 'm1').at(200).sends('p', 'm2').at(1_000).acknowledged('p', 'm2').acknowledged('p', 'm1');
    expect(judged(told.file).outages[0]).toEqual({ mark: null, longestMs: 900, from: 101 });
  });
});
