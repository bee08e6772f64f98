import type { Effect } from '../../../../src/core/broker/effects.js';
import type { Operation, PublishOperation } from '../../../../src/core/broker/operations.js';
import { Outbound } from '../../../../src/core/broker/outbound.js';
import { recomputeDigest } from '../../../../src/core/broker/recompute.js';
import { refusalOf } from '../../../../src/core/broker/refusals.js';
import type { Refusal } from '../../../../src/core/broker/refusals.js';
import { holdWill, Routing } from '../../../../src/core/broker/routing.js';
import { snapshotOfSettled } from '../../../../src/core/broker/snapshot.js';
import type { Session } from '../../../../src/core/broker/session.js';
import { BrokerState } from '../../../../src/core/broker/state.js';
import type { Position } from '../../../../src/core/identity.js';
import { LIMITS } from './rig.js';

const ENTRIES_MAX = 20;
const NOBODY = 99;
const forget = (_: Effect): void => undefined;

/** A state for Maps that take no more than `ENTRIES_MAX` entries. */
class Small {
  readonly state = new BrokerState({ ...LIMITS, sessionsMax: 1_000, retainedMessagesMax: 1_000, subscriptionsPerSessionMax: 1_000 }, { stored: () => undefined, released: () => undefined }, ENTRIES_MAX);
  readonly outbound = new Outbound(this.state);
  readonly routing = new Routing(this.state, this.outbound);
  private position = 0;

  constructor() {
    this.state.attach(this.state.addSession('publisher', false), NOBODY, null, null);
  }

  next(): Position {
    this.position += 1;
    // With a wildcard that changes, the answers for topics are forgotten: of those more are remembered than there may be entries here.
    const { subscriptions, sessions } = this.state;
    const publisher = sessions.get('publisher') as Session;
    subscriptions.subscribe(publisher, '+/nothing/+', 0);
    subscriptions.unsubscribe(publisher, '+/nothing/+');
    return this.position as Position;
  }

  refusal(operation: Operation): Refusal | null {
    return refusalOf(this.state, operation);
  }

  publish(topic: string, retain = true): Refusal | null {
    const operation: PublishOperation = { kind: 'publish', connection: NOBODY, packetId: 1, topic, qos: 1, retain, payload: new Uint8Array([1]) };
    const refusal = this.refusal(operation);
    if (refusal === null) this.routing.publish(topic, 1, retain, this.next(), operation.payload, true, forget);
    return refusal;
  }

  subscribe(clientId: string, filter: string): Refusal | null {
    const session = this.state.sessions.get(clientId) ?? this.state.addSession(clientId, false);
    const refusal = this.refusal({ kind: 'subscribe', connection: NOBODY, packetId: 1, subscriptions: [{ filter, qos: 1 }] });
    if (refusal === null) this.state.subscribe(session, filter, 1);
    return refusal;
  }
}

/** While `work` is done no Map takes more entries; V8's throws at 2^24 in the same way. */
function withSmallMaps(entriesMax: number, work: () => void): void {
  const { set } = Map.prototype;
  Map.prototype.set = function (this: Map<unknown, unknown>, key: unknown, value: unknown) {
    if (this.size >= entriesMax && !this.has(key)) throw new RangeError('Map maximum size exceeded');
    return set.call(this, key, value);
  };
  try {
    work();
  } finally {
    Map.prototype.set = set;
  }
}

test('more messages wait, and more topics are retained, than one Map takes', () => {
  const small = new Small();
  small.subscribe('away', '#');
  withSmallMaps(ENTRIES_MAX, () => {
    for (let number = 0; number < 300; number += 1) {
      expect(small.publish(`${number % 10}/${number}`, number < 100)).toBeNull();
    }
  });
  const { state } = small;
  expect([state.queued, state.retained.size, state.messages.byId.size]).toEqual([300, 100, 300]);
  expect(recomputeDigest(state)).toBe(state.digest.toString());
  const ids = [...snapshotOfSettled(state, 300 as Position)].flatMap((piece) => (piece.kind === 'message' ? [piece.message.id] : []));
  expect(ids).toEqual(Array.from({ length: 300 }, (_, at) => at + 1));
  for (const session of [...state.sessions.values()]) state.removeSession(session);
  for (let number = 0; number < 100; number += 1) state.forgetRetained(`${number % 10}/${number}`);
  expect([state.messages.byId.size, state.messages.bytes]).toEqual([0, 0]);
});

test('a topic that is one too many at its level is not retained, of a client or of a will; others are', () => {
  const small = new Small();
  withSmallMaps(ENTRIES_MAX, () => {
    for (let number = 0; number < ENTRIES_MAX; number += 1) expect(small.publish(`level/${number}`)).toBeNull();
    expect(small.publish('level/more')).toMatchObject({ detail: expect.stringMatching(/20 topics that differ at one level/) });
    small.routing.publishWill(holdWill({ topic: 'level/will', qos: 0, retain: true, payload: new Uint8Array([1]) }, small.next()) as never, forget);
    expect(small.state.retained.byTopic.has('level/will')).toBe(false);
    expect(small.publish('level/more', false)).toBeNull();
    expect(small.publish('level/3')).toBeNull();
    expect(small.publish('level/3/below')).toBeNull();
    expect(small.publish('other/more')).toBeNull();
    small.state.forgetRetained('level/7');
    expect(small.publish('level/more')).toBeNull();
  });
});

test('a filter that is one too many at its level is not taken; others are', () => {
  const small = new Small();
  withSmallMaps(ENTRIES_MAX, () => {
    for (let number = 0; number < ENTRIES_MAX; number += 1) expect(small.subscribe(`c${number % 2}`, `level/${number}`)).toBeNull();
    expect(small.subscribe('c0', 'level/more')).toMatchObject({ detail: expect.stringMatching(/20 topics that differ at one level/) });
    expect(small.subscribe('c1', 'level/0')).toBeNull();
    expect(small.subscribe('c0', 'level/0/#')).toBeNull();
    expect(small.subscribe('c0', 'other/more')).toBeNull();
  });
});

test('no more sessions than one Map takes, whatever sessionsMax says', () => {
  const small = new Small();
  const connect = (clientId: string): Operation => ({ kind: 'connect', connection: 5, clientId, clean: true, will: null, user: null });
  while (small.state.sessions.size < ENTRIES_MAX) {
    expect(small.refusal(connect('one more'))).toBeNull();
    small.state.addSession(`c${small.state.sessions.size}`, false);
  }
  expect(small.refusal(connect('one more'))).toMatchObject({ code: 3, detail: expect.stringContaining('20 sessions') });
  expect(small.refusal(connect('c3'))).toBeNull();
});
