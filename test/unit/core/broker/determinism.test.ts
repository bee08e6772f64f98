import fc from 'fast-check';
import { BrokerCore } from '../../../../src/core/broker/core.js';
import type { ConnectionId, Effect, Qos } from '../../../../src/core/broker/effects.js';
import type { Operation } from '../../../../src/core/broker/operations.js';
import type { EncodedEntry } from '../../../../src/core/broker/snapshot.js';
import type { ServerId } from '../../../../src/core/identity.js';
import { encodedSnapshot, line, LIMITS, recordOf } from './rig.js';

const limits = { ...LIMITS, inflightMessagesMax: 2, queuedMessagesPerSessionMax: 3, subscriptionsPerSessionMax: 4, storedBytesMax: 60, retainedMessagesMax: 3 };
/** What a server was started with must not matter once a term has said what is in force. */
const others = { inflightMessagesMax: 7, sessionsMax: 1, queuedMessagesPerSessionMax: 1, subscriptionsPerSessionMax: 1, storedBytesMax: 3, retainedMessagesMax: 1 };
const CLIENTS = ['a', 'b', 'c', 'd'];

const client = fc.nat(CLIENTS.length - 1);
const qos = fc.constantFrom<Qos>(0, 1, 2);
const topic = fc.constantFrom('t', 't/u', 't/u/v', 'w', '$s/t');
const filter = fc.constantFrom('t', 't/u', 't/+', '+/u', 't/#', '#', '+', 'w', '$s/#', 'bad#');
const packetId = fc.integer({ min: 1, max: 5 });
const payload = fc.constantFrom('', 'x', 'yy', 'a longer one').map((text) => new Uint8Array([...text].map((letter) => letter.charCodeAt(0))));
const will = fc.option(fc.record({ topic, qos, retain: fc.boolean(), payload }));
const said = fc.option(
  fc.record({ inflightMessagesMax: fc.integer({ min: 1, max: 3 }), sessionsMax: fc.nat(4), queuedMessagesPerSessionMax: fc.integer({ min: 1, max: 4 }), subscriptionsPerSessionMax: fc.nat(4), storedBytesMax: fc.nat(60), retainedMessagesMax: fc.nat(3) }),
);
const user = fc.constantFrom(null, 'u', '');

/** What to do next. Connections are chosen when it is done: usually the client's latest, sometimes an older one. */
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ what: fc.constant('connect' as const), client, clean: fc.boolean(), will, user }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('disconnect' as const), client, stale: fc.nat(9), publishWill: fc.boolean() }) },
  { weight: 5, arbitrary: fc.record({ what: fc.constant('subscribe' as const), client, subscriptions: fc.array(fc.record({ filter, qos }), { minLength: 1, maxLength: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('unsubscribe' as const), client, filters: fc.array(filter, { minLength: 1, maxLength: 2 }) }) },
  { weight: 12, arbitrary: fc.record({ what: fc.constant('publish' as const), client, stale: fc.nat(9), packetId, topic, qos, retain: fc.boolean(), payload }) },
  { weight: 12, arbitrary: fc.record({ what: fc.constantFrom('acknowledge' as const, 'received' as const, 'release' as const, 'complete' as const), client, packetId }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('term-start' as const), said }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('orphans-gone' as const), clients: fc.uniqueArray(client) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Turns steps into operations; remembers which connections each client had. */
class Scenario {
  private connections = 0;
  private readonly had = CLIENTS.map((): ConnectionId[] => []);

  operation(next: Step): Operation {
    switch (next.what) {
      case 'connect': {
        const connection = 2 ** 40 + ++this.connections;
        this.had[next.client]?.push(connection);
        return { kind: 'connect', connection, clientId: CLIENTS[next.client] ?? '', clean: next.clean, will: next.will, user: next.user };
      }
      case 'disconnect':
        return { kind: 'disconnect', connection: this.connection(next.client, next.stale), publishWill: next.publishWill };
      case 'subscribe':
        return { kind: 'subscribe', connection: this.connection(next.client, 9), packetId: 1, subscriptions: next.subscriptions };
      case 'unsubscribe':
        return { kind: 'unsubscribe', connection: this.connection(next.client, 9), packetId: 1, filters: next.filters };
      case 'publish': {
        const { packetId: id, topic: name, qos: level, retain, payload: bytes } = next;
        return { kind: 'publish', connection: this.connection(next.client, next.stale), packetId: id, topic: name, qos: level, retain, payload: bytes };
      }
      case 'term-start':
        return { kind: 'term-start', server: 'primary' as ServerId, limits: next.said };
      case 'orphans-gone':
        return { kind: 'orphans-gone', clientIds: next.clients.map((at) => CLIENTS[at] ?? '') };
      default:
        return { kind: next.what, connection: this.connection(next.client, 9), packetId: next.packetId };
    }
  }

  /** The client's latest connection; with `stale` 0 the one before. */
  private connection(who: number, stale: number): ConnectionId {
    const all = this.had[who] ?? [];
    return all.at(stale === 0 ? -2 : -1) ?? 1;
  }
}

/** Restores from entries whose bytes are overwritten right after: what the core keeps must be its own. */
function throughReusedBuffer(entries: readonly EncodedEntry[]): BrokerCore {
  const core = new BrokerCore(others);
  for (const entry of entries) {
    core.restoreEntry(entry);
    entry.payload.fill(0xee);
  }
  return core;
}

/** The same for records. */
function run(core: BrokerCore, operation: Operation, position: number): string[] {
  const lines: string[] = [];
  const record = recordOf(operation, position);
  core.apply(record, (effect) => void lines.push(line(effect)));
  record.payload.fill(0xee);
  return lines;
}

/** How many messages each packet id of each connection stands for; a used one must not be given again. */
class Subscribers {
  private readonly open = new Map<string, number>();
  check(effect: Effect): void {
    if (effect.kind !== 'deliver' || effect.packetId === 0) return;
    const key = `${effect.connection} ${effect.packetId}`;
    const before = this.open.get(key);
    expect(before === undefined || before === effect.message.id).toBe(true);
    this.open.set(key, effect.message.id);
  }
  answered(connection: ConnectionId, id: number): void {
    this.open.delete(`${connection} ${id}`);
  }
}

test('equal records make equal digests, effects and snapshots; the digest is what it is from scratch', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: 'max' }), fc.nat(80), fc.boolean(), (steps, cutAt, obeyLimits) => {
      const scenario = new Scenario();
      const leader = new BrokerCore(limits);
      const follower = new BrokerCore(others);
      let restored: BrokerCore | null = null;
      let position = 1;
      for (const core of [leader, follower]) run(core, { kind: 'term-start', server: 'primary' as ServerId, limits }, position);
      for (const [at, next] of steps.entries()) {
        const operation = scenario.operation(next);
        if (obeyLimits && leader.refusal(operation) !== null) continue;
        position++;
        const effects = run(leader, operation, position);
        expect(run(follower, operation, position)).toEqual(effects);
        expect(leader.recomputeDigest()).toBe(leader.digest());
        expect(follower.digest()).toBe(leader.digest());
        if (restored !== null) {
          expect(run(restored, operation, position)).toEqual(effects);
          expect(restored.recomputeDigest()).toBe(leader.digest());
        }
        expect(leader.orphans()).toEqual((restored ?? follower).orphans());
        expect((restored ?? follower).counts).toEqual(leader.counts);
        if (at === cutAt) restored = throughReusedBuffer(encodedSnapshot(follower));
      }
      if (restored !== null) expect(encodedSnapshot(restored)).toEqual(encodedSnapshot(leader));
    }),
    { numRuns: 400 },
  );
});

test('while limits are obeyed they hold, every reference is given back, and no packet id is used twice', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
      const scenario = new Scenario();
      const held = new Set<number>();
      const core = new BrokerCore(limits, {
        stored: (message) => void held.add(message.id),
        released: (message) => expect(held.delete(message.id)).toBe(true),
      });
      const subscribers = new Subscribers();
      let position = 0;
      for (const next of steps) {
        const operation = scenario.operation(next.what === 'term-start' ? { ...next, said: null } : next);
        if (core.refusal(operation) !== null) continue;
        if (operation.kind === 'acknowledge' || operation.kind === 'complete') subscribers.answered(operation.connection, operation.packetId);
        core.apply(recordOf(operation, ++position), (effect) => subscribers.check(effect));
        expect(core.counts.messages).toBe(held.size);
        expect(core.counts.storedBytes).toBeLessThanOrEqual(limits.storedBytesMax);
        expect(core.counts.retained).toBeLessThanOrEqual(limits.retainedMessagesMax);
      }
      // Everyone goes, and the retained messages too: nothing may stay.
      CLIENTS.forEach((clientId, at) => {
        const connection = 2 ** 41 + at;
        core.apply(recordOf({ kind: 'connect', connection, clientId, clean: true, will: null, user: null }, ++position), () => undefined);
      });
      for (const name of ['t', 't/u', 't/u/v', 'w', '$s/t']) {
        const empty = new Uint8Array(0);
        core.apply(recordOf({ kind: 'publish', connection: 2 ** 41, packetId: 0, topic: name, qos: 0, retain: true, payload: empty }, ++position), () => undefined);
      }
      core.apply(recordOf({ kind: 'term-start', server: 'primary' as ServerId, limits: null }, ++position), () => undefined);
      core.apply(recordOf({ kind: 'orphans-gone', clientIds: CLIENTS }, ++position), () => undefined);
      expect([...held]).toEqual([]);
      expect(core.counts).toEqual({ sessions: 0, connected: 0, orphans: 0, subscriptions: 0, queued: 0, inflight: 0, storedBytes: 0, retained: 0, messages: 0 });
      expect(core.recomputeDigest()).toBe(core.digest());
    }),
    { numRuns: 300 },
  );
});
