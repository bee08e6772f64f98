import { BrokerCore } from '../../../../src/core/broker/core.js';
import { Digest, hashText } from '../../../../src/core/broker/digest.js';
import { SNAPSHOT_LIST_BYTES, SnapshotEntryType, encodeMessageEntry } from '../../../../src/core/broker/snapshot.js';
import type { EncodedEntry, SnapshotEntry } from '../../../../src/core/broker/snapshot.js';
import { AssertionFailure } from '../../../../src/core/errors.js';
import { MalformedBytes } from '../../../../src/core/wire/bytes.js';
import { encodedSnapshot, line, LIMITS, recordOf, restoredFrom, Rig } from './rig.js';

function fullRig(): Rig {
  const rig = new Rig({ inflightMessagesMax: 2 });
  rig.connect('pub', { will: 'w', willRetain: true, user: 'u' });
  rig.connect('sub');
  rig.connect('clean', { clean: true });
  rig.subscribe('sub', 't/#:2', 'x:1');
  rig.subscribe('clean', 't/#:1');
  for (let id = 1; id <= 4; id++) rig.publish('pub', `t/${id}!=${id}`, 2, id);
  rig.answer('sub', 'received', 1);
  rig.termStart();
  rig.connect('pub', { will: 'w', willQos: 2 });
  return rig;
}

describe('a snapshot', () => {
  test('has its entries in the order in which one pass can restore them', () => {
    const types = encodedSnapshot(fullRig().core).map(({ type }) => type);
    expect(types).toEqual([64, 65, 65, 65, 65, 66, 69, 66, 67, 68, 66, 67, 68, 70, 71]);
  });

  test('keeps position, counts and orphans', () => {
    const { core } = fullRig();
    const copy = restoredFrom(encodedSnapshot(core), { ...LIMITS, inflightMessagesMax: 2 });
    expect(copy.applied).toBe(core.applied);
    expect(copy.counts).toEqual(core.counts);
    expect(copy.orphans()).toEqual(['sub', 'clean']);
    expect(copy.recomputeDigest()).toBe(core.digest());
  });

  test('of nothing is one too', () => {
    const core = new BrokerCore(LIMITS);
    expect(restoredFrom(encodedSnapshot(core)).digest()).toBe(core.digest());
  });

  test('is of the moment in which it was asked for, whatever is applied while it is written', () => {
    const rig = fullRig();
    const expected = encodedSnapshot(rig.core);
    const pieces = rig.core.snapshotEntries();
    const taken: EncodedEntry[] = [];
    for (const piece of pieces) {
      taken.push(piece.kind === 'encoded' ? piece.entry : encodeMessageEntry(piece.message, piece.message.payload ?? new Uint8Array(0)));
      if (taken.length === 2) {
        rig.connect('sub', { clean: true });
        rig.publish('pub', 't/1!=', 1);
        rig.publish('pub', 't/9!=new', 1);
      }
    }
    expect(taken).toEqual(expected);
  });

  test('copies no payload of a will before its session has its turn, and has the will that was there', () => {
    const core = new BrokerCore(LIMITS);
    let position = 0;
    const connect = (at: number, fill: number): void => {
      position += 1;
      core.apply(recordOf({ kind: 'connect', connection: position, clientId: `c${at}`, clean: false, user: null, will: { topic: 'w', qos: 1, retain: false, payload: new Uint8Array(50_000).fill(fill) } }, position), () => undefined);
    };
    for (let at = 0; at < 20; at++) connect(at, at);
    const digest = core.digest();
    let copied = 0;
    const { set } = Uint8Array.prototype;
    Uint8Array.prototype.set = function (bytes: ArrayLike<number>, offset?: number): void {
      copied += bytes.length;
      set.call(this, bytes, offset);
    };
    const pieces = core.snapshotEntries();
    const begin = pieces.next().value as SnapshotEntry;
    Uint8Array.prototype.set = set;
    expect(copied).toBeLessThan(50_000);
    for (let at = 0; at < 20; at++) connect(at, 255);
    const copy = new BrokerCore(LIMITS);
    for (const piece of [begin, ...pieces]) if (piece.kind === 'encoded') copy.restoreEntry(piece.entry);
    expect(copy.digest()).toBe(digest);
    expect(copy.recomputeDigest()).toBe(digest);
  });

  test('of a state that nobody changes is the same, made piece by piece', () => {
    const rig = fullRig();
    const { core } = rig;
    const encoded = (pieces: Iterable<SnapshotEntry>): EncodedEntry[] => [...pieces].map((piece) => (piece.kind === 'encoded' ? piece.entry : encodeMessageEntry(piece.message, piece.message.payload ?? new Uint8Array(0))));
    expect(encoded(core.settledEntries())).toEqual(encoded(core.snapshotEntries()));
    const pieces = core.settledEntries();
    const first = pieces.next();
    const sessions = core.counts.sessions;
    rig.connect('one more', { clean: true });
    const rest = encoded(pieces);
    expect(first.done).toBe(false);
    expect(rest.filter(({ type }) => type === SnapshotEntryType.session)).toHaveLength(sessions + 1);
  });

  test('has entries of bounded size', () => {
    const core = new BrokerCore({ ...LIMITS, queuedMessagesPerSessionMax: 10_000, subscriptionsPerSessionMax: 10_000 });
    const nothing = (): void => undefined;
    core.apply(recordOf({ kind: 'connect', connection: 1, clientId: 'c', clean: false, will: null, user: null }, 1), nothing);
    const subscriptions = Array.from({ length: 3000 }, (_, at) => ({ filter: `some/filter/of/usual/length/${at}`, qos: 1 as const }));
    core.apply(recordOf({ kind: 'subscribe', connection: 1, packetId: 1, subscriptions }, 2), nothing);
    for (let at = 0; at < 5000; at++) {
      const topic = `some/filter/of/usual/length/${at % 3000}`;
      core.apply(recordOf({ kind: 'publish', connection: 1, packetId: at + 1, topic, qos: 2, retain: false, payload: new Uint8Array(1) }, at + 3), nothing);
    }
    const entries = encodedSnapshot(core);
    for (const entry of entries) expect(entry.payload.length).toBeLessThan(SNAPSHOT_LIST_BYTES + 100);
    for (const type of [SnapshotEntryType.subscriptions, SnapshotEntryType.deliveries]) {
      expect(entries.filter((entry) => entry.type === type).length).toBeGreaterThan(1);
    }
    expect(restoredFrom(entries).digest()).toBe(core.digest());
  });
});

test('a core that is restored under a larger in-flight window keeps the order', () => {
  const rig = new Rig({ inflightMessagesMax: 1 });
  rig.connect('c');
  rig.subscribe('c', 't:1');
  for (const text of ['1', '2']) rig.publish('c', `t=${text}`);
  const core = restoredFrom(encodedSnapshot(rig.core), { ...LIMITS, inflightMessagesMax: 2 });
  const lines: string[] = [];
  core.apply(recordOf(rig.publishOperation('c', 't=3', 1, 3), 100), (effect) => void lines.push(line(effect)));
  core.apply(recordOf({ kind: 'acknowledge', connection: 1, packetId: 1 }, 101), (effect) => void lines.push(line(effect)));
  expect(lines).toEqual(['1 puback #3', '1 publish t=2 q1 #2', '1 publish t=3 q1 #3']);
});

describe('a broken snapshot is refused', () => {
  const entries = encodedSnapshot(fullRig().core);
  const broken = { code: 'LOCKSTEP_SNAPSHOT_BROKEN' };

  test.each(entries.map((entry, at) => [at, entry.type] as const))('without its entry %i (type %i)', (at) => {
    const rest = entries.filter((_, index) => index !== at);
    if (at === entries.length - 1) {
      const core = new BrokerCore(LIMITS);
      for (const entry of rest) core.restoreEntry(entry);
      expect(core.restored).toBe(false);
      const record = recordOf({ kind: 'orphans-gone', clientIds: [] }, 999);
      expect(() => core.apply(record, () => undefined)).toThrow(AssertionFailure);
      return;
    }
    expect(() => restoredFrom(rest)).toThrow(expect.objectContaining(broken));
  });

  test('with its sessions in another order, which the digest does not see and deliveries would', () => {
    const sessions = entries.map(({ type }, at) => (type === SnapshotEntryType.session ? at : -1)).filter((at) => at >= 0);
    const [first = 0, second = 0] = sessions;
    const swapped = entries.map((entry, at) => (at === first ? entries[second] : at === second ? entries[first] : entry) as EncodedEntry);
    expect(() => restoredFrom(swapped)).toThrow(expect.objectContaining(broken));
  });

  test('with any entry twice, or any entry that is cut short', () => {
    entries.forEach((entry, at) => {
      const last = at === entries.length - 1;
      const twice = [...entries.slice(0, at), entry, ...entries.slice(at)];
      expect(() => restoredFrom(twice)).toThrow(last ? AssertionFailure : expect.objectContaining({ name: 'LockstepError' }));
      const short = { ...entry, payload: entry.payload.subarray(0, -1) };
      if (entry.type === SnapshotEntryType.message) return;
      expect(() => restoredFrom([...entries.slice(0, at), short, ...entries.slice(at + 1)])).toThrow(MalformedBytes);
    });
  });

  test('with one bit of another state', () => {
    let tried = 0;
    entries.forEach((entry, at) => {
      // A message's payload is covered by the checksum of the file, the position by nothing here.
      if (entry.type === SnapshotEntryType.message || entry.type === SnapshotEntryType.begin) return;
      for (let byte = 0; byte < entry.payload.length; byte++) {
        const payload = entry.payload.slice();
        payload[byte] = (payload[byte] ?? 0) ^ 1;
        expect(() => restoredFrom([...entries.slice(0, at), { ...entry, payload }, ...entries.slice(at + 1)])).toThrow();
        tried++;
      }
    });
    expect(tried).toBeGreaterThan(200);
  });

  test.each([{ type: 72 }, { type: 5 }, { version: 2 }])('with an entry of %j', (change) => {
    const [first, second, ...rest] = entries;
    if (first === undefined || second === undefined) throw new Error('too few entries');
    expect(() => restoredFrom([first, { ...second, ...change }, ...rest])).toThrow(expect.objectContaining({ code: 'LOCKSTEP_RECORD_UNKNOWN' }));
  });

  test('over a state that is not new', () => {
    const [first] = entries;
    if (first === undefined) throw new Error('no entries');
    expect(() => fullRig().core.restoreEntry(first)).toThrow(AssertionFailure);
  });
});

describe('the core guards its log', () => {
  test('a record out of order is a broken assumption', () => {
    const core = new BrokerCore(LIMITS);
    const record = recordOf({ kind: 'orphans-gone', clientIds: [] }, 5);
    core.apply(record, () => undefined);
    expect(core.applied).toBe(5);
    expect(() => core.apply(record, () => undefined)).toThrow(AssertionFailure);
  });

  test('an unknown record changes nothing', () => {
    const core = new BrokerCore(LIMITS);
    const record = { ...recordOf({ kind: 'orphans-gone', clientIds: [] }, 5), type: 60 };
    expect(() => core.apply(record, () => undefined)).toThrow(expect.objectContaining({ code: 'LOCKSTEP_RECORD_UNKNOWN' }));
    expect(core.applied).toBe(0);
  });

  test.each([{ inflightMessagesMax: 0 }, { inflightMessagesMax: 65_536 }, { queuedMessagesPerSessionMax: 0 }])('limits %j are refused', (limit) =>
    expect(() => new BrokerCore({ ...LIMITS, ...limit })).toThrow(AssertionFailure),
  );
});

describe('the digest', () => {
  test('tells the order of a queue', () => {
    const digests = ['12', '21'].map((order) => {
      const rig = new Rig();
      rig.connect('pub');
      rig.connect('sub');
      rig.subscribe('sub', 'a:1', 'b:1');
      rig.disconnect('sub');
      // The same two messages wait, at the same positions; only their order differs.
      for (const which of order) rig.publish('pub', which === '1' ? 'a=x' : 'b=x');
      return rig.core.digest();
    });
    expect(digests[0]).not.toBe(digests[1]);
  });

  test('both lanes tell single bits apart, and adding and taking away cancel', () => {
    const seen = [new Set<string>(), new Set<string>()];
    const key = hashText('key');
    let made = 0;
    for (let word = 0; word < 4; word++) {
      for (let bit = 0; bit < 32; bit++) {
        const words = [0, 0, 0, 0].map((_, at) => (at === word ? 1 << bit : 0)) as [number, number, number, number];
        const digest = new Digest();
        digest.count(1, 1, key, ...words);
        seen[0]?.add(digest.toString().slice(0, 8));
        seen[1]?.add(digest.toString().slice(8));
        made++;
        digest.count(-1, 1, key, ...words);
        expect(digest.toString()).toBe('0'.repeat(16));
      }
    }
    expect(seen.map(({ size }) => size)).toEqual([made, made]);
  });
});
