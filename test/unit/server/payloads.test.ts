import fc from 'fast-check';
import type { Message } from '../../../src/core/broker/effects.js';
import type { Position } from '../../../src/core/identity.js';
import { PayloadCache, SLAB_BYTES, VIEWED_BYTES_MAX } from '../../../src/server/payloads.js';

function message(id: number, size: number): Message {
  return { id: id as Position, topic: 't', qos: 1, size, payload: new Uint8Array(size), references: 1 };
}

function store(cache: PayloadCache, one: Message): void {
  cache.begin(one.id, one.size + 128);
  cache.stored(one);
}

test('the oldest payloads are let go, so many as there are too many', () => {
  const cache = new PayloadCache(25);
  const all = [1, 2, 3, 4].map((id) => message(id, 10));
  for (const one of all) store(cache, one);
  expect(all.map((one) => one.payload === null)).toEqual([true, true, false, false]);
  expect(cache.bytes).toBe(20);
});

test('however few bytes they have, no more stay than are counted', () => {
  const cache = new PayloadCache(1_000, 3);
  const all = [1, 2, 3, 4, 5].map((id) => message(id, 0));
  for (const one of all) store(cache, one);
  expect(all.map((one) => one.payload === null)).toEqual([true, true, false, false, false]);
});

test('the payload of a will, whose id names an older record, is not let go', () => {
  const cache = new PayloadCache(5);
  const will = message(3, 10);
  cache.applying = 7 as Position;
  cache.stored(will);
  expect(will.payload).not.toBeNull();
  expect(cache.bytes).toBe(0);
});

test('it is let go as any other when the snapshots that are kept have it', () => {
  const cache = new PayloadCache(25);
  const [one, gone, other] = [message(3, 10), message(4, 10), message(5, 10)];
  cache.applying = 7 as Position;
  for (const will of [one, gone, other]) cache.stored(will);
  cache.released(gone);
  cache.snapshotsHave((id) => id !== 5);
  expect(cache.bytes).toBe(10);
  store(cache, message(8, 10));
  store(cache, message(9, 10));
  expect([one, gone, other].map(({ payload }) => payload === null)).toEqual([true, false, false]);
  cache.snapshotsHave(() => true);
  expect(cache.bytes).toBe(20);
  cache.released(other);
  expect(cache.bytes).toBe(10);
});

test('whatever comes and goes, in whatever order, the newest that fit stay', () => {
  const steps = fc.array(fc.oneof(fc.record({ kind: fc.constant('store' as const), size: fc.integer({ min: 1, max: 9 }) }), fc.record({ kind: fc.constant('release' as const), at: fc.nat() })), { maxLength: 300 });
  fc.assert(
    fc.property(steps, fc.integer({ min: 10, max: 60 }), (all, bytesMax) => {
      const cache = new PayloadCache(bytesMax);
      const live: Message[] = [];
      let next = 1;
      for (const step of all) {
        if (step.kind === 'store') {
          const one = message(next++, step.size);
          live.push(one);
          store(cache, one);
        } else if (live.length > 0) cache.released(live.splice(step.at % live.length, 1)[0] as Message);
        const held = live.filter((one) => one.payload !== null);
        const bytes = held.reduce((sum, one) => sum + one.size, 0);
        expect(cache.bytes).toBe(bytes);
        expect(bytes).toBeLessThanOrEqual(bytesMax);
        // What was let go is older than everything that stayed.
        expect(live.slice(live.length - held.length)).toEqual(held);
      }
    }),
  );
});

test('ids that are no longer in memory do not pile up', () => {
  const cache = new PayloadCache(1_000);
  const kept = message(1, 10);
  store(cache, kept);
  for (let id = 2; id < 50_000; id++) {
    const one = message(id, 10);
    store(cache, one);
    cache.released(one);
  }
  expect((cache as unknown as { order: unknown[] }).order.length).toBeLessThan(10_000);
  // The oldest is still the first to go.
  for (let id = 60_000; id < 60_100; id++) store(cache, message(id, 10));
  expect(kept.payload).toBeNull();
  expect(cache.bytes).toBe(1_000);
});

describe('views into blocks', () => {
  const viewed = (id: number, size: number, blockBytes = size * 3): Message => ({ ...message(id, size), payload: new Uint8Array(blockBytes).subarray(50, 50 + size).fill(id % 251) });
  const isView = (one: Message): boolean => one.payload !== null && [one.size * 3, 21_000].includes(one.payload.buffer.byteLength);

  test('what stays while much comes after it leaves its block; what comes and goes is never copied', () => {
    const cache = new PayloadCache(1e9);
    const kept: Message[] = [];
    const size = 1_000;
    const views = VIEWED_BYTES_MAX / size;
    for (let id = 1; id <= 3 * views; id++) {
      const one = viewed(id, size);
      store(cache, one);
      if (id % 3 === 0) kept.push(one);
      else {
        cache.released(one);
        expect(isView(one)).toBe(true);
      }
    }
    // In order: those that are old have copies, the newest hold views still.
    const first = kept.findIndex(isView);
    expect(kept.slice(first).every(isView)).toBe(true);
    expect(kept.length - first).toBeLessThanOrEqual(Math.ceil(views / 3));
    expect(kept.length - first).toBeGreaterThan(views / 4);
    expect(kept.every((one) => one.payload?.length === size && one.payload[0] === one.id % 251)).toBe(true);
    expect(cache.bytes).toBe(kept.length * size);
  });

  test('a message that has a block nearly for itself keeps it', () => {
    const cache = new PayloadCache(1e9);
    const large = viewed(1, 20_000, 21_000);
    const small = viewed(2, 20_000, 60_000);
    store(cache, large);
    store(cache, small);
    for (let id = 3; id < 200; id++) store(cache, viewed(id, 100_000));
    expect([isView(large), isView(small)]).toEqual([true, false]);
  });

  test('small payloads stand side by side, and single ones that stay keep no more than the limit', () => {
    const bytesMax = 64 * SLAB_BYTES;
    const cache = new PayloadCache(bytesMax);
    const all: Message[] = [];
    // One of a hundred stays: after its slab is full of gaps, it is let go with the rest of it.
    for (let id = 1; id <= 60_000; id++) {
      const one = viewed(id, 1_000);
      all.push(one);
      store(cache, one);
      const old = all[id - 10_000];
      if (old !== undefined && old.id % 100 !== 0) cache.released(old);
    }
    const inSlabs = all.filter((one) => one.payload !== null && one.payload.buffer.byteLength === SLAB_BYTES && (one.id > 50_000 || one.id % 100 === 0));
    expect(new Set(inSlabs.map((one) => one.payload?.buffer)).size).toBeLessThanOrEqual(64);
    expect(inSlabs.filter((one) => one.id <= 50_000).length).toBeGreaterThan(30);
    expect(all[99]?.payload).toBeNull();
    expect(cache.bytes).toBeLessThanOrEqual(bytesMax);
    expect(inSlabs.every((one) => one.payload?.every((byte) => byte === one.id % 251))).toBe(true);
  });

  test('log without messages counts, too: what is kept stays in no block behind 4 MiB of acknowledgements', () => {
    const cache = new PayloadCache(1e9);
    const kept = viewed(1, 100);
    store(cache, kept);
    const acknowledgements = (bytes: number): void => {
      for (let left = bytes; left > 0; left -= 34) cache.begin(2 as Position, 34);
    };
    acknowledgements(VIEWED_BYTES_MAX - 1_000);
    store(cache, viewed(3, 100));
    expect(isView(kept)).toBe(true);
    acknowledgements(1_000);
    store(cache, viewed(4, 100));
    expect(isView(kept)).toBe(false);
  });

  test('what a snapshot brings is copied at once: its bytes may be used again', () => {
    const cache = new PayloadCache(1e9);
    const bytes = new Uint8Array(1_000).fill(7);
    const one = { ...message(5, 1_000), payload: bytes };
    cache.stored(one);
    bytes.fill(9);
    expect(one.payload.every((byte) => byte === 7)).toBe(true);
  });

  test('what is let go is not looked for again', () => {
    const cache = new PayloadCache(50_000);
    const all = Array.from({ length: 20_000 }, (_, at) => viewed(at + 1, 1_000));
    for (const one of all) store(cache, one);
    expect(all.filter((one) => one.payload !== null)).toHaveLength(50);
    expect(all.slice(-50).every(isView)).toBe(true);
  });
});
