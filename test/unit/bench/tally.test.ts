import { Latencies, median } from '../../bench/latencies.js';
import { connectPacket, PacketReader, publishTemplate } from '../../bench/clients/packets.js';
import { longestGap, Tally } from '../../bench/clients/tally.js';

test('the longest gap is one that ended after the event', () => {
  expect(longestGap([0, 500, 510, 520, 700, 710], 515)).toBe(180);
  // It may have begun before.
  expect(longestGap([0, 500, 510], 100)).toBe(500);
  expect(longestGap([0, 500], 600)).toBe(0);
});

test('acknowledged and never received is lost; received twice is a duplicate', () => {
  const tally = new Tally();
  for (const sequence of [0, 1, 2]) tally.acknowledge(sequence);
  for (const sequence of [0, 2, 2, 3]) tally.receive(sequence);
  expect(tally.missing).toBe(1);
  expect(tally.account(0)).toMatchObject({ acknowledged: 3, received: 3, lost: 1, duplicates: 1 });
});

test('percentiles are values that were measured', () => {
  const latencies = new Latencies();
  for (let value = 10_000; value >= 1; value--) latencies.add(value);
  expect(latencies.spread()).toEqual({ count: 10_000, p50: 5_000, p99: 9_900, p999: 9_990, max: 10_000 });
  expect(new Latencies().spread()).toEqual({ count: 0, p50: 0, p99: 0, p999: 0, max: 0 });
  expect(median([5, 1, 3])).toBe(3);
  expect(median([4, 1, 2, 3])).toBe(2.5);
});

test('packets are found however the bytes are cut', () => {
  const { bytes, payloadAt } = publishTemplate('bench/load/0', 256, 1);
  const all = Buffer.concat([connectPacket('one'), bytes, bytes]);
  for (const step of [1, 2, 3, 7, 100, all.length]) {
    const found: string[] = [];
    const reader = new PacketReader((first, from, start, end) => found.push(`${first >> 4}:${end - start}:${String(from[end - 1])}`));
    for (let at = 0; at < all.length; at += step) reader.push(all.subarray(at, at + step));
    const body = bytes.length - (payloadAt - 2 - 12 - 2);
    expect(found).toEqual([`1:15:${'e'.charCodeAt(0)}`, `3:${body}:46`, `3:${body}:46`]);
  }
});
